//! The way of a telegram to a person who reads it.

mod electricity;
mod fragments;
mod handover;
mod key_files;
mod key_lists;
mod restart;
mod telegrams;
mod token;
mod unseal;
