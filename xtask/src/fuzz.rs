//! `cargo xtask fuzz`: every fuzz target in turn, then the desync hunter.
//!
//! The targets come from `fuzz/Cargo.toml`, so that a new one is run from its first day. Each begins from the seeds that
//! are committed (`fuzz/seeds`) and from what earlier runs on this machine have found (`fuzz/corpus`).

use std::ffi::OsString;
use std::process::{Command, ExitCode};

use lexopt::Arg;

use crate::Failure;
use crate::command::{output, run as run_command, say, shown, tee};
use crate::provision;
use crate::tally::Tally;
use crate::workspace::Workspace;

const HELP: &str = "\
Runs every fuzz target, then random requests through a running pound.

Usage: cargo xtask fuzz [OPTIONS]

Options:
      --minutes N     How long for each of them (5)
      --only TARGET   Run one target only; may be given several times; `desync` is the hunter in tests/e2e
  -h, --help          Print this text

Needs a nightly toolchain and cargo-fuzz (`cargo install cargo-fuzz`). An input that fails is left in
fuzz/artifacts, and the exit status is 1.
";

/// The part that is no target of libFuzzer: pipelined requests with random bytes changed, through a running pound.
const HUNTER: &str = "desync";

/// Longest input; longer ones find nothing that several short requests do not, but slowly.
const INPUT_BYTES_MAX: u32 = 4096;

/// Seconds for one input: linear work on 4 KiB takes far less than one.
const INPUT_SECONDS_MAX: u32 = 20;

const SEEDS: &str = "fuzz/seeds";
const FOUND: &str = "fuzz/corpus";

struct Options {
    minutes: u32,
    only: Vec<String>,
}

/// Runs the command; the exit status is success only if nothing was found.
pub(crate) fn run(arguments: Vec<OsString>) -> Result<ExitCode, Failure> {
    let Some(options) = parse(arguments)? else {
        print!("{HELP}");
        return Ok(ExitCode::SUCCESS);
    };
    let workspace = Workspace::find()?;
    let manifest = workspace.root.join("fuzz/Cargo.toml");
    let manifest = std::fs::read_to_string(&manifest)
        .map_err(|error| Failure::new(format!("{}: {error}", manifest.display())))?;
    let mut targets = targets(&manifest);
    targets.push(HUNTER);
    if let Some(unknown) = options.only.iter().find(|name| !targets.contains(&name.as_str())) {
        return Err(Failure::new(format!("--only {unknown}: the targets are {}", targets.join(", "))));
    }
    targets.retain(|name| options.only.is_empty() || options.only.iter().any(|only| only == name));
    let seconds = options.minutes.saturating_mul(60);
    let mut sum = Tally::default();
    for name in targets {
        say(&format!("{name}, for {} min", options.minutes));
        sum += Tally::one(if name == HUNTER {
            hunt(&workspace, seconds)?
        } else {
            fuzz(&workspace, name, seconds)?
        });
    }
    println!("{sum}");
    Ok(if sum.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn parse(arguments: Vec<OsString>) -> Result<Option<Options>, Failure> {
    let mut options = Options { minutes: 5, only: Vec::new() };
    let mut parser = lexopt::Parser::from_args(arguments);
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("minutes") => {
                let value = parser.value()?;
                options.minutes = value
                    .to_str()
                    .and_then(|text| text.parse().ok())
                    .filter(|&minutes| minutes > 0)
                    .ok_or_else(|| {
                        Failure::new(format!("--minutes {}: not a number above 0", value.display()))
                    })?;
            }
            Arg::Long("only") => options.only.push(parser.value()?.to_string_lossy().into_owned()),
            Arg::Short('h') | Arg::Long("help") => return Ok(None),
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(Some(options))
}

/// The names of the `[[bin]]` tables.
fn targets(manifest: &str) -> Vec<&str> {
    let name = |table: &'_ str| -> Option<(usize, usize)> {
        let start = table.find("name = \"")? + "name = \"".len();
        Some((start, start + table[start..].find('"')?))
    };
    manifest
        .split("[[bin]]")
        .skip(1)
        .filter_map(|table| name(table).map(|(start, end)| &table[start..end]))
        .collect()
}

/// One target; false when it failed on an input.
fn fuzz(workspace: &Workspace, target: &str, seconds: u32) -> Result<bool, Failure> {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(&workspace.root).args(["+nightly", "fuzz"]);
    let mut probe = Command::new("cargo");
    if !output(probe.args(["+nightly", "fuzz", "--version"]))?.status.success() {
        return Err(Failure::new(format!(
            "`{}` does not work: install a nightly toolchain and `cargo install cargo-fuzz`",
            shown(&probe)
        )));
    }
    let found = format!("{FOUND}/{target}");
    let seeds = format!("{SEEDS}/{target}");
    for folder in [&found, &seeds] {
        std::fs::create_dir_all(workspace.root.join(folder))
            .map_err(|error| Failure::new(format!("{folder}: {error}")))?;
    }
    cargo.args(["run", "--fuzz-dir", "fuzz", target, &found, &seeds, "--"]);
    cargo.arg(format!("-max_total_time={seconds}"));
    cargo.arg(format!("-max_len={INPUT_BYTES_MAX}"));
    cargo.arg(format!("-timeout={INPUT_SECONDS_MAX}"));
    Ok(tee(&mut cargo)?.0.success())
}

/// The hunter is a test like others; here it only has more time.
fn hunt(workspace: &Workspace, seconds: u32) -> Result<bool, Failure> {
    provision::everything(workspace)?;
    let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    build.current_dir(&workspace.root).args(["build", "--locked", "--release", "--package", "pound"]);
    run_command(&mut build)?;
    let mut tests = Command::new(workspace.python());
    tests
        .current_dir(workspace.root.join("tests"))
        .args(["-m", "pytest", "e2e/test_desync.py", "--numprocesses=0", "--timeout=0"])
        .env("POUND", workspace.pound())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("DESYNC_SECONDS", seconds.to_string());
    Ok(tee(&mut tests)?.0.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_those_of_the_manifest() {
        let manifest = include_str!("../../fuzz/Cargo.toml");
        let found = targets(manifest);
        assert_eq!(found.len(), manifest.matches("[[bin]]").count());
        assert!(found.contains(&"head") && found.contains(&"differential"), "{found:?}");
        for name in found {
            assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name}");
        }
    }
}
