//! Instruction counts under callgrind: what a change costs, told without a clock and on any machine.
//!
//! The codec is counted through its own bench program, the engine through a whole `pound` that answers
//! requests one after the other. Both run twice with different counts: the difference is what one more
//! message or request costs. The kernel's part is not counted.

use std::fmt::Write;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use super::origin;
use super::peer::{Kind, OURS, Peer};
use super::proxy::{Proxy, answers};
use super::template::Values;
use super::{cargo_build, system};
use crate::Failure;
use crate::command::{installed, output, say};
use crate::provision;
use crate::workspace::Workspace;

/// How often a thing is done in the shorter and in the longer run.
const COUNTS: (u32, u32) = (100, 1100);

/// Services in the runs that ask for routing: at least as many as requests, for each asks for another.
const SERVICES: u32 = 2000;

/// A change below this share is not worth a word: tables with random keys and the clock account for it.
const NOTABLE: f64 = 0.01;

/// A request through the whole of pound.
struct Whole {
    name: &'static str,
    flags: &'static [&'static str],
    /// A request that finds its service.
    path: &'static str,
    /// More words for the load generator.
    load: &'static str,
}

const WHOLES: [Whole; 6] = [
    Whole { name: "pound-request", flags: &["one-service", "log-off"], path: "/", load: "" },
    Whole { name: "pound-request-logged", flags: &["one-service", "log-file"], path: "/", load: "" },
    Whole {
        name: "pound-request-expanded",
        flags: &["expansion", "log-off"],
        path: "/bytes/16",
        load: "--path /bytes/16",
    },
    Whole {
        name: "pound-routed-by-host",
        flags: &["services-host", "log-off"],
        path: "/",
        load: "--host h{}.bench.test",
    },
    Whole {
        name: "pound-routed-by-path",
        flags: &["services-path", "log-off"],
        path: "/p0/page",
        load: "--path /p{}/page",
    },
    Whole {
        name: "pound-routed-by-regex",
        flags: &["services-regex", "log-off"],
        path: "/r0/page",
        load: "--path /r{}/page",
    },
];

/// Counts everything, shows what changed against the table in the repository, and keeps it if asked.
pub(super) fn run(workspace: &Workspace, keep: bool) -> Result<ExitCode, Failure> {
    if !installed("valgrind") {
        provision::debian(&["valgrind"])?;
    }
    cargo_build(workspace, "release", &["pound", "bench-origin", "bench-load"])?;
    let mut counts = codec(workspace)?;
    counts.extend(whole(workspace)?);
    let file = workspace.root.join("bench/instructions.md");
    let before = fs::read_to_string(&file).unwrap_or_default();
    show(&counts, &before);
    if keep {
        fs::write(&file, table(&counts)).map_err(|error| failed(&file, &error))?;
        say(&format!("written: {}", file.display()));
    }
    Ok(ExitCode::SUCCESS)
}

/// A name and its instructions.
type Count = (String, u64);

fn codec(workspace: &Workspace) -> Result<Vec<Count>, Failure> {
    say("counting the codec");
    let program = bench_program(workspace)?;
    let names = output(Command::new(&program).arg("--list"))?;
    let names = String::from_utf8_lossy(&names.stdout).into_owned();
    let mut counts = Vec::new();
    for name in names.lines() {
        let once = |count: u32| {
            let mut command = callgrind(&program);
            command.arg(name).arg(count.to_string());
            let out = output(&mut command)?;
            collected(&String::from_utf8_lossy(&out.stderr))
        };
        counts.push((format!("wire: {name}"), difference(once(COUNTS.0)?, once(COUNTS.1)?)));
    }
    Ok(counts)
}

/// Builds the codec's bench and finds it.
fn bench_program(workspace: &Workspace) -> Result<PathBuf, Failure> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(&workspace.root).args(["bench", "--locked", "--package", "wire"]);
    let out = output(command.args(["--bench", "instructions", "--no-run"]))?;
    let text = String::from_utf8_lossy(&out.stderr).into_owned();
    text.lines()
        .filter(|line| line.trim_start().starts_with("Executable"))
        .find_map(|line| line.rsplit_once('(')?.1.strip_suffix(')'))
        .map(|path| workspace.root.join(path))
        .ok_or_else(|| Failure::new(format!("cargo did not build the codec's bench:\n{text}")))
}

fn callgrind(program: &Path) -> Command {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(program);
    command
}

