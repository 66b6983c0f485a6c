//! `meterkeep contacts`: names of customers and how they are reached, each sealed under a key of its tenancy.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use base::{Contact, Secret, UtcMillis};
use grant::{Action, Purpose};
use serde::Deserialize;
use serde_json::json;
use wire::archive::{RegisterAnswer, RegisterChange};
use wire::contact::{self, Contacts, ContactsAnswer, ContactsQuery, SetContact};
use wire::{Message as _, Method};
use zeroize::{Zeroize, Zeroizing};

use crate::operator::{Operator, Reach};
use crate::output::{Format, FormatArg, count, print, print_json, shown, table};
use crate::people::{purpose, tenancies, tenancy};
use crate::place::HouseArg;
use crate::problem::Problem;

/// Bytes of a file with one contact, at most.
const MAX_FILE: u64 = 16 * 1024;

/// Names of customers and how they are reached.
///
/// They lie sealed under a key of the tenancy, apart from readings, and are shown for a case or to tell those concerned. Each
/// question names whose, and stands in the log before it is answered.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Show(Show),
    Set(Set),
}

/// Show the names and contacts of tenancies.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  meterkeep contacts show --tenancy 5d0c... --purpose bill-question --case 1\n  \
                        meterkeep contacts show --tenancy 5d0c... --tenancy 77aa... --purpose notification --format json"
)]
struct Show {
    #[command(flatten)]
    house: HouseArg,
    /// Whose, by the number in `meterkeep meters tenancies`. Give it as often as needed.
    #[arg(long = "tenancy", value_name = "TENANCY", required = true)]
    tenancies: Vec<String>,
    /// What for: `bill-question` (with a case) or `notification`.
    #[arg(long, value_name = "PURPOSE")]
    purpose: String,
    /// The open case that it is for.
    #[arg(long, value_name = "NUMBER", default_value_t = 0, hide_default_value = true)]
    case: u32,
    #[command(flatten)]
    format: FormatArg,
}

/// Set the name and the contact of a tenancy, in the place of those before.
///
/// They are read from a file, or from the standard input: what stands in a command is seen by everybody on the machine. The
/// file has a line each, as `name = "..."`, and may have `address`, `mail` and `phone`.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep contacts set 5d0c... --from contact.toml\n  \
                        meterkeep contacts set 5d0c... --from - --house ./house < contact.toml")]
struct Set {
    #[command(flatten)]
    house: HouseArg,
    /// Whose, by the number in `meterkeep meters tenancies`.
    tenancy: String,
    /// The file; `-` for the standard input.
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Problem> {
    match &args.command {
        Command::Show(args) => show(args),
        Command::Set(args) => set(args),
    }
}

/// Contacts as they travel beside a request, and the digest that the request holds of them; both empty for none.
pub(crate) fn beside(items: Vec<contact::Contact>) -> Result<(Vec<u8>, Vec<u8>), Problem> {
    if items.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    let salt = Secret::<32>::random().map_err(Problem::during("there is no randomness"))?;
    let contacts = Contacts { salt: salt.expose().to_vec(), items }.encode_to_vec();
    let digest = seal::contact::digest_beside(&contacts).to_vec();
    Ok((contacts, digest))
}

fn show(args: &Show) -> Result<ExitCode, Problem> {
    let (layout, _) = args.house.open()?;
    let (purpose, tenancies) = (purpose(&args.purpose)?, tenancies(&args.tenancies)?);
    let reach = Reach { case: args.case, tenancies: tenancies.clone(), ..Reach::default() };
    let operator = Operator::new(&layout)?;
    let errand = (purpose, Action::ReadContacts);
    let asked = ContactsQuery { tenancies };
    let answer = operator.ask(errand, &reach, Method::ArchiveContacts, &asked);
    let answer: ContactsAnswer = Operator::runtime()?.block_on(answer)?;
    let mut rows = table(["tenancy", "name", "address", "mail", "telephone"]);
    for of in &answer.contacts {
        let Some(contact) = &of.contact else { continue };
        let tenancy = hex::encode(&of.tenancy);
        match args.format.format {
            Format::Json => print_json(&json!({
                "tenancy": tenancy, "name": contact.name, "address": contact.address, "mail": contact.mail,
                "phone": contact.phone, "version": of.version, "told": UtcMillis(of.told_ms).to_string(),
            }))?,
            Format::Human => {
                let texts =
                    [&contact.name, &contact.address, &contact.mail, &contact.phone].map(|t| shown(t));
                rows.add_row([tenancy].into_iter().chain(texts));
            }
        }
    }
    if args.format.format == Format::Human {
        let n = count(answer.contacts.len() as u64, "contact");
        print(&format!("{rows}\n{n} (log entry {})\n", answer.receipt))?;
    }
    answer.notes.iter().for_each(|note| eprintln!("note: {}", shown(note)));
    Ok(ExitCode::SUCCESS)
}

/// A contact as people write it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    #[serde(default)]
    address: String,
    #[serde(default)]
    mail: String,
    #[serde(default)]
    phone: String,
}

