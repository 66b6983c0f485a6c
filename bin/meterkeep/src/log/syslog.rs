//! Entries as syslog messages: RFC 5424, framed by RFC 5425 (which is RFC 6587's octet counting).

use std::fmt::Write as _;

use super::entry::Entry;
use super::ocsf::{self, Class};

/// Facility 13, log audit (RFC 5424, table 1).
const FACILITY: u8 = 13;
const ALERT: u8 = 1;
const WARNING: u8 = 4;
const INFORMATIONAL: u8 = 6;
/// The name of our structured data: 32473 is the number that IANA keeps for examples (RFC 5612).
const SD_ID: &str = "meterkeep@32473";
/// What every receiver over TLS should take (RFC 5425, section 4.3.1); longer ones may be cut or dropped.
const MAX_MESSAGE: usize = 8192;
/// Octets kept for saying that tags of subjects were left out.
const LEFT_OUT: usize = 40;
/// Lengths of the header's fields (RFC 5424, section 6).
const MAX_HOSTNAME: usize = 255;
const MAX_APP_NAME: usize = 48;
const MAX_MSG_ID: usize = 32;

/// Writes messages in the name of a host.
pub(super) struct Syslog {
    hostname: String,
}

/// A field of the header: printable ASCII without blanks, not longer than the field may be, and `-` for nothing.
fn field(text: &str, most: usize) -> String {
    let kept: String = text.chars().filter(char::is_ascii_graphic).take(most).collect();
    if kept.is_empty() { "-".to_owned() } else { kept }
}

/// A value of structured data (RFC 5424, section 6.3.3): `"`, `\` and `]` are escaped, and nothing else.
fn value(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '"' | '\\' | ']') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// As much of a text as fits.
fn cut(text: &str, most: usize) -> &str {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    text.get(..end).unwrap_or_default()
}

impl Syslog {
    /// In the name of this host, or of this address. What no name of a host has is left out.
    pub(super) fn new(hostname: &str) -> Self {
        let of_hosts = |c: &char| c.is_ascii_alphanumeric() || "-._:".contains(*c);
        let hostname: String = hostname.chars().filter(of_hosts).collect();
        Self { hostname: field(&hostname, MAX_HOSTNAME) }
    }

    /// A message without its frame.
    pub(super) fn message(&self, entry: &Entry) -> String {
        let row = ocsf::row_of(&entry.action);
        let severity = match (row.class, entry.reason.is_empty()) {
            (Class::DetectionFinding, _) => ALERT,
            (_, false) => WARNING,
            (_, true) => INFORMATIONAL,
        };
        let priority = FACILITY.saturating_mul(8).saturating_add(severity);
        let app = field(&format!("meterkeep-{}", entry.actor), MAX_APP_NAME);
        let (host, id) = (&self.hostname, field(&entry.action, MAX_MSG_ID));
        let mut message = format!("<{priority}>1 {} {host} {app} - {id} [{SD_ID}", entry.taken);
        let columns = Entry::COLUMNS.iter().zip(entry.columns());
        let said = columns.filter(|(name, text)| **name != "subjects" && !text.is_empty());
        for (name, text) in said {
            let _ = write!(message, " {name}=\"{}\"", value(&text));
        }
        let told = entry.sentence();
        // text beyond ASCII begins with a mark that it is UTF-8 (section 6.4)
        let mark = if told.is_ascii() { " " } else { " \u{feff}" };
        let room = MAX_MESSAGE.saturating_sub(message.len() + LEFT_OUT + mark.len() + 1);
        let told = cut(&told, room);
        subjects(&mut message, &entry.subjects, room.saturating_sub(told.len()));
        message + "]" + mark + told
    }

    /// A message with its length before it, as it goes over TCP and TLS.
    pub(super) fn frame(&self, entry: &Entry) -> String {
        let message = self.message(entry);
        format!("{} {message}", message.len())
    }
}

/// Names as many tags of subjects as there is room for, and says how many are left out: the entry in the log has all.
fn subjects(message: &mut String, tags: &[String], room: usize) {
    let Some(first) = tags.first() else { return };
    let (named, each) = (" subjects=\"\"".len(), first.len().saturating_add(1));
    let fit = room.saturating_sub(named) / each;
    let (told, left_out) = tags.split_at(fit.min(tags.len()));
    if !told.is_empty() {
        let _ = write!(message, " subjects=\"{}\"", told.join(" "));
    }
    if !left_out.is_empty() {
        let _ = write!(message, " subjects_left_out=\"{}\"", left_out.len());
    }
}

#[cfg(test)]
mod tests {
    use base::UtcMillis;
    use grant::{Event, Outcome};
    use proptest::prelude::*;
    use syslog_loose::{ProcId, Protocol, SyslogFacility, SyslogSeverity, Variant, parse_message};
    use wire::log::FoundEntry;

    use super::*;

    fn entry(event: &Event) -> Entry {
        let found = FoundEntry { number: 4711, at_ms: 1_764_000_000_250, event: event.encode().into() };
        Entry::read(&found).unwrap()
    }

