//! `Include` and `IncludeDir`.

use std::path::{Path, PathBuf};

use plan::limits::NESTING_MAX;

use super::{File, Parser, Statement};
use crate::diagnostic::Diagnostic;
use crate::directive::{Directive, Scope};
use crate::glob;
use crate::lex::Word;
use crate::source::{self, FILES_MAX, Span};

impl Parser<'_> {
    pub(super) fn include_directory(&mut self, row: &'static Directive, keyword: &Word, words: &[Word]) {
        let [word] = words else {
            let span = keyword.span.to(words.last().map_or(keyword.span, |word| word.span));
            return self.check_arguments(row, span, words);
        };
        if word.bad {
            return;
        }
        let directory = self.current_directory().join(&*word.text);
        if self.options.no_files || directory.is_dir() {
            self.directories.push(directory);
        } else {
            self.push(Diagnostic::error(word.span, format!("{} is not a directory", directory.display())));
        }
    }

    pub(super) fn current_directory(&self) -> &Path {
        self.directories.last().map_or(Path::new(""), PathBuf::as_path)
    }

    pub(super) fn include(
        &mut self,
        scope: Scope,
        row: &'static Directive,
        keyword: &Word,
        words: &[Word],
        statements: &mut Vec<Statement>,
    ) {
        let [word] = words else {
            let span = keyword.span.to(words.last().map_or(keyword.span, |word| word.span));
            return self.check_arguments(row, span, words);
        };
        if word.bad {
            return;
        }
        if self.options.no_files {
            return self.push(Diagnostic::error(word.span, "files are not read here"));
        }
        let pattern = self.current_directory().join(&*word.text);
        if !glob::is_pattern(&pattern) {
            return self.include_file(scope, &pattern, word.span, statements);
        }
        match glob::expand(&pattern) {
            // C Pound passes over directories, too.
            Ok(files) if files.iter().all(|file| file.is_dir()) => {
                self.push(Diagnostic::warning(word.span, format!("no file matches {}", pattern.display())));
            }
            Ok(files) => {
                for file in files.into_iter().filter(|file| !file.is_dir()) {
                    self.include_file(scope, &file, word.span, statements);
                }
            }
            Err(error) => self.push(Diagnostic::error(
                word.span,
                format!("cannot look for {}: {}", pattern.display(), source::reason(&error)),
            )),
        }
    }

    pub(super) fn include_file(
        &mut self,
        scope: Scope,
        path: &Path,
        span: Span,
        statements: &mut Vec<Statement>,
    ) {
        let identity = source::identity(path);
        let name = path.display().to_string();
        if let Some(first) = self.chain.iter().position(|file| file.identity.as_ref() == Some(&identity)) {
            let mut circle: Vec<&str> = self.chain[first..].iter().map(|file| &*file.name).collect();
            circle.push(&name);
            let message = format!("this includes a file in itself: {}", circle.join(" → "));
            return self.push(Diagnostic::error(span, message));
        }
        if self.depth >= NESTING_MAX {
            return self.push(Diagnostic::error(span, format!("includes can nest {NESTING_MAX} deep")));
        }
        if self.diagnostics.sources.len() >= FILES_MAX {
            return self
                .push(Diagnostic::error(span, format!("a configuration has at most {FILES_MAX} files")));
        }
        let text = match source::read_text(path) {
            Ok(text) => text,
            Err(error) => {
                let message = format!("cannot read {name}: {}", source::reason(&error));
                let all = || {
                    format!("to read the files in it, write Include \"{}/*.cfg\"", name.trim_end_matches('/'))
                };
                return self.push(Diagnostic::error(span, message).help_if(path.is_dir().then(all)));
            }
        };
        let source = self.diagnostics.sources.add(name.clone(), text);
        self.chain.push(File { identity: Some(identity), name });
        self.depth += 1;
        self.file(source, scope, statements);
        self.depth -= 1;
        self.chain.pop();
    }
}
