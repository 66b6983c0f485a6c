//! What a register measures.

/// A physical or administrative quantity. The codes stand in stored readings and never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Quantity {
    /// Volume that passed the meter.
    Volume,
}
