//! People, roles and access in time: what is asked of the warden, and how it stands.

/// An errand of somebody at the machine. Who it is the link layer proved.
#[derive(Clone, PartialEq, prost::Message)]
pub struct StaffErrand {
    /// What.
    #[prost(
        oneof = "Wish",
        tags = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 30, 31"
    )]
    pub wish: Option<Wish>,
}

/// What is wished.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Wish {
    /// Name a person.
    #[prost(message, tag = "1")]
    AddPerson(NewPerson),
    /// A person does not work here any more.
    #[prost(string, tag = "2")]
    Leave(String),
    /// Give a role, or give it again before it lapses.
    #[prost(message, tag = "3")]
    GiveRole(RoleOf),
    /// Take a role.
    #[prost(message, tag = "4")]
    TakeRole(RoleOf),
    /// Open a case.
    #[prost(message, tag = "5")]
    OpenCase(NewCase),
    /// Close a case.
    #[prost(uint32, tag = "6")]
    CloseCase(u32),
    /// Ask for access in time.
    #[prost(message, tag = "7")]
    Ask(NewAsk),
    /// Agree to what somebody else asked for.
    #[prost(message, tag = "8")]
    Approve(ApproveAsk),
    /// Refuse it, end it, or take one's own back.
    #[prost(message, tag = "9")]
    End(EndAsk),
    /// Take emergency access; the reason.
    #[prost(string, tag = "10")]
    Emergency(String),
    /// Say what came of a look at emergency access.
    #[prost(message, tag = "11")]
    Review(ReviewEmergency),
    /// Show people, cases, access and emergencies: one's own, or all to who may see them.
    #[prost(message, tag = "12")]
    Look(LookStaff),
    /// Why may somebody do something, or not?
    #[prost(message, tag = "13")]
    Why(WhyAsked),
    /// Who can do something?
    #[prost(message, tag = "14")]
    WhoCan(WhatAsked),
    /// Other roles and purposes (TOML): says what would change; with `propose`, asks for them.
    #[prost(message, tag = "15")]
    Roles(NewRoles),
    /// Agree to the roles and purposes that somebody else proposed, as seen: SHA-256 of their text (32 bytes).
    #[prost(bytes = "vec", tag = "16")]
    ApproveRoles(Vec<u8>),
    /// Any of these, signed by the asker's own key: an encoded `grant::approval::SignedApproval` of an encoded
    /// [`StaffErrand`]. What needs agreement that no browser and no room can give counts only so.
    #[prost(bytes = "vec", tag = "17")]
    Signed(Vec<u8>),
    /// From now on a person signs what they agree to with this key.
    #[prost(message, tag = "18")]
    PinKey(KeyOf),
    /// Set a shift.
    #[prost(message, tag = "19")]
    Shift(NewShift),
    /// Take a shift back, or end it.
    #[prost(uint32, tag = "20")]
    TakeShift(u32),
    /// Make a decision that is in the log again.
    #[prost(message, tag = "21")]
    Replay(Decision),
    /// Let a third party read one's own readings.
    #[prost(message, tag = "30")]
    Permit(NewPermission),
    /// End a permission.
    #[prost(uint32, tag = "31")]
    EndPermission(u32),
}

/// What a customer permits.
#[derive(Clone, PartialEq, prost::Message)]
pub struct NewPermission {
    /// The third party.
    #[prost(string, tag = "1")]
    pub to: String,
    /// Of which tenancies (16 bytes each); none for all of one's own.
    #[prost(bytes = "vec", repeated, tag = "2")]
    pub tenancies: Vec<Vec<u8>>,
    /// `base::Class::code`.
    #[prost(uint32, repeated, tag = "3")]
    pub classes: Vec<u32>,
    /// Until when, UTC milliseconds, exclusive.
    #[prost(sint64, tag = "4")]
    pub until_ms: i64,
}

