//! What was meant by a value that is none: units as people say them, an address with its port, what other programs write.
//!
//! Pure functions from a word to a sentence of help; they decide nothing.

use crate::value;

/// What to write instead of `text`, at which `expected` stood for the directive.
pub(crate) fn value(directive: &str, text: &str, expected: &str) -> Option<String> {
    if let Some(bare) =
        text.strip_suffix([';', ',']).filter(|bare| !bare.is_empty() && !bare.contains([';', ',']))
    {
        return Some(format!("a line ends without a sign: write {directive} {bare}"));
    }
    let is_news = |better: &String| !better.eq_ignore_ascii_case(text);
    match directive {
        "Address" => address(text),
        "Port" => port(text),
        // What is well-formed and out of range is not helped by another spelling.
        _ if expected.starts_with("expected a time") && value::duration(text).is_err() => {
            time(text).filter(is_news).map(|time| format!("write {directive} {time}"))
        }
        _ if expected.starts_with("expected a size") && value::size(text).is_err() => {
            size(text).filter(is_news).map(|size| format!("write {directive} {size}"))
        }
        _ if expected.starts_with("expected yes or no") => {
            boolean(text).map(|word| format!("write {directive} {word}"))
        }
        _ => None,
    }
}

/// What to write in place of several words, of which one was expected.
pub(crate) fn words(directive: &str, syntax: &str, words: &[&str]) -> Option<String> {
    if let ["=" | ":", rest @ ..] = words {
        return Some(format!(
            "nothing stands between a directive and its value: {directive} {}",
            rest.join(" ")
        ));
    }
    // The unit, not a second number.
    let unit = words.get(1).is_some_and(|unit| unit.starts_with(|c: char| c.is_ascii_alphabetic()));
    let joined = words.concat();
    match syntax {
        "DURATION" | "SIZE" if !unit => None,
        "DURATION" => time(&joined).map(|time| format!("write {directive} {time}")),
        "SIZE" => size(&joined).map(|size| format!("write {directive} {size}")),
        _ if directive == "Port" => Some("a listener has one port: write a ListenHTTP for each".to_owned()),
        _ => None,
    }
}

/// What a word of another program's language is here; `None` for one that is none.
pub(crate) fn directive(word: &str) -> Option<&'static str> {
    if word.starts_with("//") || word.starts_with("/*") || word.starts_with(';') || word.starts_with("--") {
        return Some("a comment begins with #");
    }
    Some(match word.to_ascii_lowercase().as_str() {
        "listen" | "bind" => "a listener is a block: ListenHTTP, with Address and Port in it, and End",
        "server_name" | "serveralias" => "the host of a request is a condition of a Service: Host \"NAME\"",
        "location" => "a path is a condition of a Service: Path -beg \"/PATH\"",
        "proxy_pass" | "proxypass" | "proxy" | "reverse_proxy" | "upstream" => {
            "a server behind Pound is a block in a Service: Backend, with Address and Port in it, and End"
        }
        "weight" => "the share of a Backend is its Priority",
        "ssl_certificate" | "sslcertificatefile" | "ssl_certificate_key" | "crt" => {
            "Cert \"FILE\" in ListenHTTPS names the certificate; its key is in the same file, or beside it in NAME.key"
        }
        "return" => "Redirect [CODE] \"URL\" in a Service sends a client elsewhere",
        "if" => "conditions stand in a Service, or in Rewrite, without a word before them",
        "root" | "documentroot" => "SendFile \"DIRECTORY\" in a Service sends files",
        "access_log" | "customlog" | "errorlog" | "error_log" => {
            "what is logged is said by LogLevel, and where by LogFacility"
        }
        _ => return None,
    })
}

/// What to do about a directive that is not built yet, where a file of a distribution has it.
pub(crate) fn pending(directive: &str) -> Option<&'static str> {
    (directive == "Control").then_some("delete the line; poundctl does not exist yet")
}

