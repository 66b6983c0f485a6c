//! A person at the machine: calls the rooms over their sockets, and asks under grants.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base::{Class, Month, UtcMillis};
use grant::{Action, Purpose};
use house::Layout;
use link::{CallError, Client, Target, Trust};
use seal::sign::Signer;
use wire::contact::AskedBeside;
use wire::custody::{Carried, Errand, ErrandAnswer};
use wire::health::{Health, HealthRequest};
use wire::login::{InSession, SessionCall};
use wire::staff::{StaffAnswer, StaffErrand, Wish};
use wire::warden::{GrantRequest, Granted};
use wire::{Message, Method, Room};

use crate::login::{SignedIn, signed_in};
use crate::problem::Problem;

/// How long a question may take; key imports and large questions do.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a room may take to say how it is.
const HEALTH_PATIENCE: Duration = Duration::from_secs(3);

/// Who speaks to the rooms of one house. The rooms know who it is by the socket's peer credentials.
pub(crate) struct Operator {
    layout: Layout,
    trust: Trust,
    /// Who is signed in calls the warden in that session.
    session: Option<SignedIn>,
    /// Connections are kept for the next call.
    clients: Mutex<BTreeMap<Room, Client>>,
}

/// Which data a question is about; nothing for an errand without readings.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reach {
    pub classes: Vec<Class>,
    pub first_month: Option<Month>,
    pub last_month: Option<Month>,
    /// The open case that it is for; 0 for none.
    pub case: u32,
    /// Whose; empty for all, or for those of the case.
    pub tenancies: Vec<Vec<u8>>,
}

/// A grant, and the key that signs under it where nobody is signed in.
pub(crate) struct Leave {
    grant: Vec<u8>,
    action: Action,
    fresh: Signer,
}

impl Operator {
    /// In the house of this folder, in the session of who is signed in.
    pub(crate) fn new(layout: &Layout) -> Result<Self, Problem> {
        let session = signed_in(layout, UtcMillis::now())?;
        Ok(Self { session, ..Self::without_session(layout)? })
    }

    /// The same in a session that is in memory alone.
    pub(crate) fn in_session(layout: &Layout, session: SignedIn) -> Result<Self, Problem> {
        Ok(Self { session: Some(session), ..Self::without_session(layout)? })
    }

    /// The same outside of any session.
    pub(crate) fn without_session(layout: &Layout) -> Result<Self, Problem> {
        let trust = Trust::load(&layout.house_authority()).map_err(|e| Problem::new(e.to_string()))?;
        Ok(Self { layout: layout.clone(), trust, session: None, clients: Mutex::default() })
    }

    /// Who is signed in.
    pub(crate) const fn signed_in(&self) -> Option<&SignedIn> {
        self.session.as_ref()
    }

    /// Where things lie.
    pub(crate) const fn layout(&self) -> &Layout {
        &self.layout
    }

    /// A runtime for a command that makes a few calls.
    pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Problem> {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(Problem::during("cannot start the program's runtime"))
    }

