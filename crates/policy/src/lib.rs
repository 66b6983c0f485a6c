//! Who may do what with which data, for what purpose, and when.
//!
//! A [`Catalogue`] names the house's roles and purposes. It is compiled into Cedar policies ([`Policies`]), which decide each
//! [`Question`]: a forbid wins over any permit, and what no policy permits is denied. Denials are explained by asking the same
//! policies again with one fact changed ([`Policies::why`]), so that an explanation never says something else than the decision.
//!
//! Nobody, through one role or several, holds two duties that must be two people's ([`separation`]).

mod catalogue;
mod compile;
mod decide;
mod explain;
mod matrix;
mod question;
pub mod separation;

pub use catalogue::{Catalogue, CatalogueError, MAX_CATALOGUE, Purposed, Role, Strength, Title};
pub use compile::{CompileError, Policies};
pub use decide::{Decision, Need, Reason};
pub use explain::{Change, Reach, Who};
pub use matrix::matrix;
pub use question::{Asker, Facts, Question};

#[cfg(test)]
mod tests;
