//! `ListenHTTP` and `ListenHTTPS`.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use plan::listener::{MethodLevel, RewriteLocation};
use plan::page::{CODES, Page, Pages};
use plan::rewrite::Rewrites;
use plan::tls::{CheckHost, Demand, FileName};
use plan::{Acl, ListenAddress, Listener, Pattern, ServerTls};

use super::ciphers::PolicyDraft;
use super::{BoundsDraft, HeaderOptions, Inner, Lowering, arguments, service, times};
use crate::diagnostic::Diagnostic;
use crate::directive::Lower;
use crate::lex::Word;
use crate::source::{PAGE_BYTES_MAX, Span};
use crate::syntax::{Statement, Tree};
use crate::value::{self, Host};

/// Where nothing else is said.
const PORT: u16 = 80;
const TLS_PORT: u16 = 443;
/// Longest name of a method: what the codec lets in. The longest registered one has 17 characters.
const METHOD_BYTES_MAX: usize = 32;

#[derive(Default)]
pub(crate) struct ListenerDraft {
    address: Option<(Host, Span)>,
    pub(crate) port: Option<(u16, Span)>,
    pub(crate) socket_from: Option<(PathBuf, Span)>,
    methods: Option<MethodLevel>,
    methods_named: Vec<String>,
    pub(crate) check_url: Option<Pattern>,
    pub(crate) body_max: Option<u64>,
    pub(crate) target_max: Option<usize>,
    pub(crate) bounds: BoundsDraft,
    pages: Pages,
    pub(crate) headers: Option<HeaderOptions>,
    pub(crate) log_format: Option<usize>,
    pub(crate) certificates: Vec<FileName>,
    pub(crate) strict_sni: bool,
    pub(crate) check_host: Option<CheckHost>,
    pub(crate) demand: Option<(Demand, u32, Span)>,
    pub(crate) authorities: Option<FileName>,
    pub(crate) announced: Option<FileName>,
    pub(crate) revoked: Option<FileName>,
    pub(crate) policy: PolicyDraft,
    inner: Inner,
    rewrites: Rewrites,
    services: Vec<(std::sync::Arc<plan::Service>, Span)>,
}

/// A listener that only lacks the global services.
pub(crate) struct Finished {
    pub(crate) listener: Listener,
    /// Whether it has its own `TrustedIP`.
    pub(crate) trusts: bool,
    pub(crate) span: Span,
    /// Places of its services.
    pub(crate) services: Vec<Span>,
}

/// `ListenHTTP`
pub(crate) fn lower(cx: &mut Lowering<'_>, statement: &Statement) {
    block(cx, statement, PORT);
}

/// `ListenHTTPS`
pub(crate) fn lower_tls(cx: &mut Lowering<'_>, statement: &Statement) {
    block(cx, statement, TLS_PORT);
}

