//! A secret in shares: any k of n officers open it together, and fewer learn nothing (Shamir 1979, over GF(256)).

use base::Secret;
use blahaj::Sharks;
use rand_core::UnwrapErr;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize as _, Zeroizing};

/// Most shares of one set.
pub const MAX_SHARES: u8 = 32;

const HEAD: &str = "MKS1";
/// `set(8) threshold(1) shares(1) number(1) value(32) check(4)`.
const LEN: usize = 8 + 3 + 32 + CHECK;
const CHECK: usize = 4;

/// Why shares were not made or do not join.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ShareError {
    /// A set that makes no sense.
    #[error(
        "{threshold} of {shares} shares cannot be: at least 2 have to come together, of at most {MAX_SHARES}"
    )]
    Numbers {
        /// How many were to come together.
        threshold: u8,
        /// How many were to be made.
        shares: u8,
    },
    /// Not the text of a share.
    #[error("this is no share: it begins with `{HEAD}-` and has {LEN} bytes in hexadecimal")]
    Form,
    /// A share with a slip of the pen.
    #[error("a digit of the share is wrong: its check does not fit; compare it with the paper")]
    Check,
    /// Shares that do not belong together.
    #[error("the shares are of different sets; each vault and each renewal has its own")]
    OtherSet,
    /// Too few.
    #[error("{have} of {need} shares are there")]
    TooFew {
        /// Different ones that are there.
        have: usize,
        /// How many have to come together.
        need: u8,
    },
    /// The operating system gave no randomness.
    #[error("the operating system gave no randomness")]
    NoRandomness,
}

/// One officer's share. Its value is as secret as its set is meant to be.
pub struct Share {
    set: [u8; 8],
    threshold: u8,
    shares: u8,
    number: u8,
    value: Secret<32>,
}

impl Share {
    /// Which set it is of.
    #[must_use]
    pub const fn set(&self) -> [u8; 8] {
        self.set
    }

    /// How many have to come together, and how many there are.
    #[must_use]
    pub const fn threshold(&self) -> (u8, u8) {
        (self.threshold, self.shares)
    }

    /// Its number in the set, from 1.
    #[must_use]
    pub const fn number(&self) -> u8 {
        self.number
    }

    /// What may be kept in clear beside the set, to tell a wrong share from a right one.
    #[must_use]
    pub fn commitment(&self) -> [u8; 32] {
        let hash = Sha256::new().chain_update(b"meterkeep/share/1").chain_update(self.set);
        hash.chain_update([self.number]).chain_update(self.value.expose()).finalize().into()
    }

    /// Whether it is the share of a commitment, in constant time.
    #[must_use]
    pub fn is_of(&self, commitment: &[u8; 32]) -> bool {
        self.commitment().ct_eq(commitment).into()
    }

    /// As text: `MKS1-` and hexadecimal digits in groups of eight, for paper and files.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        let mut bytes = Zeroizing::new([0; LEN]);
        let mut at = bytes.iter_mut();
        let head = self.set.iter().chain([&self.threshold, &self.shares, &self.number]);
        head.chain(self.value.expose()).zip(&mut at).for_each(|(from, to)| *to = *from);
        let check = check(bytes.get(..LEN - CHECK).unwrap_or_default());
        if let Some(end) = bytes.get_mut(LEN - CHECK..) {
            end.copy_from_slice(&check);
        }
        let mut text = Zeroizing::new(String::with_capacity(LEN * 3));
        text.push_str(HEAD);
        for group in bytes.chunks(4) {
            text.push('-');
            for byte in group {
                for digit in [byte >> 4, byte & 15] {
                    text.push(char::from_digit(digit.into(), 16).unwrap_or('0').to_ascii_uppercase());
                }
            }
        }
        text
    }

    /// From its text; spaces, dashes and line ends between groups do not matter.
    ///
    /// # Errors
    /// [`ShareError::Form`], [`ShareError::Check`], [`ShareError::Numbers`].
    pub fn from_text(text: &[u8]) -> Result<Self, ShareError> {
        let rest = text.trim_ascii().strip_prefix(HEAD.as_bytes()).ok_or(ShareError::Form)?;
        let mut bytes = Zeroizing::new([0u8; LEN]);
        let mut digits = 0usize;
        for c in rest.iter().filter(|c| !matches!(c, b'-' | b' ' | b'\r' | b'\n' | b'\t')) {
            let digit =
                char::from(*c).to_digit(16).and_then(|d| u8::try_from(d).ok()).ok_or(ShareError::Form)?;
            let byte = bytes.get_mut(digits / 2).ok_or(ShareError::Form)?;
            *byte = *byte << 4 | digit;
            digits = digits.saturating_add(1);
        }
        if digits != LEN * 2 {
            return Err(ShareError::Form);
        }
        let (body, found) = bytes.split_at(LEN - CHECK);
        if found != check(body) {
            return Err(ShareError::Check);
        }
        let parts = || {
            let (set, rest) = body.split_first_chunk::<8>()?;
            let (&[threshold, shares, number], value) = rest.split_first_chunk::<3>()?;
            Some(Self { set: *set, threshold, shares, number, value: Secret::from_slice(value)? })
        };
        let share = parts().ok_or(ShareError::Form)?;
        numbers(share.threshold, share.shares)?;
        if share.number == 0 || share.number > share.shares {
            return Err(ShareError::Form);
        }
        Ok(share)
    }
}

/// Whether a line is meant as a share, be it right or wrong.
#[must_use]
pub fn is_share(line: &[u8]) -> bool {
    line.trim_ascii().strip_prefix(HEAD.as_bytes()).is_some_and(|rest| matches!(rest, [b'-' | b' ', ..]))
}

