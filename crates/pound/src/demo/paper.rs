//! What the demo prints besides its table: the configuration it runs, what to try, and what it saw.

use std::fmt::Write;
use std::net::SocketAddr;
use std::time::Duration;

use super::director::Fall;
use super::origin::Origin;
use super::table::latency;
use super::traffic::Tally;

/// The configuration. It is what is run, so it can be saved and run again.
pub(super) fn configuration(listen: SocketAddr, origins: &[Origin]) -> String {
    let mut text = String::from(
        "# What `pound demo` runs. Save it as pound.cfg, put your own servers in the\n\
         # place of these three, and start it with: pound -e -f pound.cfg\n\
         \n\
         # A back-end that is down is tried again every second.\n\
         Alive 1\n\n",
    );
    for origin in origins {
        let (ip, port) = (origin.address.ip(), origin.address.port());
        // Writing to a String cannot fail.
        let _ = write!(text, "Backend \"{}\"\n    Address {ip}\n    Port {port}\nEnd\n\n", origin.name);
    }
    let all = members(origins);
    // The last two, so that one is there while the other is down.
    let two = members(origins.get(1..).unwrap_or_default());
    let _ = write!(
        text,
        "ListenHTTP
    Address {}
    Port {}

    # Who has a cookie \"demo\" stays with the back-end that set it.
    Service \"session\"
        Path -beg \"/session\"
{all}        Session
            Type Cookie
            ID \"demo\"
            TTL 300
        End
    End

    # Only two of them know the paths below /api.
    Service \"api\"
        Path -beg \"/api\"
{two}    End

    # Everything else is taken in turn.
    Service \"all\"
        Balancer iwrr
{all}    End
End
",
        listen.ip(),
        listen.port()
    );
    text
}

fn members(origins: &[Origin]) -> String {
    origins.iter().fold(String::new(), |mut text, origin| {
        let _ = writeln!(text, "        UseBackend \"{}\"", origin.name);
        text
    })
}

/// What a person might try.
pub(super) fn suggestions(listen: SocketAddr, origins: &[Origin]) -> String {
    let names: Vec<&str> = origins.iter().map(|origin| origin.name).collect();
    let two = names.get(1..).unwrap_or_default().join(" or ");
    format!(
        "Try, in another terminal:

  for i in 1 2 3 4 5 6; do curl http://{listen}/; done
      {} answer, a third each

  curl -c jar -b jar http://{listen}/session
      again and again: the cookie keeps you on one of them, and the visits count;
      when that one is down, another goes on counting

  curl http://{listen}/api/list
      {two}, never {}

  curl -d name=you http://{listen}/form
      a form\n",
        names.join(", "),
        names.first().unwrap_or(&""),
    )
}

/// What was seen, for people; the last line is the verdict.
/// `unanswered` is how often a back-end did not answer what was sent to it.
pub(super) fn summary(
    tally: &Tally,
    unanswered: u64,
    elapsed: Duration,
    origins: &[Origin],
    falls: &[Fall],
) -> String {
    let mut text = String::new();
    let mut row = |name: &str, value: String| {
        let _ = writeln!(text, "  {name:<12}{value}");
    };
    let seconds = elapsed.as_secs_f64();
    let rate = if seconds > 0.0 { tally.requests as f64 / seconds } else { 0.0 };
    row(
        "requests",
        format!("{} in {seconds:.1} s, {rate:.0} a second, {} of them POST", tally.requests, tally.posts),
    );
    row("slowest", latency(Some(tally.slowest)));
    let answers: Vec<String> = origins
        .iter()
        .zip(&tally.answers)
        .map(|(origin, count)| format!("{} {count}", origin.name))
        .collect();
    row("answers", answers.join(", "));
    row("sessions", format!("{}, moved from a back-end that was down: {}", tally.sessions, tally.moved));
    if falls.is_empty() {
        row("fail-over", "not shown: no back-end was taken down (that needs 4 seconds)".into());
    }
    for fall in falls {
        let time = |time: Option<Duration>| time.map_or("not seen".into(), |time| latency(Some(time)));
        row(
            "fail-over",
            format!(
                "{}: left out after {}, back after {}",
                origins[fall.origin].name,
                time(fall.left_out),
                time(fall.back)
            ),
        );
    }
    if unanswered > 0 {
        let then = if tally.failed == 0 { "; another back-end answered each of them" } else { "" };
        row("no answer", format!("from a back-end that went down, to {unanswered} requests{then}"));
    }
    row("failed", tally.failed.to_string());
    for failure in &tally.failures {
        row("", failure.clone());
    }
    let _ = writeln!(text, "{}", verdict(tally, falls).unwrap_or_else(|sentence| sentence));
    text
}

