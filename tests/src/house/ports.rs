//! Ports for houses that run at the same time.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

/// A free TCP port of the loopback address, outside of the range that the system hands out to connections, and not
/// given to another house of this process before.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn free() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(std::process::id() % 800).expect("below 800") * 25;
    for _ in 0..1000 {
        let port = 10_000 + (first + NEXT.fetch_add(1, Ordering::Relaxed)) % 20_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no free port");
}