/// What an option of a pattern is here.
pub(crate) fn option(text: &str) -> Option<&'static str> {
    Some(match text.to_ascii_lowercase().as_str() {
        "-prefix" | "-begin" | "-starts" | "-startswith" => "-beg",
        "-suffix" | "-ends" | "-endswith" => "-end",
        "-regex" | "-regexp" | "-r" | "-e" => "-re",
        "-contains" | "-sub" | "-substring" => "-contain",
        "-i" | "-nocase" | "-ignorecase" => "-icase",
        "-equal" | "-equals" | "-eq" | "-full" => "-exact",
        _ => return None,
    })
}

fn address(text: &str) -> Option<String> {
    if let Some(path) = text.strip_prefix("unix:") {
        return Some(format!("write Address {}", path.trim_start_matches("//")));
    }
    let lower = text.to_ascii_lowercase();
    let (rest, default) = match () {
        () if lower.starts_with("http://") => (&text["http://".len()..], Some("80")),
        () if lower.starts_with("https://") => (&text["https://".len()..], Some("443")),
        () if lower.starts_with("tcp://") => (&text["tcp://".len()..], None),
        () => (text, None),
    };
    let rest = rest.split(['/', '?', '#']).next().unwrap_or_default();
    // An address of IPv6 alone has more than one colon.
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, Some(port)),
        _ => (rest, default),
    };
    let port = port.filter(|port| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()))?;
    let host = match host.trim_start_matches('[').trim_end_matches(']') {
        "" | "*" => "0.0.0.0",
        host => host,
    };
    let tls = if lower.starts_with("https://") { " (and HTTPS, in a Backend)" } else { "" };
    Some(format!("the port stands in a line of its own{tls}: write\nAddress {host}\nPort {port}"))
}

fn port(text: &str) -> Option<String> {
    let digits =
        |text: &str| (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.to_owned());
    if let Some(port) = text.strip_suffix("/tcp").or_else(|| text.strip_suffix("/udp")).and_then(digits) {
        return Some(format!("write Port {port}"));
    }
    if text.contains([',', '-']) && text.bytes().all(|byte| byte.is_ascii_digit() || b",-".contains(&byte)) {
        return Some("a listener has one port: write a ListenHTTP for each".to_owned());
    }
    let (host, port) = text.rsplit_once(':')?;
    let port = digits(port)?;
    Some(match host {
        "" | "*" => format!("write Port {port}"),
        host => format!("the address stands in a line of its own: write\nAddress {host}\nPort {port}"),
    })
}

/// A number and the rest, as in `1.5` and `hours`.
fn number(text: &str) -> Option<(f64, String)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let number: f64 = text[..end].parse().ok()?;
    let unit = text[end..].trim_matches([' ', '_', '-']).to_ascii_lowercase();
    (number.is_finite() && number < 1e12).then_some((number, unit))
}

