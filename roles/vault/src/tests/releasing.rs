//! Data keys go out only to whom they are due.

use super::*;
use base::TenancyId;
use wire::vault::{DataKeys, ReleaseKeys, SealingKeys, Series};

pub(super) const A: TenancyId = TenancyId([1; 16]);
pub(super) const B: TenancyId = TenancyId([2; 16]);

pub(super) fn span(tenancy: TenancyId, meter: u32, from: &str, until: Option<&str>) -> TenancySpan {
    let ms = |t: &str| format!("{t}T00:00:00Z").parse::<UtcMillis>().unwrap().0;
    TenancySpan {
        tenancy: tenancy.0.to_vec(),
        meter,
        from_ms: ms(from),
        until_ms: until.map(ms),
        vacant: false,
    }
}

pub(super) fn series(tenancy: TenancyId, meter: u32, class: Class, m: &str) -> Series {
    let (class, month) = (u32::from(class.code()), month(m).number());
    Series { meter, tenancy: tenancy.0.to_vec(), class, month }
}

pub(super) fn sealing(house: &House, all: &[Series]) -> DataKeys {
    house.vault().sealing_keys(&SealingKeys { series: all.to_vec() }, NOW).unwrap()
}

/// Meter 1: A until the 10th of November, then B. Meter 2: A.
pub(super) fn settled() -> House {
    let house = House::new();
    house
        .tell(&[
            span(B, 1, "2026-11-10", None),
            span(A, 1, "2026-01-01", Some("2026-11-10")),
            span(A, 2, "2026-01-01", None),
        ])
        .unwrap();
    house
}

pub(super) fn release(house: &House, all: &[Series]) -> DataKeys {
    let (request, event, receipt) =
        house.asked(&house.grant(Purpose::Operations, Action::ReadReadings), Action::ReadReadings, vec![]);
    let question = ReleaseKeys { request, event, receipt, series: all.to_vec() };
    house.vault().release_keys(&question, NOW).unwrap()
}

#[test]
fn intake_and_archive_get_the_same_key_for_a_series_and_another_for_each() {
    let mut house = settled();
    let all = [
        series(A, 1, Class::Daily, "2026-11"),
        series(B, 1, Class::Daily, "2026-11"),
        series(A, 2, Class::Daily, "2026-11"),
    ];
    let sealed = sealing(&house, &all);
    assert_eq!((sealed.refused.as_slice(), sealed.keys.len()), (&["", "", ""].map(String::from)[..], 96));
    let distinct: std::collections::HashSet<_> = sealed.keys.chunks(32).collect();
    assert_eq!(distinct.len(), 3);
    house.restart();
    assert_eq!(release(&house, &all).keys, sealed.keys);
    assert_eq!(sealing(&house, &all).keys, sealed.keys);
    house.vault().gauge();
    assert_eq!(house.counters.get("keys.released"), 3);
    house.restart();
    house.vault().gauge();
    assert_eq!(house.counters.get("keys.released"), 3, "the count is durable");
    for key in sealed.keys.chunks(32) {
        assert!(!has(&house.disk, key));
    }
}

#[test]
fn intake_gets_no_key_of_the_past_and_only_a_few_of_last_month() {
    let house = settled();
    let reasons = |all: &[Series], now: UtcMillis| {
        house.vault().sealing_keys(&SealingKeys { series: all.to_vec() }, now).unwrap().refused
    };
    let of = |m: &str| series(A, 2, Class::Daily, m);
    let months = [of("2026-09"), of("2026-10"), of("2026-11"), of("2026-12")];
    let now = "2026-11-18T12:00:00Z".parse().unwrap();
    assert_eq!(reasons(&months, now), ["past-period", "past-period", "", "past-period"]);
    let turn = "2026-11-30T12:00:00Z".parse().unwrap();
    assert_eq!(reasons(&months, turn), ["past-period", "past-period", "", ""], "the next month is near");
    let early = "2026-11-10T12:00:00Z".parse().unwrap();
    let mut given = 0;
    for _ in 0..40 {
        given += u32::from(reasons(&months[1..2], early)[0].is_empty());
    }
    assert_eq!(given, 12, "late data is for the exception");
    assert_eq!(reasons(&months[1..2], early), ["rate-limited"]);
    assert_eq!(house.counters.get("late-keys.limited"), 29);
    let next_hour = UtcMillis(early.0 + HOUR);
    assert_eq!(reasons(&months[1..2], next_hour), [""]);
}

#[test]
fn who_lives_elsewhere_or_later_has_no_key_here() {
    let house = settled();
    let of = |t, class, m| series(t, 1, class, m);
    let answer = release(
        &house,
        &[
            of(B, Class::Daily, "2026-10"),
            of(A, Class::Daily, "2026-12"),
            of(A, Class::Fine, "2026-11"),
            of(A, Class::Daily, "2026-09"),
            of(A, Class::Daily, "2026-11"),
        ],
    );
    assert_eq!(
        answer.refused,
        ["outside-tenancy", "outside-tenancy", "not-in-scope", "not-in-scope", "past-period"],
        "and nothing was ever sealed in November"
    );
    assert!(answer.keys.is_empty());
    let reasons = sealing(
        &house,
        &[series(B, 2, Class::Daily, "2026-11"), series(TenancyId([9; 16]), 1, Class::Daily, "2026-11")],
    );
    assert_eq!(reasons.refused, ["outside-tenancy", "unknown-tenancy"]);
}

