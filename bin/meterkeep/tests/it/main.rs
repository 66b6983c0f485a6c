//! The command as its users run it.
// `cfg(test)` lets clippy see that the helpers, too, are test code.

#[cfg(test)]
mod decode;
