//! Conditions.

use plan::condition::Condition;
use plan::pattern::{Kind, Subject};

use super::Lowering;
use super::matching::Defaults;
use crate::diagnostic::Diagnostic;
use crate::directive::Lower;
use crate::syntax::{Statement, Tree};

pub(crate) fn url(cx: &mut Lowering<'_>, statement: &Statement) -> Option<Condition> {
    Some(Condition::Url(
        cx.matching(statement, Defaults { subject: Subject::Url, ..Defaults::PATTERN })?.matches,
    ))
}

pub(crate) fn path(cx: &mut Lowering<'_>, statement: &Statement) -> Option<Condition> {
    let subject = Subject::Path { decoded: false };
    let matching = cx.matching(statement, Defaults { decode: true, subject, ..Defaults::PATTERN })?;
    Some(Condition::Path { matches: matching.matches, decode: matching.decode })
}

pub(crate) fn query(cx: &mut Lowering<'_>, statement: &Statement) -> Option<Condition> {
    Some(Condition::Query(
        cx.matching(statement, Defaults { subject: Subject::Query, ..Defaults::PATTERN })?.matches,
    ))
}

pub(crate) fn query_param(cx: &mut Lowering<'_>, statement: &Statement) -> Option<Condition> {
    let matching = cx.matching(statement, Defaults { decode: true, before: (1, 1), ..Defaults::PATTERN })?;
    let name = matching.before[0];
    if name.text.is_empty() {
        return cx.refuse(name, "expected the name of a query parameter");
    }
    Some(Condition::QueryParam {
        name: name.text.to_string(),
        matches: matching.matches,
        // Whether or not there is a -decode, as in Pound 4: it is what the application sees, and what a list of what is
        // forbidden must not miss.
        decode: true,
    })
}

pub(crate) fn method(cx: &mut Lowering<'_>, statement: &Statement) -> Option<Condition> {
    Some(Condition::Method(
        cx.matching(statement, Defaults { subject: Subject::Method, ..Defaults::PATTERN })?.matches,
    ))
}

pub(crate) fn host(cx: &mut Lowering<'_>, statement: &Statement) -> Option<Condition> {
    let defaults =
        Defaults { kind: Some(Kind::Exact), ignore_case: true, subject: Subject::Host, ..Defaults::PATTERN };
    let matches = cx.matching(statement, defaults)?.matches;
    if let [word] = &statement.arguments[..]
        && let Some((name, port)) =
            word.text.rsplit_once(':').filter(|(_, port)| matches!(*port, "80" | "443"))
    {
        cx.push(
            Diagnostic::warning(
                word.span,
                format!("clients leave out the port {port}, and this is then not what they ask for"),
            )
            .help(format!("write Host {name:?}")),
        );
    }
    Some(Condition::Host(matches))
}

pub(crate) fn header(cx: &mut Lowering<'_>, statement: &Statement) -> Option<Condition> {
    let matching =
        cx.matching(statement, Defaults { ignore_case: true, before: (0, 1), ..Defaults::PATTERN })?;
    match matching.before.first() {
        None => Some(Condition::HeaderLine(matching.matches)),
        Some(name) => Some(Condition::HeaderField { name: cx.field_name(name)?, matches: matching.matches }),
    }
}

pub(crate) fn head_require(cx: &mut Lowering<'_>, statement: &Statement) -> Option<Condition> {
    let matching = cx.matching(statement, Defaults { ignore_case: true, ..Defaults::PATTERN })?;
    Some(Condition::HeaderLine(matching.matches))
}

pub(crate) fn head_deny(cx: &mut Lowering<'_>, statement: &Statement) -> Option<Condition> {
    Some(Condition::Not(Box::new(head_require(cx, statement)?)))
}

pub(crate) fn string_match(cx: &mut Lowering<'_>, statement: &Statement) -> Option<Condition> {
    let matching = cx.matching(statement, Defaults { before: (1, 1), ..Defaults::PATTERN })?;
    let subject = cx.template(matching.before[0])?;
    if !subject.has_references() {
        cx.push(
            Diagnostic::warning(
                matching.before[0].span,
                "nothing is replaced in this text: the answer is always the same",
            )
            .help("the first text is what is compared, such as %[path]; the second one is the pattern"),
        );
    }
    Some(Condition::StringMatch { subject, matches: matching.matches })
}

pub(crate) fn not(cx: &mut Lowering<'_>, statement: &Statement) -> Option<Condition> {
    match &statement.body {
        Tree::Condition(inner) => Some(Condition::Not(Box::new(one(cx, inner)?))),
        _ => None,
    }
}

/// `Match`
pub(crate) fn group(cx: &mut Lowering<'_>, statement: &Statement) -> Option<Condition> {
    let any = match statement.arguments.first() {
        Some(word) => cx.choice(word, &[("and", false), ("or", true)])?,
        None => false,
    };
    let conditions: Vec<Condition> = statement.block().iter().filter_map(|inner| one(cx, inner)).collect();
    if statement.block().is_empty() && !statement.faulty {
        cx.push(
            Diagnostic::error(statement.span, "this Match holds no condition")
                .label("expected at least one condition before its End"),
        );
    }
    Some(if any { Condition::Any(conditions) } else { Condition::All(conditions) })
}

/// A condition as its row says.
pub(crate) fn one(cx: &mut Lowering<'_>, statement: &Statement) -> Option<Condition> {
    match statement.row.lower {
        // The words behind Not have become the condition.
        Lower::Condition(lower) if cx.enter(statement) || matches!(statement.body, Tree::Condition(_)) => {
            lower(cx, statement)
        }
        _ => None,
    }
}
