//! The manual tells the truth: its configurations are right, its links lead somewhere, its files are what is shipped.
//!
//! A fenced block that is marked `pound` is a whole configuration if it has a listener, and is read as one; without a
//! listener it shows a part. The reference is made from a table of `config`, whose tests hold its examples.
// A helper of a test may fail as the test does; clippy's exception covers only functions marked as tests.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The pages for people: the manual and those at the top.
fn pages() -> Vec<PathBuf> {
    let mut pages = Vec::new();
    for folder in ["", "docs/manual", "docs/why", "examples"] {
        let entries = std::fs::read_dir(root().join(folder)).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        pages.extend(paths.filter(|path| path.extension().is_some_and(|extension| extension == "md")));
    }
    pages.sort();
    assert!(pages.len() > 5, "the pages are not where they are looked for");
    pages
}

/// Reads a configuration and fails if there is anything to say about it.
fn check(name: &str, text: &str, folder: &Path) {
    let options = config::Options { include_dir: Some(folder.to_owned()), ..config::Options::default() };
    let (plan, diagnostics) = config::load_text(name, text, &options);
    let said = diagnostics.render(false);
    assert!(plan.is_some() && said.is_empty(), "{said}");
}

/// The fenced blocks of a page that are marked with `mark`, each with the number of its first line.
fn blocks(text: &str, mark: &str) -> Vec<(usize, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(bool, usize, String)> = None;
    for (index, line) in text.lines().enumerate() {
        match (&mut open, line.trim().strip_prefix("```")) {
            (None, Some(word)) => open = Some((word == mark, index + 2, String::new())),
            (Some((_, _, block)), None) => {
                block.push_str(line);
                block.push('\n');
            }
            (Some(_), Some(_)) => {
                if let Some((true, first, block)) = open.take() {
                    blocks.push((first, block));
                }
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block is not closed");
    blocks
}

#[test]
fn every_whole_configuration_in_the_manual_is_right() {
    let mut seen = 0;
    for page in pages().into_iter().filter(|page| !page.ends_with("reference.md")) {
        let text = std::fs::read_to_string(&page).unwrap();
        for (line, block) in blocks(&text, "pound") {
            if !block.lines().any(|line| line.trim_start().starts_with("ListenHTTP")) {
                continue;
            }
            check(&format!("{} from line {line}", page.display()), &block, &root().join("examples"));
            seen += 1;
        }
    }
    assert!(seen >= 5, "only {seen} configurations were found");
}

#[test]
fn every_example_and_the_packaged_configuration_are_right() {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(root().join("examples")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "cfg"));
    assert!(files.len() > 5, "the examples are not where they are looked for");
    files.push(root().join("packaging/pound.cfg"));
    for file in files {
        check(&file.display().to_string(), &std::fs::read_to_string(&file).unwrap(), file.parent().unwrap());
    }
}

#[test]
fn every_example_is_in_the_list_of_examples() {
    let list = std::fs::read_to_string(root().join("examples/README.md")).unwrap();
    for entry in std::fs::read_dir(root().join("examples")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(!name.ends_with(".cfg") || list.contains(&format!("({name})")), "{name} is not in the list");
    }
}

#[test]
fn the_ten_lines_of_the_readme_are_the_minimal_example() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let [(_, ten)] = &blocks(&readme, "pound")[..] else { panic!("one configuration in the README") };
    let minimal = std::fs::read_to_string(root().join("examples/minimal.cfg")).unwrap();
    let lines: Vec<&str> =
        minimal.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
    assert_eq!(ten.lines().collect::<Vec<_>>(), lines);
    assert_eq!(lines.len(), 10);
}

#[test]
fn links_lead_somewhere() {
    for page in pages() {
        let text = std::fs::read_to_string(&page).unwrap();
        for piece in text.split("](").skip(1) {
            let target = piece.split(')').next().unwrap();
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let path = if file.is_empty() { page.clone() } else { page.parent().unwrap().join(file) };
            assert!(path.exists(), "{}: {target} leads nowhere", page.display());
            if !anchor.is_empty() && path.extension().is_some_and(|extension| extension == "md") {
                let there = std::fs::read_to_string(&path).unwrap();
                let heads = there.lines().filter(|line| line.starts_with('#')).map(heading);
                assert!(
                    heads.into_iter().any(|head| head == anchor),
                    "{}: {target} has no such heading",
                    page.display()
                );
            }
        }
    }
}

/// The anchor of a heading, as the usual renderers make it.
fn heading(line: &str) -> String {
    let words = line.trim_start_matches('#').trim().to_lowercase();
    words
        .chars()
        .filter(|c| c.is_alphanumeric() || *c == ' ' || *c == '-')
        .collect::<String>()
        .replace(' ', "-")
}

/// The codes of refusals in a text, such as `E-TE-CL`.
fn codes(text: &str) -> impl Iterator<Item = &str> {
    let of_code = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '-';
    text.match_indices("E-").filter_map(move |(start, _)| {
        let begins = !text[..start].ends_with(|c: char| c.is_alphanumeric() || c == '-');
        let rest = &text[start..];
        let end = rest.find(|c| !of_code(c)).unwrap_or(rest.len());
        let code = rest[..end].trim_end_matches('-');
        (begins && code.len() > 2).then_some(code)
    })
}

/// Every file below a folder with this extension.
fn files_below(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_below(&path, extension, found);
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
}

/// What a client or a log may show is in the list, and the manual names no code that there is not.
#[test]
fn every_code_of_the_program_and_of_the_pages_is_in_the_list_of_refusals() {
    let list = std::fs::read_to_string(root().join("docs/manual/refusals.md")).unwrap();
    let mut files = Vec::new();
    files_below(&root().join("docs"), "md", &mut files);
    for folder in std::fs::read_dir(root().join("crates")).unwrap() {
        files_below(&folder.unwrap().path().join("src"), "rs", &mut files);
    }
    files.extend(pages());
    let mut seen = 0;
    for file in files.iter().filter(|file| !file.to_string_lossy().contains("tests")) {
        let text = std::fs::read_to_string(file).unwrap();
        // Tests at the end of a file make codes up.
        let text = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap();
        // The shape of a line has a code that stands for all.
        for code in codes(text).filter(|code| *code != "E-CODE") {
            assert!(
                list.contains(&format!("| `{code}` |")),
                "{}: {code} is not in refusals.md",
                file.display()
            );
            seen += 1;
        }
    }
    assert!(seen > 200, "only {seen} codes were found");
}
