//! What two officers decide to erase opens no more, but for what a legal hold keeps.

use grant::act::Deed;
use grant::erasure::{ApproveErasure, ErasePeriod, RequestErasure, SetHold, WithdrawErasure};
use wire::custody::{Carried, ErrandAnswer};
use wire::erasure::{Erasures, LookErasures};
use wire::mark::Mark;
use wire::vault::{DataKeys, ReleaseKeys, SealingKeys, Series};

use super::handing::Officers;
use super::releasing::{A, B, release, series, span};
use super::*;
use crate::{mark, root};

const OCTOBER: &str = "2026-10";

fn then() -> UtcMillis {
    "2026-10-15T12:00:00Z".parse().unwrap()
}

/// A lived at meter 1 until the 10th of November, B lives there since; both have readings of October and November.
pub(super) fn lived() -> (House, Officers) {
    let (house, officers) = House::with_officers();
    house.tell(&[span(B, 1, "2026-11-10", None), span(A, 1, "2026-01-01", Some("2026-11-10"))]).unwrap();
    let of = |class, m| series(A, 1, class, m);
    let october = SealingKeys { series: vec![of(Class::Daily, OCTOBER), of(Class::Billing, OCTOBER)] };
    assert_eq!(house.vault().sealing_keys(&october, then()).unwrap().refused, ["", ""]);
    let november = vec![of(Class::Daily, "2026-11"), series(B, 1, Class::Daily, "2026-11")];
    assert_eq!(house.vault().sealing_keys(&SealingKeys { series: november }, NOW).unwrap().refused, ["", ""]);
    (house, officers)
}

pub(super) fn of_a() -> RequestErasure {
    let tenancies = vec![A.0.to_vec()];
    RequestErasure { tenancies, reason: "asked for, case 12".to_owned(), ..RequestErasure::default() }
}

fn period(class: Class, m: &str) -> ErasePeriod {
    ErasePeriod { class: u32::from(class.code()), month: month(m).number() }
}

impl House {
    pub(super) fn erase(&self, officers: &Officers, wish: &RequestErasure) -> Result<ErrandAnswer, Failure> {
        let erasure = self.act("anna", &officers.anna, Deed::Erase(wish.clone()))?.number;
        let deed = Deed::ApproveErasure(ApproveErasure { erasure, digest: wish.digest().to_vec() });
        self.act("bo", &officers.bo, deed)
    }

    fn held(&self, all: &[Series]) -> DataKeys {
        let grant = self.grant(Purpose::LegalClaim, Action::ReadHeld);
        let (request, event, receipt) = self.asked(&grant, Action::ReadHeld, vec![]);
        self.vault()
            .release_keys(&ReleaseKeys { request, event, receipt, series: all.to_vec() }, NOW)
            .unwrap()
    }

    fn shown(&self, erasure: u32) -> wire::erasure::Erasure {
        self.carry(Carried::Erasures(LookErasures { erasure })).unwrap().erasures.remove(0)
    }
}

