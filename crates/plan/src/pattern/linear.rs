//! Expressions for the engine that runs in linear time, compiled when they are first asked.
//!
//! A file may have 10 000 expressions of which a request meets one or two. Reading one takes a few microseconds,
//! compiling it three times as long and eight kilobytes. So only the reading is done at the start: it finds every
//! mistake, and an expression that could become too large is compiled there and then, so that it is refused as early.

use std::sync::OnceLock;

use regex_automata::meta;
use regex_automata::util::syntax;
use regex_syntax::hir::{Class, Hir, HirKind};

use super::need::{self, Need};
use super::steps::Steps;
use super::{COMPILED_BYTES_MAX, MatchError, Matcher, NESTING_MAX};

/// Most bytes that an expression may take by [`estimate`] to be compiled later. Far enough below
/// [`COMPILED_BYTES_MAX`] that such an expression cannot fail then; compiling it takes a fraction of a millisecond.
const LATER_BYTES_MAX: usize = 64 * 1024;

/// An expression for the linear engine.
#[derive(Debug)]
pub(super) struct Linear {
    regex: Box<str>,
    ignore_case: bool,
    /// Groups of a match, the whole one included.
    pub(super) groups: usize,
    /// What a subject must have in it to match.
    pub(super) needs: Vec<Vec<Need>>,
    /// `None` in it: it could not be compiled, which the bounds above are to prevent.
    compiled: OnceLock<Option<meta::Regex>>,
}

/// Why an expression cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// It is none, or asks for what this engine cannot do.
    Syntax,
    /// It would be larger than [`COMPILED_BYTES_MAX`].
    TooBig,
}

/// Reads an expression in the syntax of the `regex-automata` crate.
pub(super) fn read(regex: &str, ignore_case: bool) -> Result<Matcher, Refused> {
    let hir = syntax::parse_with(regex, &syntax_config(ignore_case)).map_err(|_| Refused::Syntax)?;
    let needs = need::of_expression(&hir);
    let compiled = OnceLock::new();
    if estimate(&hir) > LATER_BYTES_MAX {
        let regex = builder(ignore_case).build_from_hir(&hir).map_err(|_| Refused::TooBig)?;
        let _ = compiled.set(Some(regex));
    } else if let Some(steps) = Steps::new(&hir, &needs) {
        return Ok(Matcher::Steps(steps));
    }
    let groups = hir.properties().explicit_captures_len() + 1;
    Ok(Matcher::Regex(Linear { regex: regex.into(), ignore_case, groups, needs, compiled }))
}

impl Linear {
    /// The compiled expression. Whoever comes first compiles it; who comes meanwhile waits for him.
    ///
    /// # Errors
    /// If it cannot be compiled: then nobody knows whether something matches.
    pub(super) fn regex(&self) -> Result<&meta::Regex, MatchError> {
        let compile = || builder(self.ignore_case).build(&self.regex).ok();
        self.compiled.get_or_init(compile).as_ref().ok_or(MatchError::NotCompiled)
    }
}

/// Without literal prefilters and the one-pass automaton: subjects are short lines, on which they gain nothing, and
/// they take four fifths of the time to compile and half of the memory.
/// (`^/app1/[0-9]+[.](html|php)$`: 19 us and 8 kB instead of 101 us and 19 kB; 62 ns to match instead of 122 ns.)
pub(super) fn builder(ignore_case: bool) -> meta::Builder {
    let config = meta::Config::new()
        .auto_prefilter(false)
        .onepass(false)
        .dfa(false)
        .utf8_empty(false)
        .nfa_size_limit(Some(COMPILED_BYTES_MAX));
    let mut builder = meta::Builder::new();
    builder.configure(config).syntax(syntax_config(ignore_case));
    builder
}

fn syntax_config(ignore_case: bool) -> syntax::Config {
    syntax::Config::new().unicode(false).utf8(false).case_insensitive(ignore_case).nest_limit(NESTING_MAX)
}

/// Bytes that an expression takes once compiled: rather too many than too few.
fn estimate(hir: &Hir) -> usize {
    /// A state of the automaton and what hangs on it.
    const STATE: usize = 64;
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => STATE,
        HirKind::Literal(literal) => STATE * literal.0.len(),
        HirKind::Class(Class::Bytes(class)) => STATE + 16 * class.ranges().len(),
        // Several bytes a character, each with states of its own.
        HirKind::Class(Class::Unicode(class)) => STATE + 16 * STATE * class.ranges().len(),
        HirKind::Capture(capture) => estimate(&capture.sub).saturating_add(4 * STATE),
        HirKind::Repetition(repetition) => {
            let copies = repetition.max.unwrap_or(repetition.min.saturating_add(1)).max(1) as usize;
            estimate(&repetition.sub).saturating_add(2 * STATE).saturating_mul(copies)
        }
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().fold(STATE, |sum, part| sum.saturating_add(estimate(part)).saturating_add(STATE))
        }
    }
}

#[cfg(test)]
mod tests {
    use regex_automata::nfa::thompson::{self, WhichCaptures};

    use super::*;

    #[test]
    fn the_estimate_is_not_below_what_is_taken() {
        for text in [
            "a",
            "^/app1/[0-9]+[.](html|php)$",
            "(?s).*(a|bc|def)*?x{3,9}",
            "([a-z]{2,40}[.]){1,9}(com|org)",
            "[^a][^b][\\x00-\\x1faeiou]",
            "((((a{3}){3}){3}){3})",
            "\\b(x|)\\b",
            "(?u)\\w{3}",
        ] {
            for ignore_case in [false, true] {
                let hir = syntax::parse_with(text, &syntax_config(ignore_case)).unwrap();
                for (reverse, captures) in [(false, WhichCaptures::All), (true, WhichCaptures::None)] {
                    let config =
                        thompson::Config::new().utf8(false).reverse(reverse).which_captures(captures);
                    let nfa = thompson::Compiler::new().configure(config).build_from_hir(&hir).unwrap();
                    // What an automaton of nothing takes is the same for all.
                    let (taken, guess) = (nfa.memory_usage(), estimate(&hir) + 1024);
                    assert!(taken <= guess, "{text}: {taken} bytes, estimated {guess}");
                }
            }
        }
    }

    #[test]
    fn only_what_may_be_too_large_is_compiled_at_once() {
        let compiled = |text: &str| match read(text, false).unwrap() {
            Matcher::Regex(linear) => linear.compiled.get().is_some(),
            _ => panic!("{text} needs no automaton"),
        };
        assert!(!compiled("^/app1/[0-9]+[.](html|php)$"));
        assert!(compiled("(a|b){4000}"));
        assert_eq!(read("((a|b){2000}){2000}", false).err(), Some(Refused::TooBig));
        assert_eq!(
            read("[a-z]{99999}", false).err(),
            Some(Refused::TooBig),
            "straight, but too large all the same"
        );
        assert_eq!(read("(", false).err(), Some(Refused::Syntax));
    }
}
