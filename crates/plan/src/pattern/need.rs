//! What a subject must have in it for a pattern to match: texts that an index can look for.
//!
//! Texts are in lower case and are looked for without regard to case, whatever the pattern says: that finds a few
//! subjects too many, which do not match then, and one table does for both. Only what is certain is told; a pattern
//! of which nothing is certain has no needs.

use regex_syntax::hir::{Class, Hir, HirKind, Look};

/// Most texts of which one must be there: beyond it the beginnings that they share must do.
const BRANCHES_MAX: usize = 16;
/// Most letters of a class that are told apart: `h[12]` is two hosts, `[0-9]` is any.
const LETTERS_MAX: usize = 3;
/// Longest text; what is longer is cut, which leaves it true.
const TEXT_MAX: usize = 64;
/// Most texts of one pattern that may stand anywhere: the longest.
const RUNS_MAX: usize = 8;
/// Shortest text that is worth looking for anywhere.
const RUN_MIN: usize = 2;

/// A text that must be there.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Need {
    /// Where.
    pub place: Place,
    /// In lower case; empty only for an empty subject.
    pub text: Box<[u8]>,
}

/// Where a text must stand in a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// Somewhere.
    Anywhere,
    /// At its end.
    End,
    /// At its beginning.
    Start,
    /// It is the whole of it.
    Whole,
}

impl Need {
    pub(super) fn new(place: Place, text: &[u8]) -> Need {
        let cut = text.len().saturating_sub(TEXT_MAX);
        let text = match place {
            Place::Whole => text,
            Place::End => &text[cut..],
            Place::Start | Place::Anywhere => &text[..text.len() - cut],
        };
        Need { place, text: text.to_ascii_lowercase().into() }
    }
}

/// The needs of pieces with anything between them, where the first or the last may be bound to an end of the subject;
/// `None` in a piece is any byte.
pub(super) fn of_pieces(
    pieces: &[Box<[Option<u8>]>],
    anchored_start: bool,
    anchored_end: bool,
) -> Vec<Vec<Need>> {
    let certain = |byte: &Option<u8>| byte.as_ref().copied();
    let mut needs = Vec::new();
    if let (true, Some(first)) = (anchored_start, pieces.first()) {
        let text: Vec<u8> = first.iter().map_while(certain).collect();
        needs.push(Need::new(Place::Start, &text));
    }
    if let (true, Some(last)) = (anchored_end, pieces.last()) {
        let mut text: Vec<u8> = last.iter().rev().map_while(certain).collect();
        text.reverse();
        needs.push(Need::new(Place::End, &text));
    }
    needs.retain(|need| !need.text.is_empty());
    let runs = pieces.iter().flat_map(|piece| piece.split(Option::is_none));
    let runs = runs.map(|run| run.iter().filter_map(certain).collect()).collect();
    needs.into_iter().map(|need| vec![need]).chain(anywhere(runs)).collect()
}

/// The needs of an expression: of each inner list one text must be there.
pub(super) fn of_expression(hir: &Hir) -> Vec<Vec<Need>> {
    let properties = hir.properties();
    let starts = properties.look_set_prefix().contains(Look::Start);
    let ends = properties.look_set_suffix().contains(Look::End);
    let mut needs = Vec::new();
    if starts {
        needs.extend(Branches::read(hir, false).needs(ends));
    }
    // Where a match is the whole subject, both directions tell the same.
    let whole = |any: &Vec<Need>| any.iter().all(|need| need.place == Place::Whole);
    if ends && !needs.first().is_some_and(whole) {
        needs.extend(Branches::read(hir, true).needs(starts));
    }
    let (mut run, mut runs) = (Vec::new(), Vec::new());
    required(hir, &mut run, &mut runs);
    runs.push(run);
    needs.extend(anywhere(runs));
    needs
}

/// Each of the longest texts is a need of its own.
fn anywhere(mut runs: Vec<Vec<u8>>) -> impl Iterator<Item = Vec<Need>> {
    runs.retain(|run| run.len() >= RUN_MIN);
    runs.sort_by_key(|run| std::cmp::Reverse(run.len()));
    runs.truncate(RUNS_MAX);
    runs.into_iter().map(|run| vec![Need::new(Place::Anywhere, &run)])
}

/// The texts with which a match can begin or, read from its end, can end.
struct Branches {
    reversed: bool,
    list: Vec<Branch>,
}

#[derive(Clone)]
struct Branch {
    text: Vec<u8>,
    /// What comes next still belongs to it.
    open: bool,
}

impl Branches {
    fn read(hir: &Hir, reversed: bool) -> Branches {
        let mut branches = Branches { reversed, list: vec![Branch { text: Vec::new(), open: true }] };
        branches.follow(hir);
        branches
    }

