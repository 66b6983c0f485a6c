//! Entries in the words of the Open Cybersecurity Schema Framework (OCSF), for security monitoring that knows many products.

use base::UtcMillis;
use serde_json::{Map, Value, json};

use super::entry::Entry;

/// The schema that the fields follow.
pub(super) const VERSION: &str = "1.3.0";
const PRODUCT: &str = "Meterkeep";

/// The classes of events that ours are told as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    DetectionFinding,
    AccountChange,
    Authentication,
    EntityManagement,
    UserAccess,
    ApplicationLifecycle,
    ApiActivity,
    DatastoreActivity,
}

impl Class {
    /// `class_uid`.
    pub(super) const fn uid(self) -> u64 {
        match self {
            Self::DetectionFinding => 2004,
            Self::AccountChange => 3001,
            Self::Authentication => 3002,
            Self::EntityManagement => 3004,
            Self::UserAccess => 3005,
            Self::ApplicationLifecycle => 6002,
            Self::ApiActivity => 6003,
            Self::DatastoreActivity => 6005,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::DetectionFinding => "Detection Finding",
            Self::AccountChange => "Account Change",
            Self::Authentication => "Authentication",
            Self::EntityManagement => "Entity Management",
            Self::UserAccess => "User Access Management",
            Self::ApplicationLifecycle => "Application Lifecycle",
            Self::ApiActivity => "API Activity",
            Self::DatastoreActivity => "Datastore Activity",
        }
    }

    const fn category(self) -> (u64, &'static str) {
        match self.uid() / 1000 {
            2 => (2, "Findings"),
            3 => (3, "Identity & Access Management"),
            _ => (6, "Application Activity"),
        }
    }

    /// What the schema calls an activity of this class.
    const fn activity(self, id: u64) -> &'static str {
        match (self, id) {
            (Self::AccountChange, 2) => "Enable",
            (Self::Authentication, 1) => "Logon",
            (Self::Authentication, 2) => "Logoff",
            (Self::UserAccess, 1) => "Assign Privileges",
            (Self::ApplicationLifecycle, 3) => "Start",
            (Self::ApplicationLifecycle, 4) => "Stop",
            (Self::DatastoreActivity, 1) | (Self::EntityManagement | Self::ApiActivity, 2) => "Read",
            (Self::DatastoreActivity, 2) | (Self::EntityManagement | Self::ApiActivity, 3) => "Update",
            (Self::DatastoreActivity, 4) => "Query",
            (Self::DatastoreActivity, 5) => "Write",
            (Self::DatastoreActivity, 7) | (Self::EntityManagement | Self::ApiActivity, 4) => "Delete",
            (Self::DetectionFinding | Self::EntityManagement | Self::ApiActivity, 1) => "Create",
            _ => "Other",
        }
    }
}

/// `activity_id` of what the schema has no word for.
const OTHER: u64 = 99;

/// How an action is told: its class, the activity, and what it is done to.
pub(super) struct Row {
    pub(super) action: &'static str,
    pub(super) class: Class,
    pub(super) activity: u64,
    /// The datastore, the kind of entity or the privilege.
    pub(super) object: &'static str,
}

const fn row(action: &'static str, class: Class, activity: u64, object: &'static str) -> Row {
    Row { action, class, activity, object }
}

