//! `cargo xtask bench`: pound beside other proxies, in one interleaved run, with the limit in every table.
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
use self::scenario::{SCENARIOS, Scenario};
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
    let file = workspace.target.join("bench/results.tsv");
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
    let file = workspace.target.join("bench/results.tsv");
    let mut results = if options.quick { Results::default() } else { Results::read(&file)? };
    results.note("machine", &system::machine());
    for peer in &peers {
        results.note(&format!("title {}", peer.name), &peer.kind.title);
        results.note(&format!("version {}", peer.name), &peer.version);
    }
    let bench = Bench::begin(workspace, options, peers)?;
    let chosen: Vec<&Scenario> = SCENARIOS.iter().filter(|scenario| is_chosen(options, scenario)).collect();
    for scenario in chosen {
        bench.scenario(scenario, &mut results)?;
        if !options.quick {
            results.write(&file)?;
        }
    }
    if !options.quick {
        report::write(workspace, &results)?;
    }
    Ok(verdict(&results))
}

fn is_chosen(options: &Options, scenario: &Scenario) -> bool {
    if !options.scenarios.is_empty() {
        return options.scenarios.iter().any(|name| name == scenario.name);
    }
    !options.quick || QUICK.contains(&scenario.name)
}

/// Success if pound took part in everything and no request of it went wrong.
fn verdict(results: &Results) -> ExitCode {
    let mut wrong = 0;
    for run in results.runs.iter().filter(|run| run.outcome.errors > 0.0) {
        say(&format!("{} in {}: {} errors", run.peer, run.scenario, run.outcome.errors));
        wrong += u32::from(run.peer == peer::OURS);
    }
    for (key, why) in &results.facts {
        if let Some(what) = key.strip_prefix("left-out ")
            && what.ends_with(&format!(" {}", peer::OURS))
        {
            say(&format!("{what}: {why}"));
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
