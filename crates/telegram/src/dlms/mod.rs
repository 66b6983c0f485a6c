//! DLMS/COSEM as electricity meters push it (IEC 62056): bytes of a line to frames, frames to application units,
//! units to values with OBIS codes. It knows no keys.

mod fcs;
pub mod hdlc;

pub use fcs::fcs;
