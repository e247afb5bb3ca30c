//! The command line of `cargo xtask bench`.

use std::ffi::OsString;

use lexopt::{Arg, ValueExt};

use super::scenario::SCENARIOS;
use crate::Failure;

/// What the command line asks for.
pub(super) struct Options {
    pub(super) quick: bool,
    pub(super) rounds: u32,
    pub(super) seconds: u32,
    /// `NAME=PATH` of proxies that nobody installs.
    pub(super) given: Vec<String>,
    /// Names of the peers to run; empty for all.
    pub(super) peers: Vec<String>,
    /// Names of the scenarios to run; empty for all.
    pub(super) scenarios: Vec<String>,
    pub(super) noisy: bool,
    pub(super) what: What,
}

/// Which of the command's jobs is wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Help,
    Measure,
    /// Only the report from what was measured before.
    Report,
    Instructions,
    /// The instruction counts, and the table of them written anew.
    KeepInstructions,
}

/// The most rounds: a run must end on the day it began.
const ROUNDS_MAX: u32 = 100;

/// The help text; the names of the scenarios come from their table.
pub(super) fn help() -> String {
    let mut text = String::from(
        "\
Measures pound beside other proxies and beside relays that only copy bytes.

Usage: cargo xtask bench [OPTIONS]

Options:
      --quick              Seconds instead of an hour: that everything runs and nothing errs; no report
      --scenario NAME      Run one scenario only; may be given several times. Those that are compared with
                           each other run in turn, if they are given together
      --only PEER          Run one proxy only; may be given several times
      --peer NAME=PATH     A proxy that is not installed here; NAME is a folder of bench/peers, perhaps with
                           a dash and more: haproxy-3.4=/usr/local/sbin/haproxy
      --rounds N           Turns of every proxy in every scenario (5); twice as many where latency decides
      --seconds N          The measured time of one turn (2)
      --noisy              Do not wait until the machine is quiet, nor measure again what was disturbed
      --report             Measure nothing: write docs/benchmarks from what was measured before
      --instructions       Count instructions of the hot functions under callgrind, show what changed
      --keep-instructions  The same, and write the counts into bench/instructions.md
  -h, --help               Print this text

Each proxy runs on the first processor, the load and the origin on the next. Peers that are missing are
installed: Debian packages (as root or with a sudo that asks for no password) and Python packages, which
go into bench/venv in Cargo's build directory. What cannot be installed does not take part, and the
report says so. Measured runs are kept in docs/benchmarks/runs.tsv; a scenario measured again replaces
its earlier runs, those of all proxies, and the report beside it is made from all that are there.

Scenarios:
",
    );
    for scenario in &SCENARIOS {
        text.push_str(&format!("  {:<16} {}\n", scenario.name, scenario.title));
    }
    text
}

/// Reads the command line.
pub(super) fn parse(arguments: Vec<OsString>) -> Result<Options, Failure> {
    let mut options = Options {
        quick: false,
        rounds: 5,
        seconds: 2,
        given: Vec::new(),
        peers: Vec::new(),
        scenarios: Vec::new(),
        noisy: false,
        what: What::Measure,
    };
    let mut parser = lexopt::Parser::from_args(arguments);
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("quick") => options.quick = true,
            Arg::Long("scenario") => {
                let name = parser.value()?.string()?;
                if !SCENARIOS.iter().any(|scenario| scenario.name == name) {
                    return Err(Failure::new(format!("--scenario {name}: see `cargo xtask bench --help`")));
                }
                options.scenarios.push(name);
            }
            Arg::Long("only") => options.peers.push(parser.value()?.string()?),
            Arg::Long("peer") => options.given.push(parser.value()?.string()?),
            Arg::Long("rounds") => options.rounds = parser.value()?.parse()?,
            Arg::Long("seconds") => options.seconds = parser.value()?.parse()?,
            Arg::Long("noisy") => options.noisy = true,
            Arg::Long("report") => options.what = What::Report,
            Arg::Long("instructions") => options.what = What::Instructions,
            Arg::Long("keep-instructions") => options.what = What::KeepInstructions,
            Arg::Short('h') | Arg::Long("help") => options.what = What::Help,
            other => {
                let error = other.unexpected();
                return Err(Failure::new(format!("{error}; `cargo xtask bench --help` tells the options")));
            }
        }
    }
    if !(1..=ROUNDS_MAX).contains(&options.rounds) || !(1..=600).contains(&options.seconds) {
        return Err(Failure::new(format!("--rounds is 1 to {ROUNDS_MAX}, --seconds 1 to 600")));
    }
    Ok(options)
}