fn check(body: &[u8]) -> [u8; CHECK] {
    let digest = Sha256::new().chain_update(b"meterkeep/share-check/1").chain_update(body).finalize();
    digest.first_chunk().copied().unwrap_or_default()
}

const fn numbers(threshold: u8, shares: u8) -> Result<(), ShareError> {
    if threshold < 2 || shares < threshold || shares > MAX_SHARES {
        return Err(ShareError::Numbers { threshold, shares });
    }
    Ok(())
}

/// Splits a secret into shares, of which `threshold` have to come together.
///
/// # Errors
/// [`ShareError::Numbers`], [`ShareError::NoRandomness`].
pub fn split(secret: &Secret<32>, threshold: u8, shares: u8) -> Result<Vec<Share>, ShareError> {
    numbers(threshold, shares)?;
    let set = base::random().map_err(|_| ShareError::NoRandomness)?;
    // asked once before, so that the library, which cannot refuse, does not meet a system without randomness
    let mut random = UnwrapErr(getrandom::SysRng);
    let dealt = Sharks(threshold).dealer_rng(secret.expose(), &mut random);
    dealt
        .take(shares.into())
        .map(|dealt| {
            let mut bytes = Zeroizing::new(Vec::<u8>::from(&dealt));
            let share = bytes.split_first().and_then(|(number, value)| {
                Some(Share { set, threshold, shares, number: *number, value: Secret::from_slice(value)? })
            });
            bytes.zeroize();
            share.ok_or(ShareError::Form)
        })
        .collect()
}

/// Joins shares. One that is there twice counts once. That the result is the secret is for its holder to check:
/// wrong shares give another secret.
///
/// # Errors
/// [`ShareError::OtherSet`], [`ShareError::TooFew`].
pub fn join<'a>(shares: impl IntoIterator<Item = &'a Share>) -> Result<Secret<32>, ShareError> {
    let mut different: Vec<&Share> = Vec::new();
    for share in shares {
        if different.first().is_some_and(|f| f.set != share.set || f.threshold != share.threshold) {
            return Err(ShareError::OtherSet);
        }
        if different.iter().all(|d| d.number != share.number) {
            different.push(share);
        }
    }
    let need = different.first().map_or(2, |share| share.threshold);
    if different.len() < usize::from(need) {
        return Err(ShareError::TooFew { have: different.len(), need });
    }
    let dealt: Vec<blahaj::Share> = different
        .iter()
        .filter_map(|share| {
            let bytes: Zeroizing<Vec<u8>> =
                Zeroizing::new([&[share.number][..], share.value.expose()].concat());
            blahaj::Share::try_from(bytes.as_slice()).ok()
        })
        .collect();
    let sharks = Sharks(need);
    let joined = sharks.recover(&dealt).map(Zeroizing::new);
    joined.ok().and_then(|bytes| Secret::from_slice(&bytes)).ok_or(ShareError::Form)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn any_k_of_n_open_and_fewer_do_not(secret: [u8; 32], k in 2u8..6, more in 0u8..4, skip in 0usize..5) {
            let secret = Secret::new(secret);
            let n = k + more;
            let shares = split(&secret, k, n).unwrap();
            let chosen: Vec<&Share> = shares.iter().cycle().skip(skip).take(k.into()).collect();
            let joined = join(chosen.iter().copied()).ok().unwrap();
            prop_assert_eq!(joined.expose(), secret.expose());
            let few = &chosen[..usize::from(k) - 1];
            let error = join(few.iter().copied().chain(few.iter().copied())).err();
            prop_assert_eq!(error, Some(ShareError::TooFew { have: usize::from(k) - 1, need: k }));
        }

        #[test]
        fn texts_are_bounded_and_never_panic(bytes: Vec<u8>, text in "MKS1[-0-9A-F \n]{0,200}") {
            let _ = Share::from_text(&bytes);
            let _ = Share::from_text(text.as_bytes());
        }
    }

    #[test]
    fn a_share_survives_paper_and_a_slip_of_the_pen_is_noticed() {
        let shares = split(&Secret::new([9; 32]), 2, 3).unwrap();
        let text = shares[1].to_text();
        assert!(text.starts_with("MKS1-") && text.len() > 90, "{}", text.len());
        let retyped = text.to_lowercase().replacen("mks1", "MKS1", 1).replace('-', " \n");
        let again = Share::from_text(retyped.as_bytes()).ok().unwrap();
        assert_eq!((again.number(), again.threshold(), again.set()), (2, (2, 3), shares[0].set()));
        assert!(again.is_of(&shares[1].commitment()) && !again.is_of(&shares[0].commitment()));
        let mut wrong = text.as_bytes().to_vec();
        let at = wrong.len() - 20;
        wrong[at] = if wrong[at] == b'0' { b'1' } else { b'0' };
        assert_eq!(Share::from_text(&wrong).err(), Some(ShareError::Check));
        assert_eq!(Share::from_text(&text.as_bytes()[..90]).err(), Some(ShareError::Form));
        assert_eq!(Share::from_text(b"").err(), Some(ShareError::Form));
    }

    #[test]
    fn sets_are_not_mixed_and_absurd_ones_not_made() {
        let (a, b) =
            (split(&Secret::new([1; 32]), 2, 2).unwrap(), split(&Secret::new([1; 32]), 2, 2).unwrap());
        assert_eq!(join([&a[0], &b[1]]).err(), Some(ShareError::OtherSet));
        for (k, n) in [(0, 0), (1, 3), (3, 2), (2, 33)] {
            let error = split(&Secret::new([1; 32]), k, n).err();
            assert_eq!(error, Some(ShareError::Numbers { threshold: k, shares: n }));
        }
    }
}