#[test]
fn each_missing_proof_is_refused_by_name() {
    let house = settled();
    let grant = house.grant(Purpose::Operations, Action::ReadReadings);
    let (request, event, receipt) = house.asked(&grant, Action::ReadReadings, vec![]);
    let ask = |request: &[u8], event: &[u8], receipt: &[u8], now: UtcMillis| {
        let series = vec![series(A, 2, Class::Daily, "2026-11")];
        let (request, event, receipt) = (request.to_vec(), event.to_vec(), receipt.to_vec());
        house.vault().release_keys(&ReleaseKeys { request, event, receipt, series }, now)
    };
    assert_eq!(code(ask(&[], &event, &receipt, NOW)), "no-grant");
    assert_eq!(code(ask(&request, &event, &[], NOW)), "no-receipt");
    let other = House::new();
    let (forged, ..) = other.asked(&grant, Action::ReadReadings, vec![]);
    assert_eq!(code(ask(&forged, &event, &receipt, NOW)), "grant-forged");
    assert_eq!(code(ask(&request, &event, &other.receipt(&event, NOW), NOW)), "receipt-forged");
    let (second, ..) = house.asked(&grant, Action::ReadReadings, vec![1]);
    assert_eq!(code(ask(&second, &event, &receipt, NOW)), "event-of-another-request");
    assert_eq!(code(ask(&request, &event, &receipt, NOW.plus(6 * 60_000))), "request-stale");
    assert_eq!(code(ask(&request, &event, &receipt, NOW.plus(2 * HOUR))), "grant-expired");
    let import = house.grant(Purpose::KeyImport, Action::ImportKeys);
    let (for_import, e, r) = house.asked(&import, Action::ImportKeys, vec![]);
    assert_eq!(code(ask(&for_import, &e, &r, NOW)), "other-action");
    let by_intake =
        Event { actor: "intake".to_owned(), ..house.event(&grant, Action::ReadReadings, &request) };
    let by_intake = by_intake.encode();
    let taken = house.receipt(&by_intake, NOW);
    assert_eq!(code(ask(&request, &by_intake, &taken, NOW)), "event-of-another-actor");
    assert_eq!(house.counters.get("refused.receipt-forged"), 1);
    assert!(ask(&request, &event, &receipt, NOW).is_ok());
}

#[test]
fn a_ledger_that_was_put_back_gets_no_more_keys_also_after_a_restart() {
    let mut house = settled();
    let all = [series(A, 2, Class::Daily, "2026-11")];
    sealing(&house, &all);
    release(&house, &all);
    release(&house, &all);
    let before = house.log.replace(house.empty_log());
    for _ in 0..2 {
        let grant = house.grant(Purpose::Operations, Action::ReadReadings);
        let request = house.asked(&grant, Action::ReadReadings, vec![]).0;
        let event = house.event(&grant, Action::ReadReadings, &request).encode();
        let receipt = house.receipt(&event, NOW.plus(1000));
        let question = ReleaseKeys { request, event, receipt, series: all.to_vec() };
        let refused = code(house.vault().release_keys(&question, NOW));
        assert!(["log-put-back", "log-forked"].contains(&refused), "{refused}");
        house.restart();
        house.log.replace(house.empty_log());
    }
    house.log.replace(before);
    assert!(release(&house, &all).refused[0].is_empty(), "the true log goes on");
}

#[test]
fn tenancies_are_taken_all_or_none_and_only_from_the_register() {
    let house = settled();
    let told = house.tell(&[span(B, 3, "2026-11-01", None), span(B, 2, "2026-05-01", None)]);
    assert_eq!(code(told), "tenancy-conflict");
    let reasons = sealing(&house, &[series(B, 3, Class::Daily, "2026-11")]).refused;
    assert_eq!(reasons, ["outside-tenancy"], "the good half was not taken either");
    let grant = house.grant(Purpose::Operations, Action::ReadReadings);
    let (request, event, receipt) = house.asked(&grant, Action::ReadReadings, vec![]);
    let spans = vec![span(B, 3, "2026-11-01", None)];
    assert_eq!(
        code(house.vault().tenancy(&Tenancy { request, event, receipt, spans, areas: Vec::new() }, NOW)),
        "other-action"
    );
    let import = house.grant(Purpose::KeyImport, Action::ImportKeys);
    let (request, event, receipt) = house.asked(&import, Action::ImportKeys, vec![]);
    let spans = vec![span(B, 3, "2026-11-01", None)];
    house.vault().tenancy(&Tenancy { request, event, receipt, spans, areas: Vec::new() }, NOW).unwrap();
    assert_eq!(sealing(&house, &[series(B, 3, Class::Daily, "2026-11")]).refused, [""]);
}