/// A permission, for people.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ShownPermission {
    /// Its number.
    #[prost(uint32, tag = "1")]
    pub number: u32,
    /// The customer.
    #[prost(string, tag = "2")]
    pub by: String,
    /// The third party.
    #[prost(string, tag = "3")]
    pub to: String,
    /// Of how many tenancies.
    #[prost(uint32, tag = "4")]
    pub tenancies: u32,
    /// `base::Class::code`.
    #[prost(uint32, repeated, tag = "5")]
    pub classes: Vec<u32>,
    /// Until when, UTC milliseconds, exclusive.
    #[prost(sint64, tag = "6")]
    pub until_ms: i64,
    /// `live`, `over` or `ended`.
    #[prost(string, tag = "7")]
    pub state: String,
}

/// When somebody works or is on call.
#[derive(Clone, PartialEq, prost::Message)]
pub struct NewShift {
    /// Who.
    #[prost(string, tag = "1")]
    pub person: String,
    /// From when, UTC milliseconds, inclusive.
    #[prost(sint64, tag = "2")]
    pub from_ms: i64,
    /// Until when, exclusive.
    #[prost(sint64, tag = "3")]
    pub until_ms: i64,
}

/// A shift that was set.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ShownShift {
    /// Its number.
    #[prost(uint32, tag = "1")]
    pub number: u32,
    /// Whose.
    #[prost(string, tag = "2")]
    pub person: String,
    /// UTC milliseconds, inclusive.
    #[prost(sint64, tag = "3")]
    pub from_ms: i64,
    /// Exclusive.
    #[prost(sint64, tag = "4")]
    pub until_ms: i64,
    /// Who set it.
    #[prost(string, tag = "5")]
    pub by: String,
}

/// A person's key.
#[derive(Clone, PartialEq, prost::Message)]
pub struct KeyOf {
    /// Who.
    #[prost(string, tag = "1")]
    pub person: String,
    /// Ed25519 public key (32 bytes).
    #[prost(bytes = "vec", tag = "2")]
    pub key: Vec<u8>,
}

/// A person to name.
#[derive(Clone, PartialEq, prost::Message)]
pub struct NewPerson {
    /// As the log names them; never given twice.
    #[prost(string, tag = "1")]
    pub name: String,
    /// For people.
    #[prost(string, tag = "2")]
    pub title: String,
    /// The operating-system user that is this person.
    #[prost(string, tag = "3")]
    pub user: String,
    /// No person, but a program: a service account.
    #[prost(bool, tag = "10")]
    pub service: bool,
}

/// A role of a person.
#[derive(Clone, PartialEq, prost::Message)]
pub struct RoleOf {
    /// Who.
    #[prost(string, tag = "1")]
    pub person: String,
    /// Which.
    #[prost(string, tag = "2")]
    pub role: String,
    /// In these areas only; none for everywhere.
    #[prost(string, repeated, tag = "3")]
    pub areas: Vec<String>,
    /// For these tenancies only (16 bytes each); none for all.
    #[prost(bytes = "vec", repeated, tag = "4")]
    pub tenancies: Vec<Vec<u8>>,
}

/// A case to open.
#[derive(Clone, PartialEq, prost::Message)]
pub struct NewCase {
    /// Whose data it is about (16 bytes each).
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub tenancies: Vec<Vec<u8>>,
    /// Why; no names of customers.
    #[prost(string, tag = "2")]
    pub reason: String,
    /// What for: the purpose that brings the right to open one.
    #[prost(string, tag = "3")]
    pub purpose: String,
}

/// Access in time to ask for.
#[derive(Clone, PartialEq, prost::Message)]
pub struct NewAsk {
    /// What for.
    #[prost(string, tag = "1")]
    pub purpose: String,
    /// `base::Class::code`.
    #[prost(uint32, tag = "2")]
    pub class: u32,
    /// For which case.
    #[prost(uint32, tag = "3")]
    pub case: u32,
    /// Why; no names of customers.
    #[prost(string, tag = "4")]
    pub reason: String,
    /// For how long from the approval on, milliseconds; 0 for the usual four hours.
    #[prost(sint64, tag = "5")]
    pub for_ms: i64,
}

