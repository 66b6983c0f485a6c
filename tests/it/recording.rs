//! Events in the archive's name, straight to the ledger, as that room records them: for logs that have to be long.

use grant::Event;
use house_tests::house::{House, PATIENCE};
use link::{Client, Identity, Target, Trust};
use wire::ledger::{Append, Receipts};
use wire::{Method, Room};

/// Events in one call.
const AT_ONCE: usize = 500;

/// Has the ledger of a house take events.
pub(crate) fn archive_records(house: &House, events: &[Event]) {
    let layout = &house.layout;
    let trust = Trust::load(&layout.house_authority()).unwrap();
    let identity = Identity::load(&layout.room(Room::Archive)).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let socket = Target::Unix(layout.socket(Room::Ledger));
        let ledger = Client::new(Room::Ledger, socket, Some(&identity), &trust).unwrap();
        for some in events.chunks(AT_ONCE) {
            let append =
                Append { events: some.iter().map(|event| event.encode().into()).collect(), since: 0 };
            let _: Receipts = ledger.call(Method::LedgerAppend, &append, PATIENCE).await.unwrap();
        }
    });
}
