//! Changes to requests and answers.

use plan::Template;
use plan::condition::Condition;
use plan::rewrite::{Branch, FieldEdit, RequestEdit, ResponseEdit, Rewrites, Step};
use plan::template::Part;

use super::{Lowering, condition};
use crate::diagnostic::Diagnostic;
use crate::directive::Lower;
use crate::lex::Word;
use crate::syntax::{Statement, Tree};

pub(crate) fn set_header(cx: &mut Lowering<'_>, statement: &Statement) -> Option<FieldEdit> {
    let word = &statement.arguments[0];
    let Ok((name, _)) = plan::rewrite::field_line(&word.text) else {
        return cx.refuse(word, "expected a field and its value, such as \"X-Served-By: pound\"");
    };
    // The value without the blanks around it; its place in the word is needed for complaints.
    let from = name.len() + 1;
    let from = from + (word.text.len() - from - word.text[from..].trim_start_matches([' ', '\t']).len());
    let mut value = cx.template_part(word, from)?;
    if let Some(text) = value.as_literal() {
        value = Template::literal(text.trim_end_matches([' ', '\t']));
    }
    if ["content-length", "transfer-encoding", "connection"].contains(&name.to_ascii_lowercase().as_str()) {
        cx.push(
            Diagnostic::error(word.part(0, name.len()), format!("{name} cannot be set"))
                .label("Pound itself says how long a message is and how its connection goes on"),
        );
        return None;
    }
    Some(FieldEdit::Set { name, value })
}

pub(crate) fn delete_header(cx: &mut Lowering<'_>, statement: &Statement) -> Option<FieldEdit> {
    cx.pattern_alone(statement, false).map(FieldEdit::Delete)
}

pub(crate) fn head_remove(cx: &mut Lowering<'_>, statement: &Statement) -> Option<FieldEdit> {
    cx.pattern_alone(statement, true).map(FieldEdit::Delete)
}

pub(crate) fn set_url(cx: &mut Lowering<'_>, statement: &Statement) -> Option<RequestEdit> {
    let word = &statement.arguments[0];
    let url = cx.template(word)?;
    cx.starts_with_slash(word, &url)?;
    cx.fits_a_target(word, &url);
    Some(RequestEdit::SetUrl(url))
}

pub(crate) fn set_path(cx: &mut Lowering<'_>, statement: &Statement) -> Option<RequestEdit> {
    let (words, encode) = cx.encode_option(statement)?;
    let [word] = words[..] else {
        cx.missing(statement.span, "SetPath needs a path", &statement.row.usage());
        return None;
    };
    let path = cx.template(word)?;
    cx.starts_with_slash(word, &path)?;
    if !encode {
        cx.fits_a_target(word, &path);
    }
    Some(RequestEdit::SetPath { path, encode })
}

pub(crate) fn set_query(cx: &mut Lowering<'_>, statement: &Statement) -> Option<RequestEdit> {
    let word = &statement.arguments[0];
    let query = cx.template(word)?;
    cx.fits_a_target(word, &query);
    Some(RequestEdit::SetQuery(query))
}

pub(crate) fn delete_query(_: &mut Lowering<'_>, _: &Statement) -> Option<RequestEdit> {
    Some(RequestEdit::DeleteQuery)
}

pub(crate) fn set_query_param(cx: &mut Lowering<'_>, statement: &Statement) -> Option<RequestEdit> {
    let (words, encode) = cx.encode_option(statement)?;
    let (name, value) = match words[..] {
        [name] => (name, None),
        [name, value] => (name, Some(value)),
        _ => {
            cx.missing(statement.span, "SetQueryParam needs a name", &statement.row.usage());
            return None;
        }
    };
    if name.text.is_empty() {
        return cx.refuse(name, "expected the name of a query parameter");
    }
    // A value is a text like any other, and what cannot stand in a query is encoded, without a word.
    let template = match value {
        None => None,
        Some(word) => Some(cx.template(word)?),
    };
    Some(RequestEdit::SetQueryParam { name: name.text.to_string(), value: template, encode })
}

