//! A vault is held against the newest mark of the log, and says for how long it was accepted as it is.

use wire::mark::{Mark, PresentMark};
use wire::{MARK_ACTION, Method};

use super::*;
use crate::{mark, root};

impl House {
    pub(super) fn recorded(&self, mark: &Mark) -> PresentMark {
        let event =
            Event { detail: mark.to_line(), ..Event::new(NOW, "archive", MARK_ACTION, Outcome::Done) };
        let event = event.encode();
        let receipt = self.receipt(&event, NOW);
        PresentMark { event, receipt }
    }

    pub(super) fn present(&self) -> Mark {
        self.vault().mark(&PresentMark::default(), NOW).unwrap().mark.unwrap()
    }
}

#[test]
fn older_files_give_out_nothing_until_they_are_accepted_and_that_is_told_until_a_new_mark() {
    let mut house = House::new();
    let may = |house: &House, method| house.vault().may(method).err().map(|refused| refused.code);
    assert_eq!(may(&house, Method::VaultReleaseKeys), Some("mark-first"));
    assert_eq!(may(&house, Method::VaultContactKeys), Some("mark-first"));
    assert_eq!(may(&house, Method::VaultBodyKeys), Some("mark-first"));
    assert_eq!(may(&house, Method::VaultDecryptFrames), None, "telegrams wait for nobody");
    let newer = house.recorded(&Mark { desk: 7, ..house.present() });
    let shown = house.vault().mark(&newer, NOW).unwrap();
    assert_eq!((shown.older.as_str(), shown.accepted), ("hand-overs", false));
    for method in
        [Method::VaultReleaseKeys, Method::VaultContactKeys, Method::VaultDecryptFrames, Method::VaultCustody]
    {
        assert_eq!(may(&house, method), Some("vault-put-back"));
    }
    let proof = crate::Proof::Passphrase(passphrase());
    let lasting = root::unlock(&house.disk, &house.layout, &proof).unwrap().ring.lasting;
    mark::accept(&house.disk, &house.layout, &lasting, mark::Accepted::Older, NOW.plus(-25 * HOUR)).unwrap();
    assert!(!house.vault().mark(&newer, NOW).unwrap().accepted, "an acceptance of yesterday counts no more");
    mark::accept(&house.disk, &house.layout, &lasting, mark::Accepted::Older, NOW).unwrap();
    // whoever shows it first, the next one can still record it, after a crash too
    for _ in 0..2 {
        for _ in 0..2 {
            let shown = house.vault().mark(&newer, NOW).unwrap();
            assert!(shown.accepted && shown.older.is_empty());
        }
        assert_eq!(may(&house, Method::VaultReleaseKeys), None);
        house.restart();
    }
    let present = house.recorded(&house.present());
    assert!(!house.vault().mark(&present, NOW).unwrap().accepted, "the new mark is told as any other");
    // another mark that is newer than the files was not accepted
    let other = house.recorded(&Mark { desk: 8, ..house.present() });
    assert_eq!(house.vault().mark(&other, NOW).unwrap().older, "hand-overs");
}

#[test]
fn only_a_mark_that_the_ledger_holds_and_the_archive_recorded_is_believed() {
    let house = House::new();
    let good = house.recorded(&house.present());
    let mut forged = good.clone();
    *forged.receipt.last_mut().unwrap() ^= 1;
    assert_eq!(code(house.vault().mark(&forged, NOW)), "no-mark");
    let another =
        Event { detail: house.present().to_line(), ..Event::new(NOW, "warden", MARK_ACTION, Outcome::Done) };
    let event = another.encode();
    let receipt = house.receipt(&event, NOW);
    assert_eq!(code(house.vault().mark(&PresentMark { event, receipt }, NOW)), "no-mark");
    assert!(house.vault().mark(&good, NOW.plus(900 * HOUR)).is_ok(), "a mark does not grow stale");
}
