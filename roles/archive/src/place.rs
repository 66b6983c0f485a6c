//! Finding the rows of a place: of each meter that hung there, those of the time in which it did.

use std::collections::BTreeSet;

use base::{MeterId, TenancyId};
use grant::{Scope, Tenancies};
use store::register::{Joined, Register, RegisteredMeter, joined};
use store::{ReadingView, StoreError};
use wire::Refused;

use crate::question::Question;
use crate::rows::{Found, Shown, one_meter, plain, stored};

/// Finds the rows of a place within a scope.
pub(crate) async fn find(
    register: &Register,
    view: Option<&ReadingView>,
    (question, place): (&Question, &str),
    scope: &Scope,
) -> Result<Found, Refused> {
    let Some(history) = register.place(place).await.map_err(stored)? else {
        return Err(Refused::new(
            "unknown-place",
            format!(
                "the register has no place `{}`; `meterkeep meters list` shows the places of all meters",
                plain(place)
            ),
        ));
    };
    if !scope.areas.hold(history.area.as_ref()) {
        let area = history.area.as_ref().map_or("no area".to_owned(), |area| format!("the area `{area}`"));
        return Err(Refused::new(
            "not-in-area",
            format!("`{}` lies in {area}, and the grant does not reach there; ask a colleague", plain(place)),
        ));
    }
    let seen = |tenancy: TenancyId| scope.tenancies.hold(tenancy);
    let mut found = Found::default();
    found.subjects.extend(history.tenancies().filter(|tenancy| seen(*tenancy)));
    let mut stays = joined(&history, seen);
    stays.retain(|stay| question.within(stay.from, stay.until).is_some());
    let meter = |id: MeterId| history.meters.iter().find(|meter| meter.id == id);
    let of_these: BTreeSet<MeterId> = stays.iter().map(|stay| stay.meter).collect();
    found.looked_at = of_these.len();
    let elsewhere = |meter: &&RegisteredMeter| !scope.areas.hold(meter.area.as_ref());
    let away = of_these.iter().filter_map(|id| meter(*id)).filter(elsewhere);
    found.notes.extend(away.map(|meter| {
        format!(
            "{} does not hang here any more, and lies in no area that the grant reaches: its readings are not shown",
            meter.address
        )
    }));
    if let Some(view) = view {
        gather(view, question, scope, (&stays, &history.meters), &mut found).await.map_err(stored)?;
    }
    if question.latest && scope.tenancies == Tenancies::All {
        let hanging = stays.iter().filter(|stay| stay.until.is_none());
        let hanging: Vec<RegisteredMeter> = hanging.filter_map(|stay| meter(stay.meter)).cloned().collect();
        found.note_silent(&hanging, question.limit);
    }
    // a meter may have hung here twice: of each all that is known
    for meter in &history.meters {
        found.meters.entry(meter.id).and_modify(|shown| *shown = Shown::of(meter));
    }
    found.joined = Some(stays);
    Ok(found)
}

/// The rows of each stay, newest first, series by series.
async fn gather(
    view: &ReadingView,
    question: &Question,
    scope: &Scope,
    (stays, meters): (&[Joined], &[RegisteredMeter]),
    found: &mut Found,
) -> Result<(), StoreError> {
    let mut newest_first: Vec<&Joined> = stays.iter().collect();
    newest_first.sort_by_key(|stay| (stay.series, std::cmp::Reverse(stay.from)));
    for stay in newest_first {
        let meter = meters.iter().find(|meter| meter.id == stay.meter);
        let meter = meter.filter(|meter| scope.areas.hold(meter.area.as_ref()));
        let (Some(meter), Some(part)) = (meter, question.within(stay.from, stay.until)) else { continue };
        let mut here = meter.clone();
        here.tenancies
            .retain(|span| stay.from <= span.from && stay.until.is_none_or(|until| span.from < until));
        let mut scope = scope.clone();
        if question.latest {
            // the newest of the day may be of another place; here only those who had this one are asked about
            let own = here.tenancies.iter().map(|span| span.tenancy).filter(|t| scope.tenancies.hold(*t));
            scope.tenancies = Tenancies::Only(own.collect());
        }
        one_meter(view, &part, &scope, &here, part.months(), found).await?;
        if found.more {
            break;
        }
    }
    // on the day of an exchange that brought a meter back, two stays have the same rows
    let mut taken = BTreeSet::new();
    found.rows.retain(|row| {
        let facts = &row.facts;
        taken.insert((facts.meter, facts.tenancy, facts.month, facts.sequence, facts.version))
    });
    Ok(())
}
