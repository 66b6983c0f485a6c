//! From decrypted frame bytes to records.

use std::ops::Range;

use base::SystemTitle;

use crate::compact::{self, Misfit};
use crate::dlms::{PushError, decode_push};
use crate::formats::{FormatKey, Formats, Learnt};
use crate::layers::{Application, LayerError, Layers, application};
use crate::records::{Record, Sheet, Tail, TailKind, add_times, read_records};

/// What a telegram was, beside its records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The headers.
    pub layers: Layers,
    /// How the records were sent.
    pub application: Application,
    /// What follows the last record and is no record.
    pub tail: Option<Tail>,
    /// What came of the telegram's layout; none where nothing was to be learnt from it. A [`Learnt::Clash`]
    /// deserves an alarm.
    pub learnt: Option<Learnt>,
}

/// Why a telegram has no records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The headers cannot be read.
    #[error(transparent)]
    Layer(#[from] LayerError),
    /// Not data records, by name.
    #[error("{name} (CI {ci:02X}) is not supported yet")]
    Unsupported {
        /// The CI byte.
        ci: u8,
        /// What it announces.
        name: &'static str,
    },
    /// The telegram is one of several fragments.
    #[error("a message in several fragments is not supported yet")]
    Fragment,
    /// A compact frame whose layout has not been heard.
    #[error("the layout {0} of this compact frame is not known yet; a full frame of the meter teaches it")]
    UnknownLayout(FormatKey),
    /// A compact frame that does not fit the layout of its signature.
    #[error("the compact frame does not fit the layout {0}")]
    LayoutMisfit(FormatKey),
    /// A compact or format frame that is cut or whose signature is wrong.
    #[error("the compact or format frame is damaged")]
    Damaged,
}

impl DecodeError {
    /// Whether another telegram of the meter, or a later edition of this program, may read what this cannot;
    /// else the bytes themselves are wrong.
    #[must_use]
    pub const fn is_unsupported(&self) -> bool {
        matches!(
            self,
            Self::Unsupported { .. }
                | Self::Fragment
                | Self::UnknownLayout(_)
                | Self::Layer(LayerError::Unsupported(_))
        )
    }
}

/// Reads the records of a stripped frame whose encrypted parts hold plaintext now.
///
/// `payload` bounds the bytes that may be read as application data: the decrypted part, and after it the
/// clear tail where the caller admits one; headers within it are skipped. `0..frame.len()` reads all.
/// `verified` says that the payload passed its check under the meter's key (or that the meter has none and
/// the caller trusts it): only then a layout is learnt. `out` is cleared first and keeps its room, so that a
/// caller who reuses it allocates for texts only.
///
/// # Errors
/// [`DecodeError`]; `out` is empty then.
pub fn decode(
    frame: &[u8],
    payload: Range<usize>,
    formats: &mut Formats,
    verified: bool,
    out: &mut Vec<Record>,
) -> Result<Outcome, DecodeError> {
    out.clear();
    let layers = Layers::read_plain(frame)?;
    if layers.afl.as_ref().is_some_and(crate::layers::Afl::is_fragment) {
        return Err(DecodeError::Fragment);
    }
    let ci = layers.ci.unwrap_or_default();
    let application = application(ci);
    let end = payload.end.min(layers.payload.end);
    let at = payload.start.max(layers.payload.start).min(end);
    let bytes = frame.get(..end).unwrap_or_default();
    if let Some(read) = Sheet::new(out, layers.meter).own_format(ci, bytes, after_filler(bytes, at)) {
        let tail = Tail { kind: TailKind::Manufacturer { more: false }, at: read, len: end - read };
        return Ok(Outcome { layers, application: Application::Maker, tail: Some(tail), learnt: None });
    }
    let (tail, learnt) = match application {
        Application::Full => full(bytes, at, &layers, formats, verified, out),
        Application::Compact => {
            (compact(bytes, after_cipher_filler(bytes, at, &layers), &layers, formats, out)?, None)
        }
        Application::Format => {
            let at = after_cipher_filler(bytes, at, &layers);
            let layout = bytes.get(at..).and_then(compact::format_layout).ok_or(DecodeError::Damaged)?;
            (None, verified.then(|| formats.learn(&layers.meter, layout)))
        }
        Application::Empty => (None, None),
        Application::Dlms => {
            push(bytes, after_cipher_filler(bytes, at, &layers), &layers, out)?;
            return Ok(Outcome { layers, application, tail: None, learnt: None });
        }
        Application::Maker => {
            return Err(DecodeError::Unsupported { ci, name: "a manufacturer's own format of this model" });
        }
        Application::Other(name) => return Err(DecodeError::Unsupported { ci, name }),
    };
    add_times(out);
    Ok(Outcome { layers, application, tail, learnt })
}

