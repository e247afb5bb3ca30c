//! The measured runs: one line each in a file that the report and the charts are made from.
//!
//! The file stands beside the report, so that what was measured elsewhere is there in every checkout. A scenario
//! measured again replaces its earlier lines, so a report can grow over several commands.

use std::fs;
use std::path::{Path, PathBuf};

use super::load::Outcome;
use crate::Failure;
use crate::workspace::Workspace;

/// The columns of the file, in their order.
const COLUMNS: &str = "scenario\tpeer\tround\trequests\terrors\tseconds\tbytes\tp50_us\tp99_us\tp999_us\tprocessor_ns\t\
                       resident_kib\tresident_before_kib\tstart_ms\tforeign\tprogram_bytes\tcalm_p99_us\tflood_handshakes";

/// One run of one proxy.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) scenario: String,
    pub(super) peer: String,
    pub(super) round: u32,
    pub(super) outcome: Outcome,
    pub(super) start_ms: f64,
    /// The share of the machine that others used meanwhile.
    pub(super) foreign: f64,
    pub(super) program_bytes: u64,
}

/// Everything measured, and by whom and when.
#[derive(Clone, Debug, Default)]
pub(super) struct Results {
    /// `key value` lines: `title PEER`, `machine`, `version PEER`; of a scenario `date SCENARIO`, `commit SCENARIO`,
    /// `interleaved SCENARIO`, `rate SCENARIO`, `left-out SCENARIO PEER`; and `machine SCENARIO`,
    /// `version PEER SCENARIO` where they were others when it was measured.
    pub(super) facts: Vec<(String, String)>,
    pub(super) runs: Vec<Run>,
}

/// The file of all that was measured.
pub(super) fn file(workspace: &Workspace) -> PathBuf {
    workspace.root.join("docs/benchmarks/runs.tsv")
}

impl Results {
    /// Reads a file; one that is not there is empty.
    pub(super) fn read(file: &Path) -> Result<Self, Failure> {
        let mut results = Results::default();
        let Ok(text) = fs::read_to_string(file) else { return Ok(results) };
        for line in text.lines() {
            if let Some(fact) = line.strip_prefix("# ") {
                if let Some((key, value)) = fact.split_once('\t') {
                    results.facts.push((key.to_owned(), value.to_owned()));
                }
            } else if !line.starts_with("scenario\t") {
                let run = parse(line)
                    .ok_or_else(|| Failure::new(format!("{}: not a run: {line}", file.display())))?;
                results.runs.push(run);
            }
        }
        Ok(results)
    }

    /// Writes the file, whole or not at all.
    pub(super) fn write(&self, file: &Path) -> Result<(), Failure> {
        let mut text = String::new();
        for (key, value) in &self.facts {
            text.push_str(&format!("# {key}\t{value}\n"));
        }
        text.push_str(COLUMNS);
        text.push('\n');
        for run in &self.runs {
            let outcome = &run.outcome;
            text.push_str(&format!(
                "{}\t{}\t{}\t{}\t{}\t{:.6}\t{}\t{:.1}\t{:.1}\t{:.1}\t{}\t{}\t{}\t{:.1}\t{:.4}\t{}\t{:.1}\t{}\n",
                run.scenario,
                run.peer,
                run.round,
                outcome.requests,
                outcome.errors,
                outcome.seconds,
                outcome.bytes,
                outcome.p50_us,
                outcome.p99_us,
                outcome.p999_us,
                outcome.processor_ns,
                outcome.resident_kib,
                outcome.resident_before_kib,
                run.start_ms,
                run.foreign,
                run.program_bytes,
                outcome.calm_p99_us,
                outcome.flood_handshakes,
            ));
        }
        let failed = |error: std::io::Error| Failure::new(format!("{}: {error}", file.display()));
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        let fresh = file.with_extension("new");
        fs::write(&fresh, text).map_err(failed)?;
        fs::rename(&fresh, file).map_err(failed)
    }

