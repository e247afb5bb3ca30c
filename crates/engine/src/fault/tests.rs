//! The table, and the manual's page made from it.

use super::*;
use std::collections::HashSet;
use std::fmt::Write as _;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/manual/refusals.md");

const OPENING: &str = "\
# Refusals

Made from the tables of the program by `cargo xtask docs`; do not edit.

Whatever Pound does not serve has a code. It is counted, and is all that the client is told besides the status. It never
changes its meaning. A status of `-` says that there was nobody to answer, or that the last column tells the status. In
the log it stands with who sent what, and with the field that is to blame, if there is one:

    [E-TE-CL] 192.0.2.1: \"POST / HTTP/1.1\": both Transfer-Encoding and Content-Length are present: \"Transfer-Encoding: chunked, Content-Length: 5\"

Bytes that could end a line or a quotation are escaped, no more than some hundred are quoted, and of fields that may hold
a secret, such as Cookie and Authorization, only the name.

";

/// Codes of edits are not refusals of a peer's bytes: they reach a log inside of `E-EVALUATION`.
fn page() -> String {
    let mut out = OPENING.to_owned();
    let tables = wire::h1::error::ALL;
    let titles = ["Request heads", "Framing of requests", "Bodies of requests", "Edits"];
    assert_eq!(tables.len(), titles.len());
    for (title, rows) in titles.into_iter().zip(tables) {
        table(&mut out, title, rows.iter().map(codec));
    }
    let of = |blame: &'static [Blame]| ROWS.iter().copied().filter(move |row| blame.contains(&row.blame));
    table(&mut out, "Requests that are well formed and not served", of(&[Blame::Client]));
    table(&mut out, "Back-ends", of(&[Blame::Backend]));
    table(&mut out, "Configuration and Pound itself", of(&[Blame::Operator, Blame::Us]));
    out
}

fn table(out: &mut String, title: &str, rows: impl Iterator<Item = Row>) {
    let _ = write!(out, "## {title}\n\n| code | status | rule | what happened |\n|---|---|---|---|\n");
    for row in rows {
        let status = if row.status == 0 { "-".to_owned() } else { row.status.to_string() };
        let _ = writeln!(out, "| `{}` | {status} | {} | {} |", row.code, row.rule, row.sentence);
    }
    out.push('\n');
}

/// With `POUND_WRITE_DOCS` set, which `cargo xtask docs` does, the page is written instead of compared.
#[test]
fn the_committed_refusals_are_the_tables() {
    let page = page();
    let page = page.trim_end().to_owned() + "\n";
    if std::env::var_os("POUND_WRITE_DOCS").is_some() {
        std::fs::write(PAGE, &page).expect("the manual can be written");
    }
    let committed = std::fs::read_to_string(PAGE).unwrap_or_default();
    let old = committed.lines().zip(page.lines()).find(|(committed, made)| committed != made);
    assert_eq!(old, None, "docs/manual/refusals.md is old: run `cargo xtask docs`");
    assert_eq!(committed.len(), page.len(), "docs/manual/refusals.md is old: run `cargo xtask docs`");
}

#[test]
fn a_code_says_one_thing() {
    let mut seen = HashSet::new();
    let codec_rows = wire::h1::error::ALL.iter().copied().flatten().map(codec);
    for row in codec_rows.chain(ROWS.iter().copied()) {
        assert!(seen.insert(row.code), "{} stands for two things", row.code);
        assert!(row.code.starts_with("E-") && !row.rule.is_empty(), "{}", row.code);
        assert!(!row.sentence.contains('|') && !row.sentence.ends_with('.'), "{}", row.code);
        assert!(row.status == 0 || (400..=599).contains(&row.status), "{}", row.code);
    }
}

#[test]
fn the_same_bytes_are_blamed_on_who_sent_them() {
    let error = ParseError::TwoHosts;
    assert_eq!(
        (Cause::BadRequest(error).row().blame, Cause::BadRequest(error).row().status),
        (Blame::Client, 400)
    );
    assert_eq!(
        (Cause::BadAnswer(error).row().blame, Cause::BadAnswer(error).row().status),
        (Blame::Backend, 502)
    );
    let fault = Fault::new(Stage::Forward, Cause::BadAnswer(error));
    assert_eq!(fault.to_string(), format!("the back-end's answer is malformed: {error}"));
}

#[test]
fn a_time_out_says_how_long_who_and_which_directive() {
    let silence = |seconds, word| Silence::new(std::time::Duration::from_secs(seconds), word);
    for (cause, said) in [
        (Cause::ClientTimeout(silence(10, "Client")), "the client sent no whole head for 10 s (Client)"),
        (
            Cause::ClientPaused(silence(60, "StreamClient")),
            "the client sent nothing for 60 s (StreamClient) in the middle of its request",
        ),
        (Cause::ClientReadsNothing(silence(10, "Client")), "the client took nothing for 10 s (Client)"),
        (
            Cause::BackendPaused(silence(15, "TimeOut")),
            "the back-end sent nothing for 15 s (TimeOut) in the middle of its answer",
        ),
        (
            Cause::BackendReadsNothing(silence(120, "StreamTimeOut")),
            "the back-end took nothing of the request for 120 s (StreamTimeOut)",
        ),
    ] {
        assert_eq!(Fault::new(Stage::Relay, cause).to_string(), said);
    }
    let late = Fault::new(Stage::Forward, Cause::BackendTimeout(silence(15, "TimeOut"))).to_string();
    assert!(late.starts_with("the back-end sent no answer for 15 s (TimeOut); "), "{late}");
}
