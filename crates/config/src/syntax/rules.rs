//! What the table says about a line: how it stands to Pound today, how many values it takes, how often it may stand.

use plan::text::{self, Look};

use super::{Parser, Statement};
use crate::Deprecated;
use crate::diagnostic::Diagnostic;
use crate::directive::{Body, Directive, Lower, Standing};
use crate::hint;
use crate::lex::Word;
use crate::source::Span;

impl Parser<'_> {
    pub(super) fn report_standing(&mut self, row: &'static Directive, keyword: Span) {
        let name = self.diagnostics.sources.slice(keyword).to_owned();
        match row.standing {
            Standing::Current => {}
            Standing::Pending => {
                let error = Diagnostic::error(keyword, format!("{} is not supported yet", row.name));
                self.push(match hint::pending(row.name) {
                    Some(help) => error.help(help),
                    None => error,
                });
            }
            Standing::NoEffect(why) => {
                self.push(Diagnostic::warning(keyword, format!("{name} has no effect: {why}")));
            }
            Standing::Deprecated(instead) => {
                let message = format!("{name} is deprecated");
                let help = format!("write {instead}");
                match self.options.deprecated {
                    Deprecated::Ok => {}
                    Deprecated::Warn => self.push(Diagnostic::warning(keyword, message).help(help)),
                    Deprecated::Error => self.push(Diagnostic::error(keyword, message).help(help)),
                }
            }
        }
    }

    pub(super) fn check_arguments(&mut self, row: &'static Directive, span: Span, arguments: &[Word]) {
        if let Some(option) = arguments.iter().find(|word| !row.options && word.is_flag()) {
            return self.push(
                Diagnostic::error(option.span, format!("{} has no options", row.name))
                    .label(format!("expected: {}", row.usage()))
                    .help("a text that begins with a dash stands in quotes"),
            );
        }
        let brace = |word: &&Word| !word.quoted && matches!(&*word.text, "{" | "}");
        if let Some(brace) = arguments.iter().find(brace) {
            let help = match row.body {
                Body::None => "leave it out".to_owned(),
                _ => format!("{} begins a block without it, and End ends it", row.name),
            };
            let message = "Pound's language has no braces";
            return self.push(Diagnostic::error(brace.span, message).help(help));
        }
        let (min, max) = row.arguments_allowed();
        if arguments.len() < min {
            self.push(
                Diagnostic::error(span, format!("{} needs {}", row.name, count(min, arguments.len())))
                    .label(format!("expected: {}", row.usage())),
            );
        } else if arguments.len() > max {
            let takes = match max {
                0 => "nothing on its line".to_owned(),
                1 => "only one value".to_owned(),
                max => format!("no more than {max} values"),
            };
            let rest = arguments[max].span.to(arguments[arguments.len() - 1].span);
            let mut diagnostic = Diagnostic::error(rest, format!("{} takes {takes}", row.name));
            diagnostic = diagnostic.label(format!("expected: {}", row.usage()));
            let texts: Vec<&str> = arguments.iter().map(|word| &*word.text).collect();
            if let Some(help) = hint::words(row.name, row.syntax, &texts) {
                diagnostic = diagnostic.help(help);
            } else if row.syntax.contains('"') && arguments.iter().all(|word| !word.quoted) {
                diagnostic = diagnostic.help("a text with blanks stands in quotes");
            }
            self.push(diagnostic);
        }
    }

    /// Looks at texts in quotes for characters that are not what they look like. A pattern with one would never match, and
    /// what it guards would be open; in other texts they may be meant.
    pub(super) fn check_texts(&mut self, row: &'static Directive, arguments: &[Word]) {
        for word in arguments.iter().filter(|word| word.quoted && !word.bad) {
            let Some((at, character)) = text::invisible(&word.text) else { continue };
            let span = word.part(at, character.len_utf8());
            let name = text::name(character);
            let diagnostic = if matches!(row.lower, Lower::Condition(_)) {
                Diagnostic::error(span, format!("{name} cannot stand in a pattern"))
            } else {
                Diagnostic::warning(span, format!("there is {name} in this text"))
            };
            let help = match text::looks_like(character) {
                Some(Look::Blank) => "write a plain blank",
                _ => "it cannot be seen: delete it, or write the text anew",
            };
            self.push(diagnostic.help(help));
        }
    }

    pub(super) fn refuse_rest(&mut self, what: &str, words: &[Word]) {
        if let (Some(first), Some(last)) = (words.first(), words.last()) {
            let span = first.span.to(last.span);
            self.push(
                Diagnostic::error(span, format!("nothing can follow {what}"))
                    .label("expected the end of the line"),
            );
        }
    }

    /// Says where a directive that has one value stands again: the last one counts, as in C Pound.
    pub(super) fn warn_of_repetitions(&mut self, statements: &[Statement]) {
        let mut seen: Vec<&Statement> = Vec::new();
        for statement in statements.iter().filter(|statement| statement.row.once && !statement.faulty) {
            match seen.iter_mut().find(|before| std::ptr::eq(before.row, statement.row)) {
                Some(before) => {
                    self.push(
                        Diagnostic::warning(
                            statement.span,
                            format!("{} stands here again, and the last one counts", statement.row.name),
                        )
                        .label("this one counts")
                        .related(before.span, "this one has no effect"),
                    );
                    *before = statement;
                }
                None => seen.push(statement),
            }
        }
    }
}

/// As in "Redirect needs a value".
fn count(min: usize, given: usize) -> String {
    match (min, given) {
        (1, _) => "a value".to_owned(),
        (min, 0) => format!("{min} values"),
        (min, given) => format!("{min} values, not {given}"),
    }
}
