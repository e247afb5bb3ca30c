//! Patterns and the options before them.

use std::sync::Arc;

use plan::condition::Match;
use plan::pattern::{Kind, List, Pattern, Subject};

use super::Lowering;
use crate::diagnostic::Diagnostic;
use crate::lex::Word;
use crate::syntax::Statement;

/// The options of every pattern.
const PATTERN: &[&str] = &[
    "-re",
    "-exact",
    "-beg",
    "-end",
    "-contain",
    "-icase",
    "-case",
    "-posix",
    "-pcre",
    "-perl",
    "-file",
    "-filewatch",
];
const TAG: &str = "-tag";
const DECODE: &str = "-decode";

/// How the patterns of a directive are read where no option says otherwise.
#[derive(Clone, Copy)]
pub(crate) struct Defaults {
    /// `None`: a regular expression of the kind that `RegexType` says.
    pub(crate) kind: Option<Kind>,
    pub(crate) ignore_case: bool,
    /// Whether there is a `-tag`.
    pub(crate) tag: bool,
    /// Whether there is a `-decode`.
    pub(crate) decode: bool,
    /// Texts before the pattern: fewest and most.
    pub(crate) before: (usize, usize),
    /// What it is compared with.
    pub(crate) subject: Subject,
}

impl Defaults {
    pub(crate) const PATTERN: Defaults = Defaults {
        kind: None,
        ignore_case: false,
        tag: true,
        decode: false,
        before: (0, 0),
        subject: Subject::Other,
    };
}

/// What was read.
pub(crate) struct Matching<'a> {
    /// The texts before the pattern.
    pub(crate) before: Vec<&'a Word>,
    pub(crate) matches: Match,
    pub(crate) decode: bool,
}

#[derive(Default)]
struct Chosen<'a> {
    kind: Option<Kind>,
    ignore_case: Option<bool>,
    file: Option<(&'a Word, bool)>,
    tag: Option<String>,
    decode: bool,
}

