//! References that never stand for anything: each request of their service would be answered by 500.
//!
//! Only what is certain is told. All matches that a request can make before a template is expanded are counted, whatever
//! their order: those of the service's conditions and changes, and of the listener's changes.

use std::collections::HashMap;

use plan::condition::{Condition, Match};
use plan::rewrite::{FieldEdit, RequestEdit, ResponseEdit, Rewrites, Step};
use plan::template::{Part, Which};
use plan::{Service, Target, Template};

use crate::diagnostic::Diagnostic;
use crate::lower::Lowering;
use crate::source::Span;

/// What is said of the references in one place of the file.
#[derive(Default)]
struct Found<'a> {
    matches: Vec<&'a Match>,
    templates: Vec<&'a Template>,
}

pub(crate) fn references(cx: &mut Lowering<'_>) {
    // The places of a global service's references are wrong only if no listener makes a match for them.
    let mut verdicts: HashMap<Span, Option<String>> = HashMap::new();
    for finished in cx.listeners() {
        let listener = &finished.listener;
        let mut around = Found::default();
        around.rewrites(&listener.rewrites);
        let globals = cx.global_services().iter().map(|(service, _)| service);
        let mut all_matches = around.matches.clone();
        for service in listener.services.iter().chain(globals) {
            let mut found = Found { matches: around.matches.clone(), templates: Vec::new() };
            found.service(service);
            all_matches.extend(&found.matches);
            for template in found.templates {
                judge(cx, template, &found.matches, &mut verdicts);
            }
        }
        // Templates of the listener are expanded for requests of all its services.
        for template in around.templates {
            judge(cx, template, &all_matches, &mut verdicts);
        }
    }
    let mut wrong: Vec<(Span, String)> =
        verdicts.into_iter().filter_map(|(span, verdict)| Some((span, verdict?))).collect();
    wrong.sort();
    for (span, reason) in wrong {
        cx.push(
            Diagnostic::warning(span, "a reference here stands for nothing: the requests get 500")
                .label(reason),
        );
    }
}

fn judge(
    cx: &Lowering<'_>,
    template: &Template,
    matches: &[&Match],
    verdicts: &mut HashMap<Span, Option<String>>,
) {
    let Some(span) = template.origin().and_then(|origin| cx.reference_places.get(origin)) else { return };
    let reason = template.parts().iter().find_map(|part| match part {
        Part::Capture { group, of } => reason(*group, of, matches),
        _ => None,
    });
    match (verdicts.get(span), reason) {
        (Some(None), _) => {}
        (_, reason) => drop(verdicts.insert(*span, reason)),
    }
}

/// Why a reference finds nothing, if that is certain.
fn reason(group: u8, of: &Which, matches: &[&Match]) -> Option<String> {
    let tagged = |found: &&&Match| match of {
        Which::Back(_) => true,
        Which::Tag(tag) => found.tag.as_ref() == Some(tag),
    };
    let mut groups = matches.iter().filter(tagged).map(|found| found.pattern.groups()).peekable();
    if groups.peek().is_none() {
        return Some(match of {
            Which::Back(_) => format!("${group} refers to a match, and there is no pattern before it"),
            Which::Tag(tag) => {
                format!("${group}({tag}) refers to a pattern with -tag {tag}, and there is none")
            }
        });
    }
    // A list that is followed may get patterns with more groups.
    let most = groups.collect::<Option<Vec<usize>>>()?.into_iter().max()?.saturating_sub(1);
    (usize::from(group) > most).then(|| {
        format!("${group}{of} refers to group {group}, and the patterns before it have {most} at most")
    })
}

impl<'a> Found<'a> {
    fn service(&mut self, service: &'a Service) {
        self.condition(&service.condition);
        self.rewrites(&service.rewrites);
        if let Target::Redirect(redirect) = &service.target {
            self.templates.push(&redirect.url);
        }
    }

    fn rewrites(&mut self, rewrites: &'a Rewrites) {
        self.steps(&rewrites.request, |edit, templates| match edit {
            RequestEdit::Field(FieldEdit::Set { value, .. }) => templates.push(value),
            RequestEdit::SetUrl(text)
            | RequestEdit::SetPath { path: text, .. }
            | RequestEdit::SetQuery(text) => {
                templates.push(text);
            }
            RequestEdit::SetQueryParam { value, .. } => templates.extend(value),
            RequestEdit::Field(FieldEdit::Delete(_)) | RequestEdit::DeleteQuery => {}
        });
        self.steps(&rewrites.response, |ResponseEdit::Field(edit), templates| {
            if let FieldEdit::Set { value, .. } = edit {
                templates.push(value);
            }
        });
    }

    /// Nesting ends where the configuration's does.
    fn steps<Edit>(&mut self, steps: &'a [Step<Edit>], edit: fn(&'a Edit, &mut Vec<&'a Template>)) {
        for step in steps {
            match step {
                Step::Edit(change) => edit(change, &mut self.templates),
                Step::Choose(branches) => {
                    for branch in branches {
                        self.condition(&branch.condition);
                        self.steps(&branch.steps, edit);
                    }
                }
            }
        }
    }

    fn condition(&mut self, condition: &'a Condition) {
        match condition {
            Condition::All(parts) | Condition::Any(parts) => {
                parts.iter().for_each(|part| self.condition(part));
            }
            Condition::Not(part) => self.condition(part),
            Condition::StringMatch { subject, .. } => self.templates.push(subject),
            _ => {}
        }
        self.matches.extend(condition.matched());
    }
}