fn time(text: &str) -> Option<String> {
    let (number, unit) = number(text)?;
    let millis: f64 = match unit.as_str() {
        "ms" | "msec" | "msecs" | "milli" | "millis" | "millisecond" | "milliseconds" => 1.0,
        "" | "s" | "sec" | "secs" | "second" | "seconds" => 1000.0,
        "m" | "min" | "mins" | "minute" | "minutes" => 60_000.0,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3_600_000.0,
        "d" | "day" | "days" => 86_400_000.0,
        "w" | "week" | "weeks" => 7.0 * 86_400_000.0,
        _ => return None,
    };
    let total = (number * millis).round() as u64;
    [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s"), (1, "ms")]
        .into_iter()
        .find(|(length, _)| total > 0 && total.is_multiple_of(*length))
        .map(|(length, unit)| format!("{}{unit}", total / length))
}

fn size(text: &str) -> Option<String> {
    let (number, unit) = number(text)?;
    let bytes: f64 = match unit.as_str() {
        "" | "b" | "byte" | "bytes" => 1.0,
        "k" | "kb" | "kib" => 1024.0,
        "m" | "mb" | "mib" => 1024.0 * 1024.0,
        "g" | "gb" | "gib" => 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    };
    let total = (number * bytes).round() as u64;
    [(1 << 30, "g"), (1 << 20, "m"), (1 << 10, "k"), (1, "")]
        .into_iter()
        .find(|(length, _)| total > 0 && total.is_multiple_of(*length))
        .map(|(length, unit)| format!("{}{unit}", total / length))
}

fn boolean(text: &str) -> Option<&'static str> {
    match text.to_ascii_lowercase().as_str() {
        "enable" | "enabled" | "y" | "t" | "always" => Some("yes"),
        "disable" | "disabled" | "n" | "f" | "none" | "never" => Some("no"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_understood_as_people_say_them() {
        let time = |text| value("TimeOut", text, "expected a time such as 30 (seconds)");
        for (text, expect) in [
            ("30seconds", Some("write TimeOut 30s")),
            ("5min", Some("write TimeOut 5m")),
            ("1.5h", Some("write TimeOut 90m")),
            ("2weeks", Some("write TimeOut 14d")),
            ("30;", Some("a line ends without a sign: write TimeOut 30")),
            ("soon", None),
            ("0min", None),
            ("5parsecs", None),
        ] {
            assert_eq!(time(text).as_deref(), expect, "{text}");
        }
        let together = |syntax, several: &[&str]| words("X", syntax, several);
        assert_eq!(together("DURATION", &["30", "seconds"]).as_deref(), Some("write X 30s"));
        assert_eq!(together("DURATION", &["5", "min"]).as_deref(), Some("write X 5m"));
        assert_eq!(together("SIZE", &["10", "MB"]).as_deref(), Some("write X 10m"));
        assert!(together("NAME", &["=", "8080"]).is_some_and(|help| help.ends_with("X 8080")));
        assert_eq!(together("NAME", &["a", "b"]), None);
        let size = |text| value("MaxRequest", text, "expected a size such as 4096");
        assert_eq!(size("1.5MB").as_deref(), Some("write MaxRequest 1536k"));
    }

    #[test]
    fn no_directive_of_ours_is_taken_for_a_word_of_another_program() {
        for row in crate::directive::rows() {
            assert_eq!(directive(row.name), None, "{}", row.name);
        }
    }

    #[test]
    fn a_stock_file_is_told_what_to_do_with_its_control_socket() {
        let (_, said) = crate::load_text("pound.cfg", "Control \"/run/ctl\"\n", &crate::Options::default());
        assert!(said.render(false).contains("delete the line; poundctl does not exist yet"));
    }

    #[test]
    fn an_address_is_told_from_its_port() {
        let check = |directive, text, expect: Option<&str>| {
            let help = value(directive, text, "");
            match expect {
                None => assert_eq!(help, None, "{text}"),
                Some(end) => {
                    assert!(help.as_deref().is_some_and(|help| help.ends_with(end)), "{text} {help:?}");
                }
            }
        };
        check("Address", "127.0.0.1:8080", Some("Address 127.0.0.1\nPort 8080"));
        check("Address", "[::1]:8080", Some("Address ::1\nPort 8080"));
        check("Address", "*:80", Some("Address 0.0.0.0\nPort 80"));
        check("Address", ":80", Some("Address 0.0.0.0\nPort 80"));
        check("Address", "http://app:8080/x", Some("Address app\nPort 8080"));
        check("Address", "http://app", Some("Address app\nPort 80"));
        check("Address", "https://app", Some("Address app\nPort 443"));
        check("Address", "unix:/run/app.sock", Some("Address /run/app.sock"));
        check("Address", "192.0.2.256", None);
        check("Port", "8080/tcp", Some("write Port 8080"));
        check("Port", ":8080", Some("write Port 8080"));
        check("Port", "10.0.0.1:8080", Some("Address 10.0.0.1\nPort 8080"));
        check("Port", "80,443", Some("for each"));
        check("Port", "nowhere", None);
    }
}
