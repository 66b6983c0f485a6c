//! Using an invitation: a password, a generator of codes, and codes for paper.

use std::io::IsTerminal as _;
use std::path::PathBuf;

use base::SecretBytes;
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use wire::login::{Enrol, LoginWish};

use super::ask;
use super::prove::line;
use crate::operator::Operator;
use crate::output::{print, say, shown};
use crate::place::HouseArg;
use crate::problem::Problem;
use crate::secret::{ask as ask_for, first_line};

/// Set your ways to sign in with the code of an invitation: a password, and a generator of codes on your phone.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  meterkeep login enrol --house ./house\n  meterkeep login enrol --invitation-file code.txt"
)]
pub(super) struct Args {
    #[command(flatten)]
    house: HouseArg,
    /// The invitation's code is the first line of this file, which only you may read. Without it the terminal asks.
    #[arg(long, value_name = "FILE")]
    invitation_file: Option<PathBuf>,
    /// The new password is the first line of this file.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// What the generator shows is the first line of this file, or of a pipe that it comes through.
    #[arg(long, value_name = "FILE")]
    code_file: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<(), Problem> {
    let (layout, _) = args.house.open()?;
    let operator = Operator::without_session(&layout)?;
    let runtime = Operator::runtime()?;
    let invitation = match &args.invitation_file {
        Some(file) => first_line(file, "code")?,
        None => ask_for("Code of the invitation: ", "--invitation-file")?,
    };
    let mut password = new_password(args)?;
    let redeemed = runtime.block_on(ask(&operator, LoginWish::Redeem(line(&invitation)?)))?;
    show_generator(&redeemed.generator)?;
    let answer = loop {
        let code = match &args.code_file {
            Some(file) => first_line(file, "code")?,
            None => ask_for("Code that the generator shows: ", "--code-file")?,
        };
        let enrol = Enrol {
            ticket: redeemed.ticket.clone(),
            password: password.expose().to_vec(),
            code: line(&code)?,
        };
        match runtime.block_on(ask(&operator, LoginWish::Enrol(enrol))) {
            Ok(answer) => break answer,
            // the invitation is used up already: what can be mended is mended here
            Err(problem) if std::io::stdin().is_terminal() => match problem.code() {
                Some("password") => {
                    say(&problem.to_string());
                    password = new_password(args)?;
                }
                Some("code") => say(&problem.to_string()),
                _ => return Err(problem),
            },
            Err(problem) => return Err(problem),
        }
    };
    let mut text =
        format!("{}\n\nFor paper, each good once, for when the generator is lost:\n", shown(&answer.done));
    answer.recovery.iter().for_each(|code| text.push_str(&format!("  {}\n", shown(code))));
    print(&text)?;
    say("\nthey are shown this once; `meterkeep login` signs in");
    Ok(())
}

fn new_password(args: &Args) -> Result<SecretBytes, Problem> {
    if let Some(file) = &args.password_file {
        return first_line(file, "password");
    }
    loop {
        let first = ask_for("New password, 12 characters at least: ", "--password-file")?;
        let again = ask_for("Once more: ", "--password-file")?;
        if first.expose() == again.expose() {
            return Ok(first);
        }
        say("the two differ; again");
    }
}

/// As a picture to photograph where there is a terminal, and as text to type.
fn show_generator(uri: &str) -> Result<(), Problem> {
    if std::io::stdout().is_terminal()
        && let Ok(picture) = QrCode::new(uri)
    {
        let picture = picture.render::<Dense1x2>().build();
        print(&format!("Photograph this with the app that makes codes:\n\n{picture}\n"))?;
    }
    print(&format!("{}\n", shown(uri)))
}
