//! Key files as a supplier would send them, and as an attacker would.
// `cfg(test)` lets clippy see that the helpers, too, are test code.

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod made;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod signed;
#[cfg(test)]
mod writer;
