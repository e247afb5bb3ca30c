//! What is wrong with a configuration, said so that it can be put right: what, where, what was expected.

use std::borrow::Cow;
use std::fmt;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::source::{Sources, Span};

/// Diagnostics that are kept; the rest is counted. Nobody reads more in one go.
const KEPT_MAX: usize = 200;
/// How far apart two places of one text may be to be shown in one excerpt, in bytes.
const EXCERPT_BYTES_MAX: usize = 16 * 1024;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The configuration cannot be used.
    Error,
    /// It can be used, but may not mean what was intended.
    Warning,
}

/// Where something is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file as it was named.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone)]
pub struct Diagnostic {
    severity: Severity,
    message: String,
    spans: Vec<Span>,
    label: Option<String>,
    related: Vec<(Span, String)>,
    help: Vec<String>,
}

impl Diagnostic {
    pub(crate) fn error(span: Span, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, vec![span], message.into())
    }

    pub(crate) fn warning(span: Span, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, vec![span], message.into())
    }

    /// About no place in a text: a file that could not be opened at all.
    pub(crate) fn nowhere(message: impl Into<String>) -> Self {
        Self::new(Severity::Error, Vec::new(), message.into())
    }

    fn new(severity: Severity, spans: Vec<Span>, message: String) -> Self {
        Diagnostic { severity, message, spans, label: None, related: Vec::new(), help: Vec::new() }
    }

    /// Words beside the underlined part, mostly what was expected there.
    pub(crate) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// The same is wrong here too.
    pub(crate) fn also(mut self, span: Span) -> Self {
        self.spans.push(span);
        self
    }

    /// Another place that has to do with it.
    pub(crate) fn related(mut self, span: Span, label: impl Into<String>) -> Self {
        self.related.push((span, label.into()));
        self
    }

    /// What to do.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    pub(crate) fn help_if(self, help: Option<impl Into<String>>) -> Self {
        match help {
            Some(help) => self.help(help),
            None => self,
        }
    }

    /// Words may repeat what stands in the file.
    fn without_pins(mut self) -> Self {
        let labels = self.label.iter_mut().chain(self.related.iter_mut().map(|(_, label)| label));
        for text in std::iter::once(&mut self.message).chain(labels).chain(&mut self.help) {
            if let Cow::Owned(masked) = without_pins(text) {
                *text = masked;
            }
        }
        self
    }

    #[cfg(test)]
    pub(crate) fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// How bad it is.
    pub fn severity(&self) -> Severity {
        self.severity
    }

    /// What is wrong, in one sentence.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What was expected at the place, if that can be said.
    pub fn expected(&self) -> Option<&str> {
        self.label.as_deref()
    }

    /// What to do about it.
    pub fn advice(&self) -> impl Iterator<Item = &str> {
        self.help.iter().map(String::as_str)
    }
}

/// Everything that is wrong with a configuration, and the texts it was found in.
#[derive(Debug, Default)]
pub struct Diagnostics {
    pub(crate) sources: Sources,
    list: Vec<Diagnostic>,
    errors: usize,
    warnings: usize,
    /// While it is more than zero nothing is recorded: inside of a block that was refused as a whole.
    muted: usize,
}

impl Diagnostics {
    pub(crate) fn push(&mut self, diagnostic: Diagnostic) {
        if self.muted > 0 {
            return;
        }
        let diagnostic = diagnostic.without_pins();
        match diagnostic.severity {
            Severity::Error => self.errors += 1,
            Severity::Warning => self.warnings += 1,
        }
        if self.list.len() < KEPT_MAX {
            self.list.push(diagnostic);
        } else if diagnostic.severity == Severity::Error
            && let Some(warning) = self.list.iter().rposition(|kept| kept.severity == Severity::Warning)
        {
            // Warnings must not crowd out the error that stops the show.
            self.list[warning] = diagnostic;
        }
    }

    /// Whether no further error will be kept.
    pub(crate) fn is_full(&self) -> bool {
        self.errors >= KEPT_MAX
    }

