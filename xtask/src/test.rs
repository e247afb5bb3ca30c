//! `cargo xtask test`: everything that is tested, in the order in which a failure is cheapest.
//!
//! Unit, property, golden and documentation tests through Cargo; the end-to-end tests, the Zope cluster
//! and the examples through pytest; the hostile corpora through their own runner. One part's failure
//! does not keep the next from running: a run tells everything that is wrong.

use std::ffi::OsString;
use std::process::{Command, ExitCode};
use std::time::Instant;

use lexopt::Arg;

use crate::Failure;
use crate::bench;
use crate::command::{output, run as run_command, say, tee};
use crate::corpus;
use crate::provision;
use crate::tally::Tally;
use crate::workspace::Workspace;

const HELP: &str = "\
Installs what the tests need, builds pound and runs every test.

Usage: cargo xtask test [OPTIONS]

Options:
      --only PART       Run one part only; may be given several times. The parts, in their order:
                          unit      unit, property, golden and documentation tests of all crates
                          e2e       pound between real clients and real back-ends
                          examples  every file in examples/
                          zope      three Zope instances on one ZEO storage behind pound
                          corpus    the hostile requests and answers of ../shared/corpus
                          bench     that the benchmarks run and nothing errs in them; no figure is judged
      --filter TEXT     Run only tests whose name contains TEXT (not for the corpora)
  -h, --help            Print this text

What is installed, and only if it is missing: nginx, curl, OpenSSL, certutil, testssl, Chromium, SoftHSM 2 and
p11-kit (Debian packages; needs root or a sudo that asks for no password) and the Python packages of
tests/requirements.txt, into venv/ in Cargo's build directory. If it may not install, it says what is missing
and how to install it.

The last line is `N passed, N failed, N skipped` over everything that ran. The exit status is 0 only
if nothing failed. A skipped test says why.
";

/// Tests of one kind, run by one program.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Unit,
    EndToEnd,
    Examples,
    Zope,
    Corpus,
    Bench,
}

impl Part {
    const ALL: [Part; 6] =
        [Part::Unit, Part::EndToEnd, Part::Examples, Part::Zope, Part::Corpus, Part::Bench];

    fn name(self) -> &'static str {
        match self {
            Part::Unit => "unit",
            Part::EndToEnd => "e2e",
            Part::Examples => "examples",
            Part::Zope => "zope",
            Part::Corpus => "corpus",
            Part::Bench => "bench",
        }
    }

    fn named(word: &OsString) -> Result<Self, Failure> {
        Part::ALL.into_iter().find(|part| *word == *part.name()).ok_or_else(|| {
            let names = Part::ALL.map(Part::name).join(", ");
            Failure::new(format!("--only {}: the parts are {names}", word.display()))
        })
    }

    /// Whether it drives a built `pound` (the unit tests build what they need themselves).
    fn drives_pound(self) -> bool {
        self != Part::Unit
    }

    fn run(self, workspace: &Workspace, filter: Option<&str>) -> Result<Tally, Failure> {
        match self {
            Part::Unit => unit(workspace, filter),
            Part::EndToEnd => pytest(workspace, &["e2e"], filter),
            Part::Examples => pytest(workspace, &["examples"], filter),
            // One cluster serves all its tests, so they share one process.
            Part::Zope => pytest(workspace, &["zope", "--numprocesses=0"], filter),
            Part::Corpus => corpus::run(workspace),
            Part::Bench => Ok(Tally::one(bench::run(vec!["--quick".into()])? == ExitCode::SUCCESS)),
        }
    }
}

/// What the command line asks for.
struct Options {
    parts: Vec<Part>,
    filter: Option<String>,
}