/// Whether a frame in clear says that more records follow in a further telegram (DIF 1F, EN 13757-3 clause 6.3.3): its
/// meter has to be asked again. What is encrypted says nothing to whoever has no key.
#[must_use]
pub fn more_follows(frame: &[u8]) -> bool {
    if Layers::read(frame).is_ok_and(|layers| layers.security().is_encrypted()) {
        return false;
    }
    let outcome = decode(frame, 0..frame.len(), &mut Formats::new(), false, &mut Vec::new());
    let tail = outcome.ok().and_then(|outcome| outcome.tail);
    matches!(tail, Some(Tail { kind: TailKind::Manufacturer { more: true }, .. }))
}

fn full(
    bytes: &[u8],
    at: usize,
    layers: &Layers,
    formats: &mut Formats,
    verified: bool,
    out: &mut Vec<Record>,
) -> (Option<Tail>, Option<Learnt>) {
    let mut sheet = Sheet::new(out, layers.meter);
    if !verified {
        return (read_records(bytes, at, &mut sheet, &mut ()), None);
    }
    let mut layout = std::mem::take(&mut formats.scratch);
    layout.clear();
    let tail = read_records(bytes, at, &mut sheet, &mut layout);
    // half a layout would teach something wrong
    let whole = !layout.is_empty() && !matches!(tail, Some(Tail { kind: TailKind::Undecoded(_), .. }));
    let learnt = whole.then(|| formats.learn(&layers.meter, &layout));
    formats.scratch = layout;
    (tail, learnt)
}

/// A pushed unit behind a transport header, which says whose it is and how it was protected. Modes 5 and 7 fill their
/// last block with 2F.
fn push(bytes: &[u8], at: usize, layers: &Layers, out: &mut Vec<Record>) -> Result<(), DecodeError> {
    let title = SystemTitle::naming(&layers.meter);
    let filled = layers.security().is_encrypted();
    let mut end = bytes.len();
    loop {
        match decode_push(bytes, at..end, title, out) {
            Ok(_) => return Ok(()),
            Err(PushError::Trailing(n)) if filled && n < 16 && ends_in_filler(bytes, end, n) => end -= n,
            Err(PushError::Unsupported(name)) => {
                return Err(DecodeError::Unsupported { ci: layers.ci.unwrap_or_default(), name });
            }
            Err(error) if error.is_unsupported() => {
                let name = "a list of DLMS that is not known";
                return Err(DecodeError::Unsupported { ci: layers.ci.unwrap_or_default(), name });
            }
            Err(_) => return Err(DecodeError::Damaged),
        }
    }
}

fn ends_in_filler(bytes: &[u8], end: usize, n: usize) -> bool {
    n > 0 && bytes.get(end.saturating_sub(n)..end).is_some_and(|rest| rest.iter().all(|b| *b == 0x2f))
}

fn compact(
    bytes: &[u8],
    at: usize,
    layers: &Layers,
    formats: &Formats,
    out: &mut Vec<Record>,
) -> Result<Option<Tail>, DecodeError> {
    let (signature, full_crc, at) = compact::split(bytes, at).ok_or(DecodeError::Damaged)?;
    let key = FormatKey::new(&layers.meter, signature);
    let layout = formats.get(&key).ok_or(DecodeError::UnknownLayout(key))?;
    let mut sheet = Sheet::new(out, layers.meter);
    compact::expand(bytes, at, layout, full_crc, &mut sheet).map_err(|Misfit| DecodeError::LayoutMisfit(key))
}

/// Modes 5 and 7 put two fillers before the data; in a compact frame they are not data.
fn after_cipher_filler(bytes: &[u8], at: usize, layers: &Layers) -> usize {
    if layers.tpl.is_some_and(|tpl| !tpl.is_clear()) { after_filler(bytes, at) } else { at }
}

fn after_filler(bytes: &[u8], at: usize) -> usize {
    let filled = bytes.get(at..).is_some_and(|rest| rest.starts_with(&[0x2f, 0x2f]));
    if filled { at + 2 } else { at }
}