    /// `None` if one of the texts is empty. `bound`: a match reaches from one end of the subject to the other.
    fn needs(self, bound: bool) -> Option<Vec<Need>> {
        let place = if self.reversed { Place::End } else { Place::Start };
        let need = |mut branch: Branch| {
            if self.reversed {
                branch.text.reverse();
            }
            let place = if bound && branch.open { Place::Whole } else { place };
            Need::new(place, &branch.text)
        };
        let mut needs: Vec<Need> = self.list.into_iter().map(need).collect();
        needs.sort();
        needs.dedup();
        let certain = needs.iter().all(|need| need.place == Place::Whole || !need.text.is_empty());
        certain.then_some(needs)
    }

    fn follow(&mut self, hir: &Hir) {
        match hir.kind() {
            // An assertion takes no byte: the texts on both of its sides are neighbours.
            HirKind::Empty | HirKind::Look(_) => {}
            HirKind::Literal(literal) => self.append(&literal.0),
            HirKind::Class(class) => match letters(class) {
                Some(letters) if letters.len() == 1 => self.append(&letters),
                Some(letters) => self.fork(&letters, |branches, letter| branches.append(&[*letter])),
                None => self.close(),
            },
            HirKind::Capture(capture) => self.follow(&capture.sub),
            HirKind::Concat(parts) if self.reversed => parts.iter().rev().for_each(|part| self.follow(part)),
            HirKind::Concat(parts) => parts.iter().for_each(|part| self.follow(part)),
            HirKind::Alternation(ways) => self.fork(ways, Branches::follow),
            HirKind::Repetition(repetition) => match (repetition.min, repetition.max) {
                (0, Some(1)) => self.fork(&[true, false], |branches, there| {
                    if *there {
                        branches.follow(&repetition.sub);
                    }
                }),
                (1, Some(1)) => self.follow(&repetition.sub),
                (0, _) => self.close(),
                (_, _) => {
                    self.follow(&repetition.sub);
                    self.close();
                }
            },
        }
    }

    fn append(&mut self, bytes: &[u8]) {
        for branch in self.list.iter_mut().filter(|branch| branch.open) {
            if branch.text.len() + bytes.len() > TEXT_MAX {
                branch.open = false;
            }
            // Of a text that is cut, the part that is nearer.
            match self.reversed {
                true => branch.text.extend(bytes.iter().rev().take(TEXT_MAX)),
                false => branch.text.extend(bytes.iter().take(TEXT_MAX)),
            }
            branch.text.make_ascii_lowercase();
        }
    }

    fn close(&mut self) {
        self.list.iter_mut().for_each(|branch| branch.open = false);
    }

    /// Goes on in each of several ways, or nowhere if that became too many.
    fn fork<W>(&mut self, ways: &[W], go: impl Fn(&mut Branches, &W)) {
        let (open, closed): (Vec<Branch>, Vec<Branch>) = self.list.drain(..).partition(|branch| branch.open);
        let mut list = closed.clone();
        for way in ways {
            let mut branches = Branches { reversed: self.reversed, list: open.clone() };
            go(&mut branches, way);
            list.append(&mut branches.list);
            if list.len() > BRANCHES_MAX {
                self.list = closed;
                self.list.extend(open);
                self.close();
                return;
            }
        }
        self.list = list;
    }
}

/// The few bytes of a small class, in lower case.
fn letters(class: &Class) -> Option<Vec<u8>> {
    let class = match class {
        Class::Bytes(class) => class.clone(),
        Class::Unicode(class) => class.to_byte_class()?,
    };
    let mut letters = Vec::new();
    for byte in class.ranges().iter().flat_map(|range| range.start()..=range.end()) {
        let letter = byte.to_ascii_lowercase();
        if !letters.contains(&letter) {
            letters.push(letter);
        }
        if letters.len() > LETTERS_MAX {
            return None;
        }
    }
    Some(letters)
}

/// The texts that every match has in it, whatever else it has.
fn required(hir: &Hir, run: &mut Vec<u8>, runs: &mut Vec<Vec<u8>>) {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => run.extend_from_slice(&literal.0),
        HirKind::Class(class) => match letters(class).as_deref() {
            Some([letter]) => run.push(*letter),
            _ => runs.push(std::mem::take(run)),
        },
        HirKind::Capture(capture) => required(&capture.sub, run, runs),
        HirKind::Concat(parts) => parts.iter().for_each(|part| required(part, run, runs)),
        HirKind::Repetition(repetition) => {
            if repetition.min > 0 {
                required(&repetition.sub, run, runs);
            }
            if (repetition.min, repetition.max) != (1, Some(1)) {
                runs.push(std::mem::take(run));
            }
        }
        HirKind::Alternation(_) => runs.push(std::mem::take(run)),
    }
}