    pub(crate) fn mute(&mut self) {
        self.muted += 1;
    }

    pub(crate) fn unmute(&mut self) {
        self.muted -= 1;
    }

    /// Puts them in the order of the texts.
    pub(crate) fn sort(&mut self) {
        self.list.sort_by_key(|diagnostic| diagnostic.spans.first().map(|span| (span.source, span.start)));
    }

    /// How many errors there are.
    pub fn errors(&self) -> usize {
        self.errors
    }

    /// How many warnings there are.
    pub fn warnings(&self) -> usize {
        self.warnings
    }

    /// Whether the configuration cannot be used.
    pub fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// One by one, in the order of the texts.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.list.iter()
    }

    /// Where a diagnostic of this list belongs.
    pub fn place(&self, diagnostic: &Diagnostic) -> Option<Place> {
        let span = *diagnostic.spans.first()?;
        let (line, column) = self.sources.line_column(span);
        Some(Place { file: self.sources.name(span.source).to_owned(), line, column })
    }

    /// `2 errors, 1 warning`; empty when there is nothing to say.
    pub fn summary(&self) -> String {
        let count = |number: usize, noun: &str| match number {
            0 => None,
            1 => Some(format!("1 {noun}")),
            number => Some(format!("{number} {noun}s")),
        };
        [count(self.errors, "error"), count(self.warnings, "warning")]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(", ")
    }

    /// All of them for a person to read: the lines, the faulty part underlined, what was expected and what to do, and
    /// the [summary](Self::summary) in the last line. Empty when there is nothing to say.
    pub fn render(&self, color: bool) -> String {
        if self.is_empty() {
            return String::new();
        }
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let mut out = String::new();
        for diagnostic in &self.list {
            out.push_str(renderer.render(&[self.group(diagnostic)]).trim_end());
            out.push_str("\n\n");
        }
        let left_out = self.errors + self.warnings - self.list.len();
        if left_out > 0 {
            out.push_str(&format!("… and {left_out} more\n\n"));
        }
        out.push_str(&self.summary());
        out.push('\n');
        out
    }

    fn group<'a>(&'a self, diagnostic: &'a Diagnostic) -> Group<'a> {
        let level = match diagnostic.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let mut marks: Vec<(Span, AnnotationKind, Option<&str>)> = Vec::new();
        for (index, span) in diagnostic.spans.iter().enumerate() {
            let label = if index == 0 { diagnostic.label.as_deref() } else { None };
            marks.push((*span, AnnotationKind::Primary, label));
        }
        for (span, label) in &diagnostic.related {
            marks.push((*span, AnnotationKind::Context, Some(label)));
        }
        let mut group = Group::with_title(level.primary_title(&*diagnostic.message));
        while let Some((first, ..)) = marks.first() {
            let source = first.source;
            let anchor = first.start as usize;
            let (here, elsewhere) = marks.into_iter().partition(|(span, ..)| {
                span.source == source && (span.start as usize).abs_diff(anchor) <= EXCERPT_BYTES_MAX
            });
            group = group.element(self.excerpt(source, here));
            marks = elsewhere;
        }
        for help in &diagnostic.help {
            group = group.element(Level::HELP.message(&**help));
        }
        group
    }

    /// The lines that the marks touch. Only these are handed on: a long text would be walked through for each mark.
    fn excerpt<'a>(
        &'a self,
        source: u32,
        marks: Vec<(Span, AnnotationKind, Option<&'a str>)>,
    ) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
        let text = self.sources.text(source);
        let start = marks.iter().map(|(span, ..)| span.start as usize).min().unwrap_or(0).min(text.len());
        let end =
            marks.iter().map(|(span, ..)| span.end as usize).max().unwrap_or(0).clamp(start, text.len());
        let from = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let to = text[end..].find('\n').map_or(text.len(), |at| end + at);
        let line = text.as_bytes()[..from].iter().filter(|&&byte| byte == b'\n').count() + 1;
        let annotations = marks.into_iter().map(|(span, kind, label)| {
            let start = (span.start as usize).clamp(from, to) - from;
            let end = (span.end as usize).clamp(from + start, to) - from;
            kind.span(start..end).label(label)
        });
        Snippet::source(without_pins(&text[from..to]))
            .line_start(line)
            .path(self.sources.name(source))
            .annotations(annotations)
    }
}

