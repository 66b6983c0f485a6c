//! Intake against the rooms that it calls, played by small fakes of their messages over real links.

mod frames;
mod gateway;
mod house;
mod others;
mod vault;

mod bad_input;
mod errands;
mod flow;
mod recovery;
