//! Tenancies and their roots: whose readings, and from when to when.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use base::{Area, MeterId, Month, Secret, TenancyId, UtcMillis};

/// From when to when a tenancy holds a meter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    /// Inclusive.
    pub(crate) from: UtcMillis,
    /// Exclusive; `None` while it lasts.
    pub(crate) until: Option<UtcMillis>,
    /// The utility's own tenancy of an empty place.
    pub(crate) vacant: bool,
}

impl Span {
    fn overlaps(&self, other: &Self) -> bool {
        let before = |a: &Self, b: &Self| a.until.is_some_and(|until| until <= b.from);
        !before(self, other) && !before(other, self)
    }

    /// The mark of a span that was never lived in.
    const fn empty(&self) -> Self {
        Self { until: Some(self.from), ..*self }
    }

    /// Whether it is the mark of a span that was never lived in.
    pub(crate) fn is_empty(&self) -> bool {
        self.until == Some(self.from)
    }

    /// Whether any moment of a month lies in it.
    pub(crate) fn touches(&self, month: Month) -> bool {
        // a span that begins and ends in one month touches it, however short
        self.from.month() <= month && self.until.is_none_or(|until| until.plus(-1).month() >= month)
    }
}

/// Why a span is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SpanError {
    /// It ends before it begins.
    #[error("a tenancy of {0} ends before it begins")]
    Backwards(MeterId),
    /// Vacant once, lived in another time.
    #[error(
        "the vault knows this tenancy of {0} otherwise (vacant or not); a change of that needs a new tenancy"
    )]
    Differs(MeterId),
    /// Another tenancy holds the meter at that time.
    #[error("another tenancy holds {0} at that time; end that one first")]
    Overlaps(MeterId),
    /// What was erased does not begin again.
    #[error("this tenancy of {0} was erased; a new one begins for who lives there now")]
    Erased(MeterId),
}

#[derive(Default)]
pub(crate) struct Tenancies {
    roots: HashMap<TenancyId, Secret<32>>,
    /// The spans of each meter, in the order in which they were told.
    meters: HashMap<MeterId, Vec<(TenancyId, Span)>>,
    /// Where meters lie now, each area held once however many meters lie in it.
    areas: HashMap<MeterId, Arc<Area>>,
    known_areas: HashSet<Arc<Area>>,
}

/// Why there is no key for a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoTenancy {
    /// The tenancy is not known.
    Unknown,
    /// It does not hold the meter in that month.
    Outside,
}

impl Tenancies {
    /// What has to be written so that a span counts: nothing when it is known just so. The register is the
    /// authority and is told of last, so a change that it then did not make leaves a span behind that nobody
    /// lives in: an open one that begins within the new one gives way.
    pub(crate) fn check(
        &self,
        tenancy: TenancyId,
        meter: MeterId,
        span: &Span,
    ) -> Result<Vec<(TenancyId, Span)>, SpanError> {
        if span.until.is_some_and(|until| until <= span.from) {
            return Err(SpanError::Backwards(meter));
        }
        let mut changes = Vec::new();
        for (id, known) in self.meters.get(&meter).map_or(&[][..], Vec::as_slice) {
            if *id == tenancy && known.from == span.from {
                if known.vacant != span.vacant {
                    return Err(SpanError::Differs(meter));
                }
                if known == span {
                    return Ok(Vec::new());
                }
            } else if known.overlaps(span) {
                if known.until.is_some() || known.from < span.from {
                    return Err(SpanError::Overlaps(meter));
                }
                changes.push((*id, known.empty()));
            }
        }
        changes.push((tenancy, *span));
        Ok(changes)
    }

    /// Takes a span that was checked, or read from the journal.
    pub(crate) fn apply(&mut self, tenancy: TenancyId, meter: MeterId, span: Span) {
        let spans = self.meters.entry(meter).or_default();
        if span.is_empty() {
            spans.retain(|(id, s)| *id != tenancy || s.from != span.from);
            return;
        }
        match spans.iter_mut().find(|(id, s)| *id == tenancy && s.from == span.from) {
            Some((_, known)) => *known = span,
            None => spans.push((tenancy, span)),
        }
    }