#[test]
fn who_asks_how_meters_are_gets_daily_keys_of_this_and_the_last_month_alone() {
    let house = settled();
    sealing(&house, &[series(A, 2, Class::Daily, "2026-11"), series(A, 2, Class::Fine, "2026-11")]);
    let grant = house.grant(Purpose::FieldService, Action::ReadHealth);
    let all = [Class::Daily, Class::Fine, Class::Billing];
    let scope = Scope { classes: all.into(), first_month: month("2026-09"), ..grant.scope.clone() };
    let grant = Grant { scope, ..grant };
    let ask = |class, of: &str| {
        let signed = grant.sign(&house.warden);
        let request = grant::sign_request(&signed, Action::ReadHealth, vec![], NOW, &house.session).unwrap();
        let data = Some(DataSpan { class, first: month("2026-09"), last: month("2026-12") });
        let event = Event { data, ..house.event(&grant, Action::ReadHealth, &request) }.encode();
        let receipt = house.receipt(&event, NOW);
        let question = ReleaseKeys { request, event, receipt, series: vec![series(A, 2, class, of)] };
        let given = house.vault().release_keys(&question, NOW).unwrap();
        (given.refused.concat(), given.keys.len())
    };
    assert_eq!(ask(Class::Daily, "2026-11"), (String::new(), 32));
    assert_eq!(ask(Class::Daily, "2026-09"), ("not-health".to_owned(), 0));
    assert_eq!(ask(Class::Fine, "2026-11"), ("not-health".to_owned(), 0));
    assert_eq!(ask(Class::Billing, "2026-11"), ("not-health".to_owned(), 0));
    let (request, event, receipt) = house.asked(&grant, Action::ReadReadings, vec![]);
    let question =
        ReleaseKeys { request, event, receipt, series: vec![series(A, 2, Class::Daily, "2026-11")] };
    assert!(house.vault().release_keys(&question, NOW).is_err(), "the grant is for nothing else");
}

#[test]
fn an_archive_that_asks_for_tenancies_outside_the_grant_gets_none_of_their_keys() {
    let house = settled();
    sealing(&house, &[series(A, 2, Class::Daily, "2026-11"), series(B, 1, Class::Daily, "2026-11")]);
    let grant = house.grant(Purpose::BillQuestion, Action::ReadReadings);
    let scope = Scope { tenancies: Tenancies::Only([A].into()), ..grant.scope.clone() };
    let (request, event, receipt) = house.asked(&Grant { scope, ..grant }, Action::ReadReadings, vec![]);
    let series = vec![series(A, 2, Class::Daily, "2026-11"), series(B, 1, Class::Daily, "2026-11")];
    let question = ReleaseKeys { request, event, receipt, series };
    let given = house.vault().release_keys(&question, NOW).unwrap();
    assert_eq!(given.refused, ["", "not-in-scope"]);
    assert_eq!(given.keys.len(), 32, "the one that was granted, and nothing of the other");
}

#[test]
fn a_grant_for_an_area_opens_the_meters_that_lie_there_and_the_vault_knows_itself_which_those_are() {
    let mut house = settled();
    sealing(&house, &[series(A, 2, Class::Daily, "2026-11"), series(B, 1, Class::Daily, "2026-11")]);
    let ask = |house: &House, areas: &[&str]| {
        let grant = house.grant(Purpose::NetworkAnalysis, Action::ReadReadings);
        let areas = Areas::Only(areas.iter().map(|area| area.parse().unwrap()).collect());
        let grant = Grant { scope: Scope { areas, ..grant.scope.clone() }, ..grant };
        let (request, event, receipt) = house.asked(&grant, Action::ReadReadings, vec![]);
        let series = vec![series(A, 2, Class::Daily, "2026-11"), series(B, 1, Class::Daily, "2026-11")];
        let given =
            house.vault().release_keys(&ReleaseKeys { request, event, receipt, series }, NOW).unwrap();
        assert_eq!(given.keys.len(), 32 * given.refused.iter().filter(|why| why.is_empty()).count());
        given.refused
    };
    let (no, yes) = ("not-in-scope", "");
    // of whose meters nobody said where they lie, no area's role reads
    assert_eq!(ask(&house, &["Nord", "Vest"]), [no, no]);
    house.told(&[], &[(2, "Nord"), (1, "Vest")]).unwrap();
    assert_eq!(ask(&house, &["Nord"]), [yes, no]);
    assert_eq!(ask(&house, &["Vest", "Nord"]), [yes, yes]);
    assert_eq!(ask(&house, &["nord"]), [no, no]);
    assert_eq!(ask(&house, &[]), [no, no], "a grant for no area is not one for all");
    // it outlives the vault, the place that was said last counts, and none is one, too
    house.told(&[], &[(2, "Vest"), (1, "")]).unwrap();
    house.restart();
    assert_eq!(ask(&house, &["Nord"]), [no, no]);
    assert_eq!(ask(&house, &["Vest"]), [yes, no]);
    assert_eq!(code(house.told(&[], &[(2, "Nord 3")])), "malformed");
    assert_eq!(ask(&house, &["Vest"]), [yes, no]);
}
