//! Back-ends: in a service, with a name, for emergencies.

use std::num::NonZeroU32;
use std::sync::Arc;

use plan::tls::{BackendTls, FileName, Verify};
use plan::{Backend, BackendAddress, Member, Times, Tolerance, limits};

use super::ciphers::PolicyDraft;
use super::{Lowering, ServiceDraft, TimesDraft};
use crate::diagnostic::Diagnostic;
use crate::directive::Lower;
use crate::lex::Word;
use crate::source::Span;
use crate::suggest;
use crate::syntax::Statement;
use crate::value::{self, Host};

/// Where nothing else is said.
const PORT: u16 = 80;
const TLS_PORT: u16 = 443;

#[derive(Default)]
pub(crate) struct BackendDraft {
    pub(crate) address: Option<Host>,
    /// Of `Address`.
    pub(crate) place: Option<Span>,
    pub(crate) port: Option<(u16, Span)>,
    pub(crate) priority: Option<u16>,
    pub(crate) times: TimesDraft,
    pub(crate) fails_max: Option<(Option<NonZeroU32>, Span)>,
    pub(crate) disabled: Option<bool>,
    pub(crate) uses: Option<Word>,
    pub(crate) https: Option<Span>,
    pub(crate) certificate: Option<(FileName, Span)>,
    pub(crate) authorities: Option<(FileName, Span)>,
    pub(crate) verify: Option<(Verify, Span)>,
    pub(crate) server_name: Option<(String, Span)>,
    pub(crate) policy: PolicyDraft,
    pub(crate) tolerance: Option<(Tolerance, Span)>,
}

/// A back-end with a name.
pub(crate) struct Named {
    /// As it was read; it gets its number in the plan at its first use.
    backend: Option<Unplaced>,
    placed: Option<Arc<Backend>>,
    priority: u16,
    /// What it says itself.
    times: TimesDraft,
    pub(crate) span: Span,
}

impl Named {
    /// Whether a service uses it, or it could not be read anyway.
    pub(crate) fn is_used(&self) -> bool {
        self.placed.is_some() || self.backend.is_none()
    }
}

/// A back-end without its place in the plan.
#[derive(Clone)]
struct Unplaced {
    locus: String,
    /// Of its address.
    place: Span,
    name: Option<String>,
    address: BackendAddress,
    times: Times,
    fails_max: Option<NonZeroU32>,
    disabled: bool,
    tls: Option<BackendTls>,
    tolerance: Tolerance,
}

pub(crate) fn address(cx: &mut Lowering<'_>, draft: &mut BackendDraft, statement: &Statement) {
    let word = &statement.arguments[0];
    draft.address = cx.accept(word, value::host(&word.text));
    draft.place = Some(word.span);
}

/// `Backend` in a service.
pub(crate) fn lower(cx: &mut Lowering<'_>, service: &mut ServiceDraft, statement: &Statement) {
    let Some(draft) = cx.backend_draft(statement) else { return };
    let priority = draft.priority;
    if let Some(name) = &draft.uses {
        let beside = [
            draft.address.as_ref().map(|_| statement.keyword),
            draft.port.map(|(_, span)| span),
            draft.times.span,
            draft.fails_max.map(|(_, span)| span),
            draft.https,
            draft.about_tls(),
            draft.tolerance.map(|(_, span)| span),
        ];
        if let Some(span) = beside.into_iter().flatten().next() {
            let message = "beside Use, only Priority and Disabled can stand";
            return cx.push(
                Diagnostic::error(span, message)
                    .related(name.span, "the rest is said where this back-end has its name"),
            );
        }
        let Some((backend, own)) = cx.named_backend(name, draft.disabled, service) else { return };
        return service.backends.push(Member { backend, priority: priority.unwrap_or(own) });
    }
    let times = draft.times.or(service.times).or(cx.global.times).finish(limits::BACKEND_TIMEOUT);
    let Some(unplaced) = cx.backend(draft, statement, times) else { return };
    let backend = cx.place(unplaced);
    service.backends.push(Member { backend, priority: priority.unwrap_or(limits::PRIORITY) });
}

