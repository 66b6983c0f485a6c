//! Signing in: what a person shows to the warden, and the calls of who is signed in.
//!
//! What is secret in here has no `Debug`, so that no log and no failed assertion prints it.

/// A call of somebody who is signed in. It counts as theirs with the strength of their login, and only from their own user.
#[derive(Clone, PartialEq, prost::Message)]
pub struct InSession {
    /// The session's Ed25519 public key (32 bytes).
    #[prost(bytes = "vec", tag = "1")]
    pub session_key: Vec<u8>,
    /// An encoded `grant::approval::SignedApproval` in the domain of calls, by that key, of an encoded [`SessionCall`].
    #[prost(bytes = "vec", tag = "2")]
    pub call: Vec<u8>,
}

/// What is called: a method of the warden that people call.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SessionCall {
    /// [`crate::Method::number`].
    #[prost(uint32, tag = "1")]
    pub method: u32,
    /// The method's message.
    #[prost(bytes = "vec", tag = "2")]
    pub body: Vec<u8>,
}

/// An errand of somebody who signs in, or who looks after ways to sign in. Who it is the link layer proved.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
pub struct LoginErrand {
    /// What.
    #[prost(oneof = "LoginWish", tags = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19")]
    pub wish: Option<LoginWish>,
}

/// What is wished.
#[derive(Clone, PartialEq, prost::Oneof)]
#[prost(skip_debug)]
pub enum LoginWish {
    /// A code by which a person sets their first ways to sign in.
    #[prost(message, tag = "1")]
    Invite(Invite),
    /// Use an invitation's code: gives a ticket, and what a generator of codes reads.
    #[prost(string, tag = "2")]
    Redeem(String),
    /// Set password and generator of codes, with the ticket.
    #[prost(message, tag = "3")]
    Enrol(Enrol),
    /// Begin to sign in, or to show anew who one is: the session's Ed25519 public key (32 bytes).
    #[prost(bytes = "vec", tag = "4")]
    Begin(Vec<u8>),
    /// Answer what was begun.
    #[prost(message, tag = "5")]
    Prove(Prove),
    /// Show sessions and ways to sign in: one's own, and who is invited to who may see that.
    #[prost(message, tag = "6")]
    Look(LookLogins),
    /// End a session, by its id (16 bytes); or all of one's own, by none.
    #[prost(bytes = "vec", tag = "7")]
    End(Vec<u8>),
    /// Sign in with this key, too: the line of a file `id_ed25519.pub`.
    #[prost(string, tag = "8")]
    AddKey(String),
    /// No longer with this key, by its fingerprint.
    #[prost(string, tag = "9")]
    RemoveKey(String),
    /// Begin to make a passkey: with the ticket (16 bytes), or in a session with none.
    #[prost(bytes = "vec", tag = "10")]
    AskPasskey(Vec<u8>),
    /// The passkey that was made.
    #[prost(message, tag = "11")]
    AddPasskey(NewPasskey),
    /// No longer with this passkey, by its id.
    #[prost(bytes = "vec", tag = "12")]
    RemovePasskey(Vec<u8>),
    /// The utility's own provider: from now on this one, with these keys.
    #[prost(message, tag = "13")]
    SetProvider(NewProvider),
    /// No provider any more.
    #[prost(message, tag = "14")]
    EndProvider(NoMore),
    /// Who somebody is at the provider.
    #[prost(message, tag = "15")]
    Link(LinkOf),
    /// What the provider answered to the first form of the device flow: gives what a person is shown, and the form to ask with.
    #[prost(message, tag = "16")]
    AskProvider(ProviderBegun),
    /// A token for a service account.
    #[prost(message, tag = "17")]
    AddToken(NewToken),
    /// The end of one.
    #[prost(message, tag = "18")]
    EndToken(TokenOf),
    /// Show the provider.
    #[prost(message, tag = "19")]
    LookProvider(NoMore),
}

