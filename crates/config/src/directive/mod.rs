//! The table: one row per directive.
//!
//! A row says everything about a directive: its name, where it may stand, what it takes, its default, since when Pound
//! knows it, what it does in words, and the function that turns it into a part of the plan. The parser, the
//! diagnostics, the reference manual and `pound -h` read this table and nothing else.

mod alphabet;
mod backend;
mod condition;
mod edit;
mod global;
mod limits;
mod listener;
mod service;
mod session;
mod times;

use std::collections::HashMap;
use std::sync::OnceLock;

use plan::condition::Condition;
use plan::rewrite::{FieldEdit, RequestEdit};

use crate::lex::Word;
use crate::lower::{
    BackendDraft, BoundsDraft, Inner, ListenerDraft, Lowering, ServiceDraft, SessionDraft, TimesDraft,
};
use crate::syntax::Statement;

/// Where a directive may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Scope {
    /// Outside of all blocks.
    Global,
    /// `ListenHTTP`
    Listener,
    /// `ListenHTTPS`
    TlsListener,
    /// `Service`
    Service,
    /// `Backend` in a service.
    Backend,
    /// `Backend "name"` outside of all blocks.
    NamedBackend,
    /// `Emergency`
    Emergency,
    /// `Session`
    Session,
    /// `Rewrite`, also `Rewrite request`
    Rewrite,
    /// `Rewrite response`
    RewriteResponse,
    /// `Match`
    Match,
    /// `Match` in a `Rewrite response`
    MatchResponse,
}

impl Scope {
    pub(crate) const ALL: &[Scope] = &[
        Scope::Global,
        Scope::Listener,
        Scope::TlsListener,
        Scope::Service,
        Scope::Backend,
        Scope::NamedBackend,
        Scope::Emergency,
        Scope::Session,
        Scope::Rewrite,
        Scope::RewriteResponse,
        Scope::Match,
        Scope::MatchResponse,
    ];

    /// As in "cannot stand in …".
    pub(crate) fn place(self) -> &'static str {
        match self {
            Scope::Global => "outside of all blocks",
            Scope::Listener => "in ListenHTTP",
            Scope::TlsListener => "in ListenHTTPS",
            Scope::Service => "in Service",
            Scope::Backend => "in the Backend of a Service",
            Scope::NamedBackend => "in a named Backend",
            Scope::Emergency => "in Emergency",
            Scope::Session => "in Session",
            Scope::Rewrite => "in Rewrite",
            Scope::RewriteResponse => "in Rewrite response",
            Scope::Match => "in Match",
            Scope::MatchResponse => "in a Match of Rewrite response",
        }
    }
}

/// What follows the line of a directive.
#[derive(Clone, Copy)]
pub(crate) enum Body {
    /// Nothing.
    None,
    /// Directives of this scope up to `End`.
    Block(Scope),
    /// Words, one a line, up to `End`, if the arguments say so.
    Entries(fn(&[Word]) -> bool),
    /// `Rewrite`: branches.
    Branches,
    /// `Not`: a condition on the same line.
    Condition,
    /// Lines that nobody looks at, up to `End`, if the arguments say so; blocks inside begin with these words.
    Ignored(fn(&[Word]) -> bool, &'static [&'static str]),
}

/// How a directive stands to what Pound does today.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// In use.
    Current,
    /// Works, but is written otherwise today: this way.
    Deprecated(&'static str),
    /// Accepted without effect, for this reason.
    NoEffect(&'static str),
    /// Of the language, but not built yet.
    Pending,
}

/// When a global directive is looked at: what others refer to comes first, so that order in the file does not matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Things with a name: access lists, log formats.
    Names,
    /// Values that hold for the whole file.
    Values,
    /// Named back-ends, whose time-outs default to global values.
    Backends,
    /// Listeners and services, and what changes the meaning of those that follow.
    Routes,
}