#[test]
fn a_person_is_erased_by_two_officers_and_nobody_else_is_touched() {
    let (mut house, officers) = lived();
    let of_b = [series(B, 1, Class::Daily, "2026-11")];
    let of_a_all = [series(A, 1, Class::Daily, OCTOBER), series(A, 1, Class::Daily, "2026-11")];
    let before = release(&house, &of_b).keys;
    assert_eq!(release(&house, &of_a_all).refused, ["", ""]);
    let refused = |wish: &RequestErasure| code(house.act("anna", &officers.anna, Deed::Erase(wish.clone())));
    assert_eq!(refused(&RequestErasure { tenancies: vec![B.0.to_vec()], ..of_a() }), "tenancy-lasts");
    assert_eq!(refused(&RequestErasure { tenancies: vec![vec![9; 16]], ..of_a() }), "no-tenancy");
    assert_eq!(refused(&RequestErasure { holds: vec![4], ..of_a() }), "no-hold");

    let number = house.act("anna", &officers.anna, Deed::Erase(of_a())).unwrap().number;
    let agreed = |wish: &RequestErasure| {
        Deed::ApproveErasure(ApproveErasure { erasure: number, digest: wish.digest().to_vec() })
    };
    assert_eq!(code(house.act("anna", &officers.anna, agreed(&of_a()))), "same-officer");
    let other = RequestErasure { reason: "because".to_owned(), ..of_a() };
    assert_eq!(code(house.act("bo", &officers.bo, agreed(&other))), "other-request");
    assert_eq!(code(house.carry(Carried::Certificate(number))), "not-erased");
    assert_eq!(release(&house, &of_a_all).refused, ["", ""], "nothing happened yet");

    house.act("bo", &officers.bo, agreed(&of_a())).unwrap();
    assert_eq!(release(&house, &of_a_all).refused, ["erased", "erased"]);
    assert_eq!(house.held(&of_a_all).refused, ["not-held", "not-held"]);
    assert_eq!(release(&house, &of_b).keys, before);
    assert_eq!(code(house.act("bo", &officers.bo, agreed(&of_a()))), "not-requested");
    assert_eq!(code(house.erase(&officers, &of_a())), "erased-already");
    let back = house.tell(&[span(A, 7, "2026-12-01", None)]);
    assert_eq!(code(back), "tenancy-conflict", "who was erased does not begin again");
    // the sealed root goes with the term
    assert_eq!(house.shown(number).state, "erased");
    let table = house.vault().table.position();
    assert_eq!(house.vault().renew_term(NOW).unwrap(), Some(2));
    assert_eq!((house.shown(number).state.as_str(), house.vault().table.position()), ("gone", table));
    house.restart();
    assert_eq!(house.vault().renew_term(NOW).unwrap(), None);
    assert_eq!(release(&house, &of_a_all).refused, ["erased", "erased"]);
    assert_eq!(release(&house, &of_b).keys, before);
    house.vault().gauge();
    assert_eq!(house.counters.get("tenancies"), 1);
}

#[test]
fn a_month_is_erased_for_all_when_it_is_over() {
    let (house, officers) = lived();
    let wish = |class, m| RequestErasure { tenancies: vec![], periods: vec![period(class, m)], ..of_a() };
    assert_eq!(code(house.erase(&officers, &wish(Class::Daily, "2026-11"))), "period-lasts");
    assert_eq!(code(house.erase(&officers, &wish(Class::Fine, OCTOBER))), "no-period");
    house.erase(&officers, &wish(Class::Daily, OCTOBER)).unwrap();
    let all = [
        series(A, 1, Class::Daily, OCTOBER),
        series(A, 1, Class::Billing, OCTOBER),
        series(A, 1, Class::Daily, "2026-11"),
    ];
    let grant = Grant {
        scope: Scope {
            classes: [Class::Daily, Class::Billing].into(),
            ..house.grant(Purpose::Operations, Action::ReadReadings).scope
        },
        ..house.grant(Purpose::Operations, Action::ReadReadings)
    };
    let (request, event, receipt) = house.asked(&grant, Action::ReadReadings, vec![]);
    let question = ReleaseKeys { request, event, receipt, series: all.to_vec() };
    let refused = house.vault().release_keys(&question, NOW).unwrap().refused;
    assert_eq!((refused[0].as_str(), refused[2].as_str()), ("erased", ""));
    assert_ne!(refused[1], "erased");
    // nor does the month begin again for intake
    let late = SealingKeys { series: vec![series(A, 1, Class::Daily, OCTOBER)] };
    let early = "2026-11-01T12:00:00Z".parse().unwrap();
    assert_eq!(house.vault().sealing_keys(&late, early).unwrap().refused, ["erased"]);
}

