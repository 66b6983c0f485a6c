//! Every receiver on streams of good, damaged, interleaved and cut messages. The simulator writes them.

#[cfg(test)]
mod pace;
#[cfg(test)]
mod speakers;
#[cfg(test)]
mod streams;
