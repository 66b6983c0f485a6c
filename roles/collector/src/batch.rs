//! Telegrams become the columns of a batch.

use clock::Moment;
use wire::Message;
use wire::batch::{Body, Gap};

/// What the spool must know of a batch without opening it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meta {
    /// How many telegrams.
    pub count: u32,
    /// When the first was heard, wall clock.
    pub from_ms: i64,
    /// When the last was heard.
    pub to_ms: i64,
}

/// When, by which input, and how strongly a telegram was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// When.
    pub at: Moment,
    /// The input's place in the settings.
    pub input: u16,
    /// Signal strength in dBm, 0 where unknown.
    pub rssi_dbm: i16,
}

/// A batch in the making.
#[derive(Debug, Default)]
pub struct Builder {
    /// The number of the first row: rows are numbered over all batches, and begin again after 2^32.
    first_row: u32,
    body: Columns,
    last: Option<(i64, i64)>,
    opened_ms: i64,
    from_ms: i64,
    synchronised: bool,
}

#[derive(Debug, Default)]
struct Columns {
    frames: Vec<u8>,
    lengths: Vec<u32>,
    monotonic_ms: Vec<i64>,
    wall_ms: Vec<i64>,
    flips: Vec<u32>,
    rssi_dbm: Vec<i32>,
    any_rssi: bool,
    heard_by: Vec<u16>,
    times_heard: Vec<u32>,
    any_again: bool,
}

impl Builder {
    /// The number that the next telegram's row will have.
    #[must_use]
    pub fn next_row(&self) -> u32 {
        self.first_row.wrapping_add(u32::try_from(self.len()).unwrap_or(u32::MAX))
    }

    /// A telegram of this row was heard once more. Where its batch is still open, the row keeps the best strength, who
    /// had it, and how often it was heard.
    pub fn hear_again(&mut self, row: u32, heard: Heard) {
        let Ok(at) = usize::try_from(row.wrapping_sub(self.first_row)) else { return };
        let body = &mut self.body;
        let (Some(rssi_dbm), Some(by), Some(times)) =
            (body.rssi_dbm.get_mut(at), body.heard_by.get_mut(at), body.times_heard.get_mut(at))
        else {
            return;
        };
        *times = times.saturating_add(1);
        body.any_again = true;
        let now = i32::from(heard.rssi_dbm);
        if now != 0 && (*rssi_dbm == 0 || now > *rssi_dbm) {
            (*rssi_dbm, *by) = (now, heard.input);
            body.any_rssi = true;
        }
    }

    /// Adds a telegram.
    pub fn push(&mut self, frame: &[u8], heard: Heard) {
        let Heard { at, input, rssi_dbm } = heard;
        let (monotonic, wall) = (at.monotonic_ms, at.wall.0);
        let body = &mut self.body;
        if self.last.is_none() {
            self.opened_ms = monotonic;
            self.from_ms = wall;
            self.synchronised = false;
        }
        let (before_monotonic, before_wall) = self.last.unwrap_or((0, 0));
        if at.synchronised != self.synchronised {
            body.flips.push(u32::try_from(body.lengths.len()).unwrap_or(u32::MAX));
            self.synchronised = at.synchronised;
        }
        body.frames.extend_from_slice(frame);
        body.lengths.push(u32::try_from(frame.len()).unwrap_or(u32::MAX));
        body.monotonic_ms.push(monotonic.wrapping_sub(before_monotonic));
        body.wall_ms.push(wall.wrapping_sub(before_wall));
        body.rssi_dbm.push(rssi_dbm.into());
        body.any_rssi |= rssi_dbm != 0;
        body.heard_by.push(input);
        body.times_heard.push(1);
        self.last = Some((monotonic, wall));
    }

    /// Telegrams in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.body.lengths.len()
    }

    /// Bytes of telegrams in it.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.body.frames.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.last.is_none()
    }

    /// Monotonic time of the first telegram.
    #[must_use]
    pub const fn opened_ms(&self) -> i64 {
        self.opened_ms
    }

    /// Closes the batch: its encoded [`Body`] and what the spool must know. The builder is empty afterwards. `names` are
    /// those of the inputs.
    pub fn close(&mut self, boot_id: [u8; 16], names: &[String]) -> (Vec<u8>, Meta) {
        self.first_row = self.next_row();
        let columns = std::mem::take(&mut self.body);
        let count = u32::try_from(columns.lengths.len()).unwrap_or(u32::MAX);
        let (_, to_ms) = self.last.take().unwrap_or_default();
        let (receivers, heard_by) = receivers(&columns.heard_by, names);
        let body = Body {
            boot_id: boot_id.to_vec(),
            frames: columns.frames.into(),
            lengths: columns.lengths,
            monotonic_ms: columns.monotonic_ms,
            wall_ms: columns.wall_ms,
            synchronised_flips: columns.flips,
            // An empty column says "unknown" for all.
            rssi_dbm: if columns.any_rssi { columns.rssi_dbm } else { Vec::new() },
            receivers,
            heard_by,
            times_heard: if columns.any_again { columns.times_heard } else { Vec::new() },
        };
        (body.encode_to_vec(), Meta { count, from_ms: self.from_ms, to_ms })
    }
}

