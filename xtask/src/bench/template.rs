//! The templates of `bench/peers`: names filled in, lines kept by flags, lines repeated for each service.

use std::collections::BTreeSet;

use crate::Failure;

/// What a template is filled with.
#[derive(Clone, Debug, Default)]
pub(super) struct Values {
    /// `{{name}}` becomes the text.
    pub(super) names: Vec<(&'static str, String)>,
    /// Lines in `@if FLAG` stand only where the flag is here.
    pub(super) flags: BTreeSet<String>,
    /// Lines in `@each` are repeated for the numbers below this.
    pub(super) count: u32,
}

impl Values {
    /// One line with its names filled in.
    pub(super) fn fill(&self, line: &str) -> String {
        self.names.iter().fold(line.to_owned(), |line, (name, text)| {
            if line.contains("{{") { line.replace(&format!("{{{{{name}}}}}"), text) } else { line }
        })
    }
}

/// What an `@` line opened.
enum Block<'a> {
    If { taken: bool },
    Each { lines: Vec<&'a str> },
}

/// Fills a template.
pub(super) fn render(template: &str, values: &Values) -> Result<String, Failure> {
    let mut out = String::with_capacity(template.len());
    let mut open: Vec<Block<'_>> = Vec::new();
    for (index, line) in template.lines().enumerate() {
        let wrong = |what: &str| Failure::new(format!("line {}: {what}", index + 1));
        let taken = open.iter().all(|block| !matches!(block, Block::If { taken: false }));
        if let Some(flag) = line.strip_prefix("@if ") {
            if matches!(open.last(), Some(Block::Each { .. })) {
                return Err(wrong("@if in @each"));
            }
            open.push(Block::If { taken: values.flags.contains(flag) });
        } else if line == "@each" {
            open.push(Block::Each { lines: Vec::new() });
        } else if line == "@end" {
            match open.pop() {
                None => return Err(wrong("@end without a beginning")),
                Some(Block::Each { lines }) if taken => {
                    let block: Vec<String> = lines.iter().map(|line| values.fill(line)).collect();
                    for number in 0..values.count {
                        let number = number.to_string();
                        for line in &block {
                            out.push_str(&line.replace("{{n}}", &number));
                            out.push('\n');
                        }
                    }
                }
                Some(_) => {}
            }
        } else if let Some(Block::Each { lines }) = open.last_mut() {
            lines.push(line);
        } else if taken {
            out.push_str(&values.fill(line));
            out.push('\n');
        }
    }
    if open.is_empty() { Ok(out) } else { Err(Failure::new("@if or @each without @end")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(template: &str, flags: &[&str], count: u32, expected: &str) {
        let values = Values {
            names: vec![("port", "80".into())],
            flags: flags.iter().map(|flag| (*flag).to_owned()).collect(),
            count,
        };
        assert_eq!(render(template, &values).unwrap(), expected);
    }

    #[test]
    fn fills_in_keeps_and_repeats() {
        check("listen {{port}}\n", &[], 0, "listen 80\n");
        check("@if a\nx\n@end\ny\n", &[], 0, "y\n");
        check("@if a\nx\n@end\ny\n", &["a"], 0, "x\ny\n");
        check("@if a\n@each\ns{{n}}:{{port}}\n@end\n@end\n", &["a"], 2, "s0:80\ns1:80\n");
        check("@if a\n@each\ns{{n}}\n@end\n@end\nz\n", &[], 2, "z\n");
    }

    #[test]
    fn refuses_blocks_left_open() {
        let values = Values::default();
        assert!(render("@if a\n", &values).is_err());
        assert!(render("@end\n", &values).is_err());
    }
}
