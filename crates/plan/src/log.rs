//! Where and in which words events and requests are logged.

mod json;

use std::path::PathBuf;

/// The global logging directives.
#[derive(Debug, Clone)]
pub struct Logging {
    /// Where lines go, if there is no `file`.
    pub facility: Facility,
    /// `LogFile`: the file that takes all lines.
    pub file: Option<PathBuf>,
    /// `LogTag`: the program name in syslog lines.
    pub tag: String,
    /// The built-in formats 0 to 5 first, then those of `LogFormat`, in file order.
    pub formats: Vec<LogFormat>,
}

/// `LogFacility`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Facility {
    /// `-`: standard output for requests, standard error for the rest.
    Standard,
    /// A syslog facility, by its number in RFC 5424 table 1 (`daemon` is 3).
    Syslog(u8),
}

/// One way to write a request's line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFormat {
    /// The name by which `LogLevel` finds it.
    pub name: String,
    /// Empty: nothing is logged.
    pub parts: Vec<LogPart>,
    /// How what they say is written.
    pub style: Style,
}

/// How the parts of a line are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Style {
    /// As text: what the network had a say in is escaped as `\xHH`.
    Text,
    /// As JSON.
    Json {
        /// For each part whether it stands outside of strings, and so becomes a value of its own.
        bare: Vec<bool>,
    },
}

/// A piece of a log line. Whatever the network had a say in is escaped when it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
// A tag of its own: one that is hidden in the strings takes a dozen instructions to find, for each part of each line.
#[repr(u8)]
pub enum LogPart {
    /// Taken as it is, without control characters.
    Literal(String),
    /// `%a`: the client's address, read from the forwarded field as far as the peers are trusted.
    ClientAddress,
    /// `%A`: our own address on this connection.
    LocalAddress,
    /// `%B`: bytes of the answer's body; 0 if none.
    BytesSent,
    /// `%b`: bytes of the answer's body; `-` if none.
    BytesSentClf,
    /// `%D`: time taken in microseconds.
    DurationMicros,
    /// `%T` and `%{unit}T`: time taken.
    Duration(TimeUnit),
    /// `%h`: the peer's address.
    RemoteHost,
    /// `%H`: `http` or `https`.
    Scheme,
    /// `%{Name}i`: a request field as the request goes on, or else as it was received; nothing if absent.
    RequestField(String),
    /// `%{Name}I`: a request field as the request goes on, `-` if absent.
    RequestFieldSent(String),
    /// `%{listener|service|backend}L`: place in the file.
    Place(Noun),
    /// `%{listener|service|backend}N`: name, address of a back-end, what else answered; `-` if there is none.
    Name(Noun),
    /// `%{fault}N`: the code of our own error, `-` for an answer that came from a service or a back-end.
    Fault,
    /// `%m`: the method.
    Method,
    /// `%p`: the port of the listener.
    ListenerPort,
    /// `%P`: our process id.
    ProcessId,
    /// `%q`: the query with its question mark, as the request goes on, or nothing.
    Query,
    /// `%r`: the request line as received.
    RequestLine,
    /// `%s`: the status of the answer.
    Status,
    /// `%>s`: its whole status line.
    StatusLine,
    /// `%t` and `%{…}t`: a time.
    Time {
        /// Which one.
        moment: Moment,
        /// How it is written.
        form: TimeForm,
    },
    /// `%u`: the user of Basic authentication, `-` if none.
    User,
    /// `%U`: the path, as the request goes on.
    Path,
    /// `%v`: the host that was asked for, our own address if none was.
    VirtualHost,
}

/// What `%{…}L` and `%{…}N` speak of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noun {
    /// The listener.
    Listener,
    /// The service.
    Service,
    /// The back-end.
    Backend,
}

/// Unit of `%{unit}T`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeUnit {
    /// Whole seconds.
    Seconds,
    /// Whole milliseconds.
    Millis,
    /// Whole microseconds.
    Micros,
    /// Seconds with a fraction of three digits (`f`).
    SecondsFraction,
}

/// The moment of `%{begin:…}t` and `%{end:…}t`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// When the request's first byte was here.
    Begin,
    /// When the answer was done.
    End,
}

