//! Any text as a pattern of any kind, on any subject: a kind, a line with the pattern, the subject.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plan::pattern::{Groups, Kind, Pattern};

const KINDS: [Kind; 6] = [Kind::Posix, Kind::Perl, Kind::Exact, Kind::Prefix, Kind::Suffix, Kind::Contains];

fuzz_target!(|bytes: &[u8]| {
    let [choice, rest @ ..] = bytes else { return };
    let (kind, ignore_case) = (KINDS[usize::from(choice >> 1) % KINDS.len()], choice & 1 == 1);
    let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
    let (text, subject) = (String::from_utf8_lossy(&rest[..end]), rest.get(end + 1..).unwrap_or_default());
    let pattern = match Pattern::new(&text, kind, ignore_case) {
        Ok(pattern) => pattern,
        Err(error) => {
            // What is underlined is there.
            assert!(error.at <= text.len() && error.at + error.len <= text.len().max(error.at + 1));
            assert!(text.is_char_boundary(error.at), "{} in {text:?}", error.at);
            return;
        }
    };
    let mut groups = Groups::default();
    let (found, matched) = (pattern.find(subject, &mut groups), pattern.is_match(subject));
    // The backtracking engine may run out of steps on one of the two ways only.
    let (Ok(found), Ok(matched)) = (found, matched) else { return };
    assert_eq!(found, matched);
    if !found {
        assert!(groups.0.is_empty());
        return;
    }
    assert_eq!(Some(groups.0.len()), pattern.groups());
    let whole = groups.0[0].clone().expect("the whole match is always there");
    assert!(whole.end <= subject.len());
    assert!(groups.0.iter().flatten().all(|group| group.start <= group.end && group.end <= subject.len()));
});
