//! The table for people: the reference manual and the help on a directive.

use std::fmt::Write as _;

use crate::dialect;
use crate::directive::{self, Directive, Scope, Standing};
use crate::lower::BALANCERS;
use crate::suggest;

/// The names of all directives, in the order of the manual.
pub fn names() -> Vec<&'static str> {
    let mut names: Vec<&'static str> = Vec::new();
    for row in directive::rows() {
        if !names.contains(&row.name) {
            names.push(row.name);
        }
    }
    names
}

/// The names of the directives of Pound 4 that are refused because they are not built yet, in alphabetical order.
pub fn pending() -> Vec<&'static str> {
    let rows = directive::rows().filter(|row| row.standing == Standing::Pending);
    let mut names: Vec<&'static str> = rows.map(|row| row.name).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// What `Balancer` may be, as it is written.
pub fn balancers() -> impl Iterator<Item = &'static str> {
    BALANCERS.iter().map(|(name, _)| *name)
}

/// The directive that was probably meant by a name that there is not.
pub fn nearest_name(name: &str) -> Option<&'static str> {
    suggest::nearest(name, directive::rows().map(|row| row.name))
}

/// What there is to say about a directive, in plain text; `None` if there is none of that name. Case does not count.
pub fn directive_help(name: &str) -> Option<String> {
    let mut out = String::new();
    let known = |row: &&Directive| {
        std::iter::once(&row.name).chain(row.aliases).any(|known| known.eq_ignore_ascii_case(name))
    };
    for row in directive::rows().filter(known) {
        if !out.is_empty() {
            out.push('\n');
        }
        let _ = writeln!(out, "{}", row.usage());
        let _ = writeln!(out, "  stands:  {}", places(row));
        if !row.default.is_empty() {
            let _ = writeln!(out, "  default: {}", row.default);
        }
        let _ = writeln!(out, "  since:   {}", since(row));
        for line in
            wrap(&standing(row).map_or(row.doc.to_owned(), |standing| format!("{standing} {}", row.doc)), 76)
        {
            let _ = writeln!(out, "  {line}");
        }
        if !row.example.is_empty() {
            out.push('\n');
            for line in row.example.lines() {
                let _ = writeln!(out, "    {}", line.replace('\t', "    "));
            }
        }
    }
    if out.is_empty() {
        let gone = dialect::all().iter().find(|gone| gone.word.eq_ignore_ascii_case(name))?;
        let _ = writeln!(out, "{} was a directive of Pound {}: {}.", gone.word, gone.generation, gone.advice);
    }
    Some(out)
}

/// The reference of all directives, `docs/manual/reference.md`.
pub fn reference_markdown() -> String {
    let mut out = String::from(
        "# Directives\n\n\
         <!-- Made by `cargo xtask docs` from the table in crates/config/src/directive; do not edit. -->\n\n\
         Each directive with what follows it, where it may stand, its default, and the version of Pound that brought \
         it. The language itself (words, blocks, patterns, templates) is told in \
         [Configuration](configuration.md).\n",
    );
    for section in directive::TABLE {
        let _ = write!(out, "\n## {}\n\n{}\n", section.title, section.intro);
        let in_use = |row: &&Directive| matches!(row.standing, Standing::Current | Standing::Deprecated(_));
        for row in section.rows.iter().filter(in_use) {
            entry(&mut out, row);
        }
    }
    out.push_str(
        "\n## Accepted without effect\n\n\
         Directives of older Pounds that have nothing to act on any more. Each gets a warning.\n\n\
         | directive | why |\n|---|---|\n",
    );
    for row in directive::rows() {
        if let Standing::NoEffect(why) = row.standing {
            let _ = writeln!(out, "| `{}` | {why} |", row.name);
        }
    }
    out.push_str(
        "\n## Not supported yet\n\n\
         Directives of Pound 4 that this version does not have. A configuration with one of them is refused.\n\n\
         | directive | stands | what it does |\n|---|---|---|\n",
    );
    for row in directive::rows().filter(|row| row.standing == Standing::Pending) {
        let _ = writeln!(out, "| `{}` | {} | {} |", row.usage().replace('|', "\\|"), places(row), row.doc);
    }
    out.push_str(
        "\n## Words of older Pounds\n\n\
         They are refused, with this advice.\n\n\
         | word | Pound | today |\n|---|---|---|\n",
    );
    for gone in dialect::all() {
        let _ = writeln!(out, "| `{}` | {} | {} |", gone.word, gone.generation, gone.advice);
    }
    out
}

