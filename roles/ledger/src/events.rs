//! Which events are taken.

use bytes::Bytes;
use grant::{Event, ShapeError};
use wire::Room;

/// At most so many events are appended at once.
pub(crate) const MAX_EVENTS: usize = 1024;

/// Why events are not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unfit {
    /// None, or too many at once.
    #[error("{0} events at once; at least 1 and at most {MAX_EVENTS} are taken")]
    Number(usize),
    /// One of them has no shape.
    #[error("event {index} of the call: {error}")]
    Shape {
        /// Which, from 0.
        index: usize,
        /// What is wrong.
        error: ShapeError,
    },
    /// A room records what another one did.
    #[error("event {index} of the call says that `{actor}` did it, but {caller} records it")]
    OtherActor {
        /// Which, from 0.
        index: usize,
        /// Who it says did it.
        actor: String,
        /// Who records it.
        caller: Room,
    },
}

impl Unfit {
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::Number(_) => "too-many-events",
            Self::Shape { .. } => "malformed-event",
            Self::OtherActor { .. } => "other-actor",
        }
    }
}

/// Checks the events of one call: bounded, with actor and action, and each in the name of the room that calls.
pub(crate) fn check(caller: Room, events: &[Bytes]) -> Result<(), Unfit> {
    if events.is_empty() || events.len() > MAX_EVENTS {
        return Err(Unfit::Number(events.len()));
    }
    for (index, bytes) in events.iter().enumerate() {
        let event = Event::decode(bytes).map_err(|error| Unfit::Shape { index, error })?;
        if event.actor != caller.name() {
            return Err(Unfit::OtherActor { index, actor: event.actor, caller });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use base::UtcMillis;
    use grant::{MAX_EVENT_BYTES, Outcome};

    use super::*;

    const NOW: UtcMillis = UtcMillis(1_795_000_000_000);

    #[test]
    fn events_without_shape_or_in_another_rooms_name_are_not_taken() {
        let good: Bytes = Event::new(NOW, "archive", "read-readings", Outcome::Allowed).encode().into();
        assert_eq!(check(Room::Archive, std::slice::from_ref(&good)), Ok(()));
        assert_eq!(check(Room::Archive, &[]), Err(Unfit::Number(0)));
        assert_eq!(check(Room::Archive, &vec![good.clone(); 1025]), Err(Unfit::Number(1025)));
        assert!(matches!(
            check(Room::Intake, std::slice::from_ref(&good)),
            Err(Unfit::OtherActor { index: 0, .. })
        ));
        let without_action = Event::new(NOW, "archive", "", Outcome::Done).encode().into();
        assert!(matches!(
            check(Room::Archive, &[good.clone(), without_action]),
            Err(Unfit::Shape { index: 1, .. })
        ));
        let without_actor = Event::new(NOW, "", "read-readings", Outcome::Done).encode().into();
        assert!(matches!(check(Room::Archive, &[without_actor]), Err(Unfit::Shape { index: 0, .. })));
        let huge = Bytes::from(vec![0; MAX_EVENT_BYTES + 1]);
        assert!(matches!(check(Room::Archive, &[huge]), Err(Unfit::Shape { index: 0, .. })));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = check(Room::Intake, &[Bytes::from(bytes)]);
        }
    }
}
