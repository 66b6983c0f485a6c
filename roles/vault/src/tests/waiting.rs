//! Nobody waits for ever: who looks at the vault and who writes into it take its locks in one order.

use std::sync::mpsc;
use std::time::Duration;

use wire::custody::KeysWish;
use wire::mark::PresentMark;

use super::*;

#[test]
fn those_who_look_and_those_who_write_do_not_wait_for_each_other_for_ever() {
    let mut house = House::new();
    let key = |n: u32| Sha256::digest(n.to_le_bytes())[..16].to_vec();
    house.in_advance.set(true);
    let lists: Vec<_> = (0..400u32)
        .map(|n| house.import_message(&[("KAM", &format!("{:08}", 30_000_000 + n), "DEK", key(n))]))
        .collect();
    let vault = Arc::new(house.vault.take().unwrap());
    let (done, all) = mpsc::channel();
    let work = |what: Box<dyn Fn(&Vault) + Send>| {
        let (vault, done) = (Arc::clone(&vault), done.clone());
        std::thread::spawn(move || {
            what(&vault);
            let _ = done.send(());
        });
    };
    work(Box::new(move |vault| lists.iter().for_each(|list| _ = vault.import_keys(list, NOW).unwrap())));
    work(Box::new(|vault| (0..4000).for_each(|_| vault.gauge())));
    work(Box::new(|vault| (0..4000).for_each(|_| _ = vault.mark(&PresentMark::default(), NOW).unwrap())));
    work(Box::new(|vault| (0..400).for_each(|_| _ = vault.report(&KeysWish::default(), NOW))));
    work(Box::new(|vault| {
        for _ in 0..8 {
            vault.terms.ask();
            vault.renew_term(NOW).unwrap();
        }
    }));
    for _ in 0..5 {
        all.recv_timeout(Duration::from_secs(120)).expect("somebody waits for ever");
    }
    vault.gauge();
    assert_eq!(house.counters.get("keys"), 400);
}
