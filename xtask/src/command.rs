//! Running other programs: quietly, with their output passed on, or with it kept as well.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, ExitStatus, Output, Stdio};

use crate::Failure;

/// One line of progress, so that nobody wonders whether it still works.
pub(crate) fn say(text: &str) {
    println!("==> {text}");
}

/// The command as one would type it, for messages.
pub(crate) fn shown(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Runs it with our own terminal; an exit status other than 0 is a failure.
pub(crate) fn run(command: &mut Command) -> Result<(), Failure> {
    let status = command.status().map_err(|error| not_started(command, &error))?;
    if status.success() { Ok(()) } else { Err(ended(command, status)) }
}

/// Runs it and gives back what it wrote.
pub(crate) fn output(command: &mut Command) -> Result<Output, Failure> {
    command.stdin(Stdio::null()).output().map_err(|error| not_started(command, &error))
}

/// Runs it with its standard output passed on line by line and kept too.
pub(crate) fn tee(command: &mut Command) -> Result<(ExitStatus, String), Failure> {
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(|error| not_started(command, &error))?;
    let mut kept = String::new();
    if let Some(lines) = child.stdout.take() {
        let mut out = std::io::stdout();
        for line in BufReader::new(lines).split(b'\n') {
            let line = line.map_err(|error| not_started(command, &error))?;
            let line = String::from_utf8_lossy(&line);
            // A reader that has gone (`| head`) is no reason to stop testing.
            let _ = writeln!(out, "{line}");
            kept.push_str(&line);
            kept.push('\n');
        }
    }
    let status = child.wait().map_err(|error| not_started(command, &error))?;
    Ok((status, kept))
}

/// Whether a program of that name is in `PATH` (or in the places of administrators' programs, which
/// `PATH` of an ordinary user often leaves out).
pub(crate) fn installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin"].map(Into::into))
        .any(|folder| folder.join(program).is_file())
}

fn not_started(command: &Command, error: &std::io::Error) -> Failure {
    Failure::new(format!("cannot run `{}`: {error}", shown(command)))
}

fn ended(command: &Command, status: ExitStatus) -> Failure {
    Failure::new(format!("`{}` failed: {status}", shown(command)))
}