/// Agreement to access in time.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ApproveAsk {
    /// Its number.
    #[prost(uint32, tag = "1")]
    pub number: u32,
    /// The line that was seen: nothing else is agreed to.
    #[prost(string, tag = "2")]
    pub line: String,
}

/// An end before its time.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EndAsk {
    /// Its number.
    #[prost(uint32, tag = "1")]
    pub number: u32,
    /// Why.
    #[prost(string, tag = "2")]
    pub reason: String,
}

/// What came of a look at emergency access.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ReviewEmergency {
    /// Its number.
    #[prost(uint32, tag = "1")]
    pub number: u32,
    /// Whether it was justified.
    #[prost(bool, tag = "2")]
    pub justified: bool,
    /// In a sentence.
    #[prost(string, tag = "3")]
    pub note: String,
}

/// Asks how things stand.
#[derive(Clone, PartialEq, prost::Message)]
pub struct LookStaff {
    /// The roles and purposes in force, too, and those that wait for agreement.
    #[prost(bool, tag = "1")]
    pub roles: bool,
}

/// A decision that is in the log.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Decision {
    /// Its number in the log.
    #[prost(uint64, tag = "1")]
    pub entry: u64,
    /// The encoded event.
    #[prost(bytes = "vec", tag = "2")]
    pub event: Vec<u8>,
}

/// Asks why.
#[derive(Clone, PartialEq, prost::Message)]
pub struct WhyAsked {
    /// Who; empty for oneself.
    #[prost(string, tag = "1")]
    pub person: String,
    /// What for.
    #[prost(string, tag = "2")]
    pub purpose: String,
    /// What.
    #[prost(message, optional, tag = "3")]
    pub what: Option<WhatAsked>,
    /// For which case; 0 for none.
    #[prost(uint32, tag = "4")]
    pub case: u32,
}

/// Something that somebody may do.
#[derive(Clone, PartialEq, prost::Message)]
pub struct WhatAsked {
    /// `grant::Action` by name.
    #[prost(string, tag = "1")]
    pub action: String,
    /// `base::Class::code`, where the action reaches readings; else 0.
    #[prost(uint32, tag = "2")]
    pub class: u32,
}

/// Other roles and purposes.
#[derive(Clone, PartialEq, prost::Message)]
pub struct NewRoles {
    /// TOML.
    #[prost(string, tag = "1")]
    pub text: String,
    /// Ask for them; else only say what would change.
    #[prost(bool, tag = "2")]
    pub propose: bool,
}

/// The warden's answer.
#[derive(Clone, PartialEq, prost::Message)]
pub struct StaffAnswer {
    /// The number of what was made.
    #[prost(uint32, tag = "1")]
    pub number: u32,
    /// What was done or found, in a sentence.
    #[prost(string, tag = "2")]
    pub done: String,
    /// Who works here.
    #[prost(message, repeated, tag = "3")]
    pub people: Vec<ShownPerson>,
    /// Cases.
    #[prost(message, repeated, tag = "4")]
    pub cases: Vec<ShownCase>,
    /// Access in time.
    #[prost(message, repeated, tag = "5")]
    pub access: Vec<ShownAccess>,
    /// Emergency access.
    #[prost(message, repeated, tag = "6")]
    pub emergencies: Vec<ShownEmergency>,
    /// Lines: who can, what would change, what decided.
    #[prost(string, repeated, tag = "7")]
    pub lines: Vec<String>,
    /// A stable word for `done`, where it was a question: `allowed`, or why not.
    #[prost(string, tag = "8")]
    pub code: String,
    /// Roles and purposes in force, TOML.
    #[prost(string, tag = "9")]
    pub roles: String,
    /// Roles and purposes that wait for agreement, TOML; empty for none.
    #[prost(string, tag = "10")]
    pub proposed: String,
    /// Shifts, those of the last month, too.
    #[prost(message, repeated, tag = "11")]
    pub shifts: Vec<ShownShift>,
    /// Permissions of customers.
    #[prost(message, repeated, tag = "20")]
    pub permissions: Vec<ShownPermission>,
}