/// Whether it went well.
///
/// # Errors
/// What did not.
pub(super) fn verdict(tally: &Tally, falls: &[Fall]) -> Result<String, String> {
    if tally.requests == 0 {
        return Err("No request was sent.".into());
    }
    if tally.failed > 0 {
        return Err(format!("{} of {} requests failed.", tally.failed, tally.requests));
    }
    if falls.iter().any(|fall| fall.left_out.is_none() || fall.back.is_none()) {
        return Err("No request failed, but a back-end was not left out or not back in time.".into());
    }
    Ok("No request failed.".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn origins() -> Vec<Origin> {
        let visits = Arc::default();
        ["amber", "birch", "cedar"].map(|name| Origin::start(name, 0, &[], &visits).unwrap()).into()
    }

    #[test]
    fn the_printed_configuration_is_right() {
        let origins = origins();
        let text = configuration("127.0.0.1:8080".parse().unwrap(), &origins);
        let (plan, diagnostics) = config::load_text("demo", &text, &config::Options::default());
        assert!(!diagnostics.has_errors(), "{}", diagnostics.render(false));
        let plan = plan.unwrap();
        assert_eq!(plan.backends.len(), 3, "named back-ends are shared by the services");
        assert_eq!(plan.listeners[0].services.len(), 3);
    }

    fn tally(requests: u64, failed: u64) -> Tally {
        Tally { requests, failed, answers: vec![3, 2, 1], ..Tally::default() }
    }

    #[test]
    fn the_verdict_is_good_only_if_nothing_failed() {
        let good = Fall { origin: 0, left_out: Some(Duration::ZERO), back: Some(Duration::ZERO) };
        let unseen = Fall { back: None, ..good.clone() };
        assert!(verdict(&tally(6, 0), &[]).is_ok());
        assert!(verdict(&tally(6, 0), std::slice::from_ref(&good)).is_ok());
        assert!(verdict(&tally(0, 0), &[]).is_err());
        assert!(verdict(&tally(6, 1), &[]).is_err());
        assert!(verdict(&tally(6, 0), &[good, unseen]).is_err());
    }

    #[test]
    fn the_summary_names_what_was_seen() {
        let mut tally = tally(6, 1);
        tally.failures.push("GET /: answered with 503".into());
        let fall = Fall { origin: 1, left_out: Some(Duration::from_millis(3)), back: None };
        let text = summary(&tally, 4, Duration::from_secs(2), &origins(), &[fall]);
        for words in [
            "6 in 2.0 s, 3 a second",
            "amber 3, birch 2, cedar 1",
            "birch: left out after 3.0 ms, back after not seen",
            "GET /: answered with 503",
            "from a back-end that went down, to 4 requests\n",
            "1 of 6 requests failed.",
        ] {
            assert!(text.contains(words), "{words} is not in\n{text}");
        }
        let text = summary(&Tally { failed: 0, ..tally }, 4, Duration::from_secs(2), &origins(), &[]);
        assert!(text.contains("to 4 requests; another back-end answered each of them\n"), "{text}");
    }
}