/// Every action of the house. Whom a change of people is about stands in the detail alone, so that it is told as a change of an
/// entity, not as one of the account of who made it.
pub(super) static ROWS: [Row; 54] = [
    // under grants, or the warden's own
    row("read-readings", Class::DatastoreActivity, 1, "readings"),
    row("read-held", Class::DatastoreActivity, 1, "held readings"),
    row("read-health", Class::DatastoreActivity, 1, "readings"),
    row("read-contacts", Class::DatastoreActivity, 1, "contacts"),
    row("import-keys", Class::EntityManagement, 1, "meter key"),
    row("change-register", Class::EntityManagement, 3, "register"),
    row("keep-keys", Class::EntityManagement, OTHER, "meter key"),
    row("enrol-collector", Class::EntityManagement, 1, "collector"),
    row("revoke-collector", Class::EntityManagement, 4, "collector"),
    row("open-case", Class::EntityManagement, 1, "case"),
    row("ask-access", Class::EntityManagement, 1, "request for access"),
    row("approve-access", Class::EntityManagement, 3, "request for access"),
    row("break-glass", Class::UserAccess, 1, "emergency access"),
    row("review-break-glass", Class::EntityManagement, 3, "emergency access"),
    row("manage-people", Class::EntityManagement, 3, "person"),
    row("manage-roles", Class::EntityManagement, 3, "roles"),
    row("approve-roles", Class::EntityManagement, 3, "roles"),
    row("read-access", Class::ApiActivity, 2, "access"),
    row("read-log", Class::DatastoreActivity, 4, "log"),
    row("read-history", Class::DatastoreActivity, 4, "log"),
    row("review-log", Class::DatastoreActivity, 1, "log"),
    row("unmask-staff", Class::DatastoreActivity, 1, "log"),
    row("end-access", Class::EntityManagement, 4, "access"),
    row("permit", Class::EntityManagement, 1, "permission"),
    row("reseal", Class::DatastoreActivity, 2, "readings"),
    // of the warden
    row("grant", Class::UserAccess, 1, "grant"),
    row("sign-in", Class::Authentication, 1, "session"),
    row("sign-out", Class::Authentication, 2, "session"),
    row("session", Class::Authentication, OTHER, "session"),
    row("set-sign-in", Class::AccountChange, OTHER, "ways to sign in"),
    row("invite", Class::EntityManagement, 1, "invitation"),
    row("redeem-invitation", Class::AccountChange, 2, "ways to sign in"),
    row("set-provider", Class::EntityManagement, 3, "identity provider"),
    row("service-token", Class::EntityManagement, OTHER, "service token"),
    row("collector-token", Class::EntityManagement, 1, "collector token"),
    row("approval", Class::ApiActivity, OTHER, "approval"),
    row("staff", Class::ApiActivity, OTHER, "staff"),
    // of the others
    row("commit-batches", Class::DatastoreActivity, 5, "readings"),
    row("job-open", Class::ApiActivity, 1, "job"),
    row("erase-contacts", Class::DatastoreActivity, 7, "contacts"),
    row("vault-start", Class::ApplicationLifecycle, 3, "vault"),
    row("vault-mark", Class::EntityManagement, 3, "mark of the vault"),
    row("vault-custody", Class::EntityManagement, 3, "meter key"),
    row("vault-erasures", Class::EntityManagement, 4, "meter key"),
    // of the log and of rooms themselves
    row("log-started", Class::ApplicationLifecycle, 3, "log"),
    row("log-stopped", Class::ApplicationLifecycle, 4, "log"),
    row("log-configured", Class::ApplicationLifecycle, OTHER, "log"),
    row("log-reconciled", Class::ApiActivity, OTHER, "log"),
    row("room-started", Class::ApplicationLifecycle, 3, "room"),
    row("room-stopped", Class::ApplicationLifecycle, 4, "room"),
    // what people should look at
    row("log-was-away", Class::DetectionFinding, 1, "log"),
    row("alarm", Class::DetectionFinding, 1, "alarm"),
    row("log-alarm", Class::DetectionFinding, 1, "alarm"),
    row("vault-alarm", Class::DetectionFinding, 1, "alarm"),
];

/// Of an action that a newer house has: told all the same, as a call.
static UNKNOWN: Row = row("", Class::ApiActivity, OTHER, "");

/// The row of an action.
pub(super) fn row_of(action: &str) -> &'static Row {
    ROWS.iter().find(|row| row.action == action).unwrap_or(&UNKNOWN)
}

/// How grave it is, of `severity_id`.
const fn severity(row: &Row, refused: bool) -> (u64, &'static str) {
    match (row.class, refused) {
        (Class::DetectionFinding, _) => (4, "High"),
        (_, true) => (2, "Low"),
        (_, false) => (1, "Informational"),
    }
}

