//! From text to a tree: lines, blocks, includes.
//!
//! Whether a line begins a block is a matter of its directive, so the parser reads the table. It never stops at an
//! error: it says what is wrong and goes on where the next thing can be understood, so that one run finds everything
//! but reports nothing twice.

mod cursor;
mod include;
mod recover;
mod rules;

use std::path::{Path, PathBuf};

use plan::limits::NESTING_MAX;
use plan::text;

use crate::Options;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::dialect;
use crate::directive::{self, Body, Directive, Lower, Scope, Standing};
use crate::foreign;
use crate::lex::Word;
use crate::source::{self, Span};
use crate::suggest;
use cursor::{Cursor, Line};

/// One directive with everything that belongs to it.
#[derive(Clone)]
pub(crate) struct Statement {
    pub(crate) row: &'static Directive,
    pub(crate) keyword: Span,
    /// From the keyword to the last word of the line.
    pub(crate) span: Span,
    /// From the keyword to the `End` of its block, or to the last word of a line without one.
    pub(crate) whole: Span,
    pub(crate) arguments: Vec<Word>,
    pub(crate) body: Tree,
    /// Index of the directory to which its file names are relative.
    pub(crate) directory: usize,
    /// Something in it or in its block has been complained about: what seems to be missing may be in there.
    pub(crate) faulty: bool,
}

/// What belongs to a directive besides its line.
#[derive(Clone)]
pub(crate) enum Tree {
    None,
    Block(Vec<Statement>),
    Entries(Vec<Word>),
    Branches(Vec<Vec<Statement>>),
    Condition(Box<Statement>),
}

impl Statement {
    /// The directives of its block.
    pub(crate) fn block(&self) -> &[Statement] {
        match &self.body {
            Tree::Block(statements) => statements,
            _ => &[],
        }
    }
}

/// A parsed configuration.
pub(crate) struct Parsed {
    pub(crate) statements: Vec<Statement>,
    /// The directories to which file names are relative, see [`Statement::directory`].
    pub(crate) directories: Vec<PathBuf>,
}

/// Parses a text that is already among the sources, and whatever it includes.
pub(crate) fn parse(
    source: u32,
    path: Option<&Path>,
    directory: PathBuf,
    options: &Options,
    diagnostics: &mut Diagnostics,
) -> Parsed {
    let mut parser = Parser {
        diagnostics,
        options,
        directories: vec![directory],
        chain: Vec::new(),
        open: Vec::new(),
        base: 0,
        suspect: None,
        unwind_to: None,
        depth: 0,
        lost: false,
    };
    parser.chain.push(File {
        identity: path.map(source::identity),
        name: parser.diagnostics.sources.name(source).to_owned(),
    });
    let mut statements = Vec::new();
    parser.file(source, Scope::Global, &mut statements);
    parser.warn_of_repetitions(&statements);
    Parsed { statements, directories: parser.directories }
}

/// The smallest file that serves: examples/minimal.cfg in short.
const EXAMPLE: &str = "a small file for Pound is
ListenHTTP
    Address 0.0.0.0
    Port 80
    Service
        Backend
            Address 127.0.0.1
            Port 8080
        End
    End
End
(examples/minimal.cfg; pound -h Service, or another directive, tells more)";

struct Parser<'a> {
    diagnostics: &'a mut Diagnostics,
    options: &'a Options,
    directories: Vec<PathBuf>,
    /// The file being read and those that include it, outermost first.
    chain: Vec<File>,
    /// The blocks that are open, outermost first.
    open: Vec<Open>,
    /// How many of them belong to including files.
    base: usize,
    /// A block and the `End` that closed it, where the two are indented as if they were not a pair.
    suspect: Option<(Span, Span)>,
    /// How many blocks stay open after an `End` was found missing.
    unwind_to: Option<usize>,
    /// Blocks, includes and `Not`s around the current line.
    depth: usize,
    /// The rest of the file was given up, so that no `End` can be found in it.
    lost: bool,
}

struct File {
    identity: Option<PathBuf>,
    name: String,
}

struct Open {
    scope: Scope,
    keyword: Span,
    indent: usize,
}