/// The utility's own provider (OpenID Connect), as somebody fetched it.
#[derive(Clone, PartialEq, prost::Message)]
pub struct NewProvider {
    /// Exactly as it writes itself.
    #[prost(string, tag = "1")]
    pub issuer: String,
    /// The house's id there: a public client, which has no password.
    #[prost(string, tag = "2")]
    pub client: String,
    /// What is at `/.well-known/openid-configuration`, JSON.
    #[prost(string, tag = "3")]
    pub description: String,
    /// What is at its `jwks_uri`, JSON.
    #[prost(string, tag = "4")]
    pub keys: String,
}

/// Nothing more to say.
#[derive(Clone, PartialEq, prost::Message)]
pub struct NoMore {}

/// Who somebody is at the provider.
#[derive(Clone, PartialEq, prost::Message)]
pub struct LinkOf {
    /// The person here.
    #[prost(string, tag = "1")]
    pub person: String,
    /// Their `sub` there; empty for no longer anybody.
    #[prost(string, tag = "2")]
    pub subject: String,
}

/// What the provider answered to the first form.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
pub struct ProviderBegun {
    /// From [`LoginWish::Begin`] (32 bytes).
    #[prost(bytes = "vec", tag = "1")]
    pub nonce: Vec<u8>,
    /// JSON.
    #[prost(string, tag = "2")]
    pub answer: String,
}

/// A token to make.
#[derive(Clone, PartialEq, prost::Message)]
pub struct NewToken {
    /// Whose.
    #[prost(string, tag = "1")]
    pub service: String,
    /// What it is for, in words.
    #[prost(string, tag = "2")]
    pub label: String,
    /// Until when, UTC milliseconds; at most 90 days from now.
    #[prost(sint64, tag = "3")]
    pub until_ms: i64,
    /// `grant::Action` by name; none for all that its roles open to services.
    #[prost(string, repeated, tag = "4")]
    pub actions: Vec<String>,
    /// `grant::Purpose` by name; none for all that its roles open to services.
    #[prost(string, repeated, tag = "5")]
    pub purposes: Vec<String>,
}

/// Which token.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TokenOf {
    /// Whose.
    #[prost(string, tag = "1")]
    pub service: String,
    /// Its number.
    #[prost(uint64, tag = "2")]
    pub id: u64,
}

/// Whom to invite.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Invite {
    /// The person; oneself for the owner of a house in which nobody signs in yet.
    #[prost(string, tag = "1")]
    pub person: String,
    /// They had ways to sign in and lost them: those end when the code is used.
    #[prost(bool, tag = "2")]
    pub lost: bool,
}

/// Password and generator of codes.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
pub struct Enrol {
    /// From [`LoginWish::Redeem`] (16 bytes).
    #[prost(bytes = "vec", tag = "1")]
    pub ticket: Vec<u8>,
    /// The new password, UTF-8.
    #[prost(bytes = "vec", tag = "2")]
    pub password: Vec<u8>,
    /// What the generator shows now.
    #[prost(string, tag = "3")]
    pub code: String,
}

/// Proofs of who somebody is, one or two.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
pub struct Prove {
    /// From [`LoginWish::Begin`] (32 bytes).
    #[prost(bytes = "vec", tag = "1")]
    pub nonce: Vec<u8>,
    /// In the order in which they are checked.
    #[prost(message, repeated, tag = "2")]
    pub proofs: Vec<Proof>,
    /// The token of a device on which the person signed in before; empty for another.
    #[prost(bytes = "vec", tag = "3")]
    pub device: Vec<u8>,
}

/// One proof.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
pub struct Proof {
    /// By what.
    #[prost(oneof = "By", tags = "1, 2, 3, 4, 5, 6, 7")]
    pub by: Option<By>,
}

