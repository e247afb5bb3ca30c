//! The report: `docs/benchmarks/README.md`, its charts, and the runs it is made from.

use std::fmt::Write;
use std::fs;

use super::chart;
use super::install::position;
use super::peer::{LIMITS, OURS};
use super::results::{Results, Run, Spread, spread};
use super::scenario::{Figure, Load, SCENARIOS, Scenario, Services};
use crate::Failure;
use crate::command::say;
use crate::workspace::Workspace;

/// One thing to reach: the scenario, which figure of it, and the most that it may be of what.
struct Goal {
    what: &'static str,
    scenario: &'static str,
    figure: fn(&Run) -> f64,
    most: f64,
    of: Of,
}

/// What a goal is measured in.
enum Of {
    /// The best peer's figure.
    BestPeer,
    /// The figure of the limit on our runtime.
    Limit,
    /// Our own figure in another scenario.
    Ours(&'static str),
    /// Itself, in this unit.
    Unit(&'static str),
}

const GOALS: [Goal; 24] = [
    goal("CPU per small request, log off", "small-64", request_us, 0.75, Of::BestPeer),
    goal("CPU per small request, log off", "small-64", request_us, 1.15, Of::Limit),
    goal("CPU per small request, access log to a file", "log-file", request_us, 0.75, Of::BestPeer),
    goal("CPU per request on a new connection", "new-connection", request_us, 0.9, Of::BestPeer),
    goal("CPU per GiB, answers of 1 MiB", "answer-1m", gibibyte_ms, 0.9, Of::BestPeer),
    goal("CPU per GiB, answers of 100 MiB", "answer-100m", gibibyte_ms, 0.9, Of::BestPeer),
    goal("CPU per GiB, uploads of 100 MiB", "upload-100m", gibibyte_ms, 0.9, Of::BestPeer),
    goal("p99 at 70 % load, the same for all", "paced-alike", p99_us, 0.9, Of::BestPeer),
    goal("p99.9 at 70 % load, the same for all", "paced-alike", p999_us, 0.9, Of::BestPeer),
    goal("p99 at 70 % of its own load", "paced", p99_us, 0.9, Of::BestPeer),
    goal("p99.9 at 70 % of its own load", "paced", p999_us, 0.9, Of::BestPeer),
    goal("memory per idle connection", "idle-10000", connection_kib, 2.0, Of::Unit("KiB")),
    goal("memory per idle connection", "idle-10000", connection_kib, 1.0, Of::BestPeer),
    goal("memory with 10,000 idle connections, in all", "idle-10000", resident_mib, 1.0, Of::BestPeer),
    goal("10,000 services by host, against 10", "hosts-10000", request_us, 1.1, Of::Ours("hosts-10")),
    goal("CPU per small request over TLS", "tls-small", request_us, 0.65, Of::BestPeer),
    goal("CPU per full handshake, ECDSA P-256", "tls-ecdsa", request_us, 0.9, Of::BestPeer),
    goal("CPU per full handshake, RSA 2048", "tls-rsa", request_us, 0.9, Of::BestPeer),
    goal("CPU per resumed handshake", "tls-resumed", request_us, 0.9, Of::BestPeer),
    goal("CPU per GiB over TLS, answers of 1 MiB", "tls-answer-1m", gibibyte_ms, 0.9, Of::BestPeer),
    goal("memory per idle connection of TLS", "tls-idle-10000", connection_kib, 10.0, Of::Unit("KiB")),
    goal("memory per idle connection of TLS", "tls-idle-10000", connection_kib, 1.0, Of::BestPeer),
    goal("what a flood of RSA handshakes adds to p99", "tls-flood", added_ms, 5.0, Of::Unit("ms")),
    goal("start with 10,000 services", "hosts-10000", start_ms, 200.0, Of::Unit("ms")),
];

const fn goal(
    what: &'static str,
    scenario: &'static str,
    figure: fn(&Run) -> f64,
    most: f64,
    of: Of,
) -> Goal {
    Goal { what, scenario, figure, most, of }
}

fn request_us(run: &Run) -> f64 {
    run.outcome.processor_ns as f64 / 1000.0 / run.outcome.requests
}

fn gibibyte_ms(run: &Run) -> f64 {
    run.outcome.processor_ns as f64 / 1e6 / (run.outcome.bytes / f64::from(1 << 30))
}

fn resident_mib(run: &Run) -> f64 {
    run.outcome.resident_kib as f64 / 1024.0
}

fn p99_us(run: &Run) -> f64 {
    run.outcome.p99_us
}

/// What a flood adds to the p99 of those who were there before.
fn added_ms(run: &Run) -> f64 {
    (run.outcome.p99_us - run.outcome.calm_p99_us) / 1000.0
}

fn p999_us(run: &Run) -> f64 {
    run.outcome.p999_us
}

fn connection_kib(run: &Run) -> f64 {
    run.outcome.resident_kib.saturating_sub(run.outcome.resident_before_kib) as f64 / run.outcome.requests
}

fn start_ms(run: &Run) -> f64 {
    run.start_ms
}

impl Figure {
    fn of(self) -> fn(&Run) -> f64 {
        match self {
            Figure::Request | Figure::Handshake => request_us,
            Figure::Gibibyte => gibibyte_ms,
            Figure::Latency | Figure::Flooded => p99_us,
            Figure::Connection => connection_kib,
            Figure::Start => start_ms,
        }
    }

    /// The name of the deciding column.
    fn column(self) -> &'static str {
        match self {
            Figure::Request => "CPU us/request",
            Figure::Handshake => "CPU us/handshake",
            Figure::Gibibyte => "CPU ms/GiB",
            Figure::Latency => "p99 us",
            Figure::Flooded => "p99 us in the flood",
            Figure::Connection => "KiB/connection",
            Figure::Start => "ms to the first answer",
        }
    }
}

/// Writes the report, the charts and a copy of the runs into `docs/benchmarks`.
pub(super) fn write(workspace: &Workspace, results: &Results) -> Result<(), Failure> {
    if results.runs.is_empty() {
        return Err(Failure::new("nothing was measured yet: `cargo xtask bench` without --report"));
    }
    let folder = workspace.root.join("docs/benchmarks");
    let file = folder.join("README.md");
    let runs = folder.join("runs.tsv");
    results.write(&runs)?;
    chart::draw(workspace, &runs, &folder)?;
    let reading = fs::read_to_string(folder.join("reading.md")).unwrap_or_default();
    let charts = |name: &str| folder.join(name).is_file();
    let text = text(results, &reading, &charts);
    fs::write(&file, text).map_err(|error| Failure::new(format!("{}: {error}", file.display())))?;
    say(&format!("written: {}", file.display()));
    Ok(())
}

/// The whole report; `charts` tells which pictures there are.
fn text(results: &Results, reading: &str, charts: &dyn Fn(&str) -> bool) -> String {
    let mut out = String::from(
        "<!-- Written by `cargo xtask bench`; the part `How to read this` comes from reading.md. -->\n\
         # Benchmarks\n\n\
         Pound beside other proxies and beside *the limit*: relays that copy bytes between two sockets and do nothing \
         else, one on the same runtime (tokio), one on plain epoll. Every proxy ran in its turn, A B C A B C, pinned \
         to one core, with one worker; the load and the origin had the other core. Each figure is the median of all \
         rounds, with the least and the most beside it. Smaller is better, but for requests per second.\n\n",
    );
    conditions(&mut out, results);
    picture(&mut out, charts, "CPU per small request", "small-64.png");
    out.push('\n');
    goals(&mut out, results);
    if !reading.is_empty() {
        let _ = write!(out, "\n## How to read this\n\n{}\n", reading.trim());
    }
    out.push_str("\n## The scenarios\n");
    picture(&mut out, charts, "Other scenarios", "scenarios.png");
    picture(&mut out, charts, "TLS", "tls.png");
    picture(&mut out, charts, "Cost against the number of services", "services.png");
    for scenario in &SCENARIOS {
        table(&mut out, results, scenario);
    }
    out
}

fn picture(out: &mut String, charts: &dyn Fn(&str) -> bool, what: &str, file: &str) {
    if charts(file) {
        let _ = writeln!(out, "\n![{what}]({file})");
    }
}

fn conditions(out: &mut String, results: &Results) {
    let mut days: Vec<&str> = results
        .facts
        .iter()
        .filter(|(key, _)| key.starts_with("date "))
        .map(|(_, day)| day.as_str())
        .collect();
    days.sort_unstable();
    days.dedup();
    let foreign = spread(results.runs.iter().map(|run| run.foreign * 100.0));
    let _ = writeln!(out, "| | |\n|---|---|");
    let _ = writeln!(out, "| date | {} |", days.join(", "));
    let _ = writeln!(out, "| machine | {} |", results.fact("machine").unwrap_or("unknown"));
    let _ = writeln!(out, "| command | `cargo xtask bench` (pound built with the profile `dist`) |");
    if let Some(foreign) = foreign {
        let _ = writeln!(
            out,
            "| others on the machine meanwhile | {:.1} % of its time in the median, {:.1} % at most |",
            foreign.median, foreign.most
        );
    }
    for name in peers(results) {
        let title = results.fact(&format!("title {name}")).unwrap_or(name);
        let version = results.fact(&format!("version {name}")).unwrap_or_default();
        if !version.is_empty() {
            let _ = writeln!(out, "| {} | {version} |", called(name, title));
        }
    }
    out.push_str("| every run | [runs.tsv](runs.tsv) |\n");
}

/// Everybody who was measured, in the order of the tables.
fn peers(results: &Results) -> Vec<&str> {
    let mut names: Vec<&str> = results.runs.iter().map(|run| run.peer.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    names.sort_by_key(|name| position(name));
    names
}

/// `nginx-debian` is nginx too, and has to be told from it.
fn called(name: &str, title: &str) -> String {
    match name.split_once('-') {
        Some((_, more)) if !LIMITS.contains(&name) => format!("{title} ({more})"),
        _ => title.to_owned(),
    }
}

fn of(results: &Results, scenario: &str, peer: &str, figure: fn(&Run) -> f64) -> Option<Spread> {
    spread(results.of(scenario, peer).into_iter().map(figure))
}

/// The least median among the proxies that are neither ours nor a limit.
fn best_peer<'a>(results: &'a Results, scenario: &str, figure: fn(&Run) -> f64) -> Option<(&'a str, f64)> {
    peers(results)
        .into_iter()
        .filter(|name| *name != OURS && !LIMITS.contains(name))
        .filter_map(|name| Some((name, of(results, scenario, name, figure)?.median)))
        .min_by(|one, other| one.1.total_cmp(&other.1))
}

fn goals(out: &mut String, results: &Results) {
    out.push_str("## What is to be reached\n\n| | pound | to reach | got | |\n|---|---|---|---|---|\n");
    for goal in &GOALS {
        // Runs that tell no rate were at the one of the slowest, which is next to no load.
        if goal.scenario == "paced-alike" && results.fact("rate paced-alike").is_none() {
            continue;
        }
        let Some(ours) = of(results, goal.scenario, OURS, goal.figure) else { continue };
        let (to_reach, got) = match goal.of {
            Of::BestPeer => {
                let Some((name, best)) = best_peer(results, goal.scenario, goal.figure) else { continue };
                (format!("≤ {} of the best peer ({name}, {})", goal.most, figure(best)), ours.median / best)
            }
            Of::Limit => {
                let Some(limit) = of(results, goal.scenario, LIMITS[0], goal.figure) else { continue };
                let limit = limit.median;
                (format!("≤ {} of the limit ({})", goal.most, figure(limit)), ours.median / limit)
            }
            Of::Ours(other) => {
                let Some(base) = of(results, other, OURS, goal.figure) else { continue };
                let base = base.median;
                match by_pairs(results, goal, other) {
                    Some(ratio) => {
                        (format!("≤ {} times as much ({}), round by round", goal.most, figure(base)), ratio)
                    }
                    None => (format!("≤ {} times as much ({})", goal.most, figure(base)), ours.median / base),
                }
            }
            Of::Unit(unit) => (format!("≤ {} {unit}", goal.most), ours.median),
        };
        let verdict = if got <= goal.most { "reached" } else { "**not reached**" };
        let _ = writeln!(
            out,
            "| {} | {} | {to_reach} | {} | {verdict} |",
            goal.what,
            figure(ours.median),
            ratio(got)
        );
    }
}

/// Our figure as a ratio to that of another scenario, the median of the rounds: in each, both were measured one after
/// the other. Nothing if they were not.
fn by_pairs(results: &Results, goal: &Goal, other: &str) -> Option<f64> {
    let pairs = results.pairs(goal.scenario, other, OURS)?;
    let ratios = pairs.into_iter().map(|(run, base)| (goal.figure)(run) / (goal.figure)(base));
    spread(ratios).map(|spread| spread.median)
}

fn table(out: &mut String, results: &Results, scenario: &Scenario) {
    let measured: Vec<&str> =
        peers(results).into_iter().filter(|name| !results.of(scenario.name, name).is_empty()).collect();
    if measured.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n### {}\n", scenario.title);
    let rounds = measured.iter().map(|name| results.of(scenario.name, name).len()).max().unwrap_or(0);
    let _ = writeln!(
        out,
        "`{}`, {rounds} round{}, {}{}\n",
        scenario.name,
        if rounds == 1 { "" } else { "s" },
        results.fact(&format!("date {}", scenario.name)).unwrap_or_default(),
        circumstances(results, scenario.name, &measured)
    );
    let figure_of = scenario.figure.of();
    let best = best_peer(results, scenario.name, figure_of).map(|(_, best)| best);
    let limit = of(results, scenario.name, LIMITS[0], figure_of).map(|spread| spread.median);
    let others = other_columns(scenario);
    let _ = write!(out, "| | {} |", scenario.figure.column());
    for (name, _) in &others {
        let _ = write!(out, " {name} |");
    }
    out.push_str(" to the best peer | to the limit |\n|---|--:|");
    out.push_str(&"--:|".repeat(others.len() + 2));
    out.push('\n');
    for name in measured {
        let title = results.fact(&format!("title {name}")).unwrap_or(name);
        let title = called(name, title);
        let title = if name == OURS { format!("**{title}**") } else { title };
        let Some(deciding) = of(results, scenario.name, name, figure_of) else {
            let _ = writeln!(out, "| {title} | no request was answered |");
            continue;
        };
        let _ = write!(
            out,
            "| {title} | {} ({}–{}) |",
            figure(deciding.median),
            figure(deciding.least),
            figure(deciding.most)
        );
        for (_, other) in &others {
            let text =
                of(results, scenario.name, name, *other).map_or("–".into(), |spread| figure(spread.median));
            let _ = write!(out, " {text} |");
        }
        let to = |base: Option<f64>| base.map_or("–".into(), |base| ratio(deciding.median / base));
        let _ = writeln!(out, " {} | {} |", to(best), to(limit));
    }
    left_out(out, results, scenario);
}

/// What was special of a scenario's runs, or is not so any more of others.
fn circumstances(results: &Results, scenario: &str, measured: &[&str]) -> String {
    let mut out = String::new();
    if let Some(commit) = results.fact(&format!("commit {scenario}")) {
        let _ = write!(out, ", Pound at {commit}");
    }
    if let Some(rate) = results.fact(&format!("rate {scenario}")) {
        let _ = write!(out, ", {rate}");
    }
    if let Some(others) = results.fact(&format!("interleaved {scenario}")) {
        let others: Vec<String> =
            others.split(' ').filter(|other| *other != scenario).map(|other| format!("`{other}`")).collect();
        let _ = write!(out, ", in turn with {}", others.join(" and "));
    }
    if let Some(machine) = results.fact(&format!("machine {scenario}")) {
        let _ = write!(out, ", on another machine: {machine}");
    }
    for name in measured {
        if let Some(version) = results.fact(&format!("version {name} {scenario}")) {
            let title = results.fact(&format!("title {name}")).unwrap_or(name);
            let _ = write!(out, "; {} was {version}", called(name, title));
        }
    }
    out
}

/// A column beside the deciding one: its name, and the figure of a run.
type Column = (&'static str, fn(&Run) -> f64);

/// The columns beside the deciding one.
fn other_columns(scenario: &Scenario) -> Vec<Column> {
    let rate: Column = ("requests/s", |run| run.outcome.requests / run.outcome.seconds);
    let memory: Column = ("MiB", |run| run.outcome.resident_kib as f64 / 1024.0);
    let errors: Column = ("errors", |run| run.outcome.errors);
    let p50: Column = ("p50 us", |run| run.outcome.p50_us);
    let p99: Column = ("p99 us", p99_us);
    let p999: Column = ("p99.9 us", p999_us);
    let volume: Column = ("GiB/s", |run| run.outcome.bytes / f64::from(1 << 30) / run.outcome.seconds);
    let mut columns = match scenario.figure {
        Figure::Request => vec![rate, p50, p99, p999, memory, errors],
        Figure::Handshake => vec![("handshakes/s", rate.1), p50, p99, p999, memory, errors],
        Figure::Flooded => {
            let calm: Column = ("p99 us before it", |run| run.outcome.calm_p99_us);
            let flood: Column = ("handshakes/s", |run| run.outcome.flood_handshakes / run.outcome.seconds);
            vec![calm, p50, p999, flood, memory, errors]
        }
        Figure::Gibibyte => vec![volume, p50, p99, memory, errors],
        Figure::Latency => vec![p50, p999, rate, ("CPU us/request", request_us), memory, errors],
        Figure::Connection => {
            let before: Column = ("MiB before", |run| run.outcome.resident_before_kib as f64 / 1024.0);
            vec![("MiB with them", memory.1), before, errors]
        }
        Figure::Start => {
            vec![memory, ("program MiB", |run: &Run| run.program_bytes as f64 / f64::from(1 << 20))]
        }
    };
    if scenario.load == Load::Sessions {
        columns.push(("bytes/session", |run| {
            run.outcome.resident_kib.saturating_sub(run.outcome.resident_before_kib) as f64 * 1024.0 / 1e6
        }));
    }
    if matches!(scenario.services, Services::Host(_) | Services::Path(_) | Services::Regex(_)) {
        columns.push(("start ms", start_ms));
    }
    columns
}

fn left_out(out: &mut String, results: &Results, scenario: &Scenario) {
    let prefix = format!("left-out {} ", scenario.name);
    let mut lines: Vec<(usize, String)> = results
        .facts
        .iter()
        .filter_map(|(key, why)| {
            let name = key.strip_prefix(&prefix)?;
            let title = results.fact(&format!("title {name}")).unwrap_or(name);
            Some((position(name), format!("- {}: {why}", called(name, title))))
        })
        .collect();
    lines.sort();
    if !lines.is_empty() {
        out.push_str("\nNot in this table:\n\n");
        for (_, line) in lines {
            let _ = writeln!(out, "{line}");
        }
    }
}

/// Three digits that count.
fn figure(value: f64) -> String {
    match value {
        value if !value.is_finite() => "–".into(),
        value if value >= 100.0 || value == 0.0 => grouped(value.round() as u64),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

fn ratio(value: f64) -> String {
    if value >= 100.0 { grouped(value.round() as u64) } else { format!("{value:.2}") }
}

/// 1234567 as 1,234,567.
fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::results::tests::run as plain_run;

    fn run(peer: &str, processor_us: u64) -> Run {
        run_in("small-64", 1, peer, processor_us)
    }

    fn run_in(scenario: &str, round: u32, peer: &str, processor_us: u64) -> Run {
        let mut run = plain_run(scenario, peer, round);
        run.outcome.processor_ns = processor_us * 1000;
        run
    }

    #[test]
    fn scenarios_that_ran_in_turn_are_compared_round_by_round() {
        let mut results = Results::default();
        // The second round found a slower machine, and something disturbed the third.
        for (round, ten, ten_thousand) in [(1, 10, 10), (2, 20, 20), (3, 10, 30)] {
            results.runs.push(run_in("hosts-10", round, "pound", ten));
            results.runs.push(run_in("hosts-10000", round, "pound", ten_thousand));
        }
        let apart = text(&results, "", &|_| false);
        assert!(apart.contains("| 20.0 | ≤ 1.1 times as much (10.0) | 2.00 | **not reached** |"), "{apart}");
        for name in ["hosts-10", "hosts-10000"] {
            results.note(&format!("interleaved {name}"), "hosts-10 hosts-10000");
        }
        let in_turn = text(&results, "", &|_| false);
        let row = "| 20.0 | ≤ 1.1 times as much (10.0), round by round | 1.00 | reached |";
        assert!(in_turn.contains(row), "{in_turn}");
        assert!(in_turn.contains("`hosts-10`, 3 rounds, , in turn with `hosts-10000`\n"), "{in_turn}");
    }

    #[test]
    fn what_was_otherwise_when_a_scenario_was_measured_stands_with_it() {
        let mut results = Results { runs: vec![run("nginx", 50)], ..Results::default() };
        for (key, value) in
            [("title nginx", "nginx"), ("date small-64", "2026-01-02"), ("commit small-64", "abc-dirty")]
        {
            results.note(key, value);
        }
        results.note("machine", "a slow one");
        results.note("version nginx", "1.22");
        results.supersede("machine", "a fast one");
        results.supersede("version nginx", "1.23");
        let text = text(&results, "", &|_| false);
        let line = "`small-64`, 1 round, 2026-01-02, Pound at abc-dirty, on another machine: a slow one; nginx was 1.22\n";
        assert!(text.contains(line), "{text}");
        assert!(text.contains("| machine | a fast one |"), "{text}");
    }

    #[test]
    fn latency_under_the_same_load_is_a_goal_once_the_load_is_known() {
        let runs = vec![run_in("paced-alike", 1, "pound", 10), run_in("paced-alike", 1, "nginx", 10)];
        let mut results = Results { runs, ..Results::default() };
        let row = "| p99 at 70 % load, the same for all |";
        assert!(!text(&results, "", &|_| false).contains(row));
        results.note("rate paced-alike", "28000 requests a second");
        assert!(text(&results, "", &|_| false).contains(row));
    }

    #[test]
    fn the_best_peer_is_neither_ours_nor_the_limit() {
        let runs = vec![run("pound", 30), run("limit-tokio", 20), run("nginx", 50), run("caddy", 90)];
        let results = Results { runs, ..Results::default() };
        assert_eq!(best_peer(&results, "small-64", request_us), Some(("nginx", 50.0)));
        let text = text(&results, "", &|_| false);
        assert!(text.contains("| 30.0 | ≤ 0.75 of the best peer (nginx, 50.0) | 0.60 | reached |"), "{text}");
        assert!(text.contains("| 30.0 | ≤ 1.15 of the limit (20.0) | 1.50 | **not reached** |"), "{text}");
    }

    #[test]
    fn large_numbers_are_grouped() {
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(figure(123.4), "123");
        assert_eq!(figure(12.34), "12.3");
    }
}
