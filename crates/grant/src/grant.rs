//! A grant: who may do what, with which data, what for, until when, and with which session key.

use std::collections::BTreeSet;

use base::{Area, Class, TenancyId, UtcMillis};
use prost::Message;
use seal::sign::Signer;

use crate::message::{GrantBody, SignedGrant};
use crate::shape::{ShapeError, array, class, is_name, is_word, months};
use crate::{Action, Areas, MAX_AREAS, MAX_TENANCIES, Purpose, Scope, Tenancies};

const WHAT: &str = "grant";

/// The domain of the warden's signature.
pub const GRANT_DOMAIN: &str = "meterkeep/grant/1";
/// No grant lasts longer, whoever signed it: a day, in milliseconds.
pub const MAX_GRANT_LIFE_MS: i64 = 24 * 3600 * 1000;

/// What the warden grants. Nobody may act on one that is not inside a [`crate::Verified`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Random; the log names it.
    pub id: [u8; 16],
    /// The operating-system user's name.
    pub person: String,
    /// The role under which it was given, such as `owner`.
    pub role: String,
    /// What for.
    pub purpose: Purpose,
    /// What may be done.
    pub actions: BTreeSet<Action>,
    /// With which data.
    pub scope: Scope,
    /// From when, inclusive.
    pub not_before: UtcMillis,
    /// Until when, exclusive.
    pub until: UtcMillis,
    /// The session's Ed25519 public key: only who holds the other half can ask under this grant.
    pub session_key: [u8; 32],
    /// The case that it is for; 0 for none.
    pub case: u32,
}

impl Grant {
    /// The encoded [`SignedGrant`].
    #[must_use]
    pub fn sign(&self, warden: &Signer) -> Vec<u8> {
        let body = self.body().encode_to_vec();
        let signature = warden.sign(GRANT_DOMAIN, &body).to_vec();
        SignedGrant { body, signature }.encode_to_vec()
    }

    fn body(&self) -> GrantBody {
        let tenancies = match &self.scope.tenancies {
            Tenancies::All => Vec::new(),
            Tenancies::Only(list) => list.iter().map(|t| t.0.to_vec()).collect(),
        };
        let areas = match &self.scope.areas {
            Areas::All => Vec::new(),
            Areas::Only(list) => list.iter().map(ToString::to_string).collect(),
        };
        GrantBody {
            id: self.id.to_vec(),
            person: self.person.clone(),
            role: self.role.clone(),
            purpose: self.purpose.name().to_owned(),
            actions: self.actions.iter().map(|a| a.name().to_owned()).collect(),
            classes: self.scope.classes.iter().map(|c| u32::from(c.code())).collect(),
            first_month: self.scope.first_month.number(),
            last_month: self.scope.last_month.number(),
            all_tenancies: self.scope.tenancies == Tenancies::All,
            tenancies,
            not_before_ms: self.not_before.0,
            until_ms: self.until.0,
            session_key: self.session_key.to_vec(),
            all_areas: self.scope.areas == Areas::All,
            areas,
            case: self.case,
        }
    }

    /// From the loose message; checks shape only.
    pub(crate) fn from_body(body: &GrantBody) -> Result<Self, ShapeError> {
        let field = |field| ShapeError::Field { what: WHAT, field };
        let purpose = Purpose::from_name(&body.purpose).ok_or(field("purpose"))?;
        let actions = body
            .actions
            .iter()
            .map(|name| {
                let granted = |a: &Action| a.is_granted() && purpose.covers(*a);
                Action::from_name(name).filter(granted).ok_or(field("actions"))
            })
            .collect::<Result<BTreeSet<_>, _>>()?;
        let classes =
            body.classes.iter().map(|code| class(WHAT, *code)).collect::<Result<BTreeSet<Class>, _>>()?;
        let (first_month, last_month) = months(WHAT, body.first_month, body.last_month)?;
        if body.tenancies.len() > MAX_TENANCIES || (body.all_tenancies && !body.tenancies.is_empty()) {
            return Err(field("tenancies"));
        }
        let tenancies = if body.all_tenancies {
            Tenancies::All
        } else {
            let ids = body.tenancies.iter().map(|t| array(WHAT, "tenancies", t).map(TenancyId));
            Tenancies::Only(ids.collect::<Result<_, _>>()?)
        };
        if body.areas.len() > MAX_AREAS || (body.all_areas && !body.areas.is_empty()) {
            return Err(field("areas"));
        }
        let areas = if body.all_areas {
            Areas::All
        } else {
            let named = body.areas.iter().map(|area| area.parse::<Area>().map_err(|_| field("areas")));
            Areas::Only(named.collect::<Result<_, _>>()?)
        };
        if !is_name(&body.person) {
            return Err(field("person"));
        }
        if !is_word(&body.role) {
            return Err(field("role"));
        }
        Ok(Self {
            id: array(WHAT, "id", &body.id)?,
            person: body.person.clone(),
            role: body.role.clone(),
            purpose,
            actions,
            scope: Scope { classes, first_month, last_month, tenancies, areas },
            not_before: UtcMillis(body.not_before_ms),
            until: UtcMillis(body.until_ms),
            session_key: array(WHAT, "session_key", &body.session_key)?,
            case: body.case,
        })
    }

    /// The names of its actions, for people.
    #[must_use]
    pub fn action_names(&self) -> String {
        self.actions.iter().map(|a| a.name()).collect::<Vec<_>>().join(", ")
    }
}
