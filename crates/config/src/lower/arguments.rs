//! Arguments: from a word to a value, with a complaint at the word if it is none.

use std::path::PathBuf;
use std::time::Duration;

use plan::limits::{LINE_BYTES_MAX, LINE_BYTES_MIN};
use plan::template::{Accessor, Part};
use plan::{Balancer, Template, TlsHeaders};

use super::Lowering;
use crate::diagnostic::Diagnostic;
use crate::hint;
use crate::lex::Word;
use crate::source::{self, Span};
use crate::suggest;
use crate::syntax::Statement;
use crate::value::{self, Parsed};

/// `Balancer`, by its words.
pub(crate) const BALANCERS: &[(&str, Balancer)] = &[("random", Balancer::Random), ("iwrr", Balancer::Iwrr)];

/// `HeaderOption`
#[derive(Clone, Copy)]
pub(crate) struct HeaderOptions {
    pub(crate) forwarded: bool,
    pub(crate) tls: TlsHeaders,
}

impl Default for HeaderOptions {
    fn default() -> Self {
        HeaderOptions { forwarded: true, tls: TlsHeaders::OneLine }
    }
}

impl Lowering<'_> {
    /// Complains about a word at which something else was expected.
    pub(crate) fn refuse<T>(&mut self, word: &Word, expected: impl Into<String>) -> Option<T> {
        let (message, expected) = (self.no_value(word), expected.into());
        let help = hint::value(self.directive, &word.text, &expected);
        self.push(Diagnostic::error(word.span, message).label(expected).help_if(help));
        None
    }

    fn no_value(&self, word: &Word) -> String {
        format!("{:?} is no value for {}", word.text, self.directive)
    }

    pub(crate) fn accept<T>(&mut self, word: &Word, parsed: Parsed<T>) -> Option<T> {
        match parsed {
            Ok(value) => Some(value),
            Err(expected) => self.refuse(word, expected),
        }
    }

    /// The only argument as it stands.
    pub(crate) fn text(&mut self, statement: &Statement) -> Option<String> {
        let word = &statement.arguments[0];
        if word.text.is_empty() {
            return self.refuse(word, "expected a name");
        }
        Some(word.text.to_string())
    }

    pub(crate) fn number(&mut self, word: &Word, min: u64, max: u64) -> Option<u64> {
        self.accept(word, value::number(&word.text, min, max))
    }

    pub(crate) fn boolean(&mut self, word: &Word) -> Option<bool> {
        self.accept(word, value::boolean(&word.text))
    }

    pub(crate) fn set_boolean(&mut self, statement: &Statement, set: impl FnOnce(&mut Self, bool)) {
        if let Some(on) = self.boolean(&statement.arguments[0]) {
            set(self, on);
        }
    }

    pub(crate) fn size(&mut self, word: &Word) -> Option<u64> {
        self.accept(word, value::size(&word.text))
    }

    /// A size of something that is held in memory, more than zero.
    pub(crate) fn length(&mut self, word: &Word) -> Option<usize> {
        match usize::try_from(self.size(word)?) {
            Ok(0) | Err(_) => self.refuse(word, "expected a size of more than zero"),
            Ok(size) => Some(size),
        }
    }

    /// A `LineBufferSize`.
    pub(crate) fn line_size(&mut self, word: &Word) -> Option<usize> {
        self.size_between(word, LINE_BYTES_MIN, LINE_BYTES_MAX)
    }

    /// A size from `min` to `max`, which is a number of k.
    pub(crate) fn size_between(&mut self, word: &Word, min: usize, max: usize) -> Option<usize> {
        match usize::try_from(self.size(word)?) {
            Ok(size) if (min..=max).contains(&size) => Some(size),
            _ => self.refuse(word, format!("expected a size from {min} to {}k", max / 1024)),
        }
    }

    /// A number of things from `min` to `max`.
    pub(crate) fn count(&mut self, word: &Word, min: usize, max: usize) -> Option<usize> {
        self.number(word, min as u64, max as u64).map(|number| number as usize)
    }

    pub(crate) fn duration(&mut self, word: &Word) -> Option<Duration> {
        self.accept(word, value::duration(&word.text))
    }

    /// A time that is more than zero.
    pub(crate) fn timeout(&mut self, word: &Word) -> Option<Duration> {
        let time = self.duration(word)?;
        if time.is_zero() {
            return self.refuse(word, "expected a time of more than zero");
        }
        Some(time)
    }

    pub(crate) fn set_timeout(&mut self, statement: &Statement, set: impl FnOnce(&mut Self, Duration)) {
        if let Some(time) = self.timeout(&statement.arguments[0]) {
            set(self, time);
        }
    }

    pub(crate) fn port(&mut self, word: &Word, min: u16) -> Option<u16> {
        let no_files = self.options.no_files;
        let names = &mut self.port_names;
        let parsed = value::port(&word.text, min, || {
            let read = || if no_files { None } else { source::read_text("/etc/services".as_ref()).ok() };
            names.get_or_insert_with(|| read().unwrap_or_default()).clone()
        });
        self.accept(word, parsed)
    }

    /// One of a few words, in any case.
    pub(crate) fn choice<T: Copy>(&mut self, word: &Word, choices: &[(&str, T)]) -> Option<T> {
        if let Some((_, value)) = choices.iter().find(|(name, _)| name.eq_ignore_ascii_case(&word.text)) {
            return Some(*value);
        }
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        let nearest = suggest::nearest(&word.text, names.iter().copied());
        self.push(
            Diagnostic::error(word.span, self.no_value(word))
                .label(format!("expected {}", list(&names)))
                .help_if(nearest.map(|name| format!("did you mean {name}?"))),
        );
        None
    }

    pub(crate) fn balancer(&mut self, word: &Word) -> Option<Balancer> {
        self.choice(word, BALANCERS)
    }

    /// The name of a field.
    pub(crate) fn field_name(&mut self, word: &Word) -> Option<String> {
        self.token(word, "expected the name of a field, such as X-Forwarded-For")
    }

    /// A token (RFC 9110 section 5.6.2), as names of fields and cookies are.
    pub(crate) fn token(&mut self, word: &Word, expected: &str) -> Option<String> {
        if plan::rewrite::field_line(&format!("{}:", word.text)).is_err() || word.text.contains(':') {
            return self.refuse(word, expected);
        }
        Some(word.text.to_string())
    }

    /// `HeaderOption`: what becomes of `options` by its words, as in C Pound. Only `none` and `all` begin anew.
    pub(crate) fn header_options(
        &mut self,
        statement: &Statement,
        mut options: HeaderOptions,
    ) -> Option<HeaderOptions> {
        let choices = [
            ("none", (Some(false), Some(TlsHeaders::None))),
            ("all", (Some(true), Some(TlsHeaders::OneLine))),
            ("forwarded", (Some(true), None)),
            ("no-forwarded", (Some(false), None)),
            ("ssl", (None, Some(TlsHeaders::OneLine))),
            ("ssl-folded", (None, Some(TlsHeaders::Folded))),
            ("no-ssl", (None, Some(TlsHeaders::None))),
        ];
        for word in &statement.arguments {
            let (forwarded, tls) = self.choice(word, &choices)?;
            options.forwarded = forwarded.unwrap_or(options.forwarded);
            options.tls = tls.unwrap_or(options.tls);
        }
        Some(options)
    }

    /// A directory that must be there.
    pub(crate) fn directory(&mut self, statement: &Statement) -> Option<PathBuf> {
        let word = &statement.arguments[0];
        let path = self.path(statement, &word.text);
        if self.options.no_files {
            self.push(Diagnostic::error(word.span, "files are not read here"));
            return None;
        }
        let problem = match std::fs::metadata(&path) {
            Ok(metadata) if metadata.is_dir() => return Some(path),
            Ok(_) => format!("{} is not a directory", path.display()),
            Err(error) => format!("cannot use {}: {}", path.display(), source::reason(&error)),
        };
        self.push(Diagnostic::error(word.span, problem));
        None
    }

    pub(crate) fn template(&mut self, word: &Word) -> Option<Template> {
        self.template_part(word, 0)
    }

    /// The template that begins at this offset of the word.
    pub(crate) fn template_part(&mut self, word: &Word, from: usize) -> Option<Template> {
        match Template::new(&word.text[from..]) {
            Ok(template) => {
                self.warn_of_two_colons(word, from, &template);
                let peer = Part::Accessor(Accessor::RemoteIp { forwarded: false });
                if template.parts().contains(&peer) {
                    self.peer_addresses.push(word.span);
                }
                if !template.has_captures() {
                    return Some(template);
                }
                self.captures = true;
                let place = self.diagnostics.sources.locus(word.span);
                let origin = format!("{place}: {} \"{}\"", self.directive, word.text);
                self.reference_places.insert(origin.clone().into(), word.span);
                Some(template.from_place(origin))
            }
            Err(error) => {
                let span = word.part(from + error.at, error.len);
                self.push(Diagnostic::error(span, "this reference cannot be read").label(error.message));
                None
            }
        }
    }

    /// `%[port]` brings its colon, in Pound 4 as here.
    fn warn_of_two_colons(&mut self, word: &Word, from: usize, template: &Template) {
        const TWICE: &str = ":%[port]";
        let two = |parts: &[Part]| matches!(parts, [Part::Literal(text), Part::Accessor(Accessor::Port)] if text.ends_with(':'));
        if let Some(at) = word.text[from..].find(TWICE)
            && template.parts().windows(2).any(two)
        {
            self.push(
                Diagnostic::warning(
                    word.part(from + at, TWICE.len()),
                    "this makes two colons before the port",
                )
                .label("%[port] begins with its colon, and is empty if the client named no port")
                .help("write %[port] without the colon before it"),
            );
        }
    }

    /// Complains about an option at the wrong place.
    pub(crate) fn unknown_option(&mut self, word: &Word, known: &[&str]) {
        let known_as = hint::option(&word.text).filter(|option| known.contains(option));
        let nearest = known_as.or_else(|| suggest::nearest(&word.text, known.iter().copied()));
        let diagnostic = Diagnostic::error(word.span, format!("{} is not an option here", word.text));
        let diagnostic = if known.is_empty() {
            diagnostic.label("expected no option")
        } else {
            diagnostic.label(format!("expected {}", list(known)))
        };
        let help = match nearest {
            Some(name) => format!("did you mean {name}?"),
            None => "a text that begins with a dash stands in quotes".to_owned(),
        };
        self.push(diagnostic.help(help));
    }

    /// Complains that something is needed that is not there.
    pub(crate) fn missing(&mut self, span: Span, what: &str, usage: &str) {
        self.push(Diagnostic::error(span, what).label(format!("expected: {usage}")));
    }
}

/// `a, b or c`
pub(crate) fn list(names: &[&str]) -> String {
    match names {
        // "and or or" is hard to read.
        ["and", "or"] => "\"and\" or \"or\"".to_owned(),
        [] => String::new(),
        [name] => (*name).to_owned(),
        [names @ .., last] => format!("{} or {last}", names.join(", ")),
    }
}
