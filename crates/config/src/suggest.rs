//! "Did you mean": the known word that is nearest to an unknown one.

/// The candidate that a few slips of the finger could have turned into `word`; case does not count.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A longer word could only be nonsense, and comparing costs the product of the lengths.
    if word.len() > 64 {
        return None;
    }
    let word: Vec<char> = word.to_lowercase().chars().collect();
    // One slip in three letters, but never so many that nothing of the word is left.
    let allowed = (word.len().div_ceil(3)).min(4);
    candidates
        .into_iter()
        .filter(|candidate| candidate.len() <= 64)
        .map(|candidate| (distance(&word, &candidate.to_lowercase().chars().collect::<Vec<_>>()), candidate))
        .filter(|(distance, candidate)| *distance <= allowed && *distance < candidate.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions, replacements and swaps of neighbours.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before_last = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before_last[j - 2] + 1);
            }
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised() {
        let words = ["Address", "Port", "Priority", "TimeOut", "ConnTO", "Disabled", "URL"];
        for (word, expect) in [
            ("Adress", Some("Address")),
            ("ADDRES", Some("Address")),
            ("prot", Some("Port")),
            ("Time_Out", Some("TimeOut")),
            ("Connto", Some("ConnTO")),
            ("ULR", Some("URL")),
            ("Certificate", None),
            ("xyz", None),
        ] {
            assert_eq!(nearest(word, words), expect, "{word}");
        }
        assert_eq!(nearest(&"a".repeat(65), words), None);
    }
}