#[test]
fn a_hold_keeps_what_is_erased_for_a_legal_claim_alone_until_it_is_lifted() {
    let (mut house, officers) = lived();
    let october = [series(A, 1, Class::Daily, OCTOBER)];
    let november = [series(A, 1, Class::Daily, "2026-11")];
    let before = release(&house, &october).keys;
    let hold = |tenancy: u8| SetHold {
        tenancies: vec![vec![tenancy; 16]],
        first: month("2026-09").number(),
        last: month(OCTOBER).number(),
        reason: "claim 2026-44".to_owned(),
    };
    assert_eq!(code(house.act("bo", &officers.bo, Deed::Hold(hold(9)))), "no-tenancy");
    let number = house.act("bo", &officers.bo, Deed::Hold(hold(1))).unwrap().number;
    assert_eq!(house.held(&october).keys, before, "a hold is for reading, erased or not");
    assert_eq!(house.held(&november).refused, ["not-held"]);
    let done = house.erase(&officers, &of_a()).unwrap().done;
    assert!(done.ends_with("2 data keys kept for legal holds"), "{done}");
    for _ in 0..2 {
        assert_eq!(release(&house, &october).refused, ["erased"], "not for anything else");
        assert_eq!(house.held(&october).keys, before);
        assert_eq!(house.held(&november).refused, ["not-held"]);
        house.vault().renew_term(NOW).unwrap();
        house.restart();
    }
    // the month goes too: the hold has its key already
    let wish = RequestErasure { tenancies: vec![], periods: vec![period(Class::Daily, OCTOBER)], ..of_a() };
    house.erase(&officers, &wish).unwrap();
    assert_eq!(house.held(&october).keys, before);
    let lift = RequestErasure { tenancies: vec![], holds: vec![number], ..of_a() };
    house.erase(&officers, &lift).unwrap();
    assert_eq!(house.held(&october).refused, ["not-held"]);
    house.vault().renew_term(NOW).unwrap();
    house.restart();
    assert_eq!(house.held(&october).refused, ["not-held"]);
    let holds = house.carry(Carried::Erasures(LookErasures { erasure: 0 })).unwrap().holds;
    assert_eq!(holds[0].state, "lifted");
}

#[test]
fn a_certificate_says_when_and_from_when_on_no_backup_brings_it_back() {
    let (house, officers) = lived();
    house.erase(&officers, &of_a()).unwrap();
    let text = |house: &House| {
        let answer = house.carry(Carried::Certificate(1)).unwrap();
        String::from_utf8_lossy(&answer.container).into_owned()
    };
    let first = text(&house);
    assert!(first.contains("not yet: they lie sealed"), "{first}");
    house.vault().renew_term(NOW).unwrap();
    let text = text(&house);
    for part in [
        "Certificate of erasure 1",
        "tenancy: 01010101010101010101010101010101",
        "because: asked for, case 12",
        "by anna",
        "by bo",
        "roots gone from the files of the vault since: 2026-11-18",
        "unreadable in backups of the vault from: 2026-12-23",
    ] {
        assert!(text.contains(part), "`{part}` in {text}");
    }
}

#[test]
fn erasures_are_done_again_in_files_from_before_and_nothing_else_is() {
    let (house, officers) = lived();
    let yesterday = house.disk.copy();
    let restore = || House::on(yesterday.copy(), house.layout.clone());
    let withdrawn = house.act("anna", &officers.anna, Deed::Erase(of_a())).unwrap().number;
    let deed = Deed::WithdrawErasure(WithdrawErasure { erasure: withdrawn });
    house.act("bo", &officers.bo, deed).unwrap();
    house.erase(&officers, &of_a()).unwrap();
    let acts = house.vault().erasures(&Erasures::default(), NOW).unwrap().acts;
    assert_eq!((acts.len(), acts[0].number), (1, 2));
    let newest = house.present();
    assert_eq!(newest.erasures, 1);

    let (stranger, _) = lived();
    let answer =
        stranger.vault().erasures(&Erasures { replay: acts.clone(), ..Erasures::default() }, NOW).unwrap();
    assert!(answer.replayed == 0 && answer.failed.contains("not signed by"), "{}", answer.failed);

    let mut restored = restore();
    let october = [series(A, 1, Class::Daily, OCTOBER)];
    let shown = restored.recorded(&newest);
    assert!(restored.vault().mark(&shown, NOW).unwrap().older.contains("erasures"));
    restored.accept(mark::Accepted::Older);
    assert!(!restored.vault().mark(&shown, NOW).unwrap().accepted, "erasures first");
    let mut forged = acts.clone();
    forged[0].approval = acts[0].request.clone();
    let answer = restored.vault().erasures(&Erasures { replay: forged, ..Erasures::default() }, NOW).unwrap();
    assert_eq!((answer.replayed, answer.failed.is_empty()), (0, false));
    let again = Erasures { replay: acts.clone(), ..Erasures::default() };
    assert_eq!(restored.vault().erasures(&again, NOW).unwrap().replayed, 1);
    assert_eq!(restored.vault().erasures(&again, NOW).unwrap().replayed, 0, "once is enough");
    let shown_now = restored.vault().mark(&shown, NOW).unwrap();
    assert!(shown_now.accepted && !shown_now.forgets, "{}", shown_now.older);
    assert_eq!(release(&restored, &october).refused, ["erased"]);
    restored.restart();
    assert_eq!(release(&restored, &october).refused, ["erased"]);
    // whoever opens the vault may go on without them, and that is an incident
    let lost = restore();
    let shown = lost.recorded(&Mark { erasures: 3, ..lost.present() });
    lost.accept(mark::Accepted::WithoutErasures);
    let answer = lost.vault().mark(&shown, NOW).unwrap();
    assert!(answer.accepted && answer.forgets);
    assert_eq!(lost.counters.get("alarm.erasures-forgotten"), 1);
}