    /// Copies a meter's spans, to try changes on.
    pub(crate) fn copy_spans(&self, meter: MeterId, into: &mut Self) {
        if let Some(spans) = self.meters.get(&meter) {
            into.meters.insert(meter, spans.clone());
        }
    }

    pub(crate) fn has_root(&self, tenancy: TenancyId) -> bool {
        self.roots.contains_key(&tenancy)
    }

    pub(crate) fn insert_root(&mut self, tenancy: TenancyId, root: Secret<32>) {
        self.roots.insert(tenancy, root);
    }

    /// Forgets a root. Says whether there was one.
    pub(crate) fn drop_root(&mut self, tenancy: TenancyId) -> bool {
        self.roots.remove(&tenancy).is_some()
    }

    /// The root of a tenancy, wherever it lived.
    pub(crate) fn root(&self, tenancy: TenancyId) -> Option<&Secret<32>> {
        self.roots.get(&tenancy)
    }

    /// Which meters a tenancy held, and when.
    pub(crate) fn spans_of(&self, tenancy: TenancyId) -> impl Iterator<Item = (MeterId, &Span)> {
        let all = self.meters.iter().flat_map(|(meter, spans)| spans.iter().map(|held| (*meter, held)));
        all.filter(move |(_, (id, _))| *id == tenancy).map(|(meter, (_, span))| (meter, span))
    }

    /// The root of a tenancy that held a meter in a month.
    pub(crate) fn root_of(
        &self,
        tenancy: TenancyId,
        meter: MeterId,
        month: Month,
    ) -> Result<&Secret<32>, NoTenancy> {
        let root = self.roots.get(&tenancy).ok_or(NoTenancy::Unknown)?;
        let spans = self.meters.get(&meter).map_or(&[][..], Vec::as_slice);
        let held = spans.iter().any(|(id, span)| *id == tenancy && span.touches(month));
        if held { Ok(root) } else { Err(NoTenancy::Outside) }
    }

    /// Whether one tenancy ended at a meter at this moment and another began: nothing lies between, and neither is the mark of
    /// a span that was never lived in, which are not kept.
    pub(crate) fn follows(&self, meter: MeterId, ended: TenancyId, begun: TenancyId, at: UtcMillis) -> bool {
        let spans = self.meters.get(&meter).map_or(&[][..], Vec::as_slice);
        let ends = spans.iter().any(|(id, span)| *id == ended && span.until == Some(at));
        let begins = spans.iter().any(|(id, span)| *id == begun && span.from == at);
        ended != begun && ends && begins
    }

    /// Where a meter lies.
    pub(crate) fn area(&self, meter: MeterId) -> Option<&Area> {
        self.areas.get(&meter).map(Arc::as_ref)
    }

    /// Takes where a meter lies; nothing for in no area.
    pub(crate) fn set_area(&mut self, meter: MeterId, area: Option<Area>) {
        let Some(area) = area else {
            self.areas.remove(&meter);
            return;
        };
        let known = self.known_areas.get(&area).cloned().unwrap_or_else(|| {
            let new = Arc::new(area);
            self.known_areas.insert(Arc::clone(&new));
            new
        });
        self.areas.insert(meter, known);
    }