impl Lowering<'_> {
    /// Reads a directive whose arguments are texts, options and a pattern.
    pub(crate) fn matching<'a>(
        &mut self,
        statement: &'a Statement,
        defaults: Defaults,
    ) -> Option<Matching<'a>> {
        let (texts, chosen) = self.options(statement, defaults)?;
        let (min, max) = defaults.before;
        let own = usize::from(chosen.file.is_none());
        let usage = statement.row.usage();
        if texts.len() < min + own {
            let missing = if own == 1 && texts.len() == min { "a pattern" } else { "more than this" };
            self.missing(statement.span, &format!("{} needs {missing}", statement.row.name), &usage);
            return None;
        }
        if let Some(extra) = texts.get(max + own) {
            let span = extra.span.to(texts[texts.len() - 1].span);
            let diagnostic = Diagnostic::error(span, format!("this is too much for {}", statement.row.name));
            self.push(diagnostic.label(format!("expected: {usage}")));
            return None;
        }
        let kind = chosen.kind.or(defaults.kind).unwrap_or(self.regex_kind);
        let ignore_case = chosen.ignore_case.unwrap_or(defaults.ignore_case || self.ignore_case);
        let subject = match defaults.subject {
            Subject::Path { .. } => Subject::Path { decoded: chosen.decode },
            subject => subject,
        };
        let (before, pattern) = match chosen.file {
            Some((file, watch)) => {
                (texts, self.pattern_file(statement, file, watch, subject, (kind, ignore_case))?)
            }
            None => {
                let (pattern, before) = texts.split_last()?;
                self.warn_of_vain(pattern, subject, kind, ignore_case);
                (before.to_vec(), self.pattern(pattern, kind, ignore_case)?)
            }
        };
        Some(Matching { before, matches: Match { pattern, tag: chosen.tag }, decode: chosen.decode })
    }

    /// A pattern that is all a directive has.
    pub(crate) fn whole_pattern(&mut self, statement: &Statement) -> Option<Pattern> {
        self.pattern_alone(statement, false)
    }

    pub(crate) fn pattern_alone(&mut self, statement: &Statement, ignore_case: bool) -> Option<Pattern> {
        let defaults = Defaults { ignore_case, tag: false, ..Defaults::PATTERN };
        Some(self.matching(statement, defaults)?.matches.pattern)
    }

    fn options<'a>(
        &mut self,
        statement: &'a Statement,
        defaults: Defaults,
    ) -> Option<(Vec<&'a Word>, Chosen<'a>)> {
        let mut texts = Vec::new();
        let mut chosen = Chosen::default();
        let mut words = statement.arguments.iter();
        let mut good = true;
        while let Some(word) = words.next() {
            if !word.is_flag() {
                texts.push(word);
                continue;
            }
            match word.text.to_ascii_lowercase().as_str() {
                "-re" => chosen.kind = Some(self.regex_kind),
                "-posix" => chosen.kind = Some(Kind::Posix),
                "-pcre" | "-perl" => chosen.kind = Some(Kind::Perl),
                "-exact" => chosen.kind = Some(Kind::Exact),
                "-beg" => chosen.kind = Some(Kind::Prefix),
                "-end" => chosen.kind = Some(Kind::Suffix),
                "-contain" => chosen.kind = Some(Kind::Contains),
                "-icase" => chosen.ignore_case = Some(true),
                "-case" => chosen.ignore_case = Some(false),
                DECODE if defaults.decode => chosen.decode = true,
                option @ ("-file" | "-filewatch") => match words.next() {
                    Some(file) => chosen.file = Some((file, option == "-filewatch")),
                    None => good = self.lacks_value(word, "the name of a file"),
                },
                TAG if defaults.tag => match words.next() {
                    // A number would be taken for "so many matches back".
                    Some(tag) if is_tag(&tag.text) => chosen.tag = Some(tag.text.to_string()),
                    Some(tag) => {
                        self.refuse::<()>(tag, "expected a name that begins with a letter, without ( ) { }");
                        good = false;
                    }
                    None => good = self.lacks_value(word, "a name"),
                },
                _ => {
                    let mut known = PATTERN.to_vec();
                    known.extend(defaults.tag.then_some(TAG));
                    known.extend(defaults.decode.then_some(DECODE));
                    self.unknown_option(word, &known);
                    good = false;
                }
            }
        }
        good.then_some((texts, chosen))
    }

    pub(crate) fn lacks_value(&mut self, option: &Word, what: &str) -> bool {
        let diagnostic = Diagnostic::error(option.span, format!("{} needs a value", option.text));
        self.push(diagnostic.label(format!("expected {what} behind it")));
        false
    }

    fn pattern(&mut self, word: &Word, kind: Kind, ignore_case: bool) -> Option<Pattern> {
        let key = (kind, ignore_case, word.text.clone());
        if let Some(pattern) = self.patterns.get(&key) {
            return Some(pattern.clone());
        }
        match Pattern::new(&word.text, kind, ignore_case) {
            Ok(pattern) => {
                if kind == Kind::Posix {
                    self.warn_of_perl(word);
                }
                self.patterns.insert(key, pattern.clone());
                Some(pattern)
            }
            Err(error) => {
                let perl = kind == Kind::Posix && word.text.contains("(?");
                let span = word.part(error.at, error.len);
                self.push(
                    Diagnostic::error(span, "this pattern cannot be read").label(error.message).help_if(
                        perl.then_some("this looks like a Perl-compatible expression: put -pcre before it"),
                    ),
                );
                None
            }
        }
    }

    /// A pattern that nothing matches is a slip.
    fn warn_of_vain(&mut self, word: &Word, subject: Subject, kind: Kind, ignore_case: bool) {
        // What nobody sees has been complained about.
        if plan::text::invisible(&word.text).is_some() {
            return;
        }
        if let Some(doubt) = subject.doubt(&word.text, kind, ignore_case) {
            let help = doubt.instead.map(|instead| match instead.contains('\n') {
                true => format!("did you mean this?\n{instead}"),
                false => format!("did you mean {instead}?"),
            });
            self.push(
                Diagnostic::warning(word.span, "no request matches this pattern")
                    .label(doubt.reason)
                    .help_if(help),
            );
        }
    }

    /// `\d` is the letter d in POSIX, and never meant so.
    fn warn_of_perl(&mut self, word: &Word) {
        let mut bytes = word.text.bytes().enumerate();
        while let Some((at, byte)) = bytes.next() {
            if byte != b'\\' {
                continue;
            }
            let Some((_, escaped)) = bytes.next() else { return };
            let instead = match escaped {
                b'd' => "[0-9]",
                b'D' => "[^0-9]",
                _ => continue,
            };
            let letter = char::from(escaped);
            self.push(
                Diagnostic::warning(
                    word.part(at, 2),
                    format!("in a POSIX expression, \\{letter} is the letter {letter}"),
                )
                .help(format!("write {instead}, or put -pcre before the pattern")),
            );
            return;
        }
    }

    fn pattern_file(
        &mut self,
        statement: &Statement,
        file: &Word,
        watch: bool,
        subject: Subject,
        (kind, ignore_case): (Kind, bool),
    ) -> Option<Pattern> {
        let (path, patterns) =
            self.read_list(statement, file, |text| List::patterns(text, subject, kind, ignore_case))?;
        if !watch {
            return Some(Pattern::list(patterns));
        }
        let list = Arc::new(List::new(patterns, Some(path), subject, kind, ignore_case));
        self.watched.push(list.clone());
        Some(Pattern::watched(list))
    }
}

fn is_tag(text: &str) -> bool {
    text.starts_with(|character: char| character.is_ascii_alphabetic())
        && !text.contains(['(', ')', '{', '}'])
}
