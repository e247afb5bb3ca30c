//! `cargo xtask docs`: the parts of the manual that are made from tables of the program.
//!
//! The directive reference comes from the table that the parser reads, the list of refusals from the tables of errors.
//! Both files are committed, so that they can be read without a build. Unit tests of `config` and `engine` fail when
//! they are old.

use std::ffi::OsString;
use std::process::{Command, ExitCode};

use crate::Failure;
use crate::command;
use crate::workspace::Workspace;

/// From the top of the checkout.
const REFERENCE: &str = "docs/manual/reference.md";
const REFUSALS: &str = "docs/manual/refusals.md";

const HELP: &str = "\
Writes docs/manual/reference.md from the table of directives, and docs/manual/refusals.md from the tables
of errors.

Usage: cargo xtask docs [--check]

Options:
  --check   Write nothing; fail if a file is not what would be written
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
    let workspace = Workspace::find()?;
    reference(&workspace, check)?;
    refusals(&workspace, check)?;
    Ok(ExitCode::SUCCESS)
}

fn reference(workspace: &Workspace, check: bool) -> Result<(), Failure> {
    let path = workspace.root.join(REFERENCE);
    let reference = config::explain::reference_markdown();
    if std::fs::read_to_string(&path).is_ok_and(|written| written == reference) {
        println!("{REFERENCE} is up to date");
        return Ok(());
    }
    if check {
        return Err(Failure::new(format!("{REFERENCE} is old: run `cargo xtask docs` and commit it")));
    }
    std::fs::write(&path, reference)
        .map_err(|error| Failure::new(format!("cannot write {}: {error}", path.display())))?;
    println!("{REFERENCE} is written");
    Ok(())
}

/// The engine's tables are its own affair: the test that compares the page writes it when asked to. So this command
/// need not be built with the whole engine.
fn refusals(workspace: &Workspace, check: bool) -> Result<(), Failure> {
    let mut test = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    test.current_dir(&workspace.root).args(["test", "--quiet", "--locked", "--package", "engine", "--lib"]);
    test.arg("the_committed_refusals_are_the_tables");
    if !check {
        test.env("POUND_WRITE_DOCS", "1");
    }
    command::run(&mut test)?;
    println!("{REFUSALS} is {}", if check { "up to date" } else { "written" });
    Ok(())
}