    pub(crate) fn len(&self) -> usize {
        self.roots.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const METER: MeterId = MeterId(7);

    fn span(from: &str, until: Option<&str>) -> Span {
        let time = |t: &str| format!("{t}T12:00:00Z").parse().unwrap();
        Span { from: time(from), until: until.map(time), vacant: false }
    }

    fn month(text: &str) -> Month {
        text.parse().unwrap()
    }

    #[test]
    fn who_moves_in_never_reaches_who_moved_out() {
        let (a, b) = (TenancyId([1; 16]), TenancyId([2; 16]));
        let mut t = Tenancies::default();
        t.insert_root(a, Secret::new([1; 32]));
        t.insert_root(b, Secret::new([2; 32]));
        t.apply(a, METER, span("2026-03-10", None));
        assert_eq!(t.check(b, METER, &span("2026-06-15", None)), Err(SpanError::Overlaps(METER)));
        take(&mut t, a, span("2026-03-10", Some("2026-06-15")), 1);
        take(&mut t, b, span("2026-06-15", None), 1);
        assert_eq!(t.root_of(a, METER, month("2026-06")).unwrap().expose(), &[1; 32]);
        assert_eq!(t.root_of(b, METER, month("2026-06")).unwrap().expose(), &[2; 32]);
        assert_eq!(t.root_of(a, METER, month("2026-07")).err(), Some(NoTenancy::Outside));
        assert_eq!(t.root_of(b, METER, month("2026-05")).err(), Some(NoTenancy::Outside));
        assert_eq!(t.root_of(a, METER, month("2026-02")).err(), Some(NoTenancy::Outside));
        assert_eq!(t.root_of(a, MeterId(8), month("2026-04")).err(), Some(NoTenancy::Outside));
        assert_eq!(t.root_of(TenancyId([3; 16]), METER, month("2026-04")).err(), Some(NoTenancy::Unknown));
    }

    fn take(t: &mut Tenancies, tenancy: TenancyId, span: Span, changes: usize) {
        let to_write = t.check(tenancy, METER, &span).unwrap();
        assert_eq!(to_write.len(), changes);
        to_write.into_iter().for_each(|(id, span)| t.apply(id, METER, span));
    }

    #[test]
    fn telling_again_changes_nothing_and_contradictions_are_refused() {
        let (a, b) = (TenancyId([1; 16]), TenancyId([2; 16]));
        let mut t = Tenancies::default();
        let ended = span("2026-03-10", Some("2026-06-15"));
        take(&mut t, a, ended, 1);
        take(&mut t, a, ended, 0);
        assert_eq!(t.check(a, METER, &Span { vacant: true, ..ended }), Err(SpanError::Differs(METER)));
        assert_eq!(t.check(b, METER, &span("2026-05-01", None)), Err(SpanError::Overlaps(METER)));
        assert_eq!(t.check(b, METER, &span("2026-01-01", None)), Err(SpanError::Overlaps(METER)));
        assert_eq!(
            t.check(a, METER, &span("2026-05-01", Some("2026-05-01"))),
            Err(SpanError::Backwards(METER))
        );
    }

    #[test]
    fn a_move_that_the_register_never_made_gives_way_to_the_one_it_made() {
        let (old, lost, new) = (TenancyId([1; 16]), TenancyId([2; 16]), TenancyId([3; 16]));
        let mut t = Tenancies::default();
        take(&mut t, old, span("2026-03-10", None), 1);
        take(&mut t, old, span("2026-03-10", Some("2026-06-15")), 1);
        take(&mut t, lost, span("2026-06-15", None), 1);
        // the archive stopped before its register had it; later the move is told with another day
        take(&mut t, old, span("2026-03-10", Some("2026-06-20")), 2);
        take(&mut t, new, span("2026-06-20", None), 1);
        t.insert_root(lost, Secret::new([2; 32]));
        t.insert_root(old, Secret::new([1; 32]));
        assert_eq!(t.root_of(lost, METER, month("2026-06")).err(), Some(NoTenancy::Outside));
        assert!(t.root_of(old, METER, month("2026-06")).is_ok());
        // or nobody tries again, and the old one is told as lasting
        let mut t = Tenancies::default();
        take(&mut t, old, span("2026-03-10", Some("2026-06-15")), 1);
        take(&mut t, lost, span("2026-06-15", None), 1);
        take(&mut t, old, span("2026-03-10", None), 2);
    }
}