fn entry(out: &mut String, row: &Directive) {
    let _ = write!(out, "\n### {}\n\n", row.name);
    let _ = writeln!(out, "```text\n{}\n```\n", row.usage());
    if let Some(standing) = standing(row) {
        let _ = writeln!(out, "*{standing}*\n");
    }
    let _ = writeln!(out, "{}\n", row.doc);
    let _ = writeln!(out, "- Stands: {}", places(row));
    if !row.default.is_empty() {
        let _ = writeln!(out, "- Default: {}", row.default);
    }
    if !row.aliases.is_empty() {
        let _ = writeln!(out, "- Also written: {}", row.aliases.join(", "));
    }
    let _ = writeln!(out, "- Since: {}", since(row));
    if !row.example.is_empty() {
        let _ = writeln!(out, "\n```pound\n{}\n```", row.example);
    }
}

fn since(row: &Directive) -> String {
    match row.since {
        "new" => "new in this Pound".to_owned(),
        version => format!("Pound {version}"),
    }
}

fn standing(row: &Directive) -> Option<String> {
    match row.standing {
        Standing::Current => None,
        Standing::Deprecated(instead) => Some(format!("Deprecated: write {instead}.")),
        Standing::NoEffect(why) => Some(format!("Has no effect: {why}.")),
        Standing::Pending => Some("Not supported yet.".to_owned()),
    }
}

fn places(row: &Directive) -> String {
    if row.scopes.len() == Scope::ALL.len() {
        return "everywhere".to_owned();
    }
    let places: Vec<&str> = row.scopes.iter().map(|scope| scope.place()).collect();
    places.join(", ")
}

/// Breaks a text at blanks into lines of at most `width` characters where it can.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Options, load_text};

    #[test]
    fn the_committed_reference_is_the_tables() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/manual/reference.md");
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        let table = reference_markdown();
        let different =
            table.lines().zip(committed.lines().chain(std::iter::repeat(""))).find(|(new, old)| new != old);
        assert_eq!(different, None, "docs/manual/reference.md is old: run `cargo xtask docs`");
        assert_eq!(committed.len(), table.len(), "docs/manual/reference.md is old: run `cargo xtask docs`");
    }

    #[test]
    fn help_is_found_in_any_case() {
        assert!(directive_help("timeout").unwrap().contains("default: 15s"));
        assert!(directive_help("BACKEND").unwrap().matches("\n\n").count() >= 2);
        assert!(directive_help("dynscale").unwrap().contains("2.3 to 2.7"));
        assert!(directive_help("nothing").is_none());
        assert!(names().contains(&"ListenHTTP"));
    }

    #[test]
    fn every_example_can_be_read() {
        for row in directive::rows().filter(|row| !row.example.is_empty()) {
            let example = row.example;
            let outer = match row.scopes[0] {
                Scope::Global => ("", ""),
                Scope::Listener => ("ListenHTTP\n", "\nEnd"),
                Scope::TlsListener => ("ListenHTTPS\nCert \"x\"\n", "\nEnd"),
                Scope::Service => ("Service\n", "\nEnd"),
                Scope::Backend => ("Service\n", "\nEnd"),
                scope => panic!("{}: no outer block for examples {}", row.name, scope.place()),
            };
            let (_, diagnostics) =
                load_text(row.name, &format!("{}{example}{}", outer.0, outer.1), &Options::default());
            // Examples are excerpts: the files and names in them are not there.
            for diagnostic in diagnostics.iter() {
                let excerpt = [
                    "cannot read",
                    "cannot look for",
                    "cannot use",
                    "there is no",
                    "nothing listens",
                    "nothing answers",
                    "beside Use",
                ];
                let known = excerpt.iter().any(|start| diagnostic.message().starts_with(start));
                assert!(
                    known || diagnostic.severity() == crate::Severity::Warning,
                    "{}",
                    diagnostics.render(false)
                );
            }
        }
    }
}