impl Drop for Written {
    fn drop(&mut self) {
        [&mut self.name, &mut self.address, &mut self.mail, &mut self.phone]
            .into_iter()
            .for_each(Zeroize::zeroize);
    }
}

/// Reads a contact. What is wrong is said by line and part, never by what stands there.
fn read(from: &Path) -> Result<Contact, Problem> {
    let mut text = Zeroizing::new(String::new());
    let limit = MAX_FILE + 1;
    let done = if from == Path::new("-") {
        std::io::stdin().lock().take(limit).read_to_string(&mut text)
    } else {
        let file = std::fs::File::open(from).map_err(Problem::at(from))?;
        file.take(limit).read_to_string(&mut text)
    };
    let _ = done.map_err(Problem::at(from))?;
    if text.len() as u64 > MAX_FILE {
        return Err(Problem::new(format!("`{}` is longer than {MAX_FILE} bytes", from.display())));
    }
    parse(&text).map_err(|why| {
        Problem::new(format!("`{}`: {why}", from.display()))
            .help("the file has a line `name = \"...\"`, and may have `address`, `mail` and `phone`")
    })
}

fn parse(text: &str) -> Result<Contact, String> {
    let written: Written = toml::from_str(text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start));
        let line = before.map_or(1, |before| before.matches('\n').count().saturating_add(1));
        format!("line {line} is no part of a contact, or a part is missing")
    })?;
    Contact::new(&written.name, &written.address, &written.mail, &written.phone).map_err(|e| e.to_string())
}

fn set(args: &Set) -> Result<ExitCode, Problem> {
    let (layout, _) = args.house.open()?;
    let tenancy = tenancy(&args.tenancy)?;
    let contact = read(&args.from)?;
    let (contacts, contacts_digest) = beside(vec![contact::Contact::of(&contact)])?;
    let set = vec![SetContact { tenancy, contact: 1 }];
    let body = RegisterChange { contacts: set, contacts_digest, ..RegisterChange::default() };
    let operator = Operator::new(&layout)?;
    let errand = (Purpose::Register, Action::ChangeRegister);
    let reach = Reach::default();
    let answer = operator.ask_beside(errand, &reach, Method::ArchiveRegister, &body, contacts);
    let answer: RegisterAnswer = Operator::runtime()?.block_on(answer)?;
    if let Some(why) = answer.refused.first() {
        return Err(Problem::new(shown(why)));
    }
    print(if answer.contacts > 0 { "the contact is set\n" } else { "the contact is as it was\n" })?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contact_is_read_from_a_file_and_no_fault_repeats_what_stands_in_it() {
        let good = parse("name = \"Åse Østergård\"\nphone = \"12345678\"\n").unwrap();
        assert_eq!((good.name(), good.phone(), good.mail()), ("Åse Østergård", "12345678", ""));
        for (text, said) in [
            ("phone = \"12345678\"\n", "line 1"),
            ("name = \"Åse\"\nstreet = \"Nygade 1\"\n", "line 2"),
            ("name = \"Åse\"\nphone = 12345678\n", "line 2"),
            ("name = Åse\n", "line 1"),
            ("name = \"Åse\"\nmail = \"ase.example.dk\"\n", "mail"),
        ] {
            let why = parse(text).unwrap_err();
            assert!(why.contains(said), "{text}{why}");
            for word in ["Åse", "12345678", "Nygade", "example"] {
                assert!(!why.contains(word), "{why}");
            }
        }
    }

    #[test]
    fn what_is_beside_a_request_says_nothing_by_its_digest() {
        let items = || vec![contact::Contact { name: "Åse".to_owned(), ..contact::Contact::default() }];
        let (one, other) = (beside(items()).unwrap(), beside(items()).unwrap());
        assert_ne!(one.1, other.1, "the same name twice");
        assert_eq!(beside(Vec::new()).unwrap(), (Vec::new(), Vec::new()));
    }
}
