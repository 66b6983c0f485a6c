//! Mutates the seeds of every target for a while and stops at the first panic or slow input:
//! `smoke [--seconds N] [--seed N] [--target NAME] [INPUT..]`. With inputs it runs just those. For `cargo xtask fuzz`,
//! `--lay-out FOLDER` writes what a target starts from into a folder, and `--keep FOLDER` keeps a folder's inputs.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fuzz_targets::{Mutator, TARGETS, Target, corpus, target};
use nix::sys::resource::{Resource, setrlimit};

/// An input that takes longer is a way to stop a room.
const SLOW: Duration = Duration::from_secs(2);
/// Past this the input is written down and the run ends: it may never come back.
const HANGS: Duration = Duration::from_secs(20);
/// Address space of the whole run: a parser that reserves what an input claims dies here.
const MEMORY: u64 = 2 << 30;

struct Wishes {
    seconds: u64,
    seed: u64,
    targets: Vec<Target>,
    inputs: Vec<PathBuf>,
    lay_out: Option<PathBuf>,
    keep: Option<PathBuf>,
}

/// What is running now, for the watchdog.
#[derive(Default)]
struct Now(Mutex<Option<(Instant, &'static str, Vec<u8>)>>);

impl Now {
    fn lock(&self) -> MutexGuard<'_, Option<(Instant, &'static str, Vec<u8>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn main() -> ExitCode {
    match wishes().and_then(|wishes| run(&wishes)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn wishes() -> Result<Wishes, String> {
    let mut wishes = Wishes {
        seconds: 30,
        seed: 1,
        targets: TARGETS.to_vec(),
        inputs: Vec::new(),
        lay_out: None,
        keep: None,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("`{argument}` needs a value"));
        let number = |text: String| text.parse::<u64>().map_err(|_| format!("`{text}` is no number"));
        match argument.as_str() {
            "--lay-out" => wishes.lay_out = Some(value()?.into()),
            "--keep" => wishes.keep = Some(value()?.into()),
            "--seconds" => wishes.seconds = number(value()?)?,
            "--seed" => wishes.seed = number(value()?)?,
            "--target" => {
                let name = value()?;
                let names = || TARGETS.iter().map(|t| t.name).collect::<Vec<_>>().join(", ");
                wishes.targets = vec![
                    target(&name).ok_or_else(|| format!("`{name}` is no target; there are {}", names()))?,
                ];
            }
            other if other.starts_with('-') => return Err(format!("`{other}` is no option")),
            input => wishes.inputs.push(input.into()),
        }
    }
    Ok(wishes)
}

fn run(wishes: &Wishes) -> Result<(), String> {
    setrlimit(Resource::RLIMIT_AS, MEMORY, MEMORY)
        .map_err(|e| format!("the memory limit was not set: {e}"))?;
    let now = Arc::new(Now::default());
    watch(Arc::clone(&now));
    let share = Duration::from_secs(wishes.seconds) / u32::try_from(wishes.targets.len()).unwrap_or(1).max(1);
    for target in &wishes.targets {
        let starts = || target.starts().map_err(|e| e.to_string());
        if let Some(folder) = &wishes.lay_out {
            for (number, start) in starts()?.iter().enumerate() {
                write(&folder.join(target.name), &format!("start-{number}"), start)
                    .map_err(|e| e.to_string())?;
            }
            continue;
        }
        if let Some(folder) = &wishes.keep {
            let kept = corpus::keep(target.name, &folder.join(target.name)).map_err(|e| e.to_string())?;
            println!("{:16} {kept:9} inputs kept", target.name);
            continue;
        }
        if !wishes.inputs.is_empty() {
            for path in &wishes.inputs {
                let input = std::fs::read(path).map_err(|e| format!("`{}`: {e}", path.display()))?;
                one(target, &input, &now)?;
            }
            continue;
        }
        let seeds = starts()?;
        for seed in &seeds {
            one(target, seed, &now)?;
        }
        let mut mutator = Mutator::new(wishes.seed, seeds);
        let (started, mut inputs) = (Instant::now(), 0u64);
        while started.elapsed() < share {
            one(target, mutator.input(), &now)?;
            inputs += 1;
        }
        println!("{:16} {inputs:9} inputs, seed {}", target.name, wishes.seed);
    }
    Ok(())
}

fn one(target: &Target, input: &[u8], now: &Now) -> Result<(), String> {
    let started = Instant::now();
    *now.lock() = Some((started, target.name, input.to_vec()));
    let outcome = std::panic::catch_unwind(|| (target.run)(input));
    *now.lock() = None;
    if outcome.is_err() {
        return Err(format!("{} panics; input {}", target.name, write_down(target.name, "panic", input)));
    }
    if started.elapsed() > SLOW {
        let took = started.elapsed().as_secs_f64();
        return Err(format!(
            "{} took {took:.1} s; input {}",
            target.name,
            write_down(target.name, "slow", input)
        ));
    }
    Ok(())
}

/// Ends the run when one input does not come back.
fn watch(now: Arc<Now>) {
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(Duration::from_secs(1));
            if let Some((started, name, input)) = &*now.lock()
                && started.elapsed() > HANGS
            {
                eprintln!("error: {name} hangs; input {}", write_down(name, "hang", input));
                std::process::exit(1);
            }
        }
    });
}

/// Writes a bad input down, or shows it where that fails.
fn write_down(target: &str, kind: &str, input: &[u8]) -> String {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).with_file_name("artifacts").join(target);
    match write(&folder, &format!("{kind}-{}-bytes", input.len()), input) {
        Ok(file) => format!("`{}`", file.display()),
        Err(_) => input.iter().map(|b| format!("{b:02x}")).collect(),
    }
}

fn write(folder: &Path, name: &str, input: &[u8]) -> std::io::Result<PathBuf> {
    std::fs::create_dir_all(folder)?;
    let file = folder.join(name);
    std::fs::write(&file, input).map(|()| file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_ends_the_run_and_keeps_its_input() {
        let fragile = Target { name: "own-test", run: |data| assert_ne!(data, b"boom"), seeds: Vec::new };
        assert_eq!(one(&fragile, b"fine", &Now::default()), Ok(()));
        let message = one(&fragile, b"boom", &Now::default()).unwrap_err();
        let path = message.split('`').nth(1).unwrap();
        assert_eq!(std::fs::read(path).unwrap(), b"boom");
        std::fs::remove_dir_all(PathBuf::from(path).parent().unwrap()).unwrap();
    }
}
