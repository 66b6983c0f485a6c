//! The one-time token: everything that a new collector needs to know, in one line of text.
//!
//! `mk1.` and base64url of: version 1, token id (16), secret (32), length and text of the gateway's address,
//! length and DER of the house authority's certificate, CRC-32 of all before it. The CRC catches a line that was
//! not copied whole; it protects nothing.

use base::{Secret, SecretBytes};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

/// A token. No `Debug`: the secret must not reach a log.
pub struct Token {
    /// Where the gateway is: `host:port`.
    pub gateway: String,
    /// The house's authority, certificate in DER: only a gateway that it certified is spoken to.
    pub authority: Vec<u8>,
    /// The public half.
    pub id: [u8; 16],
    /// The secret half; it never travels.
    pub secret: Secret<32>,
}

/// A text that is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Another kind of text, or a later version.
    #[error("this is no enrolment token of this version: one begins with `mk1.`")]
    Kind,
    /// Cut, or with a character changed.
    #[error("the token is not whole; copy the line again, from `mk1.` to its end")]
    Damaged,
}

const PREFIX: &str = "mk1.";
/// The longest token text: the authority's certificate is the largest part, of 500 bytes or so.
const MAX_TEXT: usize = 16 * 1024;

impl Token {
    /// The text to hand to the new collector.
    #[must_use]
    pub fn to_text(&self) -> SecretBytes {
        let mut bytes = Zeroizing::new(vec![1]);
        bytes.extend_from_slice(&self.id);
        bytes.extend_from_slice(self.secret.expose());
        for field in [self.gateway.as_bytes(), &self.authority] {
            bytes.extend_from_slice(&u16::try_from(field.len()).unwrap_or(u16::MAX).to_be_bytes());
            bytes.extend_from_slice(field);
        }
        let crc = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&crc.to_be_bytes());
        SecretBytes::new([PREFIX, &*Zeroizing::new(URL_SAFE_NO_PAD.encode(&*bytes))].concat().into_bytes())
    }

    /// Reads a token's text; blanks around it are passed over.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        let coded = text.trim().strip_prefix(PREFIX).ok_or(TokenError::Kind)?;
        if coded.len() > MAX_TEXT {
            return Err(TokenError::Damaged);
        }
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(coded).map_err(|_| TokenError::Damaged)?);
        let (body, crc) = bytes.split_last_chunk::<4>().ok_or(TokenError::Damaged)?;
        if crc32fast::hash(body) != u32::from_be_bytes(*crc) {
            return Err(TokenError::Damaged);
        }
        let read = || {
            let rest = body.strip_prefix(&[1])?;
            let (id, rest) = rest.split_first_chunk::<16>()?;
            let (secret, rest) = rest.split_at_checked(32)?;
            let (gateway, rest) = field(rest)?;
            let (authority, rest) = field(rest)?;
            let gateway = std::str::from_utf8(gateway).ok()?.to_owned();
            let secret = Secret::from_slice(secret)?;
            rest.is_empty().then(|| Self { gateway, authority: authority.to_vec(), id: *id, secret })
        };
        read().ok_or(TokenError::Damaged)
    }

    /// The authority's certificate as PEM.
    #[must_use]
    pub fn authority_pem(&self) -> String {
        let text = base64::engine::general_purpose::STANDARD.encode(&self.authority);
        let lines: Vec<&str> =
            text.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
    }

    /// A token for a house, from its authority's PEM. `None` when that holds no certificate.
    #[must_use]
    pub fn new(gateway: String, authority_pem: &str, id: [u8; 16], secret: Secret<32>) -> Option<Self> {
        let body = authority_pem.split("-----BEGIN CERTIFICATE-----").nth(1)?.split("-----END").next()?;
        let packed: String = body.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        let authority = base64::engine::general_purpose::STANDARD.decode(packed).ok()?;
        (!authority.is_empty()).then_some(Self { gateway, authority, id, secret })
    }
}

fn field(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*len)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn token() -> (Token, String) {
        let authority = link::pki::make_authority("house").unwrap();
        let pem = authority.certificate.replace("\r\n", "\n");
        let token = Token::new("gate.example:7370".to_owned(), &pem, [3; 16], Secret::new([4; 32])).unwrap();
        (token, pem)
    }

    fn text(token: &Token) -> String {
        String::from_utf8(token.to_text().expose().to_vec()).unwrap()
    }

    #[test]
    fn a_token_reads_back_with_the_house_it_belongs_to() {
        let (token, pem) = token();
        let again = Token::parse(&format!("  {}\n", text(&token))).ok().unwrap();
        assert_eq!((again.gateway.as_str(), again.id), ("gate.example:7370", [3; 16]));
        assert_eq!(again.secret.expose(), &[4; 32]);
        assert_eq!(again.authority_pem(), pem);
        assert!(link::Trust::from_pem(&again.authority_pem()).is_ok());
    }

    #[test]
    fn a_line_that_was_not_copied_whole_is_told() {
        let (token, _) = token();
        let text = text(&token);
        for cut in 5..text.len() {
            assert_eq!(Token::parse(&text[..cut]).err(), Some(TokenError::Damaged), "{cut}");
        }
        let swapped = text.replacen('A', "B", 1);
        assert_eq!(Token::parse(&swapped).err(), Some(TokenError::Damaged));
        assert_eq!(Token::parse("hello").err(), Some(TokenError::Kind));
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..300), tail in "[ -~]{0,80}") {
            let mut bytes = bytes;
            bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
            _ = Token::parse(&format!("mk1.{}", URL_SAFE_NO_PAD.encode(bytes)));
            _ = Token::parse(&format!("mk1.{tail}"));
        }
    }
}
