//! `CheckURL` in both meanings, and the sets of characters.

use std::sync::Arc;

use plan::{Alphabets, CharSet};

use super::{ListenerDraft, Lowering};
use crate::diagnostic::Diagnostic;
use crate::lex::Word;
use crate::syntax::Statement;

/// What was given of it in one place.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct AlphabetsDraft {
    pub(crate) check: Option<bool>,
    pub(crate) segment: Option<CharSet>,
    pub(crate) parameter: Option<CharSet>,
    pub(crate) query_id: Option<CharSet>,
    pub(crate) query_value: Option<CharSet>,
}

impl AlphabetsDraft {
    /// The sets of a listener that says this, where the file says `global` for all; `None` if nothing is checked.
    pub(crate) fn finish(&self, global: &AlphabetsDraft) -> Option<Arc<Alphabets>> {
        if !self.check.or(global.check).unwrap_or(false) {
            return None;
        }
        let standard = Alphabets::default();
        Some(Arc::new(Alphabets {
            segment: self.segment.or(global.segment).unwrap_or(standard.segment),
            parameter: self.parameter.or(global.parameter).unwrap_or(standard.parameter),
            query_id: self.query_id.or(global.query_id).unwrap_or(standard.query_id),
            query_value: self.query_value.or(global.query_value).unwrap_or(standard.query_value),
        }))
    }
}

/// `CheckURL 0|1` for all listeners.
pub(crate) fn global(cx: &mut Lowering<'_>, statement: &Statement) {
    let word = &statement.arguments[0];
    match switch(word) {
        Some(on) => cx.global.bounds.alphabets.check = Some(on),
        None => {
            let help = "a pattern stands in ListenHTTP";
            let message = format!("{:?} is no value for CheckURL outside of all blocks", word.text);
            cx.push(Diagnostic::error(word.span, message).label("expected 0 or 1").help(help));
        }
    }
}

/// `CheckURL 0|1` or `CheckURL "pattern"` of a listener.
pub(crate) fn check_url(cx: &mut Lowering<'_>, draft: &mut ListenerDraft, statement: &Statement) {
    let again = match &*statement.arguments {
        [word] if switch(word).is_some() => {
            draft.bounds.alphabets.check.replace(switch(word) == Some(true)).is_some()
        }
        _ => {
            let pattern = cx.whole_pattern(statement);
            let again = draft.check_url.is_some() && pattern.is_some();
            draft.check_url = pattern.or(draft.check_url.take());
            again
        }
    };
    if again {
        cx.push(Diagnostic::error(statement.span, "there is already a CheckURL of this kind"));
    }
}

/// A pattern stands in quotes; the 0 and 1 of Pound 1.x did not.
fn switch(word: &Word) -> Option<bool> {
    match &*word.text {
        "0" if !word.quoted => Some(false),
        "1" if !word.quoted => Some(true),
        _ => None,
    }
}

/// A set of characters.
pub(crate) fn set(cx: &mut Lowering<'_>, statement: &Statement) -> Option<CharSet> {
    let word = &statement.arguments[0];
    match CharSet::new(&word.text) {
        Ok(set) => Some(set),
        Err((at, len, problem)) => {
            let name = statement.row.name;
            let message = format!("{name} cannot be read");
            cx.push(Diagnostic::error(word.part(at, len), message).label(problem));
            None
        }
    }
}
