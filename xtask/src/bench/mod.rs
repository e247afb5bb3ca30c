//! `cargo xtask bench`: pound beside other proxies, in one interleaved run, with the limit in every table.
//!
//! Scenarios that are compared with each other are interleaved too, see `scenario.rs`.
//!
//! The proxy has a core to itself; the load, the origin and this program share the next one. Every turn
//! starts the proxy anew, so that no run owes its memory to another. What decides is the processor time
//! of all the proxy's processes for each request: it does not change when the load tool tires first.

mod chart;
mod install;
mod instructions;
mod load;
mod measure;
mod options;
mod origin;
mod pace;
mod peer;
mod proxy;
mod quiet;
mod report;
mod results;
mod scenario;
mod syslog;
mod system;
mod template;

use std::ffi::OsString;
use std::process::{Command, ExitCode};

use self::measure::Bench;
use self::options::{Options, What};
use self::results::Results;
use self::scenario::{SCENARIOS, Scenario, in_groups};
use crate::Failure;
use crate::command::{run as run_command, say};
use crate::workspace::Workspace;

/// The scenarios of `--quick`: one of each shape.
const QUICK: [&str; 10] = [
    "small-64",
    "new-connection",
    "log-file",
    "answer-1m",
    "upload-100m",
    "chunked",
    "paced",
    "idle-10000",
    "hosts-10",
    "tls-small",
];

/// The peers of `--quick`: ours, the floor, and one that the other tests need anyway.
const QUICK_PEERS: [&str; 4] = ["pound", "limit-tokio", "nginx", "nginx-debian"];

/// Runs the command.
pub(crate) fn run(arguments: Vec<OsString>) -> Result<ExitCode, Failure> {
    let options = options::parse(arguments)?;
    let workspace = Workspace::find()?;
    let file = results::file(&workspace);
    match options.what {
        What::Help => {
            print!("{}", options::help());
            Ok(ExitCode::SUCCESS)
        }
        What::Instructions => instructions::run(&workspace, false),
        What::KeepInstructions => instructions::run(&workspace, true),
        What::Report => {
            report::write(&workspace, &Results::read(&file)?)?;
            Ok(ExitCode::SUCCESS)
        }
        What::Measure => measure(&workspace, &options),
    }
}

fn measure(workspace: &Workspace, options: &Options) -> Result<ExitCode, Failure> {
    // What a package ships is what is measured; a quick run only asks whether it runs.
    let profile = if options.quick { "release" } else { "dist" };
    say(&format!("building pound (profile {profile}), the origin, the limits and the load generator"));
    cargo_build(workspace, profile, &["pound"])?;
    cargo_build(workspace, "release", &["bench-origin", "bench-limit", "bench-load"])?;
    let peers = install::peers(workspace, options, profile)?;
    let file = results::file(workspace);
    let mut results = if options.quick { Results::default() } else { Results::read(&file)? };
    results.supersede("machine", &system::machine());
    for peer in &peers {
        results.note(&format!("title {}", peer.name), &peer.kind.title);
        results.supersede(&format!("version {}", peer.name), &peer.version);
    }
    let bench = Bench::begin(workspace, options, peers)?;
    let chosen: Vec<&'static Scenario> =
        SCENARIOS.iter().filter(|scenario| is_chosen(options, scenario)).collect();
    for group in in_groups(&chosen) {
        bench.group(&group, &mut results);
        if !options.quick {
            results.write(&file)?;
        }
    }
    if !options.quick {
        report::write(workspace, &results)?;
    }
    Ok(verdict(&results, &chosen))
}

fn is_chosen(options: &Options, scenario: &Scenario) -> bool {
    if !options.scenarios.is_empty() {
        return options.scenarios.iter().any(|name| name == scenario.name);
    }
    !options.quick || QUICK.contains(&scenario.name)
}

/// Success if pound took part in all that was measured and no request of it went wrong.
fn verdict(results: &Results, measured: &[&Scenario]) -> ExitCode {
    let mut wrong = 0;
    for scenario in measured {
        let runs = results.runs.iter().filter(|run| run.scenario == scenario.name);
        for run in runs.filter(|run| run.outcome.errors > 0.0) {
            say(&format!("{} in {}: {} errors", run.peer, run.scenario, run.outcome.errors));
            wrong += u32::from(run.peer == peer::OURS);
        }
        if let Some(why) = results.fact(&format!("left-out {} {}", scenario.name, peer::OURS)) {
            say(&format!("{} in {}: {why}", peer::OURS, scenario.name));
            wrong += 1;
        }
    }
    if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn cargo_build(workspace: &Workspace, profile: &str, packages: &[&str]) -> Result<(), Failure> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(&workspace.root).args(["build", "--locked", "--profile", profile]);
    for package in packages {
        command.args(["--package", package]);
    }
    run_command(&mut command)
}
