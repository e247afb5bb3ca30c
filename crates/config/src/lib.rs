//! Configuration text becomes a [`Plan`](plan::Plan).
//!
//! ```text
//! text ──source──▶ files and spans ──lex, syntax──▶ tree ──lower──▶ Plan ──check──▶ the same, or diagnostics
//!                                       ▲                ▲
//!                                       └── directive ───┘   one row per directive
//! ```
//!
//! [`load`] finds everything that is wrong with a configuration in one run. It reads the files that the configuration
//! names, but resolves no name and opens no socket. The language is told in `docs/manual/configuration.md`, the
//! directives in `docs/manual/reference.md`, which is made from the same table that the parser uses ([`explain`]).
#![forbid(unsafe_code)]

mod check;
mod diagnostic;
mod dialect;
mod directive;
mod dump;
pub mod explain;
mod foreign;
mod glob;
mod hint;
mod lex;
mod lower;
mod source;
mod suggest;
mod syntax;
mod value;

use std::path::{Path, PathBuf};

pub use diagnostic::{Diagnostic, Diagnostics, Place, Severity};
pub use dump::dump;

/// What to do about deprecated directives (`-W deprecated=`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Deprecated {
    /// Take them silently.
    Ok,
    /// Say what to write today.
    #[default]
    Warn,
    /// Refuse them.
    Error,
}

/// How a configuration is read.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The directory to which file names are relative at first (`-W include-dir=`); `None` is that of the
    /// configuration file.
    pub include_dir: Option<PathBuf>,
    /// File names are relative to the working directory at first (`-W no-include-dir`).
    pub no_include_dir: bool,
    /// What to do about deprecated directives.
    pub deprecated: Deprecated,
    /// Somebody watches the log (`-e`): unless the file says otherwise, requests are logged with the back-end and the
    /// time they took (`extended`).
    pub watched: bool,
    /// Touch no file besides the configuration itself: whatever needs one is an error. For texts from strangers.
    pub no_files: bool,
}

/// Reads a configuration file and everything that it names.
///
/// The plan is there exactly when the diagnostics hold no error.
pub fn load(path: &Path, options: &Options) -> (Option<plan::Plan>, Diagnostics) {
    let mut diagnostics = Diagnostics::default();
    match source::read_text(path) {
        Ok(text) => {
            let parent = path.parent().map(Path::to_owned).unwrap_or_default();
            let source = diagnostics.sources.add(path.display().to_string(), text);
            run(source, Some(path), parent, options, diagnostics)
        }
        Err(error) => {
            let message = format!("cannot read {}: {}", path.display(), source::reason(&error));
            diagnostics.push(Diagnostic::nowhere(message));
            (None, diagnostics)
        }
    }
}

/// Reads a configuration that is no file, such as that of the demo. `name` stands for the file in diagnostics; file
/// names are relative to the working directory at first, unless the options say otherwise.
///
/// The plan is there exactly when the diagnostics hold no error.
pub fn load_text(name: &str, text: &str, options: &Options) -> (Option<plan::Plan>, Diagnostics) {
    let mut diagnostics = Diagnostics::default();
    let text = text.strip_prefix(plan::text::BYTE_ORDER_MARK).unwrap_or(text);
    let source = diagnostics.sources.add(name.to_owned(), text.to_owned());
    run(source, None, PathBuf::new(), options, diagnostics)
}

fn run(
    source: u32,
    path: Option<&Path>,
    parent: PathBuf,
    options: &Options,
    mut diagnostics: Diagnostics,
) -> (Option<plan::Plan>, Diagnostics) {
    let directory = match &options.include_dir {
        _ if options.no_include_dir => PathBuf::new(),
        Some(directory) => directory.clone(),
        None => parent,
    };
    let parsed = syntax::parse(source, path, directory, options, &mut diagnostics);
    let plan = lower::lower(&parsed, source, options, &mut diagnostics);
    diagnostics.sort();
    (plan.filter(|_| !diagnostics.has_errors()), diagnostics)
}