/// How a time is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimeForm {
    /// `[22/Nov/2026:16:03:00 +0000]`
    Clf,
    /// `sec`, `s`: seconds since the epoch.
    EpochSeconds,
    /// `msec`
    EpochMillis,
    /// `usec`
    EpochMicros,
    /// `msec_frac`: the milliseconds of the second, three digits.
    MillisFraction,
    /// `usec_frac`: six digits.
    MicrosFraction,
    /// A strftime(3) format.
    Strftime(String),
}

/// Why a format could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormatError {
    /// Byte offset of the fault in the text.
    pub at: usize,
    /// Length of the faulty part in bytes.
    pub len: usize,
    /// What is wrong and what was expected.
    pub message: String,
}

/// The built-in formats: the number that `LogLevel` takes is the index.
const BUILT_IN: [(&str, &str); 6] = [
    ("null", ""),
    ("regular", "%a %r - %>s"),
    ("extended", "%a %r - %>s (%{Host}i/%{service}N -> %{backend}N) %{f}T sec"),
    ("vhost_combined", "%v:%p %a %l %u %t \"%r\" %s %b \"%{Referer}i\" \"%{User-Agent}i\""),
    ("combined", "%a %l %u %t \"%r\" %s %b \"%{Referer}i\" \"%{User-Agent}i\""),
    (
        "detailed",
        "%v:%p %a %l %u %t \"%r\" %s %b \"%{Referer}i\" \"%{User-Agent}i\" \
         (%{Host}i/%{service}N -> %{backend}N) %{f}T sec",
    ),
];

/// The specifiers that take an argument in braces, with what may stand there.
const WITH_ARGUMENT: &[(char, &str)] = &[
    ('i', "a field name, such as %{Host}i"),
    ('I', "a field name, such as %{Host}I"),
    ('L', "listener, service or backend, such as %{service}L"),
    ('N', "listener, service, backend or fault, such as %{service}N"),
];

impl LogFormat {
    /// Reads a format with the specifiers that [`LogPart`] lists.
    ///
    /// # Errors
    /// Where a specifier is not known, or lacks its argument or has a wrong one.
    pub fn new(name: &str, text: &str) -> Result<LogFormat, FormatError> {
        let mut parts = Vec::new();
        pieces(text, |_, part, _| {
            push(&mut parts, part);
        })?;
        Ok(LogFormat { name: name.to_owned(), parts, style: Style::Text })
    }

    /// Reads a format whose lines are JSON. A specifier inside of quotes becomes a part of that text; elsewhere it becomes
    /// a value: a number, a text with its quotes, or `null`.
    ///
    /// # Errors
    /// As [`new`](Self::new), and where the format is not JSON.
    pub fn json(name: &str, text: &str) -> Result<LogFormat, FormatError> {
        let mut skeleton = json::Skeleton::default();
        let (mut parts, mut bare) = (Vec::new(), Vec::new());
        pieces(text, |at, part, raw| {
            let (part, outside) = skeleton.add(at, part, raw);
            if push(&mut parts, part) {
                bare.push(outside);
            }
        })?;
        skeleton.check()?;
        Ok(LogFormat { name: name.to_owned(), parts, style: Style::Json { bare } })
    }

    /// Whether nothing is logged.
    pub fn is_null(&self) -> bool {
        self.parts.is_empty()
    }

    /// The formats 0 to 5: null, regular, extended, vhost_combined, combined, detailed.
    pub fn built_in() -> Vec<LogFormat> {
        BUILT_IN
            .iter()
            .map(|(name, text)| {
                LogFormat::new(name, text).expect("the test built_in_formats_are_right reads them all")
            })
            .collect()
    }
}

/// Reads a format piece by piece: where each begins, what it stands for, and how it is written.
fn pieces(text: &str, mut each: impl FnMut(usize, LogPart, &str)) -> Result<(), FormatError> {
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let plain = rest.find('%').unwrap_or(rest.len());
        let (len, part) = if plain > 0 {
            (plain, literal(&rest[..plain]))
        } else {
            specifier(rest).map_err(|error| FormatError { at: at + error.at, ..error })?
        };
        each(at, part, &rest[..len]);
        at += len;
    }
    Ok(())
}

