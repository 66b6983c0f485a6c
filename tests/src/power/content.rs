//! What is left of a file's content when changes were under way to the disk.

use super::Severity;
use super::record::Change;
use crate::rng::Rng;

/// What a disk writes at once or not at all.
const SECTOR: usize = 512;

/// What befalls the changes of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// All are lost.
    Lost,
    /// None is lost.
    Kept,
    /// All after some moment are lost.
    Ordered,
    /// Each sector stopped at a moment of its own, and so did the length.
    Scattered,
}

impl Fate {
    pub(super) fn draw(severity: Severity, rng: &mut Rng) -> Self {
        match (severity, rng.below(8)) {
            (Severity::All, _) | (_, 0 | 1) => Self::Lost,
            (_, 2) => Self::Kept,
            (_, 3 | 4) => Self::Ordered,
            _ => Self::Scattered,
        }
    }
}

/// The content after a cut: `now` is the content with all `changes`.
///
/// Each sector is as it was after some number of changes (a disk writes the sector as it is in memory at that
/// moment). A cut of the file is one change of its length: the sectors that it took go with it or stay with it.
pub(super) fn survivor(now: &[u8], changes: &[Change], fate: Fate, rng: &mut Rng) -> Vec<u8> {
    let count = changes.len();
    let moment = match fate {
        Fate::Lost => 0,
        Fate::Kept => count,
        Fate::Ordered | Fate::Scattered => rng.index(count + 1),
    };
    let size_at = |k: usize| changes.get(k).map_or(now.len(), |change| length(change.old_size));
    let size = size_at(moment);
    let longest = (0..=count).map(size_at).max().unwrap_or(0);
    let mut content = now.to_vec();
    content.resize(longest.next_multiple_of(SECTOR), 0);
    let touched = |from: usize| {
        let to = from + SECTOR;
        move |change: &Change| range(change).is_some_and(|(a, b)| a < to && b > from)
    };
    for (index, sector) in content.chunks_mut(SECTOR).enumerate() {
        let from = index * SECTOR;
        let mut keep = if fate == Fate::Scattered { rng.index(count + 1) } else { moment };
        for (k, _) in changes.iter().enumerate().filter(|(_, c)| c.resized && touched(from)(c)) {
            // Sectors that a cut took are gone exactly when the new length is there.
            keep = if k < moment { keep.max(k + 1) } else { keep.min(k) };
        }
        for change in changes.iter().skip(keep).rev().filter(|c| touched(from)(c)) {
            take_back(sector, from, change);
        }
    }
    content.resize(size, 0);
    content
}

fn length(size: u64) -> usize {
    usize::try_from(size).expect("files of a test fit into memory")
}

fn range(change: &Change) -> Option<(usize, usize)> {
    let from = length(change.offset);
    Some((from, from.checked_add(length(change.length))?))
}

/// Puts back what stood in this sector before a change; what lay behind the end of the file is zero.
fn take_back(sector: &mut [u8], at: usize, change: &Change) {
    let Some((from, to)) = range(change) else { return };
    for position in from.max(at)..to.min(at + SECTOR) {
        sector[position - at] = change.before.get(position - from).copied().unwrap_or(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(content: &mut Vec<u8>, offset: usize, bytes: &[u8]) -> Change {
        let old_size = content.len() as u64;
        let end = offset + bytes.len();
        let before = content.get(offset..end.min(content.len())).unwrap_or_default().to_vec();
        content.resize(content.len().max(end), 0);
        content[offset..end].copy_from_slice(bytes);
        Change { old_size, offset: offset as u64, length: bytes.len() as u64, before, resized: false }
    }

    fn cut_to(content: &mut Vec<u8>, size: usize) -> Change {
        let old_size = content.len() as u64;
        let before = content.split_off(size.min(content.len()));
        Change { old_size, offset: size as u64, length: before.len() as u64, before, resized: true }
    }

    #[test]
    fn everything_lost_is_the_content_of_the_last_sync_and_nothing_lost_is_the_last_content() {
        let durable = vec![7u8; 1500];
        let mut now = durable.clone();
        let changes = [
            write(&mut now, 1400, &[1; 300]),
            write(&mut now, 0, &[2; 600]),
            cut_to(&mut now, 100),
            write(&mut now, 4000, &[3; 10]),
            write(&mut now, 100, &[4; 1]),
        ];
        let mut rng = Rng::new(1);
        assert_eq!(survivor(&now, &changes, Fate::Lost, &mut rng), durable);
        assert_eq!(survivor(&now, &changes, Fate::Kept, &mut rng), now);
    }

    #[test]
    fn an_ordered_loss_is_the_content_at_some_moment() {
        let mut now = vec![7u8; 700];
        let (mut moments, mut changes) = (vec![now.clone()], Vec::new());
        for i in 0..6u8 {
            let change =
                if i == 3 { cut_to(&mut now, 50) } else { write(&mut now, 300 * usize::from(i), &[i; 450]) };
            changes.push(change);
            moments.push(now.clone());
        }
        let mut seen = std::collections::HashSet::new();
        for seed in 0..200 {
            let left = survivor(&now, &changes, Fate::Ordered, &mut Rng::new(seed));
            seen.insert(moments.iter().position(|m| *m == left).expect("the content of some moment"));
        }
        assert_eq!(seen.len(), moments.len());
    }

    #[test]
    fn a_scattered_loss_tears_a_write_at_sectors_only() {
        let mut now = vec![0u8; 4096];
        let changes = [write(&mut now, 256, &[9; 2048])];
        let mut torn = 0;
        for seed in 0..100 {
            let left = survivor(&now, &changes, Fate::Scattered, &mut Rng::new(seed));
            assert_eq!(left.len(), 4096);
            for (index, sector) in left.chunks(SECTOR).enumerate() {
                let written = &now[index * SECTOR..][..SECTOR];
                assert!(sector == written || sector.iter().all(|b| *b == 0));
            }
            torn += u32::from(left != now && left.contains(&9));
        }
        assert!(torn > 50, "{torn}");
    }
}
