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
mod manual;
#[cfg(test)]
mod up;
