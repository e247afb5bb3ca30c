//! What `pound -h` and `pound -V` print.

use std::fmt::Write;

use super::features::{FEATURES, not_yet};

const OPENING: &str = "\
pound: a reverse proxy that balances HTTP over several servers, keeps sessions
on one of them, and leaves out a server that is down until it is back.

Usage
  pound [-eFv] [-f FILE] [-p FILE] [-W FEATURE]...   serve
  pound -c [-v] [-f FILE] [-W FEATURE]...            check a configuration
  pound demo [--seconds N] [--port N]                see it work, nothing needed
  pound -h [DIRECTIVE]                               this, or one directive
  pound -V                                           version, build and limits

Options
  -c            Check the configuration, print everything there is to say about
                it, and exit: 0 if it may run, 1 if not. Nothing is started, and
                nothing that only a start can show is tried: ports, names.
  -e            Stay in the foreground as one process, and log to standard
                error. For a terminal, a container, or a first try.
  -F            Stay in the foreground, as one process. The log goes where the
                file says. For a service manager.
  -f FILE       Read this configuration.
  -p FILE       Write the process id there, or nowhere if it is \"-\". The option
                goes before PIDFile.
  -v            Say what was read and what listens; with -e, start and stop too.
  -W FEATURE    Switch something that is no part of the configuration:
";

const CLOSING: &str = "
demo
  --seconds N   Run for N seconds unattended, with traffic of its own, and exit
                with 0 only if no request failed. Without it: until Ctrl-C.
  --port N      The first port to try (8080). The next free one is taken.

Signals
  TERM, INT     Stop: no new connections, requests in flight may finish within
                Grace. A second one stops at once.
  QUIT          Stop at once.
  HUP           Kept for reloading the configuration, which is not built yet:
                it is logged and does nothing. See -W sighup.

Files
  /etc/pound/pound.cfg              the configuration, if -f is not given
  /usr/local/etc/pound.cfg          the same, if the first is not there
  /run/pound.pid                    process id of the daemon, if none is named

Exit
  0   stopped on request; the configuration is right; no demo request failed
  1   anything else, with one sentence on standard error

Examples
  pound -c -f pound.cfg             is this file right?
  pound -e -f pound.cfg             run it here and watch
  pound -h Session                  what does Session take?
  kill -TERM $(cat /run/pound.pid)  stop the daemon gracefully

A first pound.cfg
  ListenHTTP
      Address 127.0.0.1
      Port 8080
      Service
          Backend
              Address 127.0.0.1
              Port 8001
          End
      End
  End
";

/// The text of `pound -h`.
pub(crate) fn help() -> String {
    let mut text = OPENING.to_owned();
    for feature in FEATURES.iter().filter(|feature| !feature.usage.is_empty()) {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "                {}", feature.usage);
        for line in wrap(feature.help, 58) {
            let _ = writeln!(text, "                    {line}");
        }
    }
    text.push_str(CLOSING);
    text
}

/// The text of `pound -V`.
pub(crate) fn version() -> String {
    use plan::limits;
    let build = if cfg!(debug_assertions) { "debug" } else { "release" };
    let mut text =
        format!("pound {} ({build} build, {})\n", env!("CARGO_PKG_VERSION"), std::env::consts::ARCH);
    let spoken: Vec<&str> = engine::http_versions().chain(engine::tls_versions()).collect();
    let balancers: Vec<&str> = config::explain::balancers().collect();
    let switches: Vec<String> = not_yet().map(|word| format!("-W {word}")).collect();
    let rows: [(&str, String); 9] = [
        ("protocols", format!("{}, WebSocket and other upgrades", spoken.join(", "))),
        ("regular expressions", "POSIX extended (linear time), Perl-compatible".into()),
        ("balancers", balancers.join(", ")),
        ("directives not yet", config::explain::pending().join(", ")),
        ("switches not yet", switches.join(", ")),
        (
            "line of a head",
            format!(
                "{} bytes unless LineBufferSize says otherwise ({} to {})",
                limits::LINE_BYTES,
                limits::LINE_BYTES_MIN,
                limits::LINE_BYTES_MAX
            ),
        ),
        ("nesting of blocks", format!("{} levels", limits::NESTING_MAX)),
        (
            "client time-out",
            format!(
                "{} s unless Client says otherwise; within a body {} s, see StreamClient",
                limits::CLIENT_TIMEOUT.as_secs(),
                limits::STREAM_CLIENT.as_secs()
            ),
        ),
        (
            "back-end time-out",
            format!(
                "{} s unless TimeOut says otherwise; within a body {} s, see StreamTimeOut",
                limits::BACKEND_TIMEOUT.as_secs(),
                limits::STREAM_TIMEOUT.as_secs()
            ),
        ),
    ];
    for (name, value) in rows {
        let mut name = name;
        for line in wrap(&value, 57) {
            let _ = writeln!(text, "  {name:<21}{line}");
            name = "";
        }
    }
    text
}

/// The names in alphabetical order, in lines of a terminal's width.
pub(crate) fn columns(names: &[&str]) -> String {
    let mut names = names.to_vec();
    names.sort_by_key(|name| name.to_ascii_lowercase());
    wrap(&names.join(" "), 76).iter().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

/// Breaks a sentence into lines of at most `width` characters.
fn wrap(sentence: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in sentence.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.len() + 1 + word.len() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