    fn refused(detail: &str) -> Event {
        Event {
            on_behalf: "anna".to_owned(),
            purpose: "operations".to_owned(),
            reason: "no-role".to_owned(),
            detail: detail.to_owned(),
            subjects: vec![[9; 16], [10; 16]],
            ..Event::new(UtcMillis(1_764_000_000_000), "archive", "read-readings", Outcome::Refused)
        }
    }

    /// What another implementation reads: our parameters, and the text.
    fn read(message: &str) -> (Vec<(String, String)>, String) {
        let read = parse_message(message, Variant::RFC5424);
        assert_eq!(read.protocol, Protocol::RFC5424(1), "{message}");
        let [element] = read.structured_data.as_slice() else { panic!("{:?}", read.structured_data) };
        assert_eq!(element.id, SD_ID);
        let unescape = |text: &str| {
            let (mut plain, mut escaped) = (String::new(), false);
            for c in text.chars() {
                escaped = c == '\\' && !escaped;
                if !escaped {
                    plain.push(c);
                }
            }
            plain
        };
        let params = element.params.iter().map(|(name, value)| ((*name).to_owned(), unescape(value)));
        (params.collect(), read.msg.to_owned())
    }

    #[test]
    fn another_implementation_reads_what_was_written() {
        let message = Syslog::new("house.example").message(&entry(&refused("needs [case] \"7\" \\ or none")));
        let read_as = parse_message(message.as_str(), Variant::RFC5424);
        assert_eq!(read_as.facility, Some(SyslogFacility::LOG_AUDIT));
        assert_eq!(read_as.severity, Some(SyslogSeverity::SEV_WARNING));
        assert_eq!(read_as.timestamp.unwrap().timestamp_millis(), 1_764_000_000_250);
        assert_eq!((read_as.hostname, read_as.appname), (Some("house.example"), Some("meterkeep-archive")));
        assert_eq!((read_as.procid, read_as.msgid), (None::<ProcId<&str>>, Some("read-readings")));
        let (params, text) = read(&message);
        let of = |name: &str| params.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
        assert_eq!((of("number"), of("person"), of("reason")), (Some("4711"), Some("anna"), Some("no-role")));
        assert_eq!(of("detail"), Some("needs [case] \"7\" \\ or none"));
        assert_eq!(of("subjects").unwrap().split(' ').count(), 2);
        assert_eq!(
            text,
            "anna read-readings for operations refused (no-role): needs [case] \"7\" \\ or none"
        );
        let frame = Syslog::new("").frame(&entry(&refused("")));
        let (length, rest) = frame.split_once(' ').unwrap();
        assert_eq!(length.parse::<usize>().unwrap(), rest.len());
        assert!(rest.starts_with("<108>1 2025-11-24T16:00:00.250Z - meterkeep-archive - read-readings ["));
    }

    #[test]
    fn of_two_thousand_subjects_as_many_are_named_as_fit_and_the_others_counted() {
        let many = (0..2000u16).map(|n| {
            let mut tag = [7; 16];
            tag[..2].copy_from_slice(&n.to_be_bytes());
            tag
        });
        let event = Event { subjects: many.collect(), ..refused(&"]".repeat(1024)) };
        let message = Syslog::new(&"h".repeat(300)).message(&entry(&event));
        assert!(message.len() <= MAX_MESSAGE && message.len() > MAX_MESSAGE - 200, "{}", message.len());
        let (params, _) = read(&message);
        let of =
            |name: &str| params.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str()).unwrap();
        let (named, left_out) = (of("subjects").split(' ').count(), of("subjects_left_out"));
        assert_eq!(named + left_out.parse::<usize>().unwrap(), 2000);
        assert!(named > 50, "{named}");
    }

    proptest! {
        #[test]
        fn whatever_an_entry_says_is_read_back_and_no_message_is_too_long(
            detail in "[^\\p{Cc}]{0,256}",
            person in "[!-~]{0,64}",
            // another implementation takes no colon for a name, as stands in addresses
            host in "[^:\\p{Cc}]{0,300}",
            tags in 0usize..600,
        ) {
            let subjects = vec![[3; 16]; tags];
            let event = Event { on_behalf: person.clone(), subjects, ..refused(&detail) };
            let message = Syslog::new(&host).message(&entry(&event));
            prop_assert!(message.len() <= MAX_MESSAGE);
            prop_assert!(!message.contains('\n'));
            let (params, text) = read(&message);
            let of = |name: &str| params.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone());
            prop_assert_eq!(of("detail").unwrap_or_default(), detail.clone());
            prop_assert_eq!(of("person").unwrap_or_default(), person);
            let expected = entry(&event).sentence();
            // it leaves blanks at the end out
            let told = text.trim_start_matches('\u{feff}').trim_end();
            prop_assert_eq!(told, expected.trim_end());
            prop_assert_eq!(text.starts_with('\u{feff}'), !expected.is_ascii());
        }
    }
}
