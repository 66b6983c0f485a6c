//! The crate as its users see it.
// `cfg(test)` lets clippy see that the helpers, too, are test code.

#[cfg(test)]
mod clash;
#[cfg(test)]
mod vectors;
#[cfg(test)]
mod walk_by;