fn block(cx: &mut Lowering<'_>, statement: &Statement, port: u16) {
    // The one-line form of Pound 1.x, which has been refused.
    if matches!(statement.body, Tree::None) {
        return;
    }
    let name = statement.arguments.first();
    let errors = cx.diagnostics.errors();
    let mut draft = ListenerDraft::default();
    let number = cx.listeners.len() + 1;
    for inner in statement.block() {
        if inner.row.lower.is_service() {
            let place = format!("listener {number}, service {}", draft.services.len() + 1);
            let service = service::lower(cx, inner, place);
            draft.services.push((service, inner.keyword));
            continue;
        }
        if cx.edit(&mut draft.rewrites, inner) || !cx.enter(inner) {
            continue;
        }
        match inner.row.lower {
            Lower::Listener(lower) => lower(cx, &mut draft, inner),
            Lower::Bounds(lower) => lower(cx, &mut draft.bounds, inner),
            Lower::Inner(lower) => lower(cx, &mut draft.inner, inner),
            _ => {}
        }
    }
    let global = cx.global.bounds;
    let bounds = draft.bounds.finish(&global, statement.keyword, cx);
    let (client_timeout, client_stream) = times::of_clients(&draft.bounds, &global);
    let address = listen_address(cx, &mut draft, port);
    let tls = if port == TLS_PORT { cx.server_tls(&mut draft, statement) } else { None };
    let faulty = statement.faulty || cx.diagnostics.errors() > errors;
    // Without its address it would be taken for a second one at the default place.
    let address = match address {
        Some(address) if !faulty || draft.address.is_some() || draft.socket_from.is_some() => address,
        _ => ListenAddress::Inet(SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0)),
    };
    warn_of_no_client(cx, &draft, tls.as_ref());
    let (services, places) = draft.services.into_iter().unzip();
    let headers = draft.headers.unwrap_or(cx.global.headers);
    let (line, _) = cx.diagnostics.sources.line_column(statement.keyword);
    let place = format!("{}:{line}", cx.diagnostics.sources.name(statement.keyword.source));
    let listener = Listener {
        id: cx.listeners.len(),
        place,
        name: name.map(|name| name.text.to_string()),
        locus: cx.diagnostics.sources.locus_range(statement.whole),
        address,
        tls,
        methods: draft.methods.unwrap_or(MethodLevel::Basic),
        methods_named: draft.methods_named,
        client_timeout,
        client_stream,
        half_close: draft.bounds.half_close.or(global.half_close).unwrap_or(true),
        check_url: draft.check_url,
        alphabets: draft.bounds.alphabets.finish(&global.alphabets),
        body_max: draft.body_max,
        target_max: draft.target_max,
        bounds,
        error_pages: draft.pages,
        rewrite_location: draft.inner.rewrite_location.unwrap_or(RewriteLocation::BackendOrListener),
        rewrite_destination: draft.inner.rewrite_destination.unwrap_or(false),
        forwarded_headers: headers.forwarded,
        tls_headers: headers.tls,
        forwarded_header: draft.inner.forwarded_header.unwrap_or_else(|| cx.global.forwarded_header.clone()),
        trusted: draft.inner.trusted.clone().unwrap_or_else(Acl::empty),
        log_format: draft.log_format.unwrap_or(cx.global.log_format),
        rewrites: draft.rewrites,
        services,
    };
    cx.listeners.push(Finished {
        listener,
        trusts: draft.inner.trusted.is_some(),
        span: statement.span,
        services: places,
    });
}

/// Warns of services for clients with a certificate where none is verified: nobody gets in.
fn warn_of_no_client(cx: &mut Lowering<'_>, draft: &ListenerDraft, tls: Option<&ServerTls>) {
    if tls.is_some_and(|tls| matches!(tls.client.demand, Demand::Ask | Demand::Require)) {
        return;
    }
    for (_, span) in draft.services.iter().filter(|(service, _)| service.client_certificate) {
        cx.push(
            Diagnostic::warning(*span, "nobody gets into this service: it has RequireClientCert, and the listener verifies no certificate")
                .help("write ClientCert 1 and VerifyList \"FILE\" in a ListenHTTPS around it"),
        );
    }
}

fn listen_address(cx: &mut Lowering<'_>, draft: &mut ListenerDraft, port: u16) -> Option<ListenAddress> {
    if let Some((path, from)) = &draft.socket_from {
        let (path, from) = (path.clone(), *from);
        let given = draft.address.as_ref().map(|(_, span)| *span).or(draft.port.map(|(_, span)| span));
        if let Some(span) = given {
            let diagnostic = Diagnostic::error(span, "the socket is received, so it has its address already");
            cx.push(diagnostic.related(from, "it comes from here").help("leave out one of the two"));
            return None;
        }
        return Some(ListenAddress::Received(path));
    }
    let port = draft.port.map_or(port, |(port, _)| port);
    Some(match (&draft.address, draft.port) {
        (Some((Host::Unix(_), _)), Some((_, span))) => {
            cx.push(Diagnostic::error(span, "a Unix socket has no port").help("leave this line out"));
            return None;
        }
        (Some((Host::Unix(path), _)), None) => ListenAddress::Unix(path.clone()),
        (Some((Host::Ip(address), _)), _) => ListenAddress::Inet(SocketAddr::new(*address, port)),
        (Some((Host::Name(name), _)), _) => ListenAddress::Name(name.clone(), port),
        (None, _) => ListenAddress::Inet(SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port)),
    })
}

pub(crate) fn address(cx: &mut Lowering<'_>, draft: &mut ListenerDraft, statement: &Statement) {
    let word = &statement.arguments[0];
    if &*word.text == "*" {
        cx.refuse::<()>(word, "expected 0.0.0.0 for all IPv4 addresses or :: for all addresses");
        return;
    }
    draft.address = cx.accept(word, value::host(&word.text)).map(|host| (host, statement.span));
}