/// Adds a part, a text to the text before it. Whether there is one part more now.
fn push(parts: &mut Vec<LogPart>, part: LogPart) -> bool {
    match (parts.last_mut(), part) {
        (Some(LogPart::Literal(before)), LogPart::Literal(text)) => {
            before.push_str(&text);
            false
        }
        (_, part) => {
            parts.push(part);
            true
        }
    }
}

/// Text between specifiers. UTF-8 stays; what would end the line or talk to a terminal is escaped.
fn literal(text: &str) -> LogPart {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_control() {
            letter.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| escaped += &format!("\\x{byte:02x}"));
        } else {
            escaped.push(letter);
        }
    }
    LogPart::Literal(escaped)
}

/// Reads one specifier at the start of `text`: its length and what it stands for.
fn specifier(text: &str) -> Result<(usize, LogPart), FormatError> {
    let error = |at, len, message: &str| Err(FormatError { at, len, message: message.to_owned() });
    let mut rest = &text[1..];
    let mut argument = None;
    let mut whole = false;
    if let Some(inner) = rest.strip_prefix('{') {
        let Some(close) = inner.find('}') else {
            return error(0, 2, "expected } at the end of the argument");
        };
        argument = Some(&inner[..close]);
        rest = &inner[close + 1..];
    } else if let Some(after) = rest.strip_prefix('>') {
        // In Apache's formats the status that was sent in the end; in those of Pound the whole line of it.
        whole = true;
        if !after.starts_with('s') {
            return error(0, 2, "expected %>s");
        }
        rest = after;
    }
    let Some(letter) = rest.chars().next() else {
        return error(
            0,
            text.len(),
            "expected a letter behind the percent sign; write %% for the sign itself",
        );
    };
    let len = text.len() - rest.len() + letter.len_utf8();
    // The argument begins behind "%{".
    let bad = |expected: &str| match argument {
        Some(argument) => {
            Err(FormatError { at: 2, len: argument.len().max(1), message: format!("expected {expected}") })
        }
        None => Err(FormatError { at: 0, len, message: format!("expected {expected}") }),
    };
    let part = match (letter, argument) {
        ('T', argument) => LogPart::Duration(match argument {
            None | Some("s") => TimeUnit::Seconds,
            Some("ms") => TimeUnit::Millis,
            Some("us") => TimeUnit::Micros,
            Some("f") => TimeUnit::SecondsFraction,
            Some(_) => return bad("a unit: s, ms, us, or f for seconds with a fraction"),
        }),
        ('t', argument) => match argument.map_or(Ok((Moment::Begin, TimeForm::Clf)), time) {
            Ok((moment, form)) => LogPart::Time { moment, form },
            Err(expected) => return bad(&expected),
        },
        ('i', Some(name)) if !name.is_empty() => LogPart::RequestField(name.to_owned()),
        ('I', Some(name)) if !name.is_empty() => LogPart::RequestFieldSent(name.to_owned()),
        ('N', Some("fault")) => LogPart::Fault,
        ('L' | 'N', Some(noun)) => {
            let noun = match noun {
                "listener" => Noun::Listener,
                "service" => Noun::Service,
                "backend" => Noun::Backend,
                _ => return bad("listener, service or backend"),
            };
            if letter == 'L' { LogPart::Place(noun) } else { LogPart::Name(noun) }
        }
        (letter, _) if WITH_ARGUMENT.iter().any(|(known, _)| *known == letter) => {
            let expected =
                WITH_ARGUMENT.iter().find(|(known, _)| *known == letter).map_or("", |(_, text)| text);
            return bad(expected);
        }
        (_, Some(_)) => return error(0, len, "only i, I, L, N, t and T take an argument in braces"),
        ('%', _) => LogPart::Literal("%".into()),
        ('a', _) => LogPart::ClientAddress,
        ('A', _) => LogPart::LocalAddress,
        ('b', _) => LogPart::BytesSentClf,
        ('B', _) => LogPart::BytesSent,
        ('D', _) => LogPart::DurationMicros,
        ('h', _) => LogPart::RemoteHost,
        ('H', _) => LogPart::Scheme,
        // The remote log name of old, which nobody has any more.
        ('l', _) => LogPart::Literal("-".into()),
        ('m', _) => LogPart::Method,
        ('p', _) => LogPart::ListenerPort,
        ('P', _) => LogPart::ProcessId,
        ('q', _) => LogPart::Query,
        ('r', _) => LogPart::RequestLine,
        ('s', _) if whole => LogPart::StatusLine,
        ('s', _) => LogPart::Status,
        ('u', _) => LogPart::User,
        ('U', _) => LogPart::Path,
        ('v', _) => LogPart::VirtualHost,
        _ => {
            return error(
                0,
                len,
                "expected one of %a %A %b %B %D %h %H %i %I %l %L %m %N %p %P %q %r %s %t %T %u %U %v %%",
            );
        }
    };
    Ok((len, part))
}

