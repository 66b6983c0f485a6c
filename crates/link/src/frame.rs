//! Length-delimited frames, with limits.

use tokio_util::codec::LengthDelimitedCodec;

/// The longest frame between rooms, and from a collector: 8 MiB.
pub const MAX_FRAME: usize = 8 * 1024 * 1024;
/// The longest frame of a stranger: 16 KiB.
pub const MAX_STRANGER_FRAME: usize = 16 * 1024;

pub(crate) fn codec(max: usize) -> LengthDelimitedCodec {
    LengthDelimitedCodec::builder().little_endian().max_frame_length(max).new_codec()
}
