//! The command as its users run it.
// `cfg(test)` lets clippy see that the helpers, too, are test code.

#[cfg(test)]
mod collect;
#[cfg(test)]
mod decode;
#[cfg(test)]
mod decode_dlms;
#[cfg(test)]
mod demo;
#[cfg(test)]
mod explain;
#[cfg(test)]
mod init;
#[cfg(test)]
mod ledger;
#[cfg(test)]
mod ledger_go;
#[cfg(test)]
mod manual;
/// Logs in memory, and Go's code as a referee, as the tests of the Merkle log have them.
#[cfg(test)]
#[path = "../../../../crates/tlog/tests/it/memory.rs"]
#[allow(dead_code, reason = "those need more of it")]
mod memory;
#[cfg(test)]
#[path = "../../../../crates/tlog/tests/it/referee.rs"]
mod referee;
#[cfg(test)]
mod up;
#[cfg(test)]
mod witness;
#[cfg(test)]
mod written;
