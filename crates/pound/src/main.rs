//! The daemon: the only crate with process-wide powers. Arguments, privileges, signals, files, the log's way out.
//!
//! `args` says what is wanted; `boot` is the checklist of a start, in the order in which things must happen; `run` is
//! the life of the serving process, `supervise` that of its parent; `demo` shows all of it on one machine. What happens
//! to a request is none of this crate's business: that is the engine's.
#![forbid(unsafe_code)]

mod args;
mod boot;
mod demo;
mod failure;
mod keeper;
mod logging;
mod process;
mod run;
mod supervise;

use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use args::Wish;
use failure::Failure;

fn main() -> ExitCode {
    // Before anything is opened, so that whatever is listed is not ours.
    let inherited = process::descriptors::inherited();
    let wish = match args::parse(std::env::args_os().skip(1)) {
        Ok(wish) => wish,
        Err(sentence) => return refuse(&Failure::new(sentence)),
    };
    match wish {
        Wish::Serve(arguments) => match boot::serve(&arguments, &inherited) {
            Ok(code) => code,
            Err(Some(failure)) => refuse(&failure),
            // It has been said already, diagnostics and all.
            Err(None) => ExitCode::FAILURE,
        },
        Wish::Check(arguments) => boot::check(&arguments),
        Wish::Demo(options) => match demo::run(&options) {
            Ok(code) => code,
            Err(failure) => refuse(&failure),
        },
        Wish::Help(None) => print(&args::help()),
        Wish::Help(Some(directive)) => match config::explain::directive_help(&directive) {
            Some(text) => print(&text),
            None => refuse(&Failure::new(unknown(&directive))),
        },
        Wish::Version => print(&args::version()),
    }
}

/// Says why not, in one sentence on standard error.
fn refuse(failure: &Failure) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "pound: {failure}");
    ExitCode::from(failure.status())
}

/// Prints a text that was asked for. `pound -h | head` closes the pipe early, which is no failure.
fn print(text: &str) -> ExitCode {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    }
}

/// There is no such directive; the list of all helps who mistyped it.
fn unknown(directive: &str) -> String {
    let meant = config::explain::nearest_name(directive);
    let meant = meant.map(|name| format!("did you mean {name}? ")).unwrap_or_default();
    let all = args::columns(&config::explain::names());
    format!("there is no directive \"{directive}\"; {meant}There are:\n{all}")
}
