//! The simulator from outside: what it writes is what a house must read.

mod keys;
mod mischief;
mod program;