/// An entry as an event of the schema. What it has no field for stands in `unmapped` under our own names.
pub(super) fn event(entry: &Entry) -> Value {
    let row = row_of(&entry.action);
    let refused = !entry.reason.is_empty();
    let (class, at) = (row.class, entry.at.parse::<UtcMillis>().unwrap_or(entry.taken_at));
    let (category, severity) = (class.category(), severity(row, refused));
    let status = if refused { (2, "Failure") } else { (1, "Success") };
    let mut metadata = json!({
        "version": VERSION,
        "product": product(),
        "uid": entry.number.to_string(),
        "log_name": "meterkeep",
        "log_provider": entry.actor,
        "event_code": entry.action,
        "logged_time": entry.taken_at.0,
        "original_time": entry.at,
    });
    if let (Some(fields), false) = (metadata.as_object_mut(), entry.grant.is_empty()) {
        fields.insert("correlation_uid".to_owned(), entry.grant.clone().into());
    }
    let mut event = json!({
        "class_uid": class.uid(),
        "class_name": class.name(),
        "category_uid": category.0,
        "category_name": category.1,
        "activity_id": row.activity,
        "activity_name": class.activity(row.activity),
        "type_uid": class.uid() * 100 + row.activity,
        "type_name": format!("{}: {}", class.name(), class.activity(row.activity)),
        "severity_id": severity.0,
        "severity": severity.1,
        "status_id": status.0,
        "status": status.1,
        "time": at.0,
        "message": entry.sentence(),
        "metadata": metadata,
        "actor": actor(entry),
        "unmapped": unmapped(entry),
    });
    if let Some(fields) = event.as_object_mut() {
        if refused {
            fields.insert("status_detail".to_owned(), entry.reason.clone().into());
        }
        fields.extend(of_class(entry, row));
    }
    event
}

fn product() -> Value {
    json!({ "name": PRODUCT, "vendor_name": PRODUCT, "version": env!("CARGO_PKG_VERSION") })
}

/// For whom, through which room. A person without a name, or none, leaves the room.
fn actor(entry: &Entry) -> Value {
    let mut actor = json!({ "app_name": entry.actor });
    if let (Some(fields), false) = (actor.as_object_mut(), entry.person.is_empty()) {
        fields.insert("user".to_owned(), user(entry));
    }
    actor
}

fn user(entry: &Entry) -> Value {
    let name = if entry.person.is_empty() { &entry.actor } else { &entry.person };
    json!({ "name": name })
}

/// What the class asks for beside what all have.
fn of_class(entry: &Entry, row: &Row) -> Map<String, Value> {
    let fields = match row.class {
        Class::DetectionFinding => {
            let title = entry.detail.split(':').next().unwrap_or_default();
            let title = if title.is_empty() { entry.action.as_str() } else { title };
            let uid = format!("meterkeep-{}", entry.number);
            json!({ "finding_info": { "uid": uid, "title": title, "desc": entry.detail } })
        }
        Class::AccountChange => json!({ "user": user(entry) }),
        Class::Authentication => json!({ "user": user(entry), "service": { "name": entry.actor } }),
        Class::EntityManagement => {
            let entity = json!({ "name": row.object, "type": row.object });
            json!({ "entity": entity, "comment": entry.detail })
        }
        Class::UserAccess => {
            let privilege = if entry.purpose.is_empty() { row.object } else { entry.purpose.as_str() };
            json!({ "user": user(entry), "privileges": [privilege] })
        }
        Class::ApplicationLifecycle => {
            let mut app = product();
            if let Some(fields) = app.as_object_mut() {
                fields.insert("feature".to_owned(), json!({ "name": row.object }));
            }
            json!({ "app": app })
        }
        Class::ApiActivity => json!({
            "api": { "operation": entry.action, "service": { "name": entry.actor } },
            "src_endpoint": { "svc_name": entry.actor },
        }),
        Class::DatastoreActivity => json!({
            "database": { "name": row.object, "type_id": OTHER, "type": "sealed store" },
            "src_endpoint": { "svc_name": entry.actor },
        }),
    };
    match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// All that the entry says, under the names of its other exports.
fn unmapped(entry: &Entry) -> Value {
    match serde_json::to_value(entry) {
        Ok(Value::Object(mut fields)) => {
            fields.retain(|_, value| match value {
                Value::String(text) => !text.is_empty(),
                Value::Array(list) => !list.is_empty(),
                Value::Null => false,
                _ => true,
            });
            Value::Object(fields)
        }
        _ => Value::Null,
    }
}

#[cfg(test)]
#[path = "ocsf_tests.rs"]
mod tests;