/// What a directive does.
#[derive(Clone, Copy)]
pub(crate) enum Lower {
    /// Nothing: the parser deals with it, or it is not built.
    Nothing,
    /// `Service`, in a listener or outside of all blocks.
    ServiceBlock,
    Global(Phase, fn(&mut Lowering<'_>, &Statement)),
    Listener(fn(&mut Lowering<'_>, &mut ListenerDraft, &Statement)),
    Service(fn(&mut Lowering<'_>, &mut ServiceDraft, &Statement)),
    /// The same outside of all blocks, for all listeners, and in a listener.
    Bounds(fn(&mut Lowering<'_>, &mut BoundsDraft, &Statement)),
    /// The same wherever the time of a back-end may be given.
    Times(fn(&mut Lowering<'_>, &mut TimesDraft, &Statement)),
    /// The same in a listener and in a service.
    Inner(fn(&mut Lowering<'_>, &mut Inner, &Statement)),
    Backend(fn(&mut Lowering<'_>, &mut BackendDraft, &Statement)),
    Session(fn(&mut Lowering<'_>, &mut SessionDraft, &Statement)),
    Condition(fn(&mut Lowering<'_>, &Statement) -> Option<Condition>),
    /// A change to a field, of a request or of an answer.
    Field(fn(&mut Lowering<'_>, &Statement) -> Option<FieldEdit>),
    Request(fn(&mut Lowering<'_>, &Statement) -> Option<RequestEdit>),
    /// `Rewrite`
    Rewrite,
}

impl Lower {
    pub(crate) fn is_service(&self) -> bool {
        matches!(self, Lower::ServiceBlock)
    }
}

/// One row of the table.
pub(crate) struct Directive {
    /// As it is written in the manual; case does not count.
    pub(crate) name: &'static str,
    /// Other names of the same thing.
    pub(crate) aliases: &'static [&'static str],
    pub(crate) scopes: &'static [Scope],
    /// What follows the name, in words for the manual and for messages.
    pub(crate) syntax: &'static str,
    /// Fewest and most words that follow, options not counted.
    pub(crate) arguments: (usize, usize),
    /// Whether words that begin with a dash are options. Whoever reads them then sees to the most.
    pub(crate) options: bool,
    pub(crate) body: Body,
    /// Whether it may stand only once in its block.
    pub(crate) once: bool,
    /// In words; empty if there is none.
    pub(crate) default: &'static str,
    /// The version of Pound that brought it, or "new".
    pub(crate) since: &'static str,
    pub(crate) standing: Standing,
    /// One or more sentences.
    pub(crate) doc: &'static str,
    /// Lines as they could stand in a file; empty if the syntax says it all.
    pub(crate) example: &'static str,
    pub(crate) lower: Lower,
}

impl Directive {
    /// A row to build others from.
    const ROW: Directive = Directive {
        name: "",
        aliases: &[],
        scopes: &[],
        syntax: "",
        arguments: (1, 1),
        options: false,
        body: Body::None,
        once: true,
        default: "",
        since: "",
        standing: Standing::Current,
        doc: "",
        example: "",
        lower: Lower::Nothing,
    };

    /// Fewest and most words, options among them.
    pub(crate) fn arguments_allowed(&self) -> (usize, usize) {
        let (min, max) = self.arguments;
        (min, if self.options { usize::MAX } else { max })
    }

    /// Name and arguments as they are written.
    pub(crate) fn usage(&self) -> String {
        if self.syntax.is_empty() { self.name.to_owned() } else { format!("{} {}", self.name, self.syntax) }
    }
}

/// A part of the table and of the manual.
pub(crate) struct Section {
    pub(crate) title: &'static str,
    pub(crate) intro: &'static str,
    pub(crate) rows: &'static [Directive],
}

/// The whole table, in the order of the manual.
pub(crate) static TABLE: &[Section] = &[
    Section {
        title: "Global directives",
        intro: "They stand outside of all blocks. Except where it is said otherwise, their order does not matter: a \
                value given anywhere in the file holds for all listeners, services and back-ends that do not give \
                their own.",
        rows: global::ROWS,
    },
    Section {
        title: "Listeners",
        intro: "Directives inside of `ListenHTTP` and `ListenHTTPS`. What changes requests and answers (see Modifications) may stand \
                here too and then holds for all services that this listener uses.",
        rows: listener::ROWS,
    },
    Section {
        title: "Time-outs",
        intro: "`Client` and `StreamClient` stand in listeners, or outside of all blocks for all listeners that give none \
                of their own. The others stand in back-ends, in a `Service` for its back-ends, `Emergency` included, or \
                outside of all blocks. The innermost one holds; a back-end that stands outside of the service keeps what \
                it says itself. The words that begin with `Stream` are for bodies that have begun. Each is looked for \
                from the inside to the outside; if the file gives none, an explicit `TimeOut` or `Client` is looked for \
                in the same way, since it held for that too in older Pounds; and if there is none either, the default of \
                the Stream word holds.",
        rows: times::ROWS,
    },
    Section {
        title: "Limits",
        intro: "How much and how slowly a client may send. They stand in listeners, or outside of all blocks: there \
                they hold for all listeners that give none of their own. What goes beyond one of them is refused with a \
                code of its own, see the chapter on refusals.",
        rows: limits::ROWS,
    },
    Section {
        title: "Characters of URLs",
        intro: "The check of Pound 1.x. Besides CheckURL they stand in listeners, or outside of all blocks for all \
                listeners that give none of their own.",
        rows: alphabet::ROWS,
    },
    Section {
        title: "Services",
        intro: "Directives inside of `Service`, besides conditions and modifications. A request is answered by the \
                first service whose conditions all hold: first those of the listener, then the global ones, each in \
                the order of the file.",
        rows: service::ROWS,
    },
    Section {
        title: "Conditions",
        intro: "They stand in `Service`, `Rewrite` and `Match`. A plain list of conditions holds when each of them \
                does. In `Rewrite response` only `Header`, `StringMatch`, `Match` and `Not` may stand, and fields \
                are those of the answer. The options of patterns are told in the chapter on configuration.",
        rows: condition::ROWS,
    },
    Section {
        title: "Modifications",
        intro: "They stand in listeners, `Service` and `Rewrite`, and are made in the order of the file: to \
                requests first those of the listener, then those of the service; to answers the other way round. \
                The fields that Pound sets itself (X-Forwarded-For and so on) are there before. All texts are \
                templates: `$1`, `%[host]` and the like are replaced for each request.",
        rows: edit::ROWS,
    },
    Section {
        title: "Back-ends",
        intro: "Directives inside of `Backend` and `Emergency`.",
        rows: backend::ROWS,
    },
    Section { title: "Sessions", intro: "Directives inside of `Session`.", rows: session::ROWS },
];

/// All rows.
pub(crate) fn rows() -> impl Iterator<Item = &'static Directive> {
    TABLE.iter().flat_map(|section| section.rows)
}

/// Longer than any name in the table.
const NAME_BYTES_MAX: usize = 32;

/// The row of a word in a scope.
pub(crate) fn find(scope: Scope, word: &str) -> Option<&'static Directive> {
    static INDEX: OnceLock<HashMap<Scope, HashMap<String, &'static Directive>>> = OnceLock::new();
    let index = INDEX.get_or_init(|| {
        let mut index: HashMap<Scope, HashMap<String, &'static Directive>> = HashMap::new();
        for row in rows() {
            for scope in row.scopes {
                for name in std::iter::once(&row.name).chain(row.aliases) {
                    index.entry(*scope).or_default().insert(name.to_ascii_lowercase(), row);
                }
            }
        }
        index
    });
    // A big file has a hundred thousand lines: no allocation for each.
    let mut lower = [0; NAME_BYTES_MAX];
    let lower = lower.get_mut(..word.len())?;
    lower.copy_from_slice(word.as_bytes());
    lower.make_ascii_lowercase();
    index.get(&scope)?.get(std::str::from_utf8(lower).ok()?).copied()
}

/// The names that may stand in a scope.
pub(crate) fn names(scope: Scope) -> impl Iterator<Item = &'static str> {
    rows().filter(move |row| row.scopes.contains(&scope)).map(|row| row.name)
}

/// The scopes in which a word may stand.
pub(crate) fn scopes(word: &str) -> Vec<Scope> {
    Scope::ALL.iter().copied().filter(|scope| find(*scope, word).is_some()).collect()
}

/// For bodies that are always there.
fn always(_: &[Word]) -> bool {
    true
}

/// For bodies that are there when nothing stands behind the name.
fn without_arguments(words: &[Word]) -> bool {
    words.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_complete() {
        for row in rows() {
            assert!(!row.scopes.is_empty(), "{}", row.name);
            assert!(!row.since.is_empty(), "{}", row.name);
            assert!(row.doc.ends_with(['.', ')']), "{}", row.name);
            assert!(row.name.len() <= NAME_BYTES_MAX, "{}", row.name);
            assert!(row.arguments.0 <= row.arguments.1, "{}", row.name);
            match row.standing {
                Standing::Current | Standing::Deprecated(_) => {}
                Standing::NoEffect(_) | Standing::Pending => {
                    assert!(matches!(row.lower, Lower::Nothing), "{} does something", row.name);
                }
            }
        }
    }

    #[test]
    fn no_word_has_two_rows_in_a_scope() {
        let mut seen = std::collections::HashSet::new();
        for row in rows() {
            for scope in row.scopes {
                for name in std::iter::once(&row.name).chain(row.aliases) {
                    assert!(
                        seen.insert((*scope, name.to_ascii_lowercase())),
                        "{name} twice {}",
                        scope.place()
                    );
                }
            }
        }
    }
}
