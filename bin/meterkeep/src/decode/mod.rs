//! `meterkeep decode`: shows what telegrams say. It works without a house, so it is where to look when one
//! is not understood: it says what is wrong with it and what to do.

mod dlms;
mod explain;
mod human;
mod input;
mod json;
mod lines;
mod open;

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use base::MeterAddress;
use telegram::layers::Status as MeterStatus;
use telegram::{FormatKey, Formats, Fragments, Record, Tail};

use crate::output::{Format, FormatArg};
use crate::problem::Problem;
use lines::Line;

/// Show what telegrams say, without a house.
///
/// Each line is a telegram: bare hexadecimal, a line of rtl_wmbus, or JSON with `id`, `telegram`, `key`, `auth_key`
/// (the authentication key of DLMS) and `dll_crc` (A or B where the link-layer CRCs are still there). A telegram is a
/// wireless frame, or a push of an electricity meter: HDLC, M-Bus segments one after the other, or the bare unit. Keys come with the lines, never on the
/// command line, where others could read them. A compact frame is answered when the full frame that teaches
/// its layout has come, or at the end.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  rtl_wmbus | meterkeep decode\n  \
                        meterkeep decode --format json --accept-clear telegrams.jsonl\n  \
                        meterkeep decode --explain telegrams.txt")]
pub(crate) struct Args {
    /// Also read payloads that lie in clear although the header declares encryption, as published test
    /// telegrams do. In the field they are an attack.
    #[arg(long)]
    accept_clear: bool,
    /// Show every byte of each telegram with what it means, and what is not understood.
    #[arg(long)]
    explain: bool,
    #[command(flatten)]
    format: FormatArg,
    /// Where the lines are; `-` is the standard input.
    #[arg(default_value = "-")]
    file: PathBuf,
}

/// What became of a telegram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Decoded,
    NoKey,
    WrongKey,
    Damaged,
    Unsupported,
}

impl Status {
    const fn name(self) -> &'static str {
        match self {
            Self::Decoded => "decoded",
            Self::NoKey => "no-key",
            Self::WrongKey => "wrong-key",
            Self::Damaged => "damaged",
            Self::Unsupported => "unsupported",
        }
    }
}

/// All that is known about one line.
struct Answer {
    line: u64,
    id: Option<String>,
    meter: Option<MeterAddress>,
    meter_status: Option<MeterStatus>,
    security: Option<Security>,
    status: Status,
    /// What is wrong and what to do, or what else to know.
    messages: Vec<String>,
    tail: Option<Tail>,
    /// Records from here on lie behind the encrypted part, where anybody may have written them.
    clear_from: usize,
    /// The layout of a compact frame that was not known yet.
    waits_for: Option<FormatKey>,
    /// The frame without link-layer checksums, decrypted as far as the key went. It holds readings, never keys.
    frame: Vec<u8>,
    /// Whether these bytes are an application unit of DLMS rather than a frame.
    is_unit: bool,
}

/// How a telegram is protected.
struct Security {
    mode: String,
    /// A MAC fits.
    authenticated: bool,
    /// Decrypted with the key, as against read in clear or not at all.
    opened: bool,
}

impl Answer {
    fn new(line: u64, id: Option<String>) -> Self {
        Self {
            line,
            id,
            meter: None,
            meter_status: None,
            security: None,
            status: Status::Decoded,
            messages: Vec::new(),
            tail: None,
            clear_from: usize::MAX,
            waits_for: None,
            frame: Vec::new(),
            is_unit: false,
        }
    }

    fn fail(&mut self, status: Status, message: impl Into<String>) {
        self.status = status;
        self.messages.push(message.into());
    }
}

/// Runs the command.
///
/// # Errors
/// When the input cannot be read or the output cannot be written. A bad line is answered, not an error.
pub(crate) fn run(args: &Args) -> Result<ExitCode, Problem> {
    let stdout = BufWriter::new(io::stdout().lock());
    if args.file.as_os_str() == "-" {
        return decode_all(args, BufReader::new(io::stdin().lock()), stdout);
    }
    let file = File::open(&args.file).map_err(Problem::at(&args.file))?;
    decode_all(args, BufReader::new(file), stdout)
}

