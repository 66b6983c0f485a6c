//! The account of the spool: every number is a batch or is stated as lost, whatever happens.

use journal::Position;
use journal::faulty::FaultyDisk;
use proptest::prelude::*;

use super::*;

const DIR: &str = "/spool";

fn open(disk: &FaultyDisk, when_full: WhenFull) -> Result<Spool, CollectorError> {
    let limits = Limits { when_full, ..Limits::of_bytes(300_000) };
    Spool::open(Arc::new(disk.clone()), Path::new(DIR), limits)
}

fn meta(count: u32, at: i64) -> Meta {
    Meta { count, from_ms: at, to_ms: at + 900 }
}

fn now(wall: i64, synchronised: bool) -> clock::Moment {
    clock::Moment { monotonic_ms: 1, wall: UtcMillis(wall), synchronised }
}

#[test]
fn a_spool_keeps_its_epoch_and_an_empty_one_draws_a_new_one() {
    let disk = FaultyDisk::new(1);
    let first = open(&disk, WhenFull::DropOldest).unwrap();
    let epoch = first.epoch();
    drop(first);
    // Nothing was numbered under it yet.
    let mut second = open(&disk, WhenFull::DropOldest).unwrap();
    assert_ne!(second.epoch(), epoch);
    let epoch = second.epoch();
    assert_eq!(second.append(b"batch", meta(1, 0)).unwrap(), 1);
    second.sync().unwrap();
    drop(second);
    let third = open(&disk, WhenFull::DropOldest).unwrap();
    assert_eq!((third.epoch(), third.next_seq(), third.newest_seq()), (epoch, 2, 1));
    drop(third);
    disk.remove(Path::new("/spool/state")).unwrap();
    let message = open(&disk, WhenFull::DropOldest).err().unwrap().to_string();
    assert!(message.contains("`state` is missing"), "{message}");
}

#[test]
fn confirmed_batches_go_first_and_for_age_only_by_a_clock_that_was_set() {
    let disk = FaultyDisk::new(2);
    let mut spool = open(&disk, WhenFull::DropNewest).unwrap();
    let day = 24 * 3_600_000;
    let t = 1_795_000_000_000;
    // The computer booted in 1970, then its clock was set.
    for n in 0..100 {
        let at = if n < 20 { 5_000 + n } else { t + n * day / 10 };
        spool.append(&[7; 2_000], meta(10, at)).unwrap();
    }
    spool.sync().unwrap();
    let all = spool.bytes();
    spool.expire(now(t + 40 * day, true)).unwrap();
    assert_eq!(spool.bytes(), all, "nothing that the core has not confirmed goes for age");
    spool.confirm(60);
    spool.expire(now(t + 40 * day, false)).unwrap();
    assert_eq!(spool.bytes(), all, "a clock that is not synchronised decides nothing");
    spool.expire(now(t + 17 * day, true)).unwrap();
    let oldest = spool.oldest_seq();
    assert!((15..=31).contains(&oldest), "{oldest}: three days after the clock was set are old");
    spool.expire(now(t + 100 * day, true)).unwrap();
    assert!(spool.oldest_seq() > oldest && spool.oldest_seq() <= 61);
    // Room is made of confirmed ones too, where the policy keeps the unconfirmed.
    spool.confirm(100);
    let mut added = 0;
    while added < 300 && spool.make_room(2_000).unwrap() {
        spool.append(&[8; 2_000], meta(10, t)).unwrap();
        spool.sync().unwrap();
        added += 1;
    }
    assert!((100..200).contains(&added), "{added} unconfirmed ones fill it, and then nothing goes");
    assert!(spool.bytes() <= 300_000);
}

