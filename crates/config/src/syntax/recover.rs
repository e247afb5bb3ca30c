//! Going on behind what cannot be understood: words that are no directives, and `End`s that are missing.
//!
//! The aim is that one mistake is reported once, and hides no other.

use super::{Cursor, Parser};
use crate::diagnostic::Diagnostic;
use crate::dialect;
use crate::directive::{self, Body, Scope};
use crate::hint;
use crate::lex::Word;
use crate::source::Span;
use crate::suggest;

/// Lines that an unknown block is looked through for its `End`.
const LOOK_AHEAD_MAX: usize = 1000;

impl Parser<'_> {
    pub(super) fn missing_end(&mut self, keyword: Span) {
        if self.lost {
            return;
        }
        let name = self.diagnostics.sources.slice(keyword).to_owned();
        let mut diagnostic =
            Diagnostic::error(keyword, format!("this {name} has no End")).label("begins here");
        if let Some((opener, end)) = self.suspect.take() {
            let opener = self.diagnostics.sources.slice(opener).to_owned();
            diagnostic =
                diagnostic.related(end, format!("this End closed {opener}; was it meant for another block?"));
        }
        self.push(diagnostic);
    }

    /// Whether a block directive, misplaced here but at home in an outer block and not indented more than the open
    /// one, shows that an `End` was forgotten.
    pub(super) fn end_is_missing(&mut self, scope: Scope, keyword: &Word, indent: usize) -> bool {
        let Some(open) = self.open[self.base..].last() else { return false };
        if indent > open.indent {
            return false;
        }
        let opener = open.keyword;
        let outer = (self.base..self.open.len()).rev().find(|&depth| {
            let outer = if depth == self.base { self.outer_scope() } else { self.open[depth - 1].scope };
            directive::find(outer, &keyword.text).is_some_and(|row| matches!(row.body, Body::Block(_)))
        });
        let Some(depth) = outer else { return false };
        let open_name = self.diagnostics.sources.slice(opener).to_owned();
        self.push(
            Diagnostic::error(keyword.span, format!("{} cannot stand {}", keyword.text, scope.place()))
                .label("expected End before this line")
                .related(opener, format!("this {open_name} is still open")),
        );
        self.unwind_to = Some(depth);
        true
    }

    /// The scope of the file that is being read.
    pub(super) fn outer_scope(&self) -> Scope {
        match self.base.checked_sub(1) {
            Some(last) => self.open[last].scope,
            None => Scope::Global,
        }
    }

    /// Says what is known about a word that may not stand here, and goes past its block if it has one.
    pub(super) fn unknown(
        &mut self,
        cursor: &mut Cursor,
        scope: Scope,
        keyword: &Word,
        words: Vec<Word>,
        indent: usize,
    ) {
        if let Some(gone) = dialect::gone(scope, &keyword.text) {
            self.push(
                Diagnostic::error(
                    keyword.span,
                    format!("{} was a directive of Pound {}", gone.word, gone.generation),
                )
                .help(gone.advice),
            );
            if let Some(end) = gone.end {
                while let Some((_, text, range)) = cursor.raw() {
                    if text[range].trim().eq_ignore_ascii_case(end) {
                        break;
                    }
                }
            }
            return;
        }
        let scopes = directive::scopes(&keyword.text);
        if let Some(home) = scopes.first() {
            let mut places: Vec<&str> = scopes.iter().map(|scope| scope.place()).collect();
            let last = places.pop().unwrap_or_default();
            let places =
                if places.is_empty() { last.to_owned() } else { format!("{} or {last}", places.join(", ")) };
            self.push(
                Diagnostic::error(keyword.span, format!("{} cannot stand {}", keyword.text, scope.place()))
                    .label(format!("it stands {places}")),
            );
            if let Some(row) = directive::find(*home, &keyword.text) {
                self.diagnostics.mute();
                self.statement(cursor, *home, row, keyword, words, indent);
                self.diagnostics.unmute();
            }
            return;
        }
        if self.diagnostics.is_full() {
            // Nobody will read more; looking for what was meant would be in vain.
            return self
                .push(Diagnostic::error(keyword.span, format!("{} is not a directive", keyword.text)));
        }
        if let Some(help) = hint::directive(&keyword.text) {
            self.push(
                Diagnostic::error(keyword.span, format!("{} is not a directive", keyword.text))
                    .label(format!("expected a directive that can stand {}", scope.place()))
                    .help(help),
            );
            return self.skip_what_looks_like_a_block(cursor, indent);
        }
        let here = suggest::nearest(&keyword.text, directive::names(scope));
        let anywhere =
            here.or_else(|| suggest::nearest(&keyword.text, directive::rows().map(|row| row.name)));
        let help = match (here, anywhere) {
            (Some(name), _) => Some(format!("did you mean {name}?")),
            (None, Some(name)) => {
                let place = directive::scopes(name).first().map_or("", |scope| scope.place());
                Some(format!("did you mean {name}? It stands {place}"))
            }
            (None, None) => None,
        };
        self.push(
            Diagnostic::error(keyword.span, format!("{} is not a directive", keyword.text))
                .label(format!("expected a directive that can stand {}", scope.place()))
                .help_if(help),
        );
        match here.and_then(|name| directive::find(scope, name)) {
            Some(row) if matches!(row.body, Body::Block(_) | Body::Branches) => {
                // The content is real; only the line above it is not.
                self.statement(cursor, scope, row, keyword, words, indent);
            }
            _ => self.skip_what_looks_like_a_block(cursor, indent),
        }
    }

    /// Goes past indented lines up to an `End` that stands under the unknown word.
    pub(super) fn skip_what_looks_like_a_block(&mut self, cursor: &mut Cursor, indent: usize) {
        let start = cursor.at;
        let mut left = LOOK_AHEAD_MAX;
        if cursor.peek().is_none_or(|(next, _)| next <= indent) {
            return;
        }
        while let Some((next, word)) = cursor.peek() {
            if next <= indent {
                if word.eq_ignore_ascii_case("end") && next == indent {
                    // Up to and including this line.
                    while let Some((_, text, range)) = cursor.raw() {
                        if text[range]
                            .split_ascii_whitespace()
                            .next()
                            .is_some_and(|word| word.eq_ignore_ascii_case("end"))
                        {
                            return;
                        }
                    }
                }
                break;
            }
            let _ = cursor.raw();
            left -= 1;
            if left == 0 {
                break;
            }
        }
        cursor.at = start;
    }
}
