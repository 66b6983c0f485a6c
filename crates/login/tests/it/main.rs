//! Signing in to a house, as a person does it and as those do it who are somebody else.

#[cfg(test)]
mod attacks;
#[cfg(test)]
mod house;
#[cfg(test)]
mod sign_in;