#[test]
fn what_was_dropped_after_confirmation_is_no_longer_kept_and_says_so() {
    let disk = FaultyDisk::new(3);
    let mut spool = open(&disk, WhenFull::DropOldest).unwrap();
    for n in 0..400 {
        assert!(spool.make_room(2_000).unwrap());
        spool.append(&[7; 2_000], meta(10, n)).unwrap();
        spool.sync().unwrap();
        if n == 150 {
            spool.confirm(140);
        }
    }
    let oldest = spool.oldest_seq();
    assert!(oldest > 200);
    let Some(Item::Gap(lost, last)) = spool.in_place_of(141) else { panic!() };
    assert_eq!((lost.reason.as_str(), lost.first_seq, last + 1), (SPOOL_FULL, 141, oldest));
    assert_eq!(lost.telegrams, 10 * (oldest - 141));
    let Some(Item::Gap(gone, last)) = spool.in_place_of(30) else { panic!() };
    assert_eq!((gone.reason.as_str(), gone.first_seq, last), (NO_LONGER_KEPT, 30, 140));
    assert_eq!(spool.in_place_of(oldest), None);
    // Once the core has confirmed the statement, it is forgotten.
    spool.confirm(oldest - 1);
    let Some(Item::Gap(gone, _)) = spool.in_place_of(141) else { panic!() };
    assert_eq!(gone.reason, NO_LONGER_KEPT);
}

#[test]
fn a_crash_at_any_step_of_dropping_neither_forgets_nor_counts_twice() {
    for changes in 0..12 {
        let disk = FaultyDisk::new(changes);
        let mut spool = open(&disk, WhenFull::DropOldest).unwrap();
        let mut n = 0;
        let mut offer = |spool: &mut Spool| -> Result<(), CollectorError> {
            assert!(spool.make_room(2_000)?);
            spool.append(&[7; 2_000], meta(10, n))?;
            spool.sync()?;
            n += 1;
            Ok(())
        };
        while spool.oldest_seq() < 50 {
            offer(&mut spool).unwrap();
        }
        disk.cut_after(changes);
        while offer(&mut spool).is_ok() {}
        drop(spool);
        disk.restart();
        let mut spool = open(&disk, WhenFull::DropOldest).unwrap();
        while spool.oldest_seq() < 120 {
            offer(&mut spool).unwrap();
        }
        let Some(Item::Gap(lost, last)) = spool.in_place_of(1) else { panic!() };
        assert_eq!((lost.first_seq, last + 1), (1, spool.oldest_seq()), "{changes}");
        assert_eq!(lost.telegrams, 10 * last, "{changes}");
        assert_eq!(lost.counts.len() as u64, last);
    }
}

#[derive(Debug, Clone)]
enum Step {
    Offer(u32, usize),
    Sync,
    Confirm(u8),
    Cut,
    CutSoon(u64),
    Full(u32),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        14 => ((1u32..1000), (100usize..20_000)).prop_map(|(n, len)| Step::Offer(n, len)),
        8 => Just(Step::Sync),
        2 => (0u8..=100).prop_map(Step::Confirm),
        1 => Just(Step::Cut),
        2 => (0u64..25).prop_map(Step::CutSoon),
        1 => (150_000u32..700_000).prop_map(Step::Full),
    ];
    prop::collection::vec(step, 1..150)
}

/// What the test knows: telegrams of each number that is durable, those stated lost, how far was confirmed.
#[derive(Default)]
struct Model {
    counts: Vec<u32>,
    statements: u64,
    skipped: u64,
    /// Telegrams whose statement may or may not have reached the disk.
    perhaps: u64,
    most_confirmed: u64,
}

