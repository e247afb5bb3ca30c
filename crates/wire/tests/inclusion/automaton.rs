//! Finite automata: one taken from the code by asking it, and products of two.

use std::collections::{HashMap, HashSet, VecDeque};

use regex_automata::Anchored;
use regex_automata::dfa::{Automaton, dense};
use regex_automata::util::primitives::StateID;
use regex_automata::util::start;

/// Rounds of refinement after which learning is given up: every round finds at least one new state, and no grammar
/// here has this many.
const ROUNDS_MAX: usize = 400;

/// A complete deterministic automaton over bytes.
pub(crate) struct Machine {
    /// A shortest input that leads to each state, found breadth first; state 0 is the start.
    pub(crate) access: Vec<Vec<u8>>,
    pub(crate) accepting: Vec<bool>,
    next: Vec<[u16; 256]>,
}

impl Machine {
    /// Takes the automaton of a language from its decision procedure.
    ///
    /// Two inputs lead to one state when no suffix of a set parts them. The set starts with the suffixes of `samples`
    /// and is extended by every disagreement found, until none is left on any state followed by a suffix with one of
    /// these between: each of the 256 bytes; each two of `pairs`; each byte with up to `depth` bytes, one of each class,
    /// before or after it.
    ///
    /// So the result is exact, by Chow's theorem (IEEE Transactions on Software Engineering, 1978), for every procedure
    /// that has no more states than were found, and also for one with a state more if it treats every byte like one of
    /// `pairs`.
    pub(crate) fn of(
        accepts: &dyn Fn(&[u8]) -> bool,
        samples: &[&[u8]],
        depth: usize,
        pairs: &[u8],
    ) -> Machine {
        let mut suffixes: Vec<Vec<u8>> = vec![Vec::new()];
        for sample in samples {
            assert!(accepts(sample), "a sample is not accepted: {:?}", String::from_utf8_lossy(sample));
            suffixes.extend((0..sample.len()).map(|at| sample[at..].to_vec()));
        }
        suffixes.sort_unstable();
        suffixes.dedup();
        for _ in 0..ROUNDS_MAX {
            let machine = Machine::hypothesis(accepts, &suffixes);
            suffixes = machine.parting(&suffixes);
            match machine.disagreement(accepts, &suffixes, &machine.middles(depth, pairs)) {
                None => return machine,
                Some(word) => suffixes.extend((0..=word.len()).map(|at| word[at..].to_vec())),
            }
            suffixes.sort_unstable();
            suffixes.dedup();
        }
        panic!("no automaton after {ROUNDS_MAX} rounds");
    }

    fn hypothesis(accepts: &dyn Fn(&[u8]) -> bool, suffixes: &[Vec<u8>]) -> Machine {
        let row = |prefix: &[u8]| -> Vec<bool> {
            suffixes.iter().map(|suffix| accepts(&[prefix, suffix].concat())).collect()
        };
        let mut known = HashMap::from([(row(b""), 0u16)]);
        let mut access = vec![Vec::new()];
        let mut next: Vec<[u16; 256]> = Vec::new();
        while next.len() < access.len() {
            let mut edges = [0u16; 256];
            for byte in 0..=255u8 {
                let word = [access[next.len()].as_slice(), &[byte]].concat();
                let fresh = u16::try_from(access.len()).expect("few states");
                edges[usize::from(byte)] = *known.entry(row(&word)).or_insert_with(|| {
                    access.push(word);
                    fresh
                });
            }
            next.push(edges);
        }
        let accepting = access.iter().map(|word| accepts(word)).collect();
        Machine { access, accepting, next }
    }

    /// Few of the suffixes that still part every two states, and the empty one.
    fn parting(&self, suffixes: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let signature = |chosen: &[Vec<u8>], state: usize| -> Vec<bool> {
            chosen.iter().map(|suffix| self.accepts_from(state, suffix)).collect()
        };
        let parts = |chosen: &[Vec<u8>]| {
            (0..self.access.len()).map(|state| signature(chosen, state)).collect::<HashSet<_>>().len()
        };
        let mut chosen = vec![Vec::new()];
        let mut parted = parts(&chosen);
        while parted < self.access.len() {
            let best = suffixes
                .iter()
                .max_by_key(|suffix| parts(&[chosen.as_slice(), std::slice::from_ref(*suffix)].concat()));
            chosen.push(best.expect("there are suffixes").clone());
            let now = parts(&chosen);
            assert!(now > parted, "states that nothing parts");
            parted = now;
        }
        chosen
    }

