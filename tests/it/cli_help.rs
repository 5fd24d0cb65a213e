//! The help of every command, and that the command line refuses what it must.

use crate::cli::{Scratch, text};
use crate::views::golden;

const COMMANDS: [&str; 10] =
    ["validate", "plan", "show", "apply", "drift", "explain", "runs", "unlock", "schema", "completions"];

#[test]
fn help() {
    let scratch = Scratch::new();
    let mut all = String::new();
    let mut add = |arguments: &[&str]| {
        let output = scratch.run(arguments, &[]);
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
        all.push_str(&format!("$ transship {}\n", arguments.join(" ")));
        all.extend(text(&output.stdout).lines().map(|line| format!("{}\n", line.trim_end())));
        all.push('\n');
    };
    add(&["--help"]);
    for command in COMMANDS {
        add(&[command, "--help"]);
    }
    golden("cli-help.txt", &all);
    assert_eq!(scratch.run(&["--version"], &[]).status.code(), Some(0));
}

#[test]
fn a_wrong_command_line_exits_with_64() {
    let scratch = Scratch::new();
    for arguments in [
        &[] as &[&str],
        &["destroy"],
        &["help"],
        &["plan", "--no-such-flag"],
        &["plan", "a", "b"],
        &["plan", "--env", "Not_A_Name"],
        &["plan", "--target", ""],
        &["plan", "--allow-drop", "tables:x"],
        &["plan", "--allow-drop", "table"],
        &["plan", "--resync", "a@"],
        &["plan", "--format", "github"],
        &["plan", "--observed", "a", "--save-observed", "b"],
        &["plan", "-v", "-q"],
        &["apply", "--observed", "a"],
        &["apply", "--save-observed", "a"],
        &["apply", "--format", "markdown"],
        &["apply"],
        &["validate", "--format", "markdown"],
        &["drift", "--target", "a"],
        &["drift", "--format", "sarif"],
        &["show"],
        &["explain"],
        &["explain", "Not_A_Flow"],
        &["explain", "a", "b", "c"],
        &["explain", "a", "--format", "markdown"],
        &["apply", "--lock-timeout", "soon"],
        &["unlock"],
        &["unlock", "--all", "--flow", "a"],
        &["schema", "nothing"],
        &["completions", "tcsh"],
    ] {
        let output = scratch.run(arguments, &[]);
        assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(64), ""), "{arguments:?}");
        assert!(!output.stderr.is_empty());
    }
}

#[test]
fn completions_come_for_every_shell() {
    let scratch = Scratch::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = scratch.run(&["completions", shell], &[]);
        assert_eq!(output.status.code(), Some(0));
        assert!(text(&output.stdout).contains("save-observed"), "{shell}");
    }
}
