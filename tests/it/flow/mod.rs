//! The way of a telegram to a person who reads it.

mod key_files;
mod restart;
mod telegrams;
