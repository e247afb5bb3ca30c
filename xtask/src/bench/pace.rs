//! The rates at which latency is measured.

use super::peer::{LIMITS, OURS};
use super::results::{Results, spread};
use super::scenario::{Load, SCENARIOS};

/// The share of a saturation that is asked for.
const PACE: f64 = 0.7;

/// Requests per second of the best peer, and who it is.
pub(super) struct Best<'a> {
    pub(super) peer: &'a str,
    saturation: f64,
}

impl Best<'_> {
    /// The rate that all are asked for.
    pub(super) fn rate(&self) -> f64 {
        self.saturation * PACE
    }
}

/// How many requests per second a load asks of a peer, or why it cannot be asked.
pub(super) fn rate(load: Load, results: &Results, peer: &str) -> Result<f64, String> {
    let Some(own) = saturation(results, peer) else {
        return Err(format!("its saturation, of {}, was not measured on this machine", SCENARIOS[0].name));
    };
    if load == Load::Paced {
        return Ok(own * PACE);
    }
    let Some(best) = best(results) else {
        return Err(format!("no peer's saturation, of {}, was measured on this machine", SCENARIOS[0].name));
    };
    let rate = best.rate();
    if own < rate {
        return Err(format!(
            "its own saturation is {own:.0} requests a second, less than the {rate:.0} of this load"
        ));
    }
    Ok(rate)
}

/// The best of the proxies that are neither ours nor a limit.
pub(super) fn best(results: &Results) -> Option<Best<'_>> {
    let peers = results.peers_of(SCENARIOS[0].name).into_iter();
    peers
        .filter(|peer| *peer != OURS && !LIMITS.contains(peer))
        .filter_map(|peer| Some(Best { peer, saturation: saturation(results, peer)? }))
        .max_by(|one, other| one.saturation.total_cmp(&other.saturation))
}

/// Requests per second of a peer in `small-64`, measured on the machine that this is.
fn saturation(results: &Results, peer: &str) -> Option<f64> {
    let scenario = SCENARIOS[0].name;
    if results.of_scenario("machine", scenario) != results.fact("machine") {
        return None;
    }
    let runs = results.of(scenario, peer);
    spread(runs.iter().map(|run| run.outcome.requests / run.outcome.seconds)).map(|spread| spread.median)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::results::tests::run;

    fn results() -> Results {
        let rates = [("pound", 5e4), ("limit-tokio", 6e4), ("nginx", 4e4), ("haproxy", 3e4), ("caddy", 1e4)];
        let mut results = Results::default();
        for (peer, requests) in rates {
            let mut run = run("small-64", peer, 1);
            run.outcome.requests = requests;
            results.runs.push(run);
        }
        results
    }

    #[test]
    fn all_are_asked_for_the_share_of_the_best_peer_who_can_serve_it() {
        let results = results();
        assert_eq!(best(&results).unwrap().peer, "nginx");
        for peer in ["pound", "limit-tokio", "nginx", "haproxy"] {
            assert_eq!(rate(Load::PacedAlike, &results, peer), Ok(4e4 * PACE));
        }
        let why = rate(Load::PacedAlike, &results, "caddy").unwrap_err();
        assert_eq!(why, "its own saturation is 10000 requests a second, less than the 28000 of this load");
        assert_eq!(rate(Load::Paced, &results, "caddy"), Ok(1e4 * PACE));
    }

    #[test]
    fn a_saturation_of_another_machine_is_none() {
        let mut results = results();
        results.supersede("machine", "one");
        assert!(rate(Load::Paced, &results, "pound").is_ok());
        results.supersede("machine", "another");
        assert!(rate(Load::Paced, &results, "pound").unwrap_err().contains("on this machine"));
        assert!(best(&results).is_none());
    }
}