/// `EndService` and the like, as other languages have it.
fn is_end_of(word: &str) -> bool {
    let Some(of) = word.get(..3).filter(|end| end.eq_ignore_ascii_case("end")).and(word.get(3..)) else {
        return false;
    };
    let of = of.trim_start_matches(['_', '-']);
    let begins =
        |scope: &Scope| directive::find(*scope, of).is_some_and(|row| matches!(row.body, Body::Block(_)));
    Scope::ALL.iter().any(begins)
}

/// Why a block is over.
enum Close {
    End {
        span: Span,
        indent: usize,
    },
    Else(Span),
    EndOfFile,
    /// Its `End` is missing, which has been said; the line that showed it is to be read again.
    Assumed,
}

impl Parser<'_> {
    fn push(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Reads a whole file in a scope.
    fn file(&mut self, source: u32, scope: Scope, statements: &mut Vec<Statement>) {
        let text = self.diagnostics.sources.text(source).clone();
        let mut cursor = Cursor { source, text, at: 0 };
        if let Some((at, character)) = text::stray_line_end(&cursor.text) {
            let span = Span { source, start: at as u32, end: (at + character.len_utf8()) as u32 };
            self.push(
                Diagnostic::error(span, format!("{} ends no line here", text::name(character)))
                    .help("save the file with the line ends of Unix"),
            );
        }
        if let Some((what, line)) = foreign::recognise(&cursor.text) {
            let span = self.diagnostics.sources.line_span(source, line);
            self.push(
                Diagnostic::error(span, format!("this looks like {what}, and not like a file for Pound"))
                    .help(EXAMPLE),
            );
            return;
        }
        let base = std::mem::replace(&mut self.base, self.open.len());
        let suspect = self.suspect.take();
        loop {
            match self.block(&mut cursor, scope, statements) {
                Close::EndOfFile | Close::Assumed => break,
                Close::End { span, .. } => {
                    let message = if base == self.base && self.open.is_empty() {
                        "this End closes nothing"
                    } else {
                        "this End closes nothing in this file"
                    };
                    self.push(Diagnostic::error(span, message).label("no block is open here"));
                }
                Close::Else(span) => {
                    self.push(Diagnostic::error(span, "Else can only stand in Rewrite"));
                }
            }
        }
        self.base = base;
        self.suspect = suspect;
        self.lost = false;
    }

    /// Reads directives up to the end of the block.
    fn block(&mut self, cursor: &mut Cursor, scope: Scope, statements: &mut Vec<Statement>) -> Close {
        while let Some(line) = cursor.line(self.diagnostics) {
            let Line { start, indent, mut words } = line;
            let keyword = words.remove(0);
            if keyword.bad {
                continue;
            }
            if keyword.quoted {
                self.push(
                    Diagnostic::error(keyword.span, "a line begins with a directive, not with a string")
                        .label("expected a directive"),
                );
                continue;
            }
            match keyword.text.to_ascii_lowercase().as_str() {
                "end" => {
                    self.refuse_rest("End", &words);
                    return Close::End { span: keyword.span, indent };
                }
                "else" if matches!(scope, Scope::Rewrite | Scope::RewriteResponse) => {
                    self.refuse_rest("Else", &words);
                    return Close::Else(keyword.span);
                }
                "else" => {
                    self.push(Diagnostic::error(keyword.span, "Else can only stand in Rewrite"));
                    continue;
                }
                _ => {}
            }
            let Some(row) = directive::find(scope, &keyword.text) else {
                if is_end_of(&keyword.text) {
                    self.push(
                        Diagnostic::error(keyword.span, "a block ends with End alone").label("expected End"),
                    );
                    return Close::End { span: keyword.span, indent };
                }
                if self.end_is_missing(scope, &keyword, indent) {
                    cursor.at = start;
                    return Close::Assumed;
                }
                self.unknown(cursor, scope, &keyword, words, indent);
                if self.unwinds() {
                    return Close::Assumed;
                }
                continue;
            };
            match row.name {
                "Include" => self.include(scope, row, &keyword, &words, statements),
                "IncludeDir" => self.include_directory(row, &keyword, &words),
                _ => {
                    let statement = self.statement(cursor, scope, row, &keyword, words, indent);
                    statements.push(statement);
                    if self.unwinds() {
                        return Close::Assumed;
                    }
                }
            }
        }
        Close::EndOfFile
    }

    /// Whether the block that is being read ends because an `End` is missing further in.
    fn unwinds(&mut self) -> bool {
        match self.unwind_to {
            Some(depth) if self.open.len() > depth => true,
            Some(_) => {
                self.unwind_to = None;
                false
            }
            None => false,
        }
    }

    /// Reads what belongs to a directive of the table.
    fn statement(
        &mut self,
        cursor: &mut Cursor,
        scope: Scope,
        row: &'static Directive,
        keyword: &Word,
        arguments: Vec<Word>,
        indent: usize,
    ) -> Statement {
        let errors = self.diagnostics.errors();
        let bad = arguments.iter().any(|word| word.bad);
        let span = keyword.span.to(arguments.last().map_or(keyword.span, |word| word.span));
        let pending = row.standing == Standing::Pending;
        self.report_standing(row, keyword.span);
        self.check_texts(row, &arguments);
        let one_line = dialect::one_line(row.name, &arguments);
        match &one_line {
            _ if bad || pending => {}
            Some(block) => self.push(
                Diagnostic::error(span, format!("{} on one line is the form of Pound 1.x", row.name))
                    .label("expected a block")
                    .help(format!("write\n{block}")),
            ),
            None => self.check_arguments(row, span, &arguments),
        }
        let mut statement = Statement {
            row,
            keyword: keyword.span,
            span,
            whole: span,
            arguments,
            body: Tree::None,
            directory: self.directories.len() - 1,
            faulty: false,
        };
        if self.depth >= NESTING_MAX {
            self.push(Diagnostic::error(keyword.span, format!("blocks can nest {NESTING_MAX} deep")));
            self.skip(cursor, &statement.row.body, &statement.arguments);
            statement.faulty = true;
            return statement;
        }
        if one_line.is_some() {
            statement.faulty = true;
            return statement;
        }
        self.depth += 1;
        if pending {
            self.diagnostics.mute();
        }
        statement.body = self.body(cursor, scope, &mut statement, indent);
        if pending {
            self.diagnostics.unmute();
        }
        self.depth -= 1;
        statement.faulty = bad || pending || self.diagnostics.errors() > errors;
        statement
    }

    fn body(&mut self, cursor: &mut Cursor, scope: Scope, statement: &mut Statement, indent: usize) -> Tree {
        let keyword = statement.keyword;
        match statement.row.body {
            Body::None => Tree::None,
            Body::Block(inner) => {
                let mut statements = Vec::new();
                self.open.push(Open { scope: inner, keyword, indent });
                let close = self.block(cursor, inner, &mut statements);
                self.close(&close);
                if let Close::End { span, .. } = close {
                    statement.whole = statement.span.to(span);
                }
                self.warn_of_repetitions(&statements);
                Tree::Block(statements)
            }
            Body::Branches => {
                let inner = self.rewrite_scope(scope, &statement.arguments);
                let mut branches = Vec::new();
                self.open.push(Open { scope: inner, keyword, indent });
                loop {
                    let mut statements = Vec::new();
                    let close = self.block(cursor, inner, &mut statements);
                    self.warn_of_repetitions(&statements);
                    branches.push(statements);
                    if !matches!(close, Close::Else(_)) {
                        self.close(&close);
                        break;
                    }
                }
                Tree::Branches(branches)
            }
            Body::Entries(opens) if opens(&statement.arguments) => {
                let mut entries = Vec::new();
                self.open.push(Open { scope, keyword, indent });
                let close = self.entries(cursor, keyword, &mut entries);
                self.close(&close);
                Tree::Entries(entries)
            }
            Body::Ignored(opens, nested) if opens(&statement.arguments) => {
                self.ignore(cursor, keyword, nested);
                Tree::None
            }
            Body::Entries(_) | Body::Ignored(..) => Tree::None,
            Body::Condition => self.negated(cursor, scope, statement, indent),
        }
    }

    /// The condition behind `Not`.
    fn negated(
        &mut self,
        cursor: &mut Cursor,
        scope: Scope,
        statement: &mut Statement,
        indent: usize,
    ) -> Tree {
        if statement.arguments.is_empty() || statement.arguments[0].bad {
            return Tree::None;
        }
        let mut words = std::mem::take(&mut statement.arguments);
        let keyword = words.remove(0);
        match directive::find(scope, &keyword.text).filter(|_| !keyword.quoted) {
            Some(row) if matches!(row.lower, Lower::Condition(_)) || row.standing == Standing::Pending => {
                Tree::Condition(Box::new(self.statement(cursor, scope, row, &keyword, words, indent)))
            }
            _ => {
                let conditions = directive::rows()
                    .filter(|row| row.scopes.contains(&scope) && matches!(row.lower, Lower::Condition(_)));
                let nearest = suggest::nearest(&keyword.text, conditions.map(|row| row.name));
                self.push(
                    Diagnostic::error(keyword.span, format!("{} is not a condition", keyword.text))
                        .label("expected a condition, such as Path or Header")
                        .help_if(nearest.map(|name| format!("did you mean {name}?"))),
                );
                Tree::None
            }
        }
    }

    fn rewrite_scope(&mut self, scope: Scope, arguments: &[Word]) -> Scope {
        let default = if scope == Scope::RewriteResponse { Scope::RewriteResponse } else { Scope::Rewrite };
        let Some(word) = arguments.first().filter(|word| !word.bad) else { return default };
        let inner = match word.text.to_ascii_lowercase().as_str() {
            "request" => Scope::Rewrite,
            "response" => Scope::RewriteResponse,
            "early" => {
                self.push(Diagnostic::error(word.span, "Rewrite early is not supported yet"));
                return default;
            }
            _ => {
                self.push(
                    Diagnostic::error(word.span, format!("{:?} is no kind of Rewrite", word.text))
                        .label("expected request or response"),
                );
                return default;
            }
        };
        if matches!(scope, Scope::Rewrite | Scope::RewriteResponse) && inner != default {
            let message = "a Rewrite in another one is about the same message";
            self.push(
                Diagnostic::error(word.span, message)
                    .help("let each stand in the Service or ListenHTTP itself"),
            );
            return default;
        }
        inner
    }

    /// Words one a line, up to `End`.
    fn entries(&mut self, cursor: &mut Cursor, keyword: Span, entries: &mut Vec<Word>) -> Close {
        while let Some(mut line) = cursor.line(self.diagnostics) {
            let word = line.words.remove(0);
            if !word.quoted && word.text.eq_ignore_ascii_case("end") {
                self.refuse_rest("End", &line.words);
                return Close::End { span: word.span, indent: line.indent };
            }
            // No address looks like a directive.
            if !word.quoted && !directive::scopes(&word.text).is_empty() {
                self.missing_end(keyword);
                cursor.at = line.start;
                return Close::Assumed;
            }
            if let (Some(first), Some(last)) = (line.words.first(), line.words.last()) {
                let span = first.span.to(last.span);
                self.push(
                    Diagnostic::error(span, "each line of the list holds one entry")
                        .label("expected the end of the line"),
                );
            }
            entries.push(word);
        }
        Close::EndOfFile
    }

    /// Skips lines up to the `End` that belongs to a block whose content is not looked at.
    fn ignore(&mut self, cursor: &mut Cursor, keyword: Span, nested: &[&str]) {
        let mut depth = 1;
        while let Some((_, text, range)) = cursor.raw() {
            let words: Vec<&str> = text[range].split_ascii_whitespace().take(2).collect();
            let Some(first) = words.first() else { continue };
            let begins = |opener: &&str| {
                words.join(" ").eq_ignore_ascii_case(opener) || first.eq_ignore_ascii_case(opener)
            };
            if first.eq_ignore_ascii_case("end") {
                depth -= 1;
                if depth == 0 {
                    return;
                }
            } else if nested.iter().any(begins) {
                depth += 1;
            }
        }
        self.missing_end(keyword);
    }

    /// Goes past the body of a directive that cannot be read.
    fn skip(&mut self, cursor: &mut Cursor, body: &Body, arguments: &[Word]) {
        let opens = match body {
            Body::None | Body::Condition => false,
            Body::Block(_) | Body::Branches => true,
            Body::Entries(opens) | Body::Ignored(opens, _) => opens(arguments),
        };
        if opens {
            // Too deep to be understood: whatever follows would be misread.
            cursor.at = cursor.text.len();
            self.lost = true;
        }
    }

    /// Takes the innermost block off, and says so if its `End` is missing.
    fn close(&mut self, close: &Close) {
        let Some(open) = self.open.pop() else { return };
        match close {
            Close::End { span, indent } => {
                if *indent < open.indent && self.suspect.is_none() {
                    self.suspect = Some((open.keyword, *span));
                }
            }
            Close::EndOfFile => self.missing_end(open.keyword),
            Close::Else(_) | Close::Assumed => {}
        }
    }
}
