//! `Service`.

use std::sync::Arc;

use plan::condition::Condition;
use plan::rewrite::Rewrites;
use plan::service::{LogSuppress, Redirect};
use plan::template::Part;
use plan::{BackendSet, Balancer, Group, Member, Service, Session, Target, Template, Times, Tolerance};

use super::{Inner, Lowering, TimesDraft, condition};
use crate::diagnostic::Diagnostic;
use crate::directive::Lower;
use crate::lex::Word;
use crate::source::Span;
use crate::syntax::Statement;

#[derive(Default)]
pub(crate) struct ServiceDraft {
    pub(crate) backends: Vec<Member>,
    pub(crate) emergency: Vec<Member>,
    /// What answers other than back-ends.
    special: Option<(Target, Span)>,
    pub(crate) session: Option<(Session, Span)>,
    pub(crate) balancer: Option<Balancer>,
    pub(crate) disabled: bool,
    /// `RequireClientCert`
    pub(crate) client_certificate: bool,
    /// What it says of the times of its back-ends.
    pub(crate) times: TimesDraft,
    /// The times of back-ends that stand outside of it, where they are others here.
    pub(crate) times_here: Vec<(usize, Times)>,
    log_suppress: LogSuppress,
    inner: Inner,
}

pub(crate) fn lower_global(cx: &mut Lowering<'_>, statement: &Statement) {
    let place = format!("service {}", cx.global_services.len() + 1);
    let service = lower(cx, statement, place);
    cx.global_services.push((service, statement.keyword));
}

pub(crate) fn lower(cx: &mut Lowering<'_>, statement: &Statement, place: String) -> Arc<Service> {
    let errors = cx.diagnostics.errors();
    let ignore_case = cx.ignore_case;
    let mut draft = ServiceDraft::default();
    let mut conditions = Vec::new();
    let mut rewrites = Rewrites::default();
    // These hold for the back-ends of the block, wherever they stand in it.
    if let Some(tolerant) = statement.block().iter().rfind(|inner| inner.row.name == "Tolerant")
        && cx.enter(tolerant)
    {
        cx.tolerance = cx.tolerance(tolerant).unwrap_or_default();
    }
    for inner in statement.block() {
        if let Lower::Times(lower) = inner.row.lower
            && cx.enter(inner)
        {
            draft.times.span = Some(inner.span);
            lower(cx, &mut draft.times, inner);
        }
    }
    for inner in statement.block() {
        match inner.row.lower {
            Lower::Times(_) => {}
            Lower::Condition(_) => conditions.extend(condition::one(cx, inner)),
            Lower::Service(lower) if cx.enter(inner) => lower(cx, &mut draft, inner),
            Lower::Inner(lower) if cx.enter(inner) => lower(cx, &mut draft.inner, inner),
            _ => {
                cx.edit(&mut rewrites, inner);
            }
        }
    }
    cx.ignore_case = ignore_case;
    cx.tolerance = Tolerance::default();
    warn_of_two_hosts(cx, statement);
    let faulty = statement.faulty || cx.diagnostics.errors() > errors;
    let target_locus = match &draft.special {
        Some((_, span)) => cx.diagnostics.sources.locus_range(*span),
        None => String::new(),
    };
    let target = target(cx, statement, faulty, &mut draft);
    let service = Arc::new(Service {
        id: cx.services.len(),
        name: statement.arguments.first().map(|name| name.text.to_string()),
        place,
        locus: cx.diagnostics.sources.locus_range(statement.whole),
        disabled: draft.disabled,
        client_certificate: draft.client_certificate,
        condition: Condition::All(conditions),
        rewrites,
        forwarded_header: draft.inner.forwarded_header,
        trusted: draft.inner.trusted,
        rewrite_location: draft.inner.rewrite_location,
        rewrite_destination: draft.inner.rewrite_destination,
        log_suppress: draft.log_suppress,
        target,
        target_locus,
    });
    cx.services.push(service.clone());
    service
}

