//! The way of a telegram to a person who reads it.

mod auditing;
mod backup;
mod bounds;
mod contacts;
mod containers;
mod electricity;
mod erasure;
mod exchange;
mod fragments;
mod handover;
mod history;
mod key_files;
mod key_life;
mod key_lists;
mod log;
mod login;
mod month;
mod moves;
mod provider;
mod register;
mod restart;
mod services;
mod staff;
mod telegrams;
mod token;
mod unseal;
