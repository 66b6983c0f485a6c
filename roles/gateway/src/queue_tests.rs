//! What was acknowledged is on the disk, whatever happens to the power.

use base::CollectorId;
use journal::faulty::FaultyDisk;
use proptest::prelude::*;

use super::*;
use crate::shape::check;
use crate::shape::tests::batch;

fn open(disk: &FaultyDisk) -> Result<Queue, QueueError> {
    Queue::open(Arc::new(disk.clone()), Path::new("/queue"), 1 << 30, Shutdown::new())
}

fn batches(from: u64, to: u64) -> Vec<Batch> {
    (from..=to).map(|seq| check(CollectorId(7), batch(7, 1, seq, 10)).unwrap()).collect()
}

fn at(seq: u64) -> Vec<WirePosition> {
    vec![WirePosition { collector: 7, epoch: 1, seq }]
}

#[tokio::test]
async fn what_is_acknowledged_is_read_back_in_order_after_a_restart() {
    let disk = FaultyDisk::new(1);
    let queue = open(&disk).unwrap();
    queue.publish(Publish::default()).await.unwrap();
    queue.submit(7, batches(1, 3)).await.1.unwrap();
    let (taken, done) = queue.submit(7, batches(2, 5)).await;
    done.unwrap();
    assert_eq!((taken.batches, taken.telegrams, taken.repeated), (2, 20, 2));
    queue.close().await.unwrap();
    disk.cut_power();
    disk.restart();
    let queue = open(&disk).unwrap();
    assert!(queue.streams().is_told());
    assert_eq!(queue.streams().durable((7, 1)), 5);
    let (read, next) = queue.read(0, 1 << 20).unwrap();
    assert_eq!(read, (1..=5).map(|seq| batch(7, 1, seq, 10)).collect::<Vec<_>>());
    assert_eq!(queue.read(next, 1 << 20).unwrap().0.len(), 0);
    queue.close().await.unwrap();
}

#[tokio::test]
async fn a_full_queue_refuses_and_takes_again_when_the_core_has_confirmed() {
    let disk = FaultyDisk::new(2);
    let one = batch(7, 1, 1, 10).len() as u64;
    let queue = Queue::open(Arc::new(disk.clone()), Path::new("/queue"), one * 5, Shutdown::new()).unwrap();
    queue.publish(Publish::default()).await.unwrap();
    let mut next = 1;
    for _ in 0..3 {
        let (taken, refused) = queue.submit(7, batches(next, next + 8)).await;
        assert_eq!(refused.unwrap_err().code, "queue-full");
        let durable = queue.streams().durable((7, 1));
        assert!(durable >= next && durable == next + taken.batches - 1, "{durable}");
        queue.confirm(at(durable)).await.unwrap();
        assert_eq!(queue.streams().held(), 0);
        next = durable + 1;
    }
    assert_eq!(queue.read(0, 1 << 20).unwrap().0.len(), 0, "confirmed batches are not handed out again");
    queue.close().await.unwrap();
}

#[tokio::test]
async fn a_full_disk_refuses_and_loses_nothing_that_was_acknowledged() {
    let disk = FaultyDisk::new(4);
    let queue = open(&disk).unwrap();
    queue.publish(Publish::default()).await.unwrap();
    disk.set_capacity(Some(20_000));
    let mut acknowledged = 0;
    let refused = loop {
        match queue.submit(7, batches(acknowledged + 1, acknowledged + 2)).await.1 {
            Ok(()) => acknowledged += 2,
            Err(refused) => break refused,
        }
    };
    assert_eq!(refused.code, "disk");
    disk.set_capacity(None);
    queue.submit(7, batches(acknowledged + 1, acknowledged + 2)).await.1.unwrap();
    let (read, _) = queue.read(0, usize::MAX).unwrap();
    let expected: Vec<_> = (1..=acknowledged + 2).map(|seq| batch(7, 1, seq, 10)).collect();
    assert_eq!(read, expected, "each once, in order");
    queue.close().await.unwrap();
}

#[tokio::test]
async fn confirmed_segments_are_given_back_and_positions_survive_it() {
    let disk = FaultyDisk::new(3);
    let queue = open(&disk).unwrap();
    queue.publish(Publish::default()).await.unwrap();
    // More than one segment of 64 MiB.
    let large = wire::batch::Signed {
        header: wire::batch::Header { collector: 7, epoch: 1, count: 1, ..Default::default() }
            .encode_to_vec()
            .into(),
        enc: vec![1; 1120].into(),
        sealed: vec![2; 900_000].into(),
        signature: vec![3; 64].into(),
    };
    for seq in 1..=80 {
        let header = wire::batch::Header { collector: 7, epoch: 1, count: 1, seq, ..Default::default() };
        let signed = wire::batch::Signed { header: header.encode_to_vec().into(), ..large.clone() };
        let batch = check(CollectorId(7), signed.encode_to_vec().into()).unwrap();
        queue.submit(7, vec![batch]).await.1.unwrap();
    }
    queue.confirm(at(79)).await.unwrap();
    assert!(queue.reader.first().0 > 0, "the first segment is gone");
    queue.close().await.unwrap();
    let queue = open(&disk).unwrap();
    assert_eq!(queue.streams().durable((7, 1)), 80);
    assert_eq!(queue.streams().confirmed((7, 1)), 79);
    queue.close().await.unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn no_power_cut_loses_what_was_acknowledged(seed in any::<u64>(), steps in proptest::collection::vec(1u64..400, 1..6)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let disk = FaultyDisk::new(seed);
            let mut acknowledged = 0;
            for changes in steps {
                // The power goes after so many changes on the disk, wherever that is.
                disk.cut_after(changes);
                if let Ok(queue) = open(&disk) {
                    if queue.publish(Publish::default()).await.is_ok() {
                        for _ in 0..20 {
                            let next = queue.streams().durable((7, 1)) + 1;
                            if queue.submit(7, batches(next, next + 2)).await.1.is_err() {
                                break;
                            }
                            acknowledged = next + 2;
                        }
                    }
                    let _ = queue.close().await;
                }
                disk.cut_power();
                disk.restart();
                let queue = open(&disk).unwrap();
                assert!(queue.streams().durable((7, 1)) >= acknowledged);
                let (read, _) = queue.read(0, usize::MAX).unwrap();
                for (seq, found) in (1..=acknowledged).zip(&read) {
                    assert_eq!(found, &batch(7, 1, seq, 10));
                }
                assert!(read.len() as u64 >= acknowledged);
                queue.close().await.unwrap();
            }
        });
    }
}
