//! Wireless M-Bus: frame to headers to data records; knows no keys.