/// `Emergency`
pub(crate) fn lower_emergency(cx: &mut Lowering<'_>, service: &mut ServiceDraft, statement: &Statement) {
    let Some(draft) = cx.backend_draft(statement) else { return };
    let outer = service.times.or(cx.global.times.without_answer());
    let times = draft.times.or(outer).finish(limits::EMERGENCY_TIMEOUT);
    let Some(unplaced) = cx.backend(draft, statement, times) else { return };
    let backend = cx.place(unplaced);
    service.emergency.push(Member { backend, priority: limits::PRIORITY });
}

/// `UseBackend "name"`
pub(crate) fn lower_use(cx: &mut Lowering<'_>, service: &mut ServiceDraft, statement: &Statement) {
    if let Some((backend, priority)) = cx.named_backend(&statement.arguments[0], None, service) {
        service.backends.push(Member { backend, priority });
    }
}

/// `Backend "name"` outside of all blocks.
pub(crate) fn lower_named(cx: &mut Lowering<'_>, statement: &Statement) {
    let name = &statement.arguments[0];
    if let Some(first) = cx.named_backends.get(&name.text) {
        let first = first.span;
        let message = format!("there is already a back-end {:?}", name.text);
        return cx.push(Diagnostic::error(name.span, message).related(first, "the first one"));
    }
    // It is known even if it cannot be read, so that its users are not complained about too.
    let mut named = Named {
        backend: None,
        placed: None,
        priority: limits::PRIORITY,
        times: TimesDraft::default(),
        span: name.span,
    };
    if let Some(draft) = cx.backend_draft(statement) {
        named.priority = draft.priority.unwrap_or(limits::PRIORITY);
        named.times = draft.times;
        let times = draft.times.or(cx.global.times).finish(limits::BACKEND_TIMEOUT);
        named.backend = cx
            .backend(draft, statement, times)
            .map(|backend| Unplaced { name: Some(name.text.to_string()), ..backend });
    }
    cx.named_backends.insert(name.text.clone(), named);
}

