//! Expressions that can be walked straight through: `^/app1/[a-z]+/([0-9]{4})$`.
//!
//! From the beginning of the subject each step takes what it can, and there is never a choice to come back to: a
//! repeated set of bytes ends where a byte comes that only the next step can take. So there is nothing to compile, a
//! match takes one look at each byte, and groups cost nothing while matching.

use regex_syntax::hir::{Class, Hir, HirKind, Look};

use super::Groups;
use super::need::Need;

/// Such an expression.
#[derive(Debug)]
pub(super) struct Steps {
    steps: Box<[Step]>,
    /// Groups of a match, the whole one included.
    pub(super) groups: usize,
    /// What a subject must have in it to match.
    pub(super) needs: Vec<Vec<Need>>,
}

#[derive(Debug)]
enum Step {
    /// The subject begins here. Only while the steps are being made.
    Start,
    /// These bytes.
    Bytes(Box<[u8]>),
    /// One byte of a set.
    One(Set),
    /// As many bytes of a set as there are.
    Many { set: Set, min: usize, max: usize },
    /// A group begins.
    Open(usize),
    /// A group ends.
    Close(usize),
    /// The subject ends here.
    End,
}

/// A set of bytes, a bit for each.
#[derive(Debug, Clone, Copy)]
struct Set([u64; 4]);

impl Steps {
    /// `None` if the expression is of another kind.
    pub(super) fn new(hir: &Hir, needs: &[Vec<Need>]) -> Option<Steps> {
        let mut steps = Vec::new();
        flatten(hir, &mut steps)?;
        let starts = steps.iter().filter(|step| matches!(step, Step::Start)).count();
        if starts != 1 || !matches!(steps.first(), Some(Step::Start)) {
            return None;
        }
        steps.remove(0);
        let straight = (0..steps.len()).all(|at| is_straight(&steps[at], &steps[at + 1..]));
        let groups = hir.properties().explicit_captures_len() + 1;
        straight.then(|| Steps { steps: steps.into(), groups, needs: needs.to_vec() })
    }

    /// Where the match ends, if there is one; it begins at 0. `mark` is told of each end of a group.
    fn walk(&self, subject: &[u8], mut mark: impl FnMut(&Step, usize)) -> Option<usize> {
        let mut at = 0;
        for step in &self.steps {
            let rest = subject.get(at..)?;
            match step {
                Step::Bytes(bytes) => {
                    if !rest.starts_with(bytes) {
                        return None;
                    }
                    at += bytes.len();
                }
                Step::One(set) => {
                    if !set.contains(*rest.first()?) {
                        return None;
                    }
                    at += 1;
                }
                Step::Many { set, min, max } => {
                    let rest = &rest[..rest.len().min(*max)];
                    let count = rest.iter().position(|byte| !set.contains(*byte)).unwrap_or(rest.len());
                    if count < *min {
                        return None;
                    }
                    at += count;
                }
                Step::Open(_) | Step::Close(_) => mark(step, at),
                Step::End if rest.is_empty() => {}
                Step::Start | Step::End => return None,
            }
        }
        Some(at)
    }

    pub(super) fn is_match(&self, subject: &[u8]) -> bool {
        self.walk(subject, |_, _| ()).is_some()
    }

    /// As [`super::Pattern::find`].
    pub(super) fn find(&self, subject: &[u8], groups: &mut Groups) -> bool {
        let Some(end) = self.walk(subject, |_, _| ()) else { return false };
        groups.whole(Some(0..end));
        if self.groups > 1 {
            groups.0.resize(self.groups, None);
            self.walk(subject, |step, at| match step {
                Step::Open(group) => groups.0[*group] = Some(at..at),
                Step::Close(group) => {
                    if let Some(range) = &mut groups.0[*group] {
                        range.end = at;
                    }
                }
                _ => {}
            });
        }
        true
    }
}

/// Lays an expression out in steps; `None` if it has a choice in it.
fn flatten(hir: &Hir, steps: &mut Vec<Step>) -> Option<()> {
    match hir.kind() {
        HirKind::Empty => {}
        HirKind::Literal(literal) => steps.push(Step::Bytes(literal.0.clone())),
        HirKind::Class(class) => steps.push(Step::One(Set::of(class)?)),
        HirKind::Look(Look::Start) => steps.push(Step::Start),
        HirKind::Look(Look::End) => steps.push(Step::End),
        HirKind::Repetition(repetition) if repetition.greedy => {
            let set = match repetition.sub.kind() {
                HirKind::Class(class) => Set::of(class)?,
                HirKind::Literal(literal) => match *literal.0 {
                    [byte] => Set::EMPTY.with(byte),
                    _ => return None,
                },
                _ => return None,
            };
            let max = repetition.max.map_or(usize::MAX, |max| max as usize);
            steps.push(Step::Many { set, min: repetition.min as usize, max });
        }
        HirKind::Capture(capture) => {
            let group = capture.index as usize;
            steps.push(Step::Open(group));
            flatten(&capture.sub, steps)?;
            steps.push(Step::Close(group));
        }
        HirKind::Concat(parts) => {
            for part in parts {
                flatten(part, steps)?;
            }
        }
        HirKind::Alternation(_) | HirKind::Repetition(_) | HirKind::Look(_) => return None,
    }
    Some(())
}

/// Whether a step that took all it can never has to give something back to those after it.
fn is_straight(step: &Step, next: &[Step]) -> bool {
    let set = match step {
        Step::End => return next.iter().all(|step| matches!(step, Step::Close(_))),
        Step::Many { set, min, max } if min < max => set,
        _ => return true,
    };
    for step in next {
        match step {
            Step::Open(_) | Step::Close(_) => {}
            Step::Bytes(bytes) => return bytes.first().is_none_or(|first| !set.contains(*first)),
            Step::One(other) => return set.is_disjoint(other),
            Step::Many { set: other, .. } if !set.is_disjoint(other) => return false,
            Step::Many { min: 0, .. } => {}
            Step::Many { .. } | Step::End => return true,
            Step::Start => return false,
        }
    }
    true
}

impl Set {
    const EMPTY: Set = Set([0; 4]);

    fn of(class: &Class) -> Option<Set> {
        let ranges = match class {
            Class::Bytes(class) => class.clone(),
            Class::Unicode(class) => class.to_byte_class()?,
        };
        let bytes = ranges.ranges().iter().flat_map(|range| range.start()..=range.end());
        Some(bytes.fold(Set::EMPTY, Set::with))
    }

    fn with(mut self, byte: u8) -> Set {
        self.0[usize::from(byte >> 6)] |= 1 << (byte & 63);
        self
    }

    fn contains(&self, byte: u8) -> bool {
        self.0[usize::from(byte >> 6)] >> (byte & 63) & 1 == 1
    }

    fn is_disjoint(&self, other: &Set) -> bool {
        self.0.iter().zip(other.0).all(|(ours, theirs)| ours & theirs == 0)
    }
}
