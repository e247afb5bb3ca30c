//! Whatever the text, it becomes a plan or errors that can be printed, and never a panic.

use std::path::Path;
use std::sync::OnceLock;

use config::{Options, dump, load_text};
use proptest::prelude::*;

fn check(text: &str) {
    let options = Options { no_files: true, ..Options::default() };
    let (plan, diagnostics) = load_text("any", text, &options);
    assert_eq!(plan.is_none(), diagnostics.has_errors());
    assert_eq!(diagnostics.render(false).is_empty(), diagnostics.is_empty());
    for diagnostic in diagnostics.iter() {
        let place = diagnostics.place(diagnostic).expect("no diagnostic about a text is without a place");
        assert!(place.line <= text.matches('\n').count() + 1, "{place}");
    }
    if let Some(plan) = plan {
        assert!(!dump(&plan).is_empty());
    }
}

/// The lines of all golden configurations: the words that matter are in there.
fn lines() -> &'static [String] {
    static LINES: OnceLock<Vec<String>> = OnceLock::new();
    LINES.get_or_init(|| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/adapt/v4");
        let mut lines = Vec::new();
        for entry in std::fs::read_dir(folder).expect("the golden folder is there") {
            let path = entry.expect("its entries can be listed").path();
            if path.extension().is_some_and(|extension| extension == "cfg") {
                let content = std::fs::read_to_string(path).expect("its files can be read");
                let text = content.split("----\n").next().unwrap_or_default();
                lines.extend(text.lines().map(str::to_owned));
            }
        }
        lines.sort();
        lines.dedup();
        lines
    })
}

/// A line as it stands, or with something done to it.
fn line() -> impl Strategy<Value = String> {
    let known = (0..lines().len()).prop_map(|index| lines()[index].clone());
    (known, 0..8_u8, any::<prop::sample::Index>(), any::<char>()).prop_map(|(line, what, at, character)| {
        let mut characters: Vec<char> = line.chars().collect();
        let at = if characters.is_empty() { 0 } else { at.index(characters.len()) };
        match what {
            0 => characters.insert(at, character),
            1 => characters.truncate(at),
            2 if !characters.is_empty() => drop(characters.remove(at)),
            3 => characters.insert(at, '"'),
            4 => characters.insert(at, '\\'),
            _ => {}
        }
        characters.into_iter().collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn any_characters_are_read(text in "\\PC*|(?s).*") {
        check(&text);
    }

    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        check(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn known_lines_in_any_order_are_read(lines in prop::collection::vec(line(), 0..40)) {
        check(&lines.join("\n"));
    }
}

#[test]
fn every_beginning_of_a_configuration_is_read() {
    let text = "ListenHTTP \"a\"\n\tAddress ::1\n\tService\n\t\tPath -re \"^/a\\\\.(b|c)\" # x\n\t\tNot Match or\n\
                \t\t\tHost \"é\"\n\t\tEnd\n\t\tRewrite response\n\t\t\tSetHeader \"X: $1%[host]\"\n\t\tElse\n\t\tEnd\n\
                \t\tBackend\n\t\t\tAddress a.b\n\t\tEnd\n\tEnd\nEnd";
    for end in (0..=text.len()).filter(|end| text.is_char_boundary(*end)) {
        check(&text[..end]);
    }
}

#[test]
fn deep_and_wide_texts_are_read() {
    for text in [
        "Match\n".repeat(10_000),
        format!("Service\n{}", "Match\n".repeat(10_000)),
        format!("Service\nNot {}Path \"x\"\nEnd\n", "Not ".repeat(100_000)),
        "\"".repeat(100_000),
        "\\".repeat(100_000),
        format!("ListenHTTP\nCheckURL \"{}\"\nEnd", "(".repeat(60_000)),
        format!("ListenHTTP\nCheckURL \"{}\"\nEnd", "a*".repeat(30_000)),
        format!("ListenHTTP\nCheckURL \"{}\"\nEnd", "(a{99}){99}".repeat(1000)),
        format!("User \"{}\"", "$".repeat(100_000)),
        "Frobnicate\n".repeat(10_000),
        "Servce\n\tX\nEnd\n".repeat(3_000),
        format!("{}End\n", "Gizmo\n\tX\n".repeat(3_000)),
        "ACL \"x\"\n".repeat(5_000),
    ] {
        check(&text);
    }
}