    /// A fact, if it is known.
    pub(super) fn fact(&self, key: &str) -> Option<&str> {
        self.facts.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str())
    }

    /// Notes a fact in place of what was known before.
    pub(super) fn note(&mut self, key: &str, value: &str) {
        self.facts.retain(|(known, _)| known != key);
        self.facts.push((key.to_owned(), value.to_owned()));
    }

    /// Notes what is so from now on. Scenarios measured before keep what was so then.
    pub(super) fn supersede(&mut self, key: &str, value: &str) {
        if let Some(before) = self.fact(key).filter(|before| *before != value).map(str::to_owned) {
            let mut scenarios: Vec<String> = self.runs.iter().map(|run| run.scenario.clone()).collect();
            scenarios.sort_unstable();
            scenarios.dedup();
            for scenario in scenarios {
                let then = format!("{key} {scenario}");
                if self.fact(&then).is_none() {
                    self.note(&then, &before);
                }
            }
        }
        self.note(key, value);
    }

    /// What was so when a scenario was measured.
    pub(super) fn of_scenario(&self, key: &str, scenario: &str) -> Option<&str> {
        self.fact(&format!("{key} {scenario}")).or_else(|| self.fact(key))
    }

    /// Forgets all of a scenario: its runs are made anew, all in one command.
    pub(super) fn forget_scenario(&mut self, scenario: &str) {
        self.runs.retain(|run| run.scenario != scenario);
        let (left_out, of_it) = (format!("left-out {scenario} "), format!(" {scenario}"));
        self.facts.retain(|(key, _)| !key.starts_with(&left_out) && !key.ends_with(&of_it));
    }

    /// Forgets a scenario's runs of one peer.
    pub(super) fn forget(&mut self, scenario: &str, peer: &str) {
        self.runs.retain(|run| run.scenario != scenario || run.peer != peer);
        self.facts.retain(|(key, _)| *key != format!("left-out {scenario} {peer}"));
    }

    /// Who has runs in a scenario.
    pub(super) fn peers_of(&self, scenario: &str) -> Vec<&str> {
        let runs = self.runs.iter().filter(|run| run.scenario == scenario);
        let mut peers: Vec<&str> = runs.map(|run| run.peer.as_str()).collect();
        peers.sort_unstable();
        peers.dedup();
        peers
    }

    /// The runs of one peer in two scenarios, those of one round together; nothing unless the scenarios ran
    /// interleaved and have the same rounds.
    pub(super) fn pairs(&self, one: &str, other: &str, peer: &str) -> Option<Vec<(&Run, &Run)>> {
        let beside = |scenario: &str, other: &str| {
            let beside = self.fact(&format!("interleaved {scenario}"));
            beside.is_some_and(|names| names.split(' ').any(|name| name == other))
        };
        if !beside(one, other) || !beside(other, one) {
            return None;
        }
        let (ones, others) = (self.of(one, peer), self.of(other, peer));
        let pair = |one: &&'_ Run| others.iter().find(|run| run.round == one.round).copied();
        let pairs: Vec<(&Run, &Run)> = ones.iter().filter_map(|one| Some((*one, pair(one)?))).collect();
        (!pairs.is_empty() && pairs.len() == ones.len() && pairs.len() == others.len()).then_some(pairs)
    }

    /// The runs of one peer in one scenario.
    pub(super) fn of(&self, scenario: &str, peer: &str) -> Vec<&Run> {
        self.runs.iter().filter(|run| run.scenario == scenario && run.peer == peer).collect()
    }
}

fn parse(line: &str) -> Option<Run> {
    let fields: Vec<&str> = line.split('\t').collect();
    let number = |index: usize| fields.get(index)?.parse::<f64>().ok();
    let whole = |index: usize| fields.get(index)?.parse::<u64>().ok();
    Some(Run {
        scenario: (*fields.first()?).to_owned(),
        peer: (*fields.get(1)?).to_owned(),
        round: fields.get(2)?.parse().ok()?,
        outcome: Outcome {
            requests: number(3)?,
            errors: number(4)?,
            seconds: number(5)?,
            bytes: number(6)?,
            p50_us: number(7)?,
            p99_us: number(8)?,
            p999_us: number(9)?,
            processor_ns: whole(10)?,
            resident_kib: whole(11)?,
            resident_before_kib: whole(12)?,
            // Files older than the scenario with a flood end before these.
            calm_p99_us: number(16).unwrap_or_default(),
            flood_handshakes: number(17).unwrap_or_default(),
        },
        start_ms: number(13)?,
        foreign: number(14)?,
        program_bytes: whole(15)?,
    })
}

/// The middle, the least and the most of some figures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) least: f64,
    pub(super) most: f64,
}