/// Runs the command; the exit status is success only if no test failed.
pub(crate) fn run(arguments: Vec<OsString>) -> Result<ExitCode, Failure> {
    let Some(options) = parse(arguments)? else {
        print!("{HELP}");
        return Ok(ExitCode::SUCCESS);
    };
    let workspace = Workspace::find()?;
    if options.parts.iter().any(|part| part.drives_pound()) {
        provision::everything(&workspace)?;
        say("building pound");
        run_command(cargo(&workspace).args(["build", "--locked", "--release", "--package", "pound"]))?;
    }
    let started = Instant::now();
    let mut sum = Tally::default();
    for part in options.parts {
        let tally = part.run(&workspace, options.filter.as_deref())?;
        say(&format!("{}: {tally}", part.name()));
        sum += tally;
    }
    say(&format!("all tests together took {} s", started.elapsed().as_secs()));
    println!("{sum}");
    Ok(if sum.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The options, or nothing when only the help text is wanted.
fn parse(arguments: Vec<OsString>) -> Result<Option<Options>, Failure> {
    let mut options = Options { parts: Vec::new(), filter: None };
    let mut parser = lexopt::Parser::from_args(arguments);
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("only") => {
                let part = Part::named(&parser.value()?)?;
                if !options.parts.contains(&part) {
                    options.parts.push(part);
                }
            }
            Arg::Long("filter") => {
                let text = parser.value()?.into_string();
                options.filter =
                    Some(text.map_err(|text| {
                        Failure::new(format!("--filter {}: not valid UTF-8", text.display()))
                    })?);
            }
            Arg::Short('h') | Arg::Long("help") => return Ok(None),
            other => {
                let error = other.unexpected();
                return Err(Failure::new(format!("{error}; `cargo xtask test --help` tells the options")));
            }
        }
    }
    if options.parts.is_empty() {
        options.parts = Part::ALL.to_vec();
    }
    Ok(Some(options))
}

fn cargo(workspace: &Workspace) -> Command {
    // The Cargo that runs us, so that a `+toolchain` on the command line holds for everything.
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(&workspace.root);
    command
}

/// Everything Cargo tests: with nextest where it is installed, whose tests do not share a process.
fn unit(workspace: &Workspace, filter: Option<&str>) -> Result<Tally, Failure> {
    let nextest = output(cargo(workspace).args(["nextest", "--version"]))?.status.success();
    let (runner, read): (&[&str], Reader) = if nextest {
        (&["nextest", "run", "--no-tests=pass", "--status-level=slow"], Tally::of_nextest)
    } else {
        (&["test", "--all-targets"], Tally::of_libtest)
    };
    say("unit, property and golden tests");
    let mut tests = cargo(workspace);
    tests.args(runner).args(["--locked", "--workspace", "--no-fail-fast"]).args(filter);
    // nextest reports on standard error; the terminal is given both, and the closing line is in either.
    let mut sum = counted(&mut merged(&tests), read)?;
    say("documentation tests");
    let mut documentation = cargo(workspace);
    documentation.args(["test", "--locked", "--workspace", "--no-fail-fast", "--doc"]).args(filter);
    sum += counted(&mut documentation, Tally::of_libtest)?;
    Ok(sum)
}

/// The same command with standard error going where standard output goes.
fn merged(command: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", r#"exec "$@" 2>&1"#, "sh"]);
    shell.arg(command.get_program()).args(command.get_args());
    if let Some(folder) = command.get_current_dir() {
        shell.current_dir(folder);
    }
    shell
}

/// The tests below `tests/` in the folders and with the options given first in `what`.
fn pytest(workspace: &Workspace, what: &[&str], filter: Option<&str>) -> Result<Tally, Failure> {
    say(&format!("pytest {}", what.join(" ")));
    let mut tests = Command::new(workspace.python());
    tests
        .current_dir(workspace.root.join("tests"))
        .args(["-m", "pytest"])
        .args(what)
        .env("POUND", workspace.pound())
        .env("PYTHONDONTWRITEBYTECODE", "1");
    if let Some(filter) = filter {
        tests.args(["-k", filter]);
    }
    counted(&mut tests, Tally::of_pytest)
}

/// Finds the counts in what a test program printed.
type Reader = fn(&str) -> Option<Tally>;

/// Runs a test program. One that fails without a word about a failed test (it did not compile, it was killed), or whose
/// counts cannot be found in what it printed (another version of it), counts as one failure: no trouble may pass for an
/// empty part.
fn counted(command: &mut Command, read: Reader) -> Result<Tally, Failure> {
    /// What pytest answers when `--filter` leaves nothing to run.
    const PYTEST_NOTHING_COLLECTED: i32 = 5;
    let (status, said) = tee(command)?;
    let Some(mut tally) = read(&said) else {
        say(&format!("{status}, and no count of tests in what it printed"));
        return Ok(Tally::one(false));
    };
    let nothing = status.code() == Some(PYTEST_NOTHING_COLLECTED) && tally == Tally::default();
    if !status.success() && tally.failed == 0 && !nothing {
        say(&format!("failed outside of any test: {status}"));
        tally += Tally::one(false);
    }
    Ok(tally)
}
