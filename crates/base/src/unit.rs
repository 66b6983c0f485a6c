//! Units, as people write them.

/// A unit of measure. The codes stand in stored readings and never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unit {
    /// Cubic metres.
    CubicMetre,
}