fn target(cx: &mut Lowering<'_>, statement: &Statement, faulty: bool, draft: &mut ServiceDraft) -> Target {
    let backends = !draft.backends.is_empty() || !draft.emergency.is_empty();
    if let Some((target, span)) = draft.special.take() {
        let backend = statement.block().iter().find(|inner| is_backend(inner)).filter(|_| backends);
        if let Some(backend) = backend {
            let message = "a service has either back-ends or something else that answers";
            if !matches!(target, Target::Redirect(_)) {
                let diagnostic = Diagnostic::error(span, message).related(backend.span, "here is a back-end");
                cx.push(diagnostic.help("make two services of it"));
                return target;
            }
            // C Pound draws lots between them, by priority.
            let redirects = (span.source, span.start) < (backend.span.source, backend.span.start);
            let (used, unused) = if redirects { (span, backend.span) } else { (backend.span, span) };
            cx.push(
                Diagnostic::warning(unused, format!("{message}: the first one counts"))
                    .label("this has no effect")
                    .related(used, "this answers")
                    .help("make two services of it"),
            );
            if redirects {
                return target;
            }
            return back_ends(cx, draft);
        }
        if let Some((_, session)) = draft.session {
            cx.push(Diagnostic::warning(session, "Session has no effect in a service without back-ends"));
        }
        if !backends {
            cx.warn_of_idle_times(draft);
        }
        return target;
    }
    if !backends {
        if !faulty && !draft.disabled {
            cx.push(
                Diagnostic::warning(statement.span, "nothing answers for this service: its requests get 503")
                    .label("expected Backend, UseBackend, Redirect, Error, SendFile or Success in it"),
            );
        }
        return Target::Nothing;
    }
    back_ends(cx, draft)
}

fn back_ends(cx: &mut Lowering<'_>, draft: &mut ServiceDraft) -> Target {
    let mut groups = Vec::new();
    for (number, members) in
        [(0, std::mem::take(&mut draft.backends)), (Group::EMERGENCY, std::mem::take(&mut draft.emergency))]
    {
        if !members.is_empty() {
            groups.push(Group { number, members });
        }
    }
    Target::Backends(BackendSet {
        groups,
        times: std::mem::take(&mut draft.times_here),
        balancer: draft.balancer.unwrap_or(cx.global.balancer),
        session: draft.session.take().map(|(session, _)| session),
    })
}

fn is_backend(statement: &Statement) -> bool {
    ["Backend", "UseBackend", "Emergency"].contains(&statement.row.name)
}

/// All conditions of a service must hold, and no request asks for two hosts.
fn warn_of_two_hosts(cx: &mut Lowering<'_>, statement: &Statement) {
    let mut hosts = statement.block().iter().filter(|inner| inner.row.name == "Host");
    let (Some(first), Some(second)) = (hosts.next(), hosts.next()) else { return };
    let plain = |inner: &Statement| matches!(&inner.arguments[..], [word] if !word.bad);
    if plain(first) && plain(second) {
        let (one, other) = (&first.arguments[0].text, &second.arguments[0].text);
        cx.push(
            Diagnostic::warning(second.span, "no request is for two hosts: this service is never used")
                .related(first.span, "the other host")
                .help(format!(
                    "either of them is written\nMatch or\n    Host {one:?}\n    Host {other:?}\nEnd"
                )),
        );
    }
}

impl ServiceDraft {
    fn answer_by(&mut self, cx: &mut Lowering<'_>, statement: &Statement, target: Target) {
        if let Some((Target::Redirect(_), first)) = &self.special
            && matches!(target, Target::Redirect(_))
        {
            // C Pound draws lots between them.
            return cx.push(
                Diagnostic::warning(
                    statement.span,
                    "only one thing can answer for a service: the first one counts",
                )
                .label("this has no effect")
                .related(*first, "this answers"),
            );
        }
        if let Some((_, first)) = &self.special {
            let diagnostic = Diagnostic::error(statement.span, "only one thing can answer for a service");
            return cx.push(diagnostic.related(*first, "the first one"));
        }
        self.special = Some((target, statement.span));
    }
}

pub(crate) fn success(cx: &mut Lowering<'_>, draft: &mut ServiceDraft, statement: &Statement) {
    draft.answer_by(cx, statement, Target::Success);
}

pub(crate) fn send_file(cx: &mut Lowering<'_>, draft: &mut ServiceDraft, statement: &Statement) {
    if let Some(directory) = cx.directory(statement) {
        draft.answer_by(cx, statement, Target::Files(directory));
    }
}