impl Lowering<'_> {
    fn encode_option<'a>(&mut self, statement: &'a Statement) -> Option<(Vec<&'a Word>, bool)> {
        let mut words = Vec::new();
        let mut encode = false;
        for word in &statement.arguments {
            match word.text.to_ascii_lowercase().as_str() {
                "-encode" if word.is_flag() => encode = true,
                _ if word.is_flag() => {
                    self.unknown_option(word, &["-encode"]);
                    return None;
                }
                _ => words.push(word),
            }
        }
        Some((words, encode))
    }

    fn starts_with_slash(&mut self, word: &Word, template: &Template) -> Option<()> {
        match template.parts().first() {
            Some(Part::Literal(text)) if !text.starts_with('/') => {
                self.refuse(word, "expected a path that begins with /")
            }
            None => self.refuse(word, "expected a path that begins with /"),
            _ => Some(()),
        }
    }

    /// Says what will be encoded because it cannot stand in a request line.
    fn fits_a_target(&mut self, word: &Word, template: &Template) {
        let fits = |part: &Part| match part {
            Part::Literal(text) => text.bytes().all(|byte| byte.is_ascii_graphic()),
            _ => true,
        };
        if !template.parts().iter().all(fits) {
            self.warn_of_encoding(word, "the request line");
        }
    }

    /// The first character of a word that cannot stand in a URL, and what is sent for it.
    pub(crate) fn warn_of_encoding(&mut self, word: &Word, place: &str) {
        let Some(at) = word.text.bytes().position(|byte| !byte.is_ascii_graphic()) else { return };
        let len = word.text[at..].chars().next().map_or(1, char::len_utf8);
        let character = &word.text[at..at + len];
        let encoded: String = character.bytes().map(|byte| format!("%{byte:02X}")).collect();
        self.push(
            Diagnostic::warning(word.part(at, len), format!("{character:?} cannot stand in a URL"))
                .label(format!("{place} has {encoded} for it")),
        );
    }

    /// Puts a modification of a listener or a service among the others. `false` if it is none.
    pub(crate) fn edit(&mut self, rewrites: &mut Rewrites, statement: &Statement) -> bool {
        match statement.row.lower {
            Lower::Field(lower) => {
                if let Some(edit) = self.enter(statement).then(|| lower(self, statement)).flatten() {
                    rewrites.request.push(Step::Edit(RequestEdit::Field(edit)));
                }
            }
            Lower::Request(lower) => {
                if let Some(edit) = self.enter(statement).then(|| lower(self, statement)).flatten() {
                    rewrites.request.push(Step::Edit(edit));
                }
            }
            Lower::Rewrite => {
                if about_the_answer(statement) {
                    rewrites.response.push(self.rewrite(statement));
                } else {
                    rewrites.request.push(self.rewrite(statement));
                }
            }
            _ => return false,
        }
        true
    }

    fn rewrite<E: Edit>(&mut self, statement: &Statement) -> Step<E> {
        let Tree::Branches(trees) = &statement.body else { return Step::Choose(Vec::new()) };
        let mut branches = Vec::with_capacity(trees.len());
        let mut always: Option<&Statement> = None;
        for tree in trees {
            if let (Some(first), Some(here)) = (always, tree.first()) {
                self.push(
                    Diagnostic::warning(here.span, "this branch is never taken")
                        .related(first.span, "the branch of this line has no condition and is always taken")
                        .help("put the condition of a branch among its lines"),
                );
                always = None;
            }
            let mut conditions = Vec::new();
            let mut steps = Vec::new();
            for inner in tree {
                match inner.row.lower {
                    Lower::Condition(_) => conditions.extend(condition::one(self, inner)),
                    Lower::Rewrite => steps.push(self.rewrite(inner)),
                    _ if self.enter(inner) => steps.extend(E::lower(self, inner).map(Step::Edit)),
                    _ => {}
                }
            }
            let unconditional = !tree.iter().any(|inner| matches!(inner.row.lower, Lower::Condition(_)));
            if unconditional && always.is_none() && !statement.faulty {
                always = tree.first();
            }
            branches.push(Branch { condition: Condition::All(conditions), steps });
        }
        Step::Choose(branches)
    }
}

/// Whether a `Rewrite` outside of others is one of answers.
fn about_the_answer(statement: &Statement) -> bool {
    statement.arguments.first().is_some_and(|word| word.text.eq_ignore_ascii_case("response"))
}

/// What can be changed in a kind of message.
trait Edit: Sized {
    fn lower(cx: &mut Lowering<'_>, statement: &Statement) -> Option<Self>;
}

impl Edit for RequestEdit {
    fn lower(cx: &mut Lowering<'_>, statement: &Statement) -> Option<Self> {
        match statement.row.lower {
            Lower::Field(lower) => lower(cx, statement).map(RequestEdit::Field),
            Lower::Request(lower) => lower(cx, statement),
            _ => None,
        }
    }
}

impl Edit for ResponseEdit {
    fn lower(cx: &mut Lowering<'_>, statement: &Statement) -> Option<Self> {
        match statement.row.lower {
            Lower::Field(lower) => lower(cx, statement).map(ResponseEdit::Field),
            _ => None,
        }
    }
}
