//! The project's own commands: `cargo xtask test`, `fuzz`, `bench` and `docs`.
//!
//! Everything here runs on a developer's machine or in CI, never in production. A command does its own
//! set-up, says what it does while it does it, and ends with an exit status that can be trusted.

mod bench;
mod command;
mod corpus;
mod docs;
mod fuzz;
mod provision;
mod tally;
mod test;
mod workspace;

use std::ffi::OsString;
use std::process::ExitCode;

const HELP: &str = "\
The project's own commands.

Usage: cargo xtask <COMMAND> [OPTIONS]

Commands:
  test    Install what the tests need, build pound and run every test
  fuzz    Run every fuzz target, and random requests through a running pound
  bench   Measure pound beside other proxies
  docs    Write the parts of the manual that are made from tables
  help    Print this text

`cargo xtask <COMMAND> --help` tells the options of a command.
";

/// What went wrong, in words for the person at the terminal: what, where, what to do.
#[derive(Debug)]
pub(crate) struct Failure(String);

impl Failure {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Failure(text.into())
    }
}

impl From<lexopt::Error> for Failure {
    fn from(error: lexopt::Error) -> Self {
        Failure(error.to_string())
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(Failure(text)) => {
            eprintln!("xtask: {text}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<ExitCode, Failure> {
    let mut arguments = std::env::args_os().skip(1);
    let Some(command) = arguments.next() else {
        return Err(Failure::new(format!("which command?\n\n{HELP}")));
    };
    let rest: Vec<OsString> = arguments.collect();
    match command.to_str() {
        Some("test") => test::run(rest),
        Some("fuzz") => fuzz::run(rest),
        Some("bench") => bench::run(rest),
        Some("docs") => docs::run(rest),
        Some("help" | "--help" | "-h") => {
            print!("{HELP}");
            Ok(ExitCode::SUCCESS)
        }
        _ => Err(Failure::new(format!("there is no command {}\n\n{HELP}", command.display()))),
    }
}
