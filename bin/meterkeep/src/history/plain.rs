//! What happened, in the words of those whose data it is about: plain English and Danish.

use clap::ValueEnum;
use grant::{Action, Purpose};

/// A language of the pages and letters that data subjects get.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Language {
    /// English.
    En,
    /// Danish.
    Da,
}

impl Language {
    /// That of the machine's user, by `LC_ALL`, `LC_MESSAGES` or `LANG`.
    pub(crate) fn of_the_user() -> Self {
        let set = ["LC_ALL", "LC_MESSAGES", "LANG"]
            .into_iter()
            .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
        if set.is_some_and(|value| value.starts_with("da")) { Self::Da } else { Self::En }
    }

    /// The one of two texts that is in it.
    pub(crate) const fn of<'a>(self, (en, da): (&'a str, &'a str)) -> &'a str {
        match self {
            Self::En => en,
            Self::Da => da,
        }
    }
}

/// What was done, by the word in the log; words that are a room's own are told as what they concern.
pub(super) fn deed(action: &str) -> (&'static str, &'static str) {
    match Action::from_name(action) {
        Some(action) => deed_of(action),
        None => match action {
            "job-open" => (
                "began to move readings to whom they belong to",
                "begyndte at flytte aflæsninger til rette part",
            ),
            _ => ("worked with your data", "behandlede dine data"),
        },
    }
}

const fn deed_of(action: Action) -> (&'static str, &'static str) {
    match action {
        Action::ReadReadings => ("read your consumption", "læste dit forbrug"),
        Action::ReadHeld => ("read consumption kept for a legal claim", "læste forbrug gemt til et retskrav"),
        Action::ReadHealth => ("checked whether your meter works", "kontrollerede, om din måler virker"),
        Action::ReadContacts => {
            ("saw your name and contact details", "så dit navn og dine kontaktoplysninger")
        }
        Action::ReadHistory => ("looked at this list", "så denne liste"),
        Action::UnmaskStaff => ("told who was behind an entry", "oplyste, hvem der stod bag et opslag"),
        Action::ImportKeys => ("registered your meter's key", "registrerede din målers nøgle"),
        Action::ChangeRegister => ("changed the meter register", "ændrede i målerregistret"),
        Action::KeepKeys => ("handled your meter's key", "håndterede din målers nøgle"),
        Action::ReadLog => ("checked who looked at your data", "kontrollerede, hvem der har set dine data"),
        Action::ReviewLog => ("reviewed the log", "gennemgik loggen"),
        Action::Reseal => ("moved readings to whom they belong to", "flyttede aflæsninger til rette part"),
        Action::OpenCase => ("opened a case about you", "åbnede en sag om dig"),
        Action::Permit => ("changed a permission of yours", "ændrede et samtykke fra dig"),
        Action::EnrolCollector
        | Action::RevokeCollector
        | Action::AskAccess
        | Action::ApproveAccess
        | Action::BreakGlass
        | Action::ReviewBreakGlass
        | Action::ManagePeople
        | Action::ManageRoles
        | Action::ApproveRoles
        | Action::ReadAccess
        | Action::EndAccess => ("worked with your data", "behandlede dine data"),
    }
}

/// What it was for; empty where nobody said.
pub(super) fn purpose(name: &str) -> (&'static str, &'static str) {
    Purpose::from_name(name).map_or(("", ""), purpose_of)
}

const fn purpose_of(purpose: Purpose) -> (&'static str, &'static str) {
    match purpose {
        Purpose::Operations => ("running the metering", "drift af målingen"),
        Purpose::FieldService => ("looking after the meter", "målerservice"),
        Purpose::LegalClaim => ("a legal claim", "et retskrav"),
        Purpose::KeyImport => ("setting up meters", "opsætning af målere"),
        Purpose::Register => ("keeping the meter register", "vedligehold af målerregistret"),
        Purpose::KeyCustody => ("keeping meter keys", "forvaltning af målernøgler"),
        Purpose::Collectors => ("looking after collectors", "pasning af opsamlere"),
        Purpose::BillQuestion => ("a question on a bill", "et spørgsmål om en regning"),
        Purpose::Billing => ("making the bill", "afregning"),
        Purpose::LeakAnalysis => ("looking for a leak", "lækagesøgning"),
        Purpose::NetworkAnalysis => ("understanding the network", "analyse af nettet"),
        Purpose::Emergency => ("an emergency", "en nødsituation"),
        Purpose::Supervision => ("approving what colleagues ask for", "godkendelse af kollegers ønsker"),
        Purpose::Administration => ("administration", "administration"),
        Purpose::DataProtection => ("data protection", "databeskyttelse"),
        Purpose::Notification => ("telling you about an incident", "underretning om en hændelse"),
        Purpose::Audit => ("checking that the rules are kept", "kontrol af, at reglerne følges"),
        Purpose::SecurityMonitoring => ("watching over security", "overvågning af sikkerheden"),
        Purpose::OwnData => ("own data", "egne data"),
        Purpose::ByPermission => ("your permission", "dit samtykke"),
        Purpose::Incident => ("containing an incident", "begrænsning af en hændelse"),
        Purpose::Stewardship => ("keeping readings right", "at holde aflæsninger korrekte"),
    }
}