    fn client(&self, room: Room) -> Result<Client, Problem> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&room) {
            return Ok(client.clone());
        }
        let client = Client::new(room, Target::Unix(self.layout.socket(room)), None, &self.trust)
            .map_err(|e| Problem::new(e.to_string()))?;
        clients.insert(room, client.clone());
        Ok(client)
    }

    /// One call of a room.
    pub(crate) async fn call<Q: Message, A: Message + Default>(
        &self,
        method: Method,
        room: Room,
        question: &Q,
    ) -> Result<A, Problem> {
        let client = self.client(room)?;
        let done = match self.session.as_ref().filter(|_| room == Room::Warden) {
            None => client.call(method, question, PATIENCE).await,
            Some(session) => {
                let call = SessionCall { method: method.number(), body: question.encode_to_vec() };
                let SignedIn { person, signer, house, .. } = session;
                let (call, now) = (call.encode_to_vec(), UtcMillis::now());
                let call = grant::approval::sign_call(*house, person, call, now, signer);
                let call = call.map_err(Problem::during("cannot sign the call"))?;
                let asked = InSession { session_key: signer.verifier().as_bytes().to_vec(), call };
                client.call(Method::WardenInSession, &asked, PATIENCE).await
            }
        };
        done.map_err(|e| Problem::call(self.layout.root(), &e))
    }

    /// How a room is.
    pub(crate) async fn health(&self, room: Room) -> Result<Health, CallError> {
        let client = self.client(room).map_err(|e| CallError::Unreachable { room, why: e.to_string() })?;
        client.call(Method::Health, &HealthRequest {}, HEALTH_PATIENCE).await
    }

    /// Carries an errand of key custody to the vault.
    pub(crate) async fn carry(&self, carried: Carried) -> Result<ErrandAnswer, Problem> {
        let errand = Errand { carried: Some(carried) };
        let purpose = (Purpose::KeyCustody, Action::KeepKeys);
        self.ask(purpose, &Reach::default(), Method::ArchiveCustody, &errand).await
    }

    /// Has the warden do an errand of people and roles.
    pub(crate) async fn staff(&self, wish: Wish) -> Result<StaffAnswer, Problem> {
        self.call(Method::WardenStaff, Room::Warden, &StaffErrand { wish: Some(wish) }).await
    }

    /// Asks a room under a fresh grant: the warden grants, and the key of the session signs, or one that lives for this
    /// call.
    pub(crate) async fn ask<Q: Message, A: Message + Default>(
        &self,
        errand: (Purpose, Action),
        reach: &Reach,
        method: Method,
        body: &Q,
    ) -> Result<A, Problem> {
        self.ask_beside(errand, reach, method, body, Vec::new()).await
    }

    /// The same with names and contacts beside the request, encoded `wire::contact::Contacts`; the body holds their digest.
    pub(crate) async fn ask_beside<Q: Message, A: Message + Default>(
        &self,
        errand: (Purpose, Action),
        reach: &Reach,
        method: Method,
        body: &Q,
        contacts: Vec<u8>,
    ) -> Result<A, Problem> {
        let leave = self.leave(errand, reach).await?;
        self.ask_under(&leave, method, body, contacts).await
    }

    /// Asks the warden for a grant that several questions can be asked under.
    pub(crate) async fn leave(
        &self,
        (purpose, action): (Purpose, Action),
        reach: &Reach,
    ) -> Result<Leave, Problem> {
        let fresh = Signer::generate().map_err(Problem::during("cannot make a session key"))?;
        let session = self.session.as_ref().map_or(&fresh, |session| &session.signer);
        let month = |m: Option<Month>| m.map_or(0, Month::number);
        let wish = GrantRequest {
            session_key: session.verifier().as_bytes().to_vec(),
            purpose: purpose.name().to_owned(),
            actions: vec![action.name().to_owned()],
            classes: reach.classes.iter().map(|c| u32::from(c.code())).collect(),
            first_month: month(reach.first_month),
            last_month: month(reach.last_month),
            tenancies: reach.tenancies.clone(),
            case: reach.case,
        };
        let granted: Granted = self.call(Method::WardenGrant, Room::Warden, &wish).await?;
        Ok(Leave { grant: granted.grant, action, fresh })
    }

    /// Asks the room that answers a method, under a grant.
    pub(crate) async fn ask_under<Q: Message, A: Message + Default>(
        &self,
        leave: &Leave,
        method: Method,
        body: &Q,
        contacts: Vec<u8>,
    ) -> Result<A, Problem> {
        let session = self.session.as_ref().map_or(&leave.fresh, |session| &session.signer);
        let body = body.encode_to_vec();
        let request = grant::sign_request(&leave.grant, leave.action, body, UtcMillis::now(), session)
            .map_err(Problem::during("cannot sign the request"))?;
        let room = method.room().unwrap_or(Room::Archive);
        self.call(method, room, &AskedBeside { request, contacts }).await
    }
}
