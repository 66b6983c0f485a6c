//! Intake against the rooms that it calls, played by small fakes of their messages over real links.

#[cfg(test)]
mod frames;
#[cfg(test)]
mod gateway;
#[cfg(test)]
mod house;
#[cfg(test)]
mod others;
#[cfg(test)]
mod vault;

#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod errands;
#[cfg(test)]
mod flow;
#[cfg(test)]
mod recovery;
