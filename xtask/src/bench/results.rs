//! The measured runs: one line each in a file that the report and the charts are made from.
//!
//! A scenario measured again replaces its earlier lines, so a report can grow over several commands.

use std::fs;
use std::path::Path;

use super::load::Outcome;
use crate::Failure;

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
    /// `key value` lines: `date SCENARIO`, `version PEER`, `title PEER`, `left-out SCENARIO PEER`, …
    pub(super) facts: Vec<(String, String)>,
    pub(super) runs: Vec<Run>,
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

    /// Forgets a scenario's runs of one peer.
    pub(super) fn forget(&mut self, scenario: &str, peer: &str) {
        self.runs.retain(|run| run.scenario != scenario || run.peer != peer);
        self.facts.retain(|(key, _)| *key != format!("left-out {scenario} {peer}"));
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
mod tests {
    use super::*;

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
            scenario: "small-64".into(),
            peer: "pound".into(),
            round: 1,
            outcome: Outcome { requests: 5.0, processor_ns: 7, ..Outcome::default() },
            start_ms: 1.5,
            foreign: 0.0,
            program_bytes: 9,
        });
        results.write(&file).unwrap();
        let read = Results::read(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        assert_eq!(read.fact("version pound"), Some("2"));
        let run = &read.of("small-64", "pound")[0];
        assert_eq!((run.outcome.processor_ns, run.start_ms, run.program_bytes), (7, 1.5, 9));
    }

    #[test]
    fn a_run_from_before_the_flood_is_still_a_run() {
        let run = parse("log-file\tpound\t2\t10\t0\t1.0\t64\t1.0\t2.0\t3.0\t5\t6\t7\t8.0\t0.1\t9").unwrap();
        assert_eq!((run.program_bytes, run.outcome.calm_p99_us), (9, 0.0));
    }
}
