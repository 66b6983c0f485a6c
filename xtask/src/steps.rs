//! Named steps with their times, and the running of other programs.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

/// What an errand gives: nothing, or a message for people.
pub(crate) type Outcome = Result<(), String>;

/// Runs one step under its name and says how long it took.
pub(crate) fn step(name: &str, work: impl FnOnce() -> Outcome) -> Outcome {
    println!("==> {name}");
    let started = Instant::now();
    let outcome = work();
    let word = if outcome.is_ok() { "done" } else { "FAILED" };
    println!("<== {name}: {word} after {:.0} s", started.elapsed().as_secs_f64());
    outcome.map_err(|e| format!("{name}: {e}"))
}

/// The cargo that runs this program, in the repository's root.
pub(crate) fn cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    command
}

/// Runs a command to its end; its output goes where ours goes.
pub(crate) fn run(command: &mut Command) -> Outcome {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{}` ended with {status}", shown(command))),
        Err(e) => Err(format!("`{}` did not start: {e}", shown(command))),
    }
}

/// Runs a command and gives what it printed.
pub(crate) fn output(command: &mut Command) -> Result<String, String> {
    let done = command.output().map_err(|e| format!("`{}` did not start: {e}", shown(command)))?;
    if !done.status.success() {
        let said = String::from_utf8_lossy(&done.stderr);
        return Err(format!("`{}` ended with {}: {}", shown(command), done.status, said.trim()));
    }
    String::from_utf8(done.stdout).map_err(|_| format!("`{}` printed no UTF-8", shown(command)))
}

/// The files that git knows or would take up, relative to the root.
pub(crate) fn tracked(root: &Path) -> Result<Vec<String>, String> {
    let mut git = Command::new("git");
    git.current_dir(root).args(["ls-files", "--cached", "--others", "--exclude-standard"]);
    let mut files: Vec<String> = output(&mut git)?.lines().map(str::to_owned).collect();
    files.retain(|file| root.join(file).is_file());
    files.sort();
    files.dedup();
    Ok(files)
}

fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|w| w.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
