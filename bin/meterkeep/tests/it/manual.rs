//! Help, completions and manual pages.

use std::process::Command;

use house_tests::house::Said;

fn meterkeep(arguments: &[&str]) -> Said {
    Said::by(Command::new(env!("CARGO_BIN_EXE_meterkeep")).args(arguments))
}

#[test]
fn every_command_has_help_with_examples() {
    let commands = ["demo", "init", "up", "status", "readings", "collect", "decode", "completions", "man"];
    for command in commands.map(|c| vec![c]).into_iter().chain([
        vec!["keys", "import"],
        vec!["meters", "list"],
        vec!["meters", "add"],
        vec!["meters", "policy"],
        vec!["meters", "move"],
        vec!["collector", "token"],
        vec!["collector", "revoke"],
        vec!["ledger", "verify"],
        vec!["ledger", "check-proof"],
        vec!["witness", "run"],
    ]) {
        let help = meterkeep(&[&command[..], &["--help"]].concat()).good().out;
        let example = format!("meterkeep {}", command.join(" "));
        assert!(help.contains("Examples:") && help.contains(&example), "{command:?}: {help}");
    }
}

#[test]
fn completions_and_manual_pages_know_every_command() {
    for (shell, sign) in [("bash", "complete -F"), ("zsh", "#compdef"), ("fish", "complete -c meterkeep")] {
        let script = meterkeep(&["completions", shell]).good().out;
        assert!(script.contains(sign) && script.contains("passphrase-file"), "{shell}");
    }
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("man");
    let _ = meterkeep(&["man", "--dir", &dir.display().to_string()]).good();
    for page in ["meterkeep.1", "meterkeep-up.1", "meterkeep-keys-import.1", "meterkeep-ledger-verify.1"] {
        assert!(std::fs::read_to_string(dir.join(page)).unwrap().contains(".TH"), "{page}");
    }
}

#[test]
fn secrets_are_never_arguments() {
    for command in [&["init"][..], &["up"], &["keys", "import"], &["collect"], &["demo"]] {
        let help = meterkeep(&[command, &["--help"]].concat()).good().out;
        for option in ["--passphrase <", "--password <", "--key <", "--token <TOKEN"] {
            assert!(!help.contains(option), "{command:?} takes {option}");
        }
    }
}
