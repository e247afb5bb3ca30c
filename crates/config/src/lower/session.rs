//! `Session`.

use std::time::Duration;

use plan::{Session, SessionKey};

use super::{Lowering, ServiceDraft};
use crate::diagnostic::Diagnostic;
use crate::directive::Lower;
use crate::lex::Word;
use crate::source::Span;
use crate::syntax::Statement;

/// What tells clients apart, without the name that some kinds need.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Ip,
    Basic,
    Url,
    Parm,
    Cookie,
    Header,
}

#[derive(Default)]
pub(crate) struct SessionDraft {
    kind: Option<(Kind, Span)>,
    ttl: Option<Duration>,
    id: Option<Word>,
}

pub(crate) fn kind(cx: &mut Lowering<'_>, draft: &mut SessionDraft, statement: &Statement) {
    let kinds = [
        ("IP", Kind::Ip),
        ("BASIC", Kind::Basic),
        ("URL", Kind::Url),
        ("PARM", Kind::Parm),
        ("COOKIE", Kind::Cookie),
        ("HEADER", Kind::Header),
    ];
    draft.kind = cx.choice(&statement.arguments[0], &kinds).map(|kind| (kind, statement.span));
}

pub(crate) fn ttl(cx: &mut Lowering<'_>, draft: &mut SessionDraft, statement: &Statement) {
    let word = &statement.arguments[0];
    if &*word.text == "-1" {
        cx.push(
            Diagnostic::error(
                word.span,
                "TTL -1, sessions without a table, was a feature of Pound 2.4 to 2.8",
            )
            .label("expected a time, such as 30m"),
        );
        return;
    }
    draft.ttl = cx.timeout(word);
}

pub(crate) fn id(cx: &mut Lowering<'_>, draft: &mut SessionDraft, statement: &Statement) {
    let word = &statement.arguments[0];
    if word.text.is_empty() {
        cx.refuse::<()>(word, "expected a name");
        return;
    }
    draft.id = Some(word.clone());
}

pub(crate) fn lower(cx: &mut Lowering<'_>, service: &mut ServiceDraft, statement: &Statement) {
    let errors = cx.diagnostics.errors();
    let mut draft = SessionDraft::default();
    for inner in statement.block() {
        if let Lower::Session(lower) = inner.row.lower
            && cx.enter(inner)
        {
            lower(cx, &mut draft, inner);
        }
    }
    // What seems to be missing may be in a line that could not be read.
    if statement.faulty || cx.diagnostics.errors() > errors {
        return;
    }
    let Some((kind, kind_span)) = draft.kind else {
        return cx.missing(
            statement.span,
            "this Session has no Type",
            "Type IP|BASIC|URL|PARM|COOKIE|HEADER in it",
        );
    };
    let Some(ttl) = draft.ttl else {
        return cx.missing(statement.span, "this Session has no TTL", "TTL DURATION in it, such as TTL 30m");
    };
    let needed = match kind {
        Kind::Ip | Kind::Basic | Kind::Parm => None,
        Kind::Url => Some("the name of the query parameter"),
        Kind::Cookie => Some("the name of the cookie"),
        Kind::Header => Some("the name of the field"),
    };
    let name = match (needed, draft.id) {
        (None, None) => String::new(),
        (None, Some(id)) => {
            let message = "ID has no effect with this Type";
            cx.push(Diagnostic::warning(id.span, message).related(kind_span, "this Type needs no name"));
            String::new()
        }
        (Some(what), None) => {
            return cx.missing(
                statement.span,
                "this Session has no ID",
                &format!("ID \"NAME\" in it, {what}"),
            );
        }
        (Some(_), Some(id)) if kind == Kind::Url => id.text.to_string(),
        // A cookie's name is a token as that of a field is (RFC 6265 section 4.1.1).
        (Some(what), Some(id)) => match cx.token(&id, &format!("expected {what}")) {
            Some(name) => name,
            None => return,
        },
    };
    let key = match kind {
        Kind::Ip => SessionKey::Ip,
        Kind::Basic => SessionKey::Basic,
        Kind::Parm => SessionKey::Parm,
        Kind::Url => SessionKey::Url(name),
        Kind::Cookie => SessionKey::Cookie(name),
        Kind::Header => SessionKey::Header(name),
    };
    service.session = Some((Session { key, ttl }, statement.span));
}