    /// What is tried after every state; see [`of`](Self::of).
    fn middles(&self, depth: usize, pairs: &[u8]) -> Vec<Vec<u8>> {
        let bytes = || (0..=255u8).map(|byte| vec![byte]);
        let classes = self.classes();
        let mut short = vec![Vec::new()];
        for _ in 0..depth {
            let longer: Vec<Vec<u8>> = short
                .iter()
                .flat_map(|word| classes.iter().map(move |&byte| [word.as_slice(), &[byte]].concat()))
                .collect();
            short.extend(longer);
        }
        let around = |word: &Vec<u8>| {
            bytes()
                .flat_map(|byte| [[&byte[..], word].concat(), [word, &byte[..]].concat()])
                .collect::<Vec<_>>()
        };
        let mut middles: Vec<Vec<u8>> = short.iter().flat_map(around).collect();
        middles.extend(pairs.iter().flat_map(|&first| pairs.iter().map(move |&second| vec![first, second])));
        middles.sort_unstable();
        middles.dedup();
        middles
    }

    /// An input on which the automaton and the code differ.
    fn disagreement(
        &self,
        accepts: &dyn Fn(&[u8]) -> bool,
        suffixes: &[Vec<u8>],
        middles: &[Vec<u8>],
    ) -> Option<Vec<u8>> {
        for (state, access) in self.access.iter().enumerate() {
            for middle in middles {
                let reached = self.walk(state, middle);
                for suffix in suffixes {
                    let word = [access.as_slice(), middle, suffix].concat();
                    if accepts(&word) != self.accepts_from(reached, suffix) {
                        return Some(word);
                    }
                }
            }
        }
        None
    }

    /// One byte of each class: bytes of one class lead from every state to the same state.
    pub(crate) fn classes(&self) -> Vec<u8> {
        let mut seen = HashSet::new();
        (0..=255u8)
            .filter(|&byte| {
                seen.insert(self.next.iter().map(|edges| edges[usize::from(byte)]).collect::<Vec<_>>())
            })
            .collect()
    }

    fn walk(&self, state: usize, word: &[u8]) -> usize {
        word.iter().fold(state, |state, &byte| usize::from(self.next[state][usize::from(byte)]))
    }

    fn accepts_from(&self, state: usize, word: &[u8]) -> bool {
        self.accepting[self.walk(state, word)]
    }
}

/// A regular expression as an automaton, anchored at both ends.
pub(crate) struct Grammar(dense::DFA<Vec<u32>>);

impl Grammar {
    /// The expression is over bytes, without Unicode.
    pub(crate) fn new(pattern: &str) -> Grammar {
        let dfa = dense::Builder::new()
            .syntax(regex_automata::util::syntax::Config::new().unicode(false).utf8(false))
            .thompson(regex_automata::nfa::thompson::Config::new().utf8(false))
            .configure(dense::Config::new().start_kind(regex_automata::dfa::StartKind::Anchored))
            .build(&format!("(?-u)(?:{pattern})\\z"))
            .expect("a valid expression");
        Grammar(dfa)
    }

    fn start(&self) -> StateID {
        let config = start::Config::new().anchored(Anchored::Yes);
        self.0.start_state(&config).expect("anchored searches were asked for")
    }

    fn accepts_at(&self, state: StateID) -> bool {
        self.0.is_match_state(self.0.next_eoi_state(state))
    }
}

/// A word that `machine` accepts and none of the grammars does; `None` proves inclusion: every reachable pair of states
/// is visited, over all 256 bytes.
pub(crate) fn outside(machine: &Machine, grammar: &Grammar) -> Option<Vec<u8>> {
    find(machine, grammar, |ours, theirs| ours && !theirs)
}

/// A word on which the two differ in either direction; `None` proves that they are the same language.
pub(crate) fn difference(machine: &Machine, grammar: &Grammar) -> Option<Vec<u8>> {
    find(machine, grammar, |ours, theirs| ours != theirs)
}

fn find(machine: &Machine, grammar: &Grammar, wanted: fn(bool, bool) -> bool) -> Option<Vec<u8>> {
    let start = (0usize, grammar.start());
    let mut seen = HashSet::from([start]);
    let mut queue = VecDeque::from([(start, Vec::new())]);
    while let Some(((ours, theirs), word)) = queue.pop_front() {
        if wanted(machine.accepting[ours], grammar.accepts_at(theirs)) {
            return Some(word);
        }
        for byte in 0..=255u8 {
            let pair = (machine.walk(ours, &[byte]), grammar.0.next_state(theirs, byte));
            if seen.insert(pair) {
                queue.push_back((pair, [word.as_slice(), &[byte]].concat()));
            }
        }
    }
    None
}