/// A person, for people.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ShownPerson {
    /// As the log names them.
    #[prost(string, tag = "1")]
    pub name: String,
    /// For people.
    #[prost(string, tag = "2")]
    pub title: String,
    /// The operating-system user.
    #[prost(string, tag = "3")]
    pub user: String,
    /// Since when they do not work here, UTC milliseconds; 0 while they do.
    #[prost(sint64, tag = "4")]
    pub left_ms: i64,
    /// Their roles.
    #[prost(message, repeated, tag = "5")]
    pub roles: Vec<ShownRole>,
    /// The key that they sign approvals with (32 bytes); empty for none.
    #[prost(bytes = "vec", tag = "6")]
    pub key: Vec<u8>,
    /// A service account.
    #[prost(bool, tag = "10")]
    pub service: bool,
}

/// A role of a person, for people.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ShownRole {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Until when, unless it is given again.
    #[prost(sint64, tag = "2")]
    pub until_ms: i64,
    /// Who gave it.
    #[prost(string, tag = "3")]
    pub given_by: String,
    /// When it was used last, to the day; 0 for never.
    #[prost(sint64, tag = "4")]
    pub used_ms: i64,
    /// `live`, `due` (it lapses within two weeks) or `lapsed`.
    #[prost(string, tag = "5")]
    pub state: String,
    /// What it is given for, in words; empty for the whole house.
    #[prost(string, tag = "6")]
    pub bounds: String,
}

/// A case, for people.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ShownCase {
    /// Its number.
    #[prost(uint32, tag = "1")]
    pub number: u32,
    /// Who opened it.
    #[prost(string, tag = "2")]
    pub by: String,
    /// When.
    #[prost(sint64, tag = "3")]
    pub at_ms: i64,
    /// Why.
    #[prost(string, tag = "4")]
    pub reason: String,
    /// About how many tenancies.
    #[prost(uint32, tag = "5")]
    pub tenancies: u32,
    /// When it was closed; 0 while it is open.
    #[prost(sint64, tag = "6")]
    pub closed_ms: i64,
}

/// Access in time, for people.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ShownAccess {
    /// Its number.
    #[prost(uint32, tag = "1")]
    pub number: u32,
    /// What is agreed to, in one line.
    #[prost(string, tag = "2")]
    pub line: String,
    /// `waiting`, `lapsed`, `refused`, `live` or `over`.
    #[prost(string, tag = "3")]
    pub state: String,
    /// Who asked.
    #[prost(string, tag = "4")]
    pub by: String,
    /// Who agreed, or empty.
    #[prost(string, tag = "5")]
    pub approved_by: String,
    /// Until when it lasts; 0 before it is approved.
    #[prost(sint64, tag = "6")]
    pub until_ms: i64,
}

/// Emergency access, for people.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ShownEmergency {
    /// Its number.
    #[prost(uint32, tag = "1")]
    pub number: u32,
    /// Who took it.
    #[prost(string, tag = "2")]
    pub by: String,
    /// When.
    #[prost(sint64, tag = "3")]
    pub at_ms: i64,
    /// Until when.
    #[prost(sint64, tag = "4")]
    pub until_ms: i64,
    /// Why.
    #[prost(string, tag = "5")]
    pub reason: String,
    /// `open`, `overdue`, `justified` or `not-justified`.
    #[prost(string, tag = "6")]
    pub state: String,
    /// Who looked at it, or empty.
    #[prost(string, tag = "7")]
    pub reviewed_by: String,
}
