//! The log against published vectors, a naive reference, forgers, and Go's own code.

mod cosigning;
mod forged;
mod go;
mod memory;
mod naive;
mod names;
mod notes;
mod offline;
mod robust;
mod vectors;
