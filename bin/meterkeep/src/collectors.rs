//! `meterkeep collector`: tokens for new collectors, and turning collectors away.

use std::process::ExitCode;

use base::{CollectorId, Secret};
use wire::warden::{RevokeCollector, Token as WireToken, TokenRequest};
use wire::{Method, Room, gateway::Done};
use zeroize::Zeroize as _;

use crate::operator::Operator;
use crate::output::{Format, FormatArg, print, print_json, say};
use crate::place::HouseArg;
use crate::problem::{Problem, USAGE};

/// Collectors: let a new one in, turn one away.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Token(Token),
    Revoke(Revoke),
}

/// Make a one-time token for a new collector. It is shown once and kept nowhere.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  meterkeep collector token \"mast north\" --house ./house > mast-north.token\n  \
                        meterkeep collector token roof --gateway meters.example.org:7370 --valid 4h"
)]
struct Token {
    #[command(flatten)]
    house: HouseArg,
    /// A name for people.
    name: String,
    /// How long the token is good for, such as `30m` or `4h`; at most a day.
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = seconds)]
    valid: u32,
    /// Where the collector reaches the gateway, when that is not where the gateway listens.
    #[arg(long, value_name = "HOST:PORT")]
    gateway: Option<String>,
    #[command(flatten)]
    format: FormatArg,
}

/// Turn a collector away for good: its certificate, and every batch that it closes from now on.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep collector revoke c3 --reason \"stolen from the mast\"\n  \
                        meterkeep collector revoke c3 --reason replaced --house ./house")]
struct Revoke {
    #[command(flatten)]
    house: HouseArg,
    /// Its number, such as `c3`.
    collector: CollectorId,
    /// Why; it stands in the log.
    #[arg(long)]
    reason: String,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Problem> {
    match &args.command {
        Command::Token(token) => run_token(token),
        Command::Revoke(revoke) => run_revoke(revoke),
    }
}

fn run_token(args: &Token) -> Result<ExitCode, Problem> {
    let (layout, config) = args.house.open()?;
    let gateway = args.gateway.clone().unwrap_or(config.gateway.listen);
    if gateway.starts_with("0.0.0.0:") || gateway.starts_with("[::]:") {
        return Err(Problem::new("the gateway listens on all addresses; which one do collectors use?")
            .help("name it with `--gateway HOST:PORT`")
            .exit(USAGE));
    }
    let operator = Operator::new(&layout)?;
    let token = Operator::runtime()?.block_on(request(&operator, &args.name, args.valid, &gateway))?;
    let text = token.to_text();
    let text = String::from_utf8_lossy(text.expose());
    match args.format.format {
        Format::Human => print(&format!("{text}\n"))?,
        Format::Json => {
            print_json(&serde_json::json!({"token": text, "gateway": gateway, "valid_s": args.valid}))?
        }
    }
    if args.format.format == Format::Human {
        eprintln!("on the collector: meterkeep collect --dir DIR --token FILE --input rtl_wmbus:-");
    }
    Ok(ExitCode::SUCCESS)
}

/// Asks the warden for a token and completes it with what a new collector needs to know.
pub(crate) async fn request(
    operator: &Operator,
    name: &str,
    valid_s: u32,
    gateway: &str,
) -> Result<collector::Token, Problem> {
    let wish = TokenRequest { name: name.to_owned(), valid_s };
    let mut answer: WireToken = operator.call(Method::WardenCollectorToken, Room::Warden, &wish).await?;
    let id = wire::bytes16("token_id", &answer.token_id).map_err(|e| Problem::new(e.to_string()))?;
    let secret = Secret::from_slice(&answer.secret);
    answer.secret.zeroize();
    let secret = secret.ok_or_else(|| Problem::new("the warden's token is malformed"))?;
    let path = operator.layout().house_authority();
    let authority = std::fs::read_to_string(&path).map_err(Problem::at(&path))?;
    collector::Token::new(gateway.to_owned(), &authority, id, secret)
        .ok_or_else(|| Problem::new(format!("`{}` holds no certificate", path.display())))
}

fn run_revoke(args: &Revoke) -> Result<ExitCode, Problem> {
    let (layout, _) = args.house.open()?;
    let operator = Operator::new(&layout)?;
    let wish = RevokeCollector { collector: args.collector.0, reason: args.reason.clone() };
    let _: Done =
        Operator::runtime()?.block_on(operator.call(Method::WardenRevokeCollector, Room::Warden, &wish))?;
    say(&format!("{} is revoked: what it sends from now on is refused", args.collector));
    Ok(ExitCode::SUCCESS)
}

fn seconds(text: &str) -> Result<u32, String> {
    let bad = || format!("`{text}` is no time; write `30m` or `4h`, at most `24h`");
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(bad)?;
    let factor = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err(bad()),
    };
    let seconds = number.parse::<u32>().ok().and_then(|n| n.checked_mul(factor)).ok_or_else(bad)?;
    if (1..=86_400).contains(&seconds) { Ok(seconds) } else { Err(bad()) }
}

#[cfg(test)]
mod tests {
    #[test]
    fn validity_is_read_and_bounded() {
        assert_eq!(super::seconds("30m"), Ok(1800));
        assert_eq!(super::seconds("24h"), Ok(86_400));
        for text in ["", "h", "25h", "0s", "5", "5d", "-1h", "µ"] {
            assert!(super::seconds(text).is_err(), "{text}");
        }
    }
}