fn whole(workspace: &Workspace) -> Result<Vec<Count>, Failure> {
    let mut kind = Kind::read(&workspace.root, OURS)?;
    for (_, run) in &mut kind.runs {
        *run = format!("valgrind --tool=callgrind --callgrind-out-file=/dev/null {run}");
    }
    let release = workspace.target.join("release");
    let peer = Peer::new(OURS, kind, release.join("pound"))?;
    let core = system::processors().first().copied().unwrap_or(0);
    let origin_port = free_port()?;
    let _origin = origin::start(&release, core, &[format!("127.0.0.1:{origin_port}")])?;
    let mut counts = Vec::new();
    for whole in &WHOLES {
        say(&format!("counting {}", whole.name));
        let once = |count: u32| {
            let folder = workspace.target.join("bench/instructions");
            let port = free_port()?;
            let values = Values {
                names: vec![
                    ("port", port.to_string()),
                    ("origin", format!("127.0.0.1:{origin_port}")),
                    ("origin_port", origin_port.to_string()),
                    ("dir", folder.display().to_string()),
                    ("program", peer.program.display().to_string()),
                ],
                flags: whole.flags.iter().chain(&["plain"]).map(|flag| (*flag).to_owned()).collect(),
                count: SERVICES,
            };
            let host = if whole.load.contains("--host") { "h0.bench.test" } else { "bench.test" };
            let probe = format!("GET {} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n", whole.path);
            let proxy = Proxy::start(&peer, &folder, core, &values, &|| answers(port, &probe))?;
            let mut load = Command::new(release.join("bench-load"));
            load.arg(format!("127.0.0.1:{port}")).args(["--connections", "1", "--in-turn"]);
            load.args(["--variants", &count.to_string()]).args(whole.load.split_whitespace());
            let said = output(&mut load)?;
            let said = String::from_utf8_lossy(&said.stdout).into_owned();
            drop(proxy);
            let complete = [format!("requests {count}"), "errors 0".into()];
            if !complete.iter().all(|line| said.lines().any(|told| told == line)) {
                return Err(Failure::new(format!("{}: not every request was answered:\n{said}", whole.name)));
            }
            let file = folder.join("stderr.log");
            collected(&fs::read_to_string(&file).map_err(|error| failed(&file, &error))?)
        };
        counts.push((format!("engine: {}", whole.name), difference(once(COUNTS.0)?, once(COUNTS.1)?)));
    }
    Ok(counts)
}

fn free_port() -> Result<u16, Failure> {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|error| Failure::new(format!("no free port on 127.0.0.1: {error}")))
}

/// What callgrind says at its end: `==PID== Collected : NUMBER`.
fn collected(text: &str) -> Result<u64, Failure> {
    text.lines()
        .filter_map(|line| line.split_once("Collected : "))
        .find_map(|(_, number)| number.trim().parse().ok())
        .ok_or_else(|| Failure::new(format!("callgrind did not tell what it collected:\n{text}")))
}

/// What one more of `COUNTS` costs.
fn difference(short: u64, long: u64) -> u64 {
    long.saturating_sub(short) / u64::from(COUNTS.1 - COUNTS.0)
}

fn show(counts: &[Count], before: &str) {
    println!("{:<42} {:>10} {:>10} {:>8}", "", "before", "now", "");
    for (name, count) in counts {
        match kept(before, name) {
            None => println!("{name:<42} {:>10} {count:>10}      new", "–"),
            Some(before) => {
                let change = *count as f64 / before.max(1) as f64 - 1.0;
                let word =
                    if change.abs() < NOTABLE { String::new() } else { format!("{:+.1} %", change * 100.0) };
                println!("{name:<42} {before:>10} {count:>10} {word:>8}");
            }
        }
    }
}

/// The count of a name in the table that was kept.
fn kept(table: &str, name: &str) -> Option<u64> {
    let row = table.lines().find_map(|line| line.strip_prefix(&format!("| {name} | ")))?;
    row.trim_end_matches(" |").parse().ok()
}

fn table(counts: &[Count]) -> String {
    let mut out = format!(
        "# Instructions\n\n\
         Counted under callgrind by `cargo xtask bench --instructions`, which shows what has changed since; \
         `--keep-instructions`\nwrites this table anew. The rows of `wire` are one message through the codec; those of \
         `engine` one whole request\nthrough pound on kept connections, without the kernel's part, each routed row with \
         {SERVICES} services.\n\n| | instructions |\n|---|--:|\n"
    );
    for (name, count) in counts {
        let _ = writeln!(out, "| {name} | {count} |");
    }
    out
}

fn failed(file: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("{}: {error}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_table_is_read_again() {
        let counts = vec![("wire: scan".to_owned(), 123), ("wire: scan-more".to_owned(), 45)];
        let table = table(&counts);
        assert_eq!((kept(&table, "wire: scan"), kept(&table, "wire: scan-more")), (Some(123), Some(45)));
        assert_eq!(kept(&table, "wire: other"), None);
    }

    #[test]
    fn the_count_is_found_in_what_callgrind_says() {
        assert_eq!(collected("==7== \n==7== Collected : 2300\n").unwrap(), 2300);
        assert!(collected("==7== killed").is_err());
    }
}