fn decode_all(args: &Args, mut input: BufReader<impl Read>, output: impl Write) -> Result<ExitCode, Problem> {
    let mut desk = Desk {
        format: args.format.format,
        explain: args.explain,
        output,
        opener: open::Opener {
            accept_clear: args.accept_clear,
            formats: Formats::new(),
            fragments: Fragments::new(),
        },
        records: Vec::new(),
        waiting: VecDeque::new(),
    };
    let mut buffer = zeroize::Zeroizing::new(Vec::new());
    let mut number = 0;
    loop {
        let line = lines::next(&mut input, &mut buffer).map_err(Problem::during("cannot read the input"))?;
        number += 1;
        let written = match line {
            Line::End => break,
            Line::Text(text) if text.trim().is_empty() => Ok(()),
            Line::Text(text) => match input::parse(text) {
                Ok(input) => desk.take(number, input),
                Err(bad) => desk.refuse(number, &bad.to_string()),
            },
            Line::NotText => desk.refuse(number, "the line is no text"),
            Line::TooLong => desk.refuse(number, "the line is longer than 64 KiB"),
        };
        // reading on would wait, so the answers go out first
        let flushed =
            written.and_then(|()| if input.buffer().is_empty() { desk.output.flush() } else { Ok(()) });
        if !is_heard(flushed)? {
            return Ok(ExitCode::SUCCESS);
        }
    }
    is_heard(desk.close()).map(|_| ExitCode::SUCCESS)
}

/// Whether somebody still reads the answers; when not, enough was heard.
fn is_heard(written: io::Result<()>) -> Result<bool, Problem> {
    match written {
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        other => other.map(|()| true).map_err(Problem::during("cannot write the answers")),
    }
}

/// How many compact frames wait at most.
const MAX_WAITING: usize = 256;

/// Where lines come in and answers go out.
struct Desk<W> {
    format: Format,
    explain: bool,
    output: W,
    opener: open::Opener,
    records: Vec<Record>,
    /// Compact frames whose layout was not heard yet. They are answered when a later telegram teaches it, at
    /// the end, or when too many wait.
    waiting: VecDeque<(u64, input::Input, FormatKey)>,
}

impl<W: Write> Desk<W> {
    fn take(&mut self, number: u64, input: input::Input) -> io::Result<()> {
        let known = self.opener.formats.changes();
        let answer = self.opener.answer(number, &input, &mut self.records);
        if let Some(key) = answer.waits_for {
            self.waiting.push_back((number, input, key));
            return if self.waiting.len() > MAX_WAITING { self.answer_waiting(0) } else { Ok(()) };
        }
        self.put(&answer)?;
        if self.opener.formats.changes() != known {
            while let Some(at) =
                self.waiting.iter().position(|(_, _, key)| self.opener.formats.get(key).is_some())
            {
                self.answer_waiting(at)?;
            }
        }
        Ok(())
    }

    fn refuse(&mut self, number: u64, why: &str) -> io::Result<()> {
        let mut answer = Answer::new(number, None);
        answer.fail(Status::Damaged, format!("line {number}: {why}"));
        self.records.clear();
        self.put(&answer)
    }

    fn answer_waiting(&mut self, at: usize) -> io::Result<()> {
        let Some((number, input, _)) = self.waiting.remove(at) else { return Ok(()) };
        let answer = self.opener.answer(number, &input, &mut self.records);
        self.put(&answer)
    }

    fn put(&mut self, answer: &Answer) -> io::Result<()> {
        match self.format {
            Format::Human if self.explain => explain::write(&mut self.output, answer, &self.records),
            Format::Human => human::write(&mut self.output, answer, &self.records),
            Format::Json => json::write(&mut self.output, answer, &self.records),
        }
    }

    fn close(&mut self) -> io::Result<()> {
        while !self.waiting.is_empty() {
            self.answer_waiting(0)?;
        }
        self.output.flush()
    }
}