#[test]
fn a_hold_that_these_files_do_not_know_is_set_again_before_what_it_keeps_is_erased() {
    let (house, officers) = lived();
    let yesterday = house.disk.copy();
    let claim = |reason: &str| {
        let month = month(OCTOBER).number();
        SetHold { tenancies: vec![A.0.to_vec()], first: month, last: month, reason: reason.to_owned() }
    };
    house.act("bo", &officers.bo, Deed::Hold(claim("claim 44"))).unwrap();
    house.erase(&officers, &of_a()).unwrap();
    let october = [series(A, 1, Class::Daily, OCTOBER)];
    let kept = house.held(&october).keys;
    let newest = house.present();
    assert_eq!((newest.holds, newest.erasures), (1, 1));
    let acts = house.vault().erasures(&Erasures::default(), NOW).unwrap().acts;
    let kinds: Vec<_> = acts.iter().map(|one| (one.is_of_hold(), one.number)).collect();
    assert_eq!(kinds, [(true, 1), (false, 1)]);
    let rest = Erasures { after_hold: 1, ..Erasures::default() };
    assert_eq!(house.vault().erasures(&rest, NOW).unwrap().acts, acts[1..]);

    let mut restored = House::on(yesterday, house.layout.clone());
    let shown = restored.recorded(&newest);
    assert!(restored.vault().mark(&shown, NOW).unwrap().older.contains("legal holds"));
    restored.accept(mark::Accepted::Older);
    let replay = |replay: &[wire::erasure::ErasureActs]| {
        restored.vault().erasures(&Erasures { replay: replay.to_vec(), ..Erasures::default() }, NOW).unwrap()
    };
    let mut forged = acts[0].clone();
    forged.hold = acts[1].request.clone();
    assert!(replay(&[forged]).failed.contains("not the act of a hold"));
    assert_eq!((replay(&acts).replayed, replay(&acts).replayed), (2, 0));
    assert_eq!(release(&restored, &october).refused, ["erased"]);
    assert_eq!(restored.held(&october).keys, kept, "the same key as before");
    let mut other = acts[0].clone();
    house.act("bo", &officers.bo, Deed::Hold(claim("claim 45"))).unwrap();
    other.hold = house.vault().erasures(&rest, NOW).unwrap().acts[0].hold.clone();
    assert!(replay(&[other]).failed.contains("hold 1 is another one here"));
    assert!(restored.vault().mark(&shown, NOW).unwrap().accepted);
    restored.restart();
    assert_eq!(restored.held(&october).keys, kept);
}

impl House {
    fn accept(&self, what: mark::Accepted) {
        let proof = crate::Proof::Passphrase(passphrase());
        let lasting = root::unlock(&self.disk, &self.layout, &proof).unwrap().ring.lasting;
        mark::accept(&self.disk, &self.layout, &lasting, what, NOW).unwrap();
    }
}