/// The names of the inputs that heard these telegrams, in order of appearance, and each telegram's place among them.
/// A telegram whose input has no name leaves both empty.
fn receivers(inputs: &[u16], names: &[String]) -> (Vec<String>, Vec<u32>) {
    let mut order: Vec<u16> = Vec::new();
    let mut heard_by = Vec::with_capacity(inputs.len());
    for input in inputs {
        let known = order.iter().position(|known| known == input);
        let place = known.unwrap_or_else(|| {
            order.push(*input);
            order.len() - 1
        });
        heard_by.push(u32::try_from(place).unwrap_or(u32::MAX));
    }
    let named: Option<Vec<String>> =
        order.iter().map(|input| names.get(usize::from(*input)).cloned()).collect();
    named.map_or_else(Default::default, |named| (named, heard_by))
}

impl Meta {
    /// Widens a gap by what was dropped.
    pub fn widen(&self, gap: &mut Gap) {
        if gap.telegrams == 0 {
            (gap.from_ms, gap.to_ms) = (self.from_ms, self.to_ms);
        } else {
            gap.from_ms = gap.from_ms.min(self.from_ms);
            gap.to_ms = gap.to_ms.max(self.to_ms);
        }
        gap.telegrams = gap.telegrams.saturating_add(u64::from(self.count));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::UtcMillis;

    /// Reads a body as the intake does.
    fn rows(body: &[u8]) -> Vec<(Vec<u8>, i64, i64, bool, i32)> {
        let body = Body::decode(body).unwrap();
        let (mut monotonic, mut wall, mut at, mut synchronised) = (0, 0, 0, false);
        (0..body.lengths.len())
            .map(|i| {
                monotonic += body.monotonic_ms[i];
                wall += body.wall_ms[i];
                if body.synchronised_flips.contains(&(i as u32)) {
                    synchronised = !synchronised;
                }
                let len = body.lengths[i] as usize;
                at += len;
                let rssi = body.rssi_dbm.get(i).copied().unwrap_or(0);
                (body.frames[at - len..at].to_vec(), monotonic, wall, synchronised, rssi)
            })
            .collect()
    }

    #[test]
    fn a_batch_reads_back_with_every_time_as_it_was() {
        let moment =
            |monotonic_ms, wall, synchronised| Moment { monotonic_ms, wall: UtcMillis(wall), synchronised };
        let mut builder = Builder::default();
        let heard = [
            (b"\x01a".to_vec(), moment(5000, 12_000, false), -70),
            (b"\x02bb".to_vec(), moment(5001, 1_795_000_000_000, true), 0),
            (b"\x01c".to_vec(), moment(5001, 1_794_999_999_000, true), -90), // set back by its time source
            (b"\x01d".to_vec(), moment(9000, 1_795_000_004_000, false), 0),
        ];
        for _ in 0..2 {
            for (frame, at, rssi) in &heard {
                builder.push(frame, Heard { at: *at, input: 0, rssi_dbm: *rssi });
            }
            assert_eq!((builder.len(), builder.opened_ms()), (4, 5000));
            let (body, meta) = builder.close([7; 16], &["roof".to_owned()]);
            assert!(builder.is_empty());
            assert_eq!(meta, Meta { count: 4, from_ms: 12_000, to_ms: 1_795_000_004_000 });
            let expected: Vec<_> = heard
                .iter()
                .map(|(f, at, rssi)| {
                    (f.clone(), at.monotonic_ms, at.wall.0, at.synchronised, i32::from(*rssi))
                })
                .collect();
            assert_eq!(rows(&body), expected);
            assert_eq!(Body::decode(body.as_slice()).unwrap().boot_id, [7; 16]);
        }
    }

    #[test]
    fn who_heard_it_best_and_how_often_is_kept() {
        let names = ["roof", "cellar", "mast"].map(str::to_owned);
        let at = Moment { monotonic_ms: 5, wall: UtcMillis(7), synchronised: true };
        let by = |input, rssi_dbm| Heard { at, input, rssi_dbm };
        let mut builder = Builder::default();
        let mut bodies = Vec::new();
        for _ in 0..2 {
            let first = builder.next_row();
            builder.push(b"\x01a", by(2, -90));
            builder.push(b"\x01b", by(0, 0));
            builder.push(b"\x01c", by(2, -50));
            builder.hear_again(first, by(0, -70));
            builder.hear_again(first, by(2, -80));
            builder.hear_again(first.wrapping_add(1), by(0, 0));
            builder.hear_again(first.wrapping_sub(1), by(0, -1)); // its batch is closed
            builder.hear_again(first.wrapping_add(3), by(0, -1)); // not there yet
            let (body, _) = builder.close([7; 16], &names);
            bodies.push(Body::decode(body.as_slice()).unwrap());
        }
        for body in &bodies {
            assert_eq!(body.receivers, ["roof", "mast"]);
            assert_eq!(
                (body.heard_by.as_slice(), body.rssi_dbm.as_slice()),
                ([0, 0, 1].as_slice(), [-70, 0, -50].as_slice())
            );
            assert_eq!(body.times_heard, [3, 2, 1]);
        }
        builder.push(b"\x01a", by(9, 0));
        let (body, _) = builder.close([7; 16], &names);
        let body = Body::decode(body.as_slice()).unwrap();
        assert!(body.receivers.is_empty() && body.heard_by.is_empty() && body.times_heard.is_empty());
    }

    #[test]
    fn a_gap_takes_in_all_that_was_dropped() {
        let mut gap = Gap::default();
        Meta { count: 3, from_ms: 50, to_ms: 60 }.widen(&mut gap);
        Meta { count: 4, from_ms: 10, to_ms: 20 }.widen(&mut gap);
        assert_eq!((gap.telegrams, gap.from_ms, gap.to_ms), (7, 10, 60));
    }
}
