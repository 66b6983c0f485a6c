//! Terms: everything is sealed anew, nothing is lost on the way, and the old key opens nothing any more.

use std::path::PathBuf;

use super::releasing::{A, B, release, sealing, series, settled, span};
use super::*;
use crate::root;

const YEAR: i64 = 365 * 24 * HOUR;

impl House {
    fn vault_file(&self, name: &str) -> PathBuf {
        self.layout.room(Room::Vault).join(name)
    }

    fn files_of_table(&self, term: u32) -> Vec<PathBuf> {
        let folder = self.vault_file(&format!("table-{term}"));
        let files = self.disk.list(&folder).unwrap().into_iter().map(|name| folder.join(name));
        files.filter(|file| file.file_name().is_some_and(|name| name != "lock")).collect()
    }

    /// Has a new term asked for, as `meterkeep vault renew-term` does.
    pub(super) fn ask_for_term(&self) {
        let proof = crate::Proof::Passphrase(passphrase());
        let mut opened = root::unlock(&self.disk, &self.layout, &proof).unwrap();
        opened.ring.due = true;
        opened.ring.save(&self.disk, &self.layout, opened.providers.generation, &opened.root).unwrap();
    }
}

#[test]
fn a_new_term_seals_everything_anew_and_leaves_nothing_of_the_old_one() {
    let mut house = settled();
    house.import(&[("KAM", "10000001", "DEK", key(1)), ("KAM", "10000002", "GUEK", key(2))]);
    let all = [series(A, 2, Class::Daily, "2026-11"), series(B, 1, Class::Daily, "2026-11")];
    let before = sealing(&house, &all).keys;
    let ring =
        journal::read_whole(&house.disk, &house.vault_file("keyring-1.key"), 1 << 20).unwrap().unwrap();
    let old = journal::read_whole(&house.disk, &house.files_of_table(1)[0], 1 << 20).unwrap().unwrap();
    let position = house.vault().table.position();

    assert_eq!(house.vault().renew_term(NOW).unwrap(), None, "nobody asked");
    house.ask_for_term();
    assert_eq!(house.vault().renew_term(NOW).unwrap(), Some(2));
    assert_eq!(house.vault().renew_term(NOW).unwrap(), None, "once");
    assert!(house.files_of_table(1).is_empty());
    assert!(
        old.windows(40).skip(64).step_by(40).all(|part| !has(&house.disk, part)),
        "no record stays as it was"
    );
    assert_eq!(house.vault().table.position(), position, "the log's marks go on to count");

    // it goes on at once, and after a restart
    assert_eq!(release(&house, &all).keys, before);
    house.import(&[("KAM", "10000003", "DEK", key(3))]);
    house.restart();
    assert_eq!(release(&house, &all).keys, before);
    let again = [("KAM", "10000001", "DEK", key(1)), ("KAM", "10000003", "DEK", key(3))];
    assert_eq!(house.import(&again), ["unchanged", "unchanged"]);
    assert_eq!(house.vault().table.term().0, 2);

    // the ring of the old term, put back, opens nothing that is there now
    house.vault = None;
    journal::write_atomically(&house.disk, &house.vault_file("keyring-1.key"), &ring).unwrap();
    house.restart();
    house.vault().gauge();
    assert_eq!((house.counters.get("keys"), house.counters.get("tenancies")), (0, 0));
}

#[test]
fn a_term_begins_after_a_year_and_after_many_uses_and_not_before() {
    let house = settled();
    let (_, since, _) = house.vault().table.term();
    assert_eq!(house.vault().renew_term(since.plus(YEAR - 1)).unwrap(), None);
    assert_eq!(house.vault().renew_term(since.plus(YEAR)).unwrap(), Some(2));
    assert_eq!(house.vault().renew_term(since.plus(2 * YEAR - 1)).unwrap(), None);
    assert_eq!(house.vault().renew_term(since.plus(2 * YEAR)).unwrap(), Some(3));
    let (_, _, uses) = house.vault().table.term();
    assert_eq!(uses, 0);
    house.import(&[("KAM", "10000001", "DEK", key(1))]);
    assert_eq!(house.vault().table.term().2, 4, "the delivery and the key, each with what is secret in it");
}

#[test]
fn a_power_cut_at_any_moment_leaves_one_whole_term() {
    let mut began = 0;
    for changes in 0.. {
        let mut house = settled();
        house.import(&[("KAM", "10000001", "DEK", key(1)), ("KAM", "10000002", "GUEK", key(2))]);
        house.ask_for_term();
        house.disk.cut_after(changes);
        let renewed = house.vault().renew_term(NOW);
        let whole = house.disk.is_on();
        house.disk.cut_after(u64::MAX);
        if !whole {
            house.vault = None;
            house.disk.restart();
        }
        house.restart();
        let again = [("KAM", "10000001", "DEK", key(1)), ("KAM", "10000002", "GUEK", key(2))];
        assert_eq!(house.import(&again), ["unchanged", "unchanged"], "after {changes} changes");
        assert_eq!(release(&house, &[series(A, 2, Class::Daily, "2026-11")]).refused.len(), 1);
        if whole {
            assert_eq!(renewed.unwrap(), Some(2));
            break;
        }
        began += u32::from(house.vault().table.term().0 == 2);
        // and what was cut short is made good
        house.ask_for_term();
        assert!(house.vault().renew_term(NOW).unwrap().is_some());
    }
    assert!(began > 0, "some cuts come after the change holds");
}

#[test]
fn what_is_written_while_a_term_begins_is_there_in_the_new_one() {
    let mut house = House::new();
    house.ask_for_term();
    house.in_advance.set(true);
    let lists: Vec<_> = (0..30u32)
        .map(|n| house.import_message(&[("KAM", &format!("{:08}", 20_000_000 + n), "DEK", long_key(n))]))
        .collect();
    let vault = house.vault();
    std::thread::scope(|scope| {
        scope.spawn(|| lists.iter().for_each(|list| _ = vault.import_keys(list, NOW).unwrap()));
        scope.spawn(|| {
            for n in 2..8 {
                vault.terms.ask();
                assert_eq!(vault.renew_term(NOW).unwrap(), Some(n));
            }
        });
    });
    house.restart();
    house.vault().gauge();
    assert_eq!((house.counters.get("keys"), house.vault().table.term().0), (30, 7));
}

fn long_key(n: u32) -> Vec<u8> {
    Sha256::digest(n.to_le_bytes())[..16].to_vec()
}

#[test]
fn no_term_begins_under_a_root_key_that_was_replaced() {
    let house = settled();
    house.ask_for_term();
    let proof = crate::Proof::Passphrase(passphrase());
    let root::Opened { mut providers, root, ring } =
        root::unlock(&house.disk, &house.layout, &proof).unwrap();
    let next = root::random().unwrap();
    providers.add_passphrase(&root, "second", &passphrase(), NOW).unwrap();
    providers.renew(&next).unwrap();
    ring.save(&house.disk, &house.layout, providers.generation, &next).unwrap();
    root::save_providers(&house.disk, &house.layout, &providers, &next).unwrap();
    let refused = house.vault().renew_term(NOW).unwrap_err().to_string();
    assert!(refused.contains("start the house again"), "{refused}");
    assert_eq!(house.vault().table.term().0, 1);
    // told for a span that ends: the table goes on as it was
    house.tell(&[span(A, 3, "2026-01-01", None)]).unwrap();
}