/// The argument of `%{…}t`.
fn time(argument: &str) -> Result<(Moment, TimeForm), String> {
    let (moment, form) = match argument.split_once(':') {
        Some(("begin", form)) => (Moment::Begin, form),
        Some(("end", form)) => (Moment::End, form),
        _ => match argument {
            "begin" => (Moment::Begin, ""),
            "end" => (Moment::End, ""),
            form => (Moment::Begin, form),
        },
    };
    let form = match form {
        "" => TimeForm::Clf,
        "sec" | "s" => TimeForm::EpochSeconds,
        "msec" => TimeForm::EpochMillis,
        "usec" => TimeForm::EpochMicros,
        "msec_frac" => TimeForm::MillisFraction,
        "usec_frac" => TimeForm::MicrosFraction,
        form if form.contains('%') => TimeForm::Strftime(form.to_owned()),
        _ => {
            return Err("sec, msec, usec, msec_frac, usec_frac or a format of strftime such as %Y-%m-%d, \
                        each also with begin: or end: before it"
                .into());
        }
    };
    Ok((moment, form))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &[LogPart]) {
        assert_eq!(LogFormat::new("x", text).unwrap().parts, expect, "{text}");
    }

    fn refuse(text: &str, at: usize, len: usize) {
        let error = LogFormat::new("x", text).unwrap_err();
        assert_eq!((error.at, error.len), (at, len), "{text}: {}", error.message);
    }

    #[test]
    fn built_in_formats_are_right() {
        let formats = LogFormat::built_in();
        assert!(formats[0].is_null());
        assert!(formats[1..].iter().all(|format| !format.is_null()));
        assert_eq!(formats[5].name, "detailed");
        assert_eq!(formats[5].parts.last(), Some(&LogPart::Literal(" sec".into())));
    }

    #[test]
    fn specifiers_are_read() {
        let text = |text: &str| LogPart::Literal(text.into());
        check("", &[]);
        check("100%% of %m", &[text("100% of "), LogPart::Method]);
        check("%s%>s", &[LogPart::Status, LogPart::StatusLine]);
        check(
            "%{X-Id}i%{Host}I",
            &[LogPart::RequestField("X-Id".into()), LogPart::RequestFieldSent("Host".into())],
        );
        check(
            "%{service}N %{backend}L",
            &[LogPart::Name(Noun::Service), text(" "), LogPart::Place(Noun::Backend)],
        );
        check("%T%{ms}T", &[LogPart::Duration(TimeUnit::Seconds), LogPart::Duration(TimeUnit::Millis)]);
        let time = |moment, form| LogPart::Time { moment, form };
        check("%t", &[time(Moment::Begin, TimeForm::Clf)]);
        check("%{end:usec}t", &[time(Moment::End, TimeForm::EpochMicros)]);
        check("%{end}t", &[time(Moment::End, TimeForm::Clf)]);
        check("%{%H:%M}t", &[time(Moment::Begin, TimeForm::Strftime("%H:%M".into()))]);
        check("%{begin:%H:%M}t", &[time(Moment::Begin, TimeForm::Strftime("%H:%M".into()))]);
    }

    #[test]
    fn faults_are_placed() {
        refuse("a %Z", 2, 2);
        refuse("a %", 2, 1);
        refuse("a %{Host", 2, 2);
        refuse("%{fortnight}T", 2, 9);
        refuse("%{clock}t", 2, 5);
        refuse("%i", 0, 2);
        refuse("%{}i", 2, 1);
        refuse("%{door}N", 2, 4);
        refuse("%{x}m", 0, 5);
        refuse("%>m", 0, 2);
    }
}
