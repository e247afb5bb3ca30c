//! `cargo xtask docs`: the directive reference, written from the table that the parser reads.
//!
//! The file is committed, so that it can be read without a build. A unit test of `config` fails when it is old.

use std::ffi::OsString;
use std::process::ExitCode;

use crate::Failure;
use crate::workspace::Workspace;

/// From the top of the checkout.
const REFERENCE: &str = "docs/manual/reference.md";

const HELP: &str = "\
Writes docs/manual/reference.md from the table of directives.

Usage: cargo xtask docs [--check]

Options:
  --check   Write nothing; fail if the file is not what would be written
";

/// Runs the command with what stands behind its name.
pub(crate) fn run(arguments: Vec<OsString>) -> Result<ExitCode, Failure> {
    let mut check = false;
    let mut parser = lexopt::Parser::from_args(arguments);
    while let Some(argument) = parser.next()? {
        match argument {
            lexopt::Arg::Long("check") => check = true,
            lexopt::Arg::Long("help") | lexopt::Arg::Short('h') => {
                print!("{HELP}");
                return Ok(ExitCode::SUCCESS);
            }
            other => return Err(other.unexpected().into()),
        }
    }
    let path = Workspace::find()?.root.join(REFERENCE);
    let reference = config::explain::reference_markdown();
    if std::fs::read_to_string(&path).is_ok_and(|written| written == reference) {
        println!("{REFERENCE} is up to date");
        return Ok(ExitCode::SUCCESS);
    }
    if check {
        return Err(Failure::new(format!("{REFERENCE} is old: run `cargo xtask docs` and commit it")));
    }
    std::fs::write(&path, reference)
        .map_err(|error| Failure::new(format!("cannot write {}: {error}", path.display())))?;
    println!("{REFERENCE} is written");
    Ok(ExitCode::SUCCESS)
}
