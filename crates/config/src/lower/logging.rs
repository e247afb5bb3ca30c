//! Where and how things are logged.

use plan::log::{Facility, LogFormat};

use super::Lowering;
use crate::diagnostic::Diagnostic;
use crate::lex::Word;
use crate::suggest;
use crate::syntax::Statement;
use crate::value;

/// The facility `daemon`.
pub(crate) const DAEMON: u8 = 3;

/// RFC 5424, table 1, by the names of syslog(3).
const FACILITIES: &[(&str, Facility)] = &[
    ("-", Facility::Standard),
    ("kern", Facility::Syslog(0)),
    ("user", Facility::Syslog(1)),
    ("mail", Facility::Syslog(2)),
    ("daemon", Facility::Syslog(DAEMON)),
    ("auth", Facility::Syslog(4)),
    ("syslog", Facility::Syslog(5)),
    ("lpr", Facility::Syslog(6)),
    ("news", Facility::Syslog(7)),
    ("uucp", Facility::Syslog(8)),
    ("cron", Facility::Syslog(9)),
    ("authpriv", Facility::Syslog(10)),
    ("ftp", Facility::Syslog(11)),
    ("local0", Facility::Syslog(16)),
    ("local1", Facility::Syslog(17)),
    ("local2", Facility::Syslog(18)),
    ("local3", Facility::Syslog(19)),
    ("local4", Facility::Syslog(20)),
    ("local5", Facility::Syslog(21)),
    ("local6", Facility::Syslog(22)),
    ("local7", Facility::Syslog(23)),
];

pub(crate) fn file(cx: &mut Lowering<'_>, statement: &Statement) {
    let word = &statement.arguments[0];
    match &*word.text {
        "" | "-" => {
            let error = Diagnostic::error(word.span, "expected the name of a file");
            cx.push(error.help("for standard output and standard error, write LogFacility -"));
        }
        name => cx.global.log_file = Some(cx.path(statement, name)),
    }
}

pub(crate) fn facility(cx: &mut Lowering<'_>, statement: &Statement) {
    if let Some(facility) = cx.choice(&statement.arguments[0], FACILITIES) {
        cx.global.facility = facility;
    }
}

pub(crate) fn tag(cx: &mut Lowering<'_>, statement: &Statement) {
    let word = &statement.arguments[0];
    // RFC 3164 section 4.1.3: a tag ends at the first character that is not of this kind.
    let fits = |byte: u8| byte.is_ascii_graphic() && !b"[]:".contains(&byte);
    if word.text.is_empty() || word.text.len() > 32 || !word.text.bytes().all(fits) {
        cx.refuse::<()>(word, "expected 1 to 32 letters, digits or signs other than [ ] :");
        return;
    }
    cx.global.tag = word.text.to_string();
}

pub(crate) fn format(cx: &mut Lowering<'_>, statement: &Statement) {
    let mut json = false;
    let mut words = Vec::new();
    for word in &statement.arguments {
        match &*word.text.to_ascii_lowercase() {
            "-json" if word.is_flag() => json = true,
            _ if word.is_flag() => return cx.unknown_option(word, &["-json"]),
            _ => words.push(word),
        }
    }
    let [name, text] = words[..] else {
        return cx.missing(statement.span, "LogFormat needs a name and a format", &statement.row.usage());
    };
    if value::number(&name.text, 0, u64::MAX).is_ok() || name.text.is_empty() {
        cx.refuse::<()>(name, "expected a name, which is no number");
        return;
    }
    if cx.formats.iter().any(|format| format.name.eq_ignore_ascii_case(&name.text)) {
        let message = format!("there is already a log format {:?}", name.text);
        return cx.push(Diagnostic::error(name.span, message).label("expected another name"));
    }
    let read = if json { LogFormat::json } else { LogFormat::new };
    match read(&name.text, &text.text) {
        Ok(format) => cx.formats.push(format),
        Err(error) => {
            let span = text.part(error.at, error.len);
            cx.push(Diagnostic::error(span, "this format cannot be read").label(error.message));
        }
    }
}

impl Lowering<'_> {
    /// The index of the format that a `LogLevel` names.
    pub(crate) fn log_format(&mut self, word: &Word) -> Option<usize> {
        let built_in = LogFormat::built_in().len() as u64;
        if let Ok(number) = value::number(&word.text, 0, built_in - 1) {
            return Some(number as usize);
        }
        let found = self.formats.iter().position(|format| format.name.eq_ignore_ascii_case(&word.text));
        if found.is_none() {
            let names = self.formats.iter().map(|format| &*format.name);
            let nearest = suggest::nearest(&word.text, names).map(str::to_owned);
            self.push(
                Diagnostic::error(word.span, format!("there is no log format {:?}", word.text))
                    .label("expected a number from 0 to 5, a built-in name or that of a LogFormat")
                    .help_if(nearest.map(|name| format!("did you mean {name:?}?"))),
            );
        }
        found
    }
}