/// What proves.
#[derive(Clone, PartialEq, prost::Oneof)]
#[prost(skip_debug)]
pub enum By {
    /// A password, UTF-8.
    #[prost(bytes = "vec", tag = "1")]
    Password(Vec<u8>),
    /// What the generator of codes shows.
    #[prost(string, tag = "2")]
    Code(String),
    /// One of the codes on paper.
    #[prost(string, tag = "3")]
    Recovery(String),
    /// An armoured SSH signature over [`LoginAnswer::to_sign`].
    #[prost(string, tag = "4")]
    Key(String),
    /// The answer of `navigator.credentials.get()`, JSON.
    #[prost(string, tag = "5")]
    Passkey(String),
    /// What the utility's own provider answered when it was asked whether the person typed the code, JSON.
    #[prost(string, tag = "6")]
    Provider(String),
    /// A token of a service account.
    #[prost(string, tag = "7")]
    Token(String),
}

/// Asks who is signed in.
#[derive(Clone, PartialEq, prost::Message)]
pub struct LookLogins {
    /// Everybody's, for who looks after people.
    #[prost(bool, tag = "1")]
    pub all: bool,
}

/// A passkey that a browser made.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
pub struct NewPasskey {
    /// The ticket (16 bytes), or none in a session.
    #[prost(bytes = "vec", tag = "1")]
    pub ticket: Vec<u8>,
    /// What its person calls it.
    #[prost(string, tag = "2")]
    pub label: String,
    /// The answer of `navigator.credentials.create()`, JSON.
    #[prost(string, tag = "3")]
    pub answer: String,
}

/// The warden's answer.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
pub struct LoginAnswer {
    /// What was done, in a sentence.
    #[prost(string, tag = "1")]
    pub done: String,
    /// The code of an invitation, shown once.
    #[prost(string, tag = "2")]
    pub code: String,
    /// Leave to set one's ways to sign in, for half an hour (16 bytes).
    #[prost(bytes = "vec", tag = "3")]
    pub ticket: Vec<u8>,
    /// `otpauth://totp/..`, for the generator of codes.
    #[prost(string, tag = "4")]
    pub generator: String,
    /// Codes for paper, each good once; shown once.
    #[prost(string, repeated, tag = "5")]
    pub recovery: Vec<String>,
    /// Names the sign-in that was begun (32 bytes).
    #[prost(bytes = "vec", tag = "6")]
    pub nonce: Vec<u8>,
    /// What a key signs, with `ssh-keygen -Y sign -n sign-in@meterkeep`.
    #[prost(string, tag = "7")]
    pub to_sign: String,
    /// What a browser hands to `navigator.credentials`, JSON; empty in a house without an address.
    #[prost(string, tag = "8")]
    pub passkey: String,
    /// The session's id (16 bytes).
    #[prost(bytes = "vec", tag = "9")]
    pub session: Vec<u8>,
    /// `machine`, `multi-factor` or `step-up`.
    #[prost(string, tag = "10")]
    pub strength: String,
    /// When the session ends in any case, UTC milliseconds.
    #[prost(sint64, tag = "11")]
    pub until_ms: i64,
    /// A token by which this device is known the next time (32 bytes); empty when it is known already.
    #[prost(bytes = "vec", tag = "12")]
    pub device: Vec<u8>,
    /// Sessions.
    #[prost(message, repeated, tag = "13")]
    pub sessions: Vec<ShownSession>,
    /// Ways to sign in.
    #[prost(message, repeated, tag = "14")]
    pub ways: Vec<ShownWays>,
    /// The provider, where it was asked for.
    #[prost(message, optional, tag = "15")]
    pub provider: Option<ShownProvider>,
    /// What to post to the provider next.
    #[prost(message, optional, tag = "16")]
    pub post: Option<ProviderPost>,
    /// What a person is shown to type at the provider.
    #[prost(message, optional, tag = "17")]
    pub question: Option<ProviderQuestion>,
    /// A token of a service account, shown once.
    #[prost(string, tag = "18")]
    pub token: String,
    /// Tokens of service accounts.
    #[prost(message, repeated, tag = "19")]
    pub tokens: Vec<ShownToken>,
}

