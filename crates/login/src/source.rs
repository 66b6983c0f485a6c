//! Where somebody calls from: what guesses are counted by, and what service tokens are kept to.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// A caller's place. Of an IPv6 address only the first 64 bits count, since whoever has one has all that begin like it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Source(IpAddr);

/// A range of addresses, written `10.2.0.0/16`, `2001:db8::/32` or a single address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

/// A text that is no range of addresses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no range of addresses; write `10.2.0.0/16` or `2001:db8::/48`")]
pub struct NetworkError(String);

impl Source {
    /// The place of an address. IPv4 addresses written as IPv6 are IPv4 addresses.
    #[must_use]
    pub const fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(four) => Self(IpAddr::V4(four)),
            IpAddr::V6(six) => {
                let prefix = six.to_bits() >> 64 << 64;
                Self(IpAddr::V6(Ipv6Addr::from_bits(prefix)))
            }
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Network {
    /// Whether an address is of that range.
    #[must_use]
    pub fn holds(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(a), IpAddr::V4(b)) => {
                same(u128::from(a.to_bits()), u128::from(b.to_bits()), 32, self.bits)
            }
            (IpAddr::V6(a), IpAddr::V6(b)) => same(a.to_bits(), b.to_bits(), 128, self.bits),
            _ => false,
        }
    }
}

fn same(a: u128, b: u128, width: u8, bits: u8) -> bool {
    let rest = u32::from(width.saturating_sub(bits));
    // a shift by the whole width is what `checked_shr` refuses: then all addresses are the same
    (a ^ b).checked_shr(rest).unwrap_or(0) == 0
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let parse = || {
            let (address, bits) = match text.split_once('/') {
                Some((address, bits)) => (address, Some(bits)),
                None => (text, None),
            };
            let address: IpAddr = address.parse().ok()?;
            let width = if address.is_ipv4() { 32 } else { 128 };
            let bits: u8 = bits.map_or(Some(width), |bits| bits.parse().ok())?;
            (bits <= width).then_some(Self { address, bits })
        };
        parse().ok_or_else(|| NetworkError(text.to_owned()))
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_place_is_an_address_or_a_subscribers_prefix() {
        assert_eq!(Source::of(ip("2001:db8::1")), Source::of(ip("2001:db8::ffff:2")));
        assert_ne!(Source::of(ip("2001:db8::1")), Source::of(ip("2001:db8:0:1::1")));
        assert_ne!(Source::of(ip("10.0.0.1")), Source::of(ip("10.0.0.2")));
        assert_eq!(Source::of(ip("10.0.0.1")), Source::of(ip("::ffff:10.0.0.1")));
    }

    #[test]
    fn a_range_holds_what_it_says() {
        for (range, inside, outside) in [
            ("10.2.0.0/16", "10.2.255.1", "10.3.0.1"),
            ("10.2.0.7", "10.2.0.7", "10.2.0.8"),
            ("10.2.0.0/16", "::ffff:10.2.0.1", "2001:db8::1"),
            ("2001:db8::/32", "2001:db8:1::1", "2001:db9::1"),
            ("0.0.0.0/0", "1.2.3.4", "::1"),
            ("::/0", "::1", "1.2.3.4"),
        ] {
            let range: Network = range.parse().unwrap();
            assert!(range.holds(ip(inside)) && !range.holds(ip(outside)), "{range}");
            assert_eq!(range.to_string().parse::<Network>().unwrap(), range);
        }
        for text in ["", "10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.0/", "10.0.0.0/-1", "x/8"] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }
}
