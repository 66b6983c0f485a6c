//! Months, samples and signatures, on logs that are made of times alone.

use super::*;

fn at(text: &str) -> UtcMillis {
    text.parse().unwrap()
}

fn month(text: &str) -> Month {
    text.parse().unwrap()
}

/// The months of a log whose entries were taken at these times.
fn months(times: &[&str]) -> Months {
    let mut months = Months::default();
    for (position, time) in (0..).zip(times) {
        months.note(position, at(time));
    }
    months
}

fn ended(months: &Months) -> Vec<(String, u64, u64)> {
    months.ended().map(|(month, span)| (month.to_string(), span.first, span.end)).collect()
}

fn said(month: &str, first: u64, end: u64) -> (String, u64, u64) {
    (month.to_owned(), first, end)
}

#[test]
fn each_entry_is_one_months_and_the_month_that_goes_on_has_no_end() {
    let found = months(&[
        "2026-08-30T10:00:00Z",
        "2026-08-31T23:59:59.999Z",
        "2026-09-01T00:00:00Z",
        "2026-11-02T00:00:00Z",
        "2026-11-03T00:00:00Z",
    ]);
    assert_eq!(ended(&found), [said("2026-08", 0, 2), said("2026-09", 2, 3)], "in October nothing was taken");
    assert_eq!(found.running(), Some(month("2026-11")));
    assert_eq!(found.span(month("2026-11")), None);
    assert_eq!(found.span(month("2026-10")), None);
    assert!(Months::default().running().is_none() && ended(&Months::default()).is_empty());
}

#[test]
fn a_clock_that_was_ahead_and_is_set_back_ends_no_month() {
    let ahead =
        ["2026-09-10T00:00:00Z", "2026-10-01T00:00:00Z", "2099-01-01T00:00:00Z", "2026-10-02T00:00:00Z"];
    let found = months(&ahead);
    assert_eq!(ended(&found), [said("2026-09", 0, 1)]);
    assert_eq!(found.running(), Some(month("2026-10")));
    // seconds ahead over the end of a month: it ends when it ends
    let seconds =
        ["2026-09-10T00:00:00Z", "2026-10-01T00:00:01Z", "2026-09-30T23:59:50Z", "2026-10-01T00:00:02Z"];
    assert_eq!(ended(&months(&seconds)), [said("2026-09", 0, 3)]);
    // ahead over two months at once, set back to the one between
    let between =
        ["2026-09-10T00:00:00Z", "2026-12-01T00:00:00Z", "2026-10-03T00:00:00Z", "2026-11-01T00:00:00Z"];
    assert_eq!(ended(&months(&between)), [said("2026-09", 0, 1), said("2026-10", 1, 3)]);
}

#[test]
fn a_clock_that_falls_back_to_its_beginning_takes_no_month_away() {
    let found = months(&[
        "2026-08-10T00:00:00Z",
        "2026-09-10T00:00:00Z",
        "2026-10-10T00:00:00Z",
        "1970-01-01T00:00:10Z",
        "2026-10-11T00:00:00Z",
        "2026-11-01T00:00:00Z",
    ]);
    assert_eq!(ended(&found), [said("2026-08", 0, 1), said("2026-09", 1, 2), said("2026-10", 2, 5)]);
    // of a log's first month the newest clock is believed
    let first = months(&["2099-01-01T00:00:00Z", "2026-10-10T00:00:00Z", "2026-11-01T00:00:00Z"]);
    assert_eq!(ended(&first), [said("2026-10", 0, 2)]);
}

#[test]
fn a_sample_is_the_same_for_everybody_and_another_root_draws_another() {
    let span = Span { first: 1000, end: 51_000 };
    let (root, october) = (Hash([7; 32]), month("2026-10"));
    let drawn = draw(&root, october, span, 20);
    // worked out apart from this code, with Python's hashlib
    assert_eq!(
        drawn,
        [
            4423, 13_366, 13_680, 16_521, 18_338, 19_200, 27_635, 28_920, 30_104, 31_064, 32_840, 34_361,
            35_220, 36_010, 38_510, 41_469, 44_718, 47_198, 47_565, 50_845
        ]
    );
    assert!(drawn.windows(2).all(|pair| pair[0] < pair[1]));
    assert!(drawn.iter().all(|position| (span.first..span.end).contains(position)));
    assert_ne!(draw(&Hash([8; 32]), october, span, 20), drawn);
    assert_ne!(draw(&root, month("2026-09"), span, 20), drawn);
    let few = Span { first: 5, end: 9 };
    assert_eq!(draw(&root, october, few, 20), [5, 6, 7, 8]);
    assert_eq!(draw(&root, october, Span { first: 5, end: 5 }, 20), Vec::<u64>::new());
}

#[test]
fn every_entry_is_as_likely_as_every_other() {
    let (span, mut hits) = (Span { first: 0, end: 100 }, [0u32; 100]);
    for n in 0..2000u32 {
        let mut root = [0; 32];
        root[..4].copy_from_slice(&n.to_be_bytes());
        for position in draw(&Hash(root), month("2026-10"), span, 20) {
            hits[usize::try_from(position).unwrap()] += 1;
        }
    }
    // 400 each on average, with a standard deviation of 18
    assert!(hits.iter().all(|n| (310..490).contains(n)), "{hits:?}");
}