pub(crate) fn error(cx: &mut Lowering<'_>, draft: &mut ServiceDraft, statement: &Statement) {
    let Some(status) = cx.error_code(&statement.arguments[0]) else { return };
    let page = match statement.arguments.get(1) {
        None => None,
        Some(file) => match cx.page(statement, file) {
            Some(page) => Some(page),
            None => return,
        },
    };
    draft.answer_by(cx, statement, Target::Error { status, page });
}

pub(crate) fn redirect(cx: &mut Lowering<'_>, draft: &mut ServiceDraft, statement: &Statement) {
    let (status, word) = match &statement.arguments[..] {
        [code, url] => {
            let status = code.text.parse().ok().filter(|code| [301, 302, 303, 307, 308].contains(code));
            let Some(status) = status else {
                cx.refuse::<()>(code, "expected 301, 302, 303, 307 or 308");
                return;
            };
            (status, url)
        }
        [url] => (302, url),
        _ => return,
    };
    let Some(mut url) = cx.template(word) else { return };
    let Some(append_target) = redirect_target(cx, word, &url) else { return };
    let mut text = word.text.to_string();
    // In all versions of Pound `http://x/` is `http://x` with nothing appended.
    let behind_scheme = text.split_once("://").map_or("", |(_, rest)| rest);
    if behind_scheme.find(['/', '?', '#']) == Some(behind_scheme.len().saturating_sub(1))
        && behind_scheme.ends_with('/')
    {
        url = url.without_last_slash();
        text.pop();
    }
    draft.answer_by(cx, statement, Target::Redirect(Redirect { status, url, text, append_target }));
}

/// Whether the request's path and query are to be appended; `None` if the text is no URL.
fn redirect_target(cx: &mut Lowering<'_>, word: &Word, url: &Template) -> Option<bool> {
    let start = match url.parts().first() {
        Some(Part::Literal(start)) => start,
        Some(_) => return Some(false),
        None => "",
    };
    let lower = start.to_ascii_lowercase();
    let authority = lower.strip_prefix("http://").or_else(|| lower.strip_prefix("https://"));
    let Some(authority) = authority.filter(|authority| !authority.is_empty() || url.parts().len() > 1) else {
        return cx.refuse(word, "expected a URL that begins with http:// or https:// and a host");
    };
    if url
        .parts()
        .iter()
        .any(|part| matches!(part, Part::Literal(text) if !text.bytes().all(|byte| byte.is_ascii_graphic())))
    {
        let host = authority.split(['/', '?', '#']).next().unwrap_or_default();
        if !host.bytes().all(|byte| byte.is_ascii_graphic()) {
            return cx.refuse(word, "expected a URL, whose host has no blank and no letter beyond ASCII");
        }
        cx.warn_of_encoding(word, "Location");
    }
    let append = !url.has_references() && !authority.contains('/');
    // What is meant to take the request's path and query as a parameter ends with the sign for it.
    if append && authority.contains(['?', '#']) && !authority.ends_with(['=', '?', '#']) {
        let (host, rest) = word.text.split_at(word.text.find(['?', '#']).unwrap_or(word.text.len()));
        cx.push(
            Diagnostic::warning(word.span, "the path and query of the request are put behind this URL")
                .label(format!("it has no path, so /a becomes {}/a", word.text))
                .help(format!("write \"{host}/{rest}\" if it is the whole address")),
        );
    }
    Some(append)
}

pub(crate) fn log_suppress(cx: &mut Lowering<'_>, draft: &mut ServiceDraft, statement: &Statement) {
    let classes = [
        ("info", 0),
        ("success", 1),
        ("redirect", 2),
        ("clterr", 3),
        ("srverr", 4),
        ("all", 5),
        ("1", 0),
        ("2", 1),
        ("3", 2),
        ("4", 3),
        ("5", 4),
    ];
    // The last line counts, not the sum of all.
    draft.log_suppress = LogSuppress::default();
    for word in &statement.arguments {
        match cx.choice(word, &classes) {
            Some(5) => draft.log_suppress = LogSuppress([true; 5]),
            Some(class) => draft.log_suppress.0[class] = true,
            None => {}
        }
    }
}