pub(crate) fn methods(cx: &mut Lowering<'_>, draft: &mut ListenerDraft, statement: &Statement) {
    let word = &statement.arguments[0];
    if &*word.text == "4" {
        cx.push(
            Diagnostic::warning(word.span, "xHTTP 4 was a level of Pound 2.x; it is taken for 3")
                .label("expected a number from 0 to 3")
                .help("write xHTTP 3, which has the same methods"),
        );
        draft.methods = Some(MethodLevel::Microsoft);
        return;
    }
    let level = cx.number(word, 0, 3);
    if level == Some(3) {
        cx.push(
            Diagnostic::warning(word.span, "CONNECT does not pass, although xHTTP 3 of C Pound forwards it")
                .help("a back-end that took it would open tunnels to where nobody looks; all other methods pass"),
        );
    }
    draft.methods = level.map(|level| match level {
        0 => MethodLevel::Basic,
        1 => MethodLevel::Extended,
        2 => MethodLevel::WebDav,
        _ => MethodLevel::Microsoft,
    });
}

/// `Methods "PURGE" …`
pub(crate) fn methods_named(cx: &mut Lowering<'_>, draft: &mut ListenerDraft, statement: &Statement) {
    for word in &statement.arguments {
        let Some(name) = cx.token(word, "expected the name of a method, such as PURGE") else { continue };
        if name.len() > METHOD_BYTES_MAX {
            cx.refuse::<()>(word, format!("expected at most {METHOD_BYTES_MAX} characters"));
            continue;
        }
        if name == "CONNECT" {
            cx.push(
                Diagnostic::error(word.span, "CONNECT never passes")
                    .help("Pound stands before servers of its own and opens no tunnels"),
            );
            continue;
        }
        if name.bytes().any(|byte| byte.is_ascii_lowercase()) {
            cx.push(
                Diagnostic::warning(word.span, "methods have a case: this one passes as it is written here")
                    .help(format!("clients mostly send {}", name.to_ascii_uppercase())),
            );
        }
        if !draft.methods_named.contains(&name) {
            draft.methods_named.push(name);
        }
    }
}

pub(crate) fn rewrite_location(cx: &mut Lowering<'_>, draft: &mut Inner, statement: &Statement) {
    let word = &statement.arguments[0];
    draft.rewrite_location = cx.number(word, 0, 2).map(|level| match level {
        0 => RewriteLocation::Keep,
        1 => RewriteLocation::BackendOrListener,
        _ => RewriteLocation::Backend,
    });
}

/// `ErrorFile code "file"`
pub(crate) fn error_file(cx: &mut Lowering<'_>, draft: &mut ListenerDraft, statement: &Statement) {
    let Some(code) = cx.error_code(&statement.arguments[0]) else { return };
    set_page(cx, draft, statement, code, &statement.arguments[1]);
}

/// `Err404 "file"`
pub(crate) fn error_page(cx: &mut Lowering<'_>, draft: &mut ListenerDraft, statement: &Statement, code: u16) {
    set_page(cx, draft, statement, code, &statement.arguments[0]);
}

fn set_page(cx: &mut Lowering<'_>, draft: &mut ListenerDraft, statement: &Statement, code: u16, file: &Word) {
    let Some(page) = cx.page(statement, file) else { return };
    if draft.pages.insert(code, page).is_some() {
        let message = format!("there is already a page for {code}, and the last one counts");
        cx.push(Diagnostic::warning(statement.span, message));
    }
}

impl Lowering<'_> {
    pub(crate) fn error_code(&mut self, word: &Word) -> Option<u16> {
        let code = word.text.parse().ok().filter(|code| CODES.contains(code));
        if code.is_none() {
            let codes: Vec<String> = CODES.iter().map(u16::to_string).collect();
            let codes: Vec<&str> = codes.iter().map(String::as_str).collect();
            return self.refuse(word, format!("expected {}", arguments::list(&codes)));
        }
        code
    }

    pub(crate) fn page(&mut self, statement: &Statement, file: &Word) -> Option<Page> {
        let (_, bytes) = self.read(statement, file, PAGE_BYTES_MAX)?;
        Some(Page::from_file(&bytes))
    }
}