/// Offers a batch as the writer does. `false` when the disk refused.
fn offer(spool: &mut Spool, model: &mut Model, count: u32, len: usize) -> bool {
    let room = match spool.make_room(len) {
        Ok(room) => room,
        Err(_) => return false,
    };
    if !room {
        let done = spool.skip(meta(count, 5), SPOOL_FULL).is_ok();
        // The file may have become durable although the call failed.
        *(if done { &mut model.skipped } else { &mut model.perhaps }) += u64::from(count);
        return done;
    }
    let Ok(gap) = spool.waiting_gap() else { return false };
    if let Some(gap) = gap {
        let text = format!("gap {}", gap.telegrams);
        if spool.append_statement(text.as_bytes(), meta(0, 5)).is_err() {
            return false;
        }
        model.counts.push(0);
    }
    model.counts.push(count);
    let bytes = vec![count as u8; len];
    spool.append(&bytes, meta(count, 5)).is_ok()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn every_telegram_is_in_a_batch_or_stated_as_lost(seed: u64, newest: bool, steps in steps()) {
        let policy = if newest { WhenFull::DropNewest } else { WhenFull::DropOldest };
        let disk = FaultyDisk::new(seed);
        let mut spool = open(&disk, policy).unwrap();
        let mut model = Model::default();
        let mut epoch = spool.epoch();
        for step in steps {
            let fine = match step {
                Step::Offer(count, len) => offer(&mut spool, &mut model, count, len),
                Step::Sync => spool.sync().is_ok(),
                Step::Confirm(share) => {
                    let seq = spool.newest_seq() * u64::from(share) / 100;
                    spool.confirm(seq);
                    model.most_confirmed = model.most_confirmed.max(seq);
                    true
                }
                Step::Cut => { disk.cut_power(); false }
                Step::CutSoon(n) => { disk.cut_after(n); true }
                Step::Full(bytes) => { disk.set_capacity(Some(u64::from(bytes))); true }
            };
            if fine {
                continue;
            }
            disk.set_capacity(None);
            if disk.is_on() {
                // The disk was full: what was not durable is appended again by the writer, or given up.
                spool.relieve().or_else(|_| spool.repair().map(|()| false)).ok();
            }
            if !disk.is_on() || spool.newest_seq() + 1 != spool.next_seq() {
                drop(spool);
                disk.cut_power();
                disk.restart();
                spool = loop {
                    match open(&disk, policy) {
                        Ok(spool) => break spool,
                        Err(_) if !disk.is_on() => disk.restart(),
                        Err(e) => return Err(TestCaseError::fail(e.to_string())),
                    }
                };
            }
            prop_assert!(spool.newest_seq() <= model.counts.len() as u64);
            model.counts.truncate(usize::try_from(spool.newest_seq()).unwrap());
            if spool.next_seq() == 1 {
                // An empty spool is a new one; what was stated about the old one went with it.
                epoch = spool.epoch();
                model = Model::default();
            }
            prop_assert_eq!(spool.epoch(), epoch);
        }
        disk.set_capacity(None);
        // The power may have gone in a step that does not need the disk to go on, such as taking the reserve.
        if spool.sync().is_err() || !disk.is_on() {
            return Ok(()); // what a restart then finds is the next cut's to tell
        }
        // The account.
        let mut seq = 1;
        let mut records = spool.reader().read_from(Position(spool.oldest_seq()));
        while seq <= spool.newest_seq() {
            let expected = &model.counts[usize::try_from(seq).unwrap() - 1..];
            match spool.in_place_of(seq) {
                Some(Item::Gap(gap, last)) if gap.reason == SPOOL_FULL => {
                    prop_assert_eq!(gap.first_seq, seq);
                    let covered = usize::try_from(last + 1 - seq).unwrap();
                    prop_assert_eq!(&gap.counts, &expected[..covered]);
                    prop_assert!(!newest, "this policy drops nothing old");
                    seq = last + 1;
                }
                Some(Item::Gap(gap, last)) => {
                    prop_assert_eq!(gap.reason, NO_LONGER_KEPT);
                    prop_assert!(last <= model.most_confirmed, "{last} was never confirmed");
                    seq = last + 1;
                }
                Some(Item::Batch(_)) => unreachable!(),
                None => {
                    let (position, bytes) = records.next().unwrap().unwrap();
                    prop_assert_eq!(position.0, seq);
                    let (meta, signed) = decode_record(&bytes).unwrap();
                    prop_assert_eq!(meta.count, expected[0]);
                    if let Some(text) = std::str::from_utf8(signed).ok().and_then(|t| t.strip_prefix("gap ")) {
                        model.statements += text.parse::<u64>().unwrap();
                    }
                    seq += 1;
                }
            }
        }
        if model.most_confirmed == 0 && newest {
            let waiting = spool.waiting_gap().unwrap().map_or(0, |g| g.telegrams);
            let stated = model.statements + waiting;
            prop_assert!(stated >= model.skipped, "{stated} < {}", model.skipped);
            prop_assert!(stated <= model.skipped + model.perhaps, "what found no room is stated once");
        }
    }
}