#[test]
fn a_month_is_overdue_thirty_days_after_its_end() {
    assert_eq!(overdue_at(month("2026-10")), at("2026-12-01T00:00:00Z"));
    assert_eq!(overdue_at(month("2026-12")), at("2027-01-31T00:00:00Z"));
}

#[test]
fn what_was_signed_is_read_back_as_it_was() {
    let signature = Signature {
        month: month("2026-10"),
        span: Span { first: 120, end: 4711 },
        finding: Finding::FollowUp,
        drawn: 20,
        found: 37,
        own: 2,
        note: "anna looked at K-1: asked, it was case 12".to_owned(),
    };
    let detail = Review::Signed(signature.clone()).to_string();
    assert_eq!(
        detail,
        "signed 2026-10 entries 120 to 4711 finding follow-up drawn 20 found 37 own 2: anna looked at K-1: asked, it was case 12"
    );
    assert_eq!(Review::read(&detail), Some(Review::Signed(signature)));
    let shown = Review::Shown { month: month("2026-10"), span: Span { first: 120, end: 4711 } };
    assert_eq!(Review::read(&shown.to_string()), Some(shown));
    for other in [
        "",
        "everything; the 20 newest",
        "signed 2026-10",
        "shown 2026-13 entries 1 to 2",
        "shown 2026-10 entries -1 to 2",
    ] {
        assert_eq!(Review::read(other), None, "{other}");
    }
    let longest = Signature {
        month: Month::from_number(u32::MAX),
        span: Span { first: u64::MAX, end: u64::MAX },
        finding: Finding::FollowUp,
        drawn: u64::MAX,
        found: u64::MAX,
        own: u64::MAX,
        note: "x".repeat(MAX_REVIEW_NOTE),
    };
    assert!(Review::Signed(longest).to_string().len() <= MAX_DETAIL);
}

proptest::proptest! {
    #[test]
    fn no_detail_panics(detail: String) {
        let _ = Review::read(&detail);
    }

    #[test]
    fn spans_follow_each_other_without_a_gap(times in proptest::collection::vec(0i64..20_000_000_000, 0..200)) {
        let mut months = Months::default();
        for (position, time) in (0..).zip(&times) {
            months.note(position, UtcMillis(*time));
        }
        let mut next = 0;
        for (_, span) in months.ended() {
            proptest::prop_assert_eq!(span.first, next);
            proptest::prop_assert!(span.first < span.end);
            next = span.end;
        }
        proptest::prop_assert!(next <= times.len() as u64);
    }
}

/// A log of which two entries were taken in each of so many months from January 2026 on.
fn two_a_month(number: u64) -> Months {
    let (mut months, mut of) = (Months::default(), month("2026-01"));
    for n in 0..number {
        months.note(2 * n, of.begins());
        months.note(2 * n + 1, of.begins().plus(DAY_MS));
        of = of.next();
    }
    months
}

#[test]
fn entries_are_kept_for_their_months_and_for_as_many_in_which_something_was_recorded() {
    let found = two_a_month(20);
    let now = month("2027-08").begins().plus(2 * DAY_MS);
    assert_eq!(found.running(), Some(now.month()));
    assert_eq!(found.keeps_from(13, now), Some(2 * 6), "July 2026 and later");
    assert_eq!(found.keeps_from(18, now), Some(2));
    assert_eq!(found.keeps_from(19, now), None, "nothing is older");
    assert_eq!(found.keeps_from(60, now), None);

    let mut ahead = two_a_month(20);
    ahead.note(40, at("2099-01-01T00:00:00Z"));
    let kept = ahead.keeps_from(13, at("2099-01-01T00:00:00Z"));
    assert_eq!(kept, Some(2 * 7), "a clock that is years ahead makes nothing old");
    let mut seldom = two_a_month(3);
    seldom.note(6, at("2029-01-01T00:00:00Z"));
    assert_eq!(seldom.keeps_from(13, at("2029-01-01T00:00:00Z")), None, "nor does a house that stood still");
}

#[test]
fn a_month_whose_beginning_was_removed_has_no_sample_whether_the_log_was_started_anew_or_not() {
    for position in 1..30 {
        let (mut removed, mut anew) = (two_a_month(20), Months::of_rest());
        removed.remove_before(position);
        let mut of = month("2026-01");
        for n in 0..20 {
            for (position, at) in [(2 * n, of.begins()), (2 * n + 1, of.begins().plus(DAY_MS))]
                .into_iter()
                .filter(|(at, _)| *at >= position)
            {
                anew.note(position, at);
            }
            of = of.next();
        }
        assert_eq!(ended(&removed), ended(&anew), "{position}");
        assert!(removed.ended().all(|(_, span)| span.first > position && span.count() == 2), "{position}");
        assert_eq!(removed.ended().count() as u64, 19 - position / 2 - 1, "{position}");
    }
    let mut whole = two_a_month(3);
    whole.remove_before(0);
    assert_eq!(whole.ended().count(), 2, "nothing was removed");
}
