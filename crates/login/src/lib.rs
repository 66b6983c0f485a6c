//! Whether somebody is who they say. Pure: no I/O, no async, time is an argument, randomness is the system's.
//!
//! A sign-in is a row of values, each of which only the step before makes: [`Challenge`], perhaps [`Pending`], [`Proof`],
//! [`Proven`], and at last a session that is bound to a key which the client made before. What a check changes comes
//! out as an [`Outcome`], whose result is to be had only after the change is durable. Refusals have a reason for the log
//! and one text for outside.

pub mod account;
mod bounded;
mod bytes;
mod challenge;
mod change;
mod claimant;
pub mod code;
mod common;
pub mod device;
pub mod invite;
pub mod key;
mod name;
mod outcome;
pub mod passkey;
pub mod password;
pub mod provider;
pub mod recovery;
mod refusal;
pub mod service;
pub mod session;
mod source;
mod statement;
pub mod throttle;
pub mod totp;

pub use account::Account;
pub use bytes::RecordError;
pub use challenge::{ANSWER_WITHIN, Challenge, Factor, Pending, Proof, Proven, Step, Strength};
pub use change::Change;
pub use claimant::{Claimant, Shown};
pub use device::{DeviceId, DeviceToken, Devices};
pub use invite::{Enrolment, Invitations};
pub use key::{KeyError, SignInKey};
pub use name::{Name, NameError};
pub use outcome::Outcome;
pub use passkey::{Passkey, RelyingParty};
pub use password::{PasswordError, Passwords, StoredPassword};
pub use provider::{Provider, Subject, Told};
pub use recovery::RecoveryCodes;
pub use refusal::Refusal;
pub use service::ServiceAccount;
pub use session::{Session, SessionId, Sessions};
pub use source::{Network, NetworkError, Source};
pub use throttle::{Attempt, Throttle, Throttled, Ticket};
pub use totp::CodeGenerator;