/// The provider, for people.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ShownProvider {
    /// As it writes itself.
    #[prost(string, tag = "1")]
    pub issuer: String,
    /// The house's id there.
    #[prost(string, tag = "2")]
    pub client: String,
    /// What its keys are called.
    #[prost(string, repeated, tag = "3")]
    pub keys: Vec<String>,
    /// Who set it.
    #[prost(string, tag = "4")]
    pub by: String,
    /// When, UTC milliseconds.
    #[prost(sint64, tag = "5")]
    pub at_ms: i64,
    /// Whether it has a device flow, without which the command line cannot sign in with it.
    #[prost(bool, tag = "6")]
    pub device: bool,
}

/// A form to post.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
pub struct ProviderPost {
    /// Where to, with TLS.
    #[prost(string, tag = "1")]
    pub url: String,
    /// The body, `application/x-www-form-urlencoded`.
    #[prost(string, tag = "2")]
    pub form: String,
}

/// What a person is shown to type at the provider.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ProviderQuestion {
    /// The code.
    #[prost(string, tag = "1")]
    pub user_code: String,
    /// Where.
    #[prost(string, tag = "2")]
    pub address: String,
    /// How long to wait between two tries, seconds.
    #[prost(uint64, tag = "3")]
    pub interval_s: u64,
    /// For how long the code is good, seconds.
    #[prost(uint64, tag = "4")]
    pub lasts_s: u64,
}

/// A token of a service account, for people: nothing that opens anything.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ShownToken {
    /// Whose.
    #[prost(string, tag = "1")]
    pub service: String,
    /// Its number.
    #[prost(uint64, tag = "2")]
    pub id: u64,
    /// What it is for.
    #[prost(string, tag = "3")]
    pub label: String,
    /// Until when, UTC milliseconds.
    #[prost(sint64, tag = "4")]
    pub until_ms: i64,
    /// When it was used last; 0 for never.
    #[prost(sint64, tag = "5")]
    pub used_ms: i64,
    /// What it allows.
    #[prost(string, repeated, tag = "6")]
    pub actions: Vec<String>,
    /// What for.
    #[prost(string, repeated, tag = "7")]
    pub purposes: Vec<String>,
}

/// A session, for people.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ShownSession {
    /// Its id (16 bytes).
    #[prost(bytes = "vec", tag = "1")]
    pub id: Vec<u8>,
    /// Whose.
    #[prost(string, tag = "2")]
    pub person: String,
    /// By which factors it was opened, separated by spaces.
    #[prost(string, tag = "3")]
    pub by: String,
    /// `machine`, `multi-factor` or `step-up`.
    #[prost(string, tag = "4")]
    pub strength: String,
    /// When it was opened, UTC milliseconds.
    #[prost(sint64, tag = "5")]
    pub since_ms: i64,
    /// When it was used last.
    #[prost(sint64, tag = "6")]
    pub used_ms: i64,
}

/// How a person signs in, for people.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ShownWays {
    /// Who.
    #[prost(string, tag = "1")]
    pub person: String,
    /// With a password and a generator of codes.
    #[prost(bool, tag = "2")]
    pub password: bool,
    /// Codes on paper that are left.
    #[prost(uint32, tag = "3")]
    pub recovery_left: u32,
    /// Fingerprints of keys, with their comments.
    #[prost(string, repeated, tag = "4")]
    pub keys: Vec<String>,
    /// Passkeys, `id label`, the id in hexadecimal.
    #[prost(string, repeated, tag = "5")]
    pub passkeys: Vec<String>,
    /// Until when an invitation is good; 0 for none.
    #[prost(sint64, tag = "6")]
    pub invited_until_ms: i64,
    /// With the utility's own provider: who they are there, after its address; empty for not.
    #[prost(string, tag = "7")]
    pub provider: String,
}