/// The title of a role that every house begins with; a house's own role is told by its word.
pub(super) fn role(name: &str) -> Option<(&'static str, &'static str)> {
    Some(match name {
        "owner" => ("owner", "ejer"),
        "administrator" => ("administrator", "administrator"),
        "operator" => ("operator", "driftsleder"),
        "technician" => ("field technician", "montør"),
        "registrar" => ("registrar", "registerfører"),
        "customer-service" => ("customer service", "kundeservice"),
        "billing" => ("billing", "afregning"),
        "leak-analyst" => ("leak analyst", "lækageanalytiker"),
        "network-analyst" => ("network analyst", "netanalytiker"),
        "claims-handler" => ("claims handler", "sagsbehandler for retskrav"),
        "key-officer" => ("key officer", "nøgleansvarlig"),
        "data-protection-officer" => ("data protection officer", "databeskyttelsesrådgiver"),
        "auditor" => ("auditor", "revisor"),
        "log-export" => ("export of the log", "eksport af loggen"),
        "incident-lead" => ("incident lead", "hændelsesleder"),
        "customer" => ("customer", "kunde"),
        "third-party" => ("third party", "tredjepart"),
        _ => return None,
    })
}

/// A class of data.
pub(super) fn class(name: &str) -> (&'static str, &'static str) {
    match name {
        "fine" => ("hourly values", "timeværdier"),
        "daily" => ("daily values", "døgnværdier"),
        "billing" => ("values for the bill", "afregningsværdier"),
        _ => ("", ""),
    }
}

/// What so many of them are.
pub(super) const fn readings(number: u32) -> (&'static str, &'static str) {
    if number == 1 { ("reading", "aflæsning") } else { ("readings", "aflæsninger") }
}

/// How somebody came upon the data; `own` when it is their own.
pub(super) fn looked_for(by: &str, own: bool) -> (&'static str, &'static str) {
    match by {
        "all" if own => ("looked at all that is yours", "så alt, hvad der er dit"),
        "tenancy" if own => ("looked for your own", "søgte efter dit eget"),
        "meter" => ("looked for a meter", "søgte efter en måler"),
        "place" => ("looked for a place", "søgte efter et forbrugssted"),
        "tenancy" => ("looked for you", "søgte efter dig"),
        _ => ("looked at all meters at once", "så alle målere på én gang"),
    }
}

/// How it came out.
pub(super) fn outcome(name: &str) -> (&'static str, &'static str) {
    match name {
        "allowed" => ("allowed", "tilladt"),
        "refused" => ("refused", "afvist"),
        _ => ("done", "udført"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_deed_and_purpose_is_told_in_both_languages() {
        for (en, da) in Action::ALL.map(deed_of).into_iter().chain(Purpose::ALL.map(purpose_of)) {
            assert!(!en.is_empty() && !da.is_empty(), "{en} {da}");
            assert!(!en.contains('-') && !da.contains('_'), "words for people: {en} {da}");
        }
        assert_eq!(deed("job-open").1, "begyndte at flytte aflæsninger til rette part");
        assert_eq!(deed("made-up").0, "worked with your data");
        assert_eq!(Language::Da.of(role("technician").unwrap()), "montør");
        for known in base::Class::ALL {
            assert!(
                !class(known.name()).0.is_empty() && !class(known.name()).1.is_empty(),
                "{}",
                known.name()
            );
        }
        assert_eq!((readings(1).1, readings(2).1), ("aflæsning", "aflæsninger"));
        assert_ne!(looked_for("all", true), looked_for("all", false), "all meters are nobody's own");
        assert_eq!((purpose("made-up"), role("made-up")), (("", ""), None));
    }
}