impl Lowering<'_> {
    /// Reads the directives of a block; `None` if something in there was wrong.
    fn backend_draft(&mut self, statement: &Statement) -> Option<BackendDraft> {
        let errors = self.diagnostics.errors();
        let mut draft = BackendDraft::default();
        for inner in statement.block() {
            match inner.row.lower {
                Lower::Backend(lower) if self.enter(inner) => lower(self, &mut draft, inner),
                Lower::Times(lower) if self.enter(inner) => {
                    draft.times.span = Some(inner.span);
                    lower(self, &mut draft.times, inner);
                }
                _ => {}
            }
        }
        (!statement.faulty && self.diagnostics.errors() == errors).then_some(draft)
    }

    fn backend(&mut self, mut draft: BackendDraft, statement: &Statement, times: Times) -> Option<Unplaced> {
        let tls = self.backend_tls(&mut draft)?;
        let default_port = if tls.is_some() { TLS_PORT } else { PORT };
        let address = match (draft.address, draft.port) {
            (None, _) => {
                let name = statement.row.name;
                self.missing(
                    statement.span,
                    &format!("this {name} has no Address"),
                    "Address ADDRESS|NAME|PATH in it",
                );
                return None;
            }
            (Some(Host::Unix(_)), Some((_, span))) => {
                self.push(Diagnostic::error(span, "a Unix socket has no port").help("leave this line out"));
                return None;
            }
            (Some(Host::Unix(path)), None) => BackendAddress::Unix(path),
            (Some(Host::Ip(address)), port) => {
                BackendAddress::Inet(address, port.map_or(default_port, |(port, _)| port))
            }
            (Some(Host::Name(name)), port) => {
                BackendAddress::Name(name, port.map_or(default_port, |(port, _)| port))
            }
        };
        Some(Unplaced {
            locus: self.diagnostics.sources.locus_range(statement.whole),
            place: draft.place.unwrap_or(statement.span),
            name: None,
            address,
            times,
            fails_max: draft.fails_max.map_or(self.global.fails_max, |(fails, _)| fails),
            disabled: draft.disabled.unwrap_or(false),
            tls,
            tolerance: draft.tolerance.map_or(self.tolerance, |(tolerance, _)| tolerance),
        })
    }

    /// `Tolerant bare-lf …`; `all` and `none` stand alone.
    pub(crate) fn tolerance(&mut self, statement: &Statement) -> Option<Tolerance> {
        type Set = fn(&mut Tolerance);
        const WORDS: &[(&str, Set)] = &[
            ("bare-lf", |tolerance| tolerance.bare_lf = true),
            ("fold", |tolerance| tolerance.folds = true),
            ("colon-blank", |tolerance| tolerance.colon_blanks = true),
            ("chunk-blank", |tolerance| tolerance.chunk_blanks = true),
            ("equal-length", |tolerance| tolerance.equal_lengths = true),
            ("identity", |tolerance| tolerance.identity = true),
        ];
        const ALONE: &[(&str, Set)] = &[
            ("all", |tolerance| *tolerance = Tolerance::ALL),
            ("none", |tolerance| *tolerance = Tolerance::default()),
        ];
        let words = if statement.arguments.len() == 1 { [WORDS, ALONE].concat() } else { WORDS.to_vec() };
        let mut tolerance = Tolerance::default();
        for word in &statement.arguments {
            self.choice(word, &words)?(&mut tolerance);
        }
        Some(tolerance)
    }

    /// Gives a back-end its place in the plan.
    fn place(&mut self, unplaced: Unplaced) -> Arc<Backend> {
        let backend = Arc::new(Backend {
            id: self.backends.len(),
            name: unplaced.name,
            locus: unplaced.locus,
            address: unplaced.address,
            times: unplaced.times,
            fails_max: unplaced.fails_max,
            disabled: unplaced.disabled,
            tls: unplaced.tls,
            tolerance: unplaced.tolerance,
        });
        self.backends.push(backend.clone());
        self.backend_places.push(unplaced.place);
        backend
    }

    /// The back-end of that name and its own priority. All its users share one, so that it is probed and counted
    /// once; only a user that wants it disabled otherwise than it is gets one for itself. What `service` says of times
    /// holds where the back-end says nothing itself.
    fn named_backend(
        &mut self,
        name: &Word,
        disabled: Option<bool>,
        service: &mut ServiceDraft,
    ) -> Option<(Arc<Backend>, u16)> {
        let (backend, priority, own) = self.shared_backend(name, disabled)?;
        let times = own.or(service.times).or(self.global.times).finish(limits::BACKEND_TIMEOUT);
        if times != backend.times {
            service.times_here.push((backend.id, times));
        }
        Some((backend, priority))
    }

    fn shared_backend(
        &mut self,
        name: &Word,
        disabled: Option<bool>,
    ) -> Option<(Arc<Backend>, u16, TimesDraft)> {
        let Some(named) = self.named_backends.get(&name.text) else {
            let nearest = suggest::nearest(&name.text, self.named_backends.keys().map(|name| &**name));
            let help = nearest.map(|name| format!("did you mean {name:?}?"));
            self.push(
                Diagnostic::error(name.span, format!("there is no back-end {:?}", name.text))
                    .label("expected the name of a Backend that stands outside of all blocks")
                    .help_if(help),
            );
            return None;
        };
        let (priority, times) = (named.priority, named.times);
        let unplaced = named.backend.clone()?;
        let wanted = disabled.unwrap_or(unplaced.disabled);
        if let Some(placed) = named.placed.clone().filter(|placed| placed.disabled == wanted) {
            return Some((placed, priority, times));
        }
        let shared = named.placed.is_none() && wanted == unplaced.disabled;
        let backend = self.place(Unplaced { disabled: wanted, ..unplaced });
        if let Some(named) = self.named_backends.get_mut(&name.text)
            && (shared || named.placed.is_none())
        {
            named.placed = Some(backend.clone());
        }
        Some((backend, priority, times))
    }
}