/// The spread of some figures; nothing if there are none.
pub(super) fn spread(figures: impl IntoIterator<Item = f64>) -> Option<Spread> {
    let mut figures: Vec<f64> = figures.into_iter().filter(|figure| figure.is_finite()).collect();
    figures.sort_by(f64::total_cmp);
    let (least, most) = (*figures.first()?, *figures.last()?);
    let middle = figures.len() / 2;
    let median = if figures.len() % 2 == 1 {
        figures[middle]
    } else {
        f64::midpoint(figures[middle - 1], figures[middle])
    };
    Some(Spread { median, least, most })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A run of one request, of which the tests change what they are about.
    pub(in crate::bench) fn run(scenario: &str, peer: &str, round: u32) -> Run {
        Run {
            scenario: scenario.into(),
            peer: peer.into(),
            round,
            outcome: Outcome { requests: 1.0, seconds: 1.0, processor_ns: 1000, ..Outcome::default() },
            start_ms: 1.0,
            foreign: 0.0,
            program_bytes: 1,
        }
    }

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(spread([3.0, 1.0, 2.0]).unwrap(), Spread { median: 2.0, least: 1.0, most: 3.0 });
        assert_eq!(spread([4.0, 1.0, 2.0, 3.0]).unwrap().median, 2.5);
        assert_eq!(spread([]), None);
    }

    #[test]
    fn a_file_is_read_as_it_was_written() {
        let file = std::env::temp_dir().join(format!("bench-results-{}.tsv", std::process::id()));
        let mut results = Results::default();
        results.note("version pound", "1");
        results.note("version pound", "2");
        results.runs.push(Run {
            outcome: Outcome { requests: 5.0, processor_ns: 7, ..Outcome::default() },
            start_ms: 1.5,
            program_bytes: 9,
            ..run("small-64", "pound", 1)
        });
        results.write(&file).unwrap();
        let read = Results::read(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        assert_eq!(read.fact("version pound"), Some("2"));
        let run = &read.of("small-64", "pound")[0];
        assert_eq!((run.outcome.processor_ns, run.start_ms, run.program_bytes), (7, 1.5, 9));
    }

    #[test]
    fn the_runs_of_a_checkout_stay_as_they_are_when_nothing_is_measured() {
        let workspace = Workspace::find().unwrap();
        let text = fs::read_to_string(file(&workspace)).unwrap();
        let results = Results::read(&file(&workspace)).unwrap();
        let copy = std::env::temp_dir().join(format!("bench-runs-{}.tsv", std::process::id()));
        results.write(&copy).unwrap();
        let copied = fs::read_to_string(&copy).unwrap();
        fs::remove_file(&copy).unwrap();
        assert!(!results.runs.is_empty());
        assert!(text == copied, "{} changes by being read and written", file(&workspace).display());
    }

    #[test]
    fn a_scenario_measured_again_leaves_nothing_of_its_earlier_runs_and_all_of_the_others() {
        let mut results = Results::default();
        for key in
            ["date hosts-10", "left-out hosts-10 nginx", "date hosts-1000", "left-out hosts-1000 nginx"]
        {
            results.note(key, "x");
        }
        results.runs.extend([run("hosts-10", "pound", 1), run("hosts-1000", "pound", 1)]);
        results.forget_scenario("hosts-10");
        let keys: Vec<&str> = results.facts.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, ["date hosts-1000", "left-out hosts-1000 nginx"]);
        assert_eq!(results.peers_of("hosts-10"), [""; 0]);
        assert_eq!(results.peers_of("hosts-1000"), ["pound"]);
    }

    #[test]
    fn an_earlier_scenario_keeps_the_version_it_was_measured_with() {
        let mut results = Results::default();
        results.supersede("version nginx", "1");
        results.runs.extend([run("small-64", "nginx", 1), run("start", "nginx", 1)]);
        results.supersede("version nginx", "2");
        results.forget_scenario("start");
        results.runs.push(run("start", "nginx", 1));
        results.supersede("version nginx", "3");
        assert_eq!(results.of_scenario("version nginx", "small-64"), Some("1"));
        assert_eq!(results.of_scenario("version nginx", "start"), Some("2"));
        assert_eq!(results.fact("version nginx"), Some("3"));
    }

    #[test]
    fn runs_are_paired_by_round_where_they_were_neighbours() {
        let mut results = Results::default();
        for round in [1, 2] {
            results.runs.extend([run("hosts-10", "pound", round), run("hosts-10000", "pound", round)]);
        }
        assert!(results.pairs("hosts-10000", "hosts-10", "pound").is_none());
        results.note("interleaved hosts-10", "hosts-10 hosts-10000");
        results.note("interleaved hosts-10000", "hosts-10 hosts-10000");
        let pairs = results.pairs("hosts-10000", "hosts-10", "pound").unwrap();
        let rounds: Vec<_> = pairs.iter().map(|(one, other)| (one.round, other.round)).collect();
        assert_eq!(rounds, [(1, 1), (2, 2)]);
        results.runs.push(run("hosts-10", "pound", 3));
        assert!(results.pairs("hosts-10000", "hosts-10", "pound").is_none());
    }

    #[test]
    fn a_run_from_before_the_flood_is_still_a_run() {
        let run = parse("log-file\tpound\t2\t10\t0\t1.0\t64\t1.0\t2.0\t3.0\t5\t6\t7\t8.0\t0.1\t9").unwrap();
        assert_eq!((run.program_bytes, run.outcome.calm_p99_us), (9, 0.0));
    }
}