/// What may be shown of a token: what else is said in such a line may be a PIN, or a PIN with a slip in its name.
const SHOWN: [&str; 10] = [
    "token",
    "serial",
    "manufacturer",
    "model",
    "slot-id",
    "object",
    "id",
    "type",
    "module-path",
    "pin-source",
];

/// Text as it may be shown: what a mistake is about is copied to terminals, logs and reports, and the PIN of a token
/// (`SSLEngine`) is in none of them. Where a PIN ends depends on how the line is read, and the line may be wrong; so
/// nothing is shown from where it begins to the end of the line. Every byte keeps its place.
fn without_pins(text: &str) -> Cow<'_, str> {
    let mut bytes = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let end = at + line.trim_end_matches(['\n', '\r']).len();
        if let Some(pin) = pin_in(line).filter(|pin| at + pin < end) {
            if bytes.is_empty() {
                bytes = text.as_bytes().to_vec();
            }
            bytes[at + pin..end].fill(b'*');
        }
        at += line.len();
    }
    if bytes.is_empty() {
        return Cow::Borrowed(text);
    }
    // Whole characters were replaced: it begins behind one of one byte, and ends before one.
    String::from_utf8(bytes).map_or(Cow::Borrowed(""), Cow::Owned)
}

/// Where in a line something begins that may be a PIN, if the line is about a token.
fn pin_in(line: &str) -> Option<usize> {
    const ABOUT_TOKENS: [&str; 5] = ["sslengine", "pkcs11", "pin-value", "pinvalue", "module-path"];
    // A backslash in a string is lost, wherever it stands.
    let lower: String = line.chars().filter(|&c| c != '\\').collect::<String>().to_ascii_lowercase();
    if !ABOUT_TOKENS.iter().any(|word| lower.contains(word)) {
        return None;
    }
    line.match_indices('=').map(|(equals, _)| equals).find_map(|equals| {
        let is_name = |c: char| c.is_alphanumeric() || "-_%\\".contains(c);
        let name = line[..equals].trim_end_matches(' ').rsplit(|c| !is_name(c)).next()?;
        let name = name.replace('\\', "").to_ascii_lowercase();
        (!SHOWN.contains(&&*name)).then_some(equals + 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_may_be_a_pin_is_shown() {
        let check = |text: &str, expect: &str| {
            assert_eq!(without_pins(text), expect);
            assert_eq!(expect.len(), text.len());
        };
        check("Host a=b", "Host a=b");
        check("pkcs11:token=a?module-path=/m&pin-source=/p", "pkcs11:token=a?module-path=/m&pin-source=/p");
        check("pkcs11:?pin-source=/p&pin-value=4711", "pkcs11:?pin-source=/p&pin-value=****");
        check("pkcs11:?PIN-value=4;7?1&1\"\nnext=1", "pkcs11:?PIN-value=********\nnext=1");
        check("x\nSSLEngine \"p\\in\\-value=47\"\r\n", "x\nSSLEngine \"p\\in\\-value=***\r\n");
        check("SSLEngine pin-value = 47", "SSLEngine pin-value =***");
        check("SSLEngin \"pkcs1:?pin-value=é\"", "SSLEngin \"pkcs1:?pin-value=***");
        check("SSLEngine \"pkcs11:?pasword=47\"", "SSLEngine \"pkcs11:?pasword=***");
        check("SSLEngine \"pkcs11:?module-path=/m,pin=47", "SSLEngine \"pkcs11:?module-path=/m,pin=**");
        check("SSLEngine \"pkcs11:?pin-value=", "SSLEngine \"pkcs11:?pin-value=");
    }
}
