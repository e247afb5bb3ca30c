//! `Ciphers` and `Disable`: OpenSSL's names, and what becomes of them.
//!
//! The lists of twenty years name hundreds of ways to encrypt, of which six are left in TLS 1.2 and three in TLS 1.3. A
//! list is read as OpenSSL reads it (ciphers(1)), over those that are left; what it asks for and cannot have is told.

use plan::tls::{Policy, Suite};

use super::Lowering;
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::syntax::Statement;

/// What a block says about suites and protocols.
#[derive(Default)]
pub(crate) struct PolicyDraft {
    tls12: Option<Vec<Suite>>,
    tls13: Option<Vec<Suite>>,
    /// `Disable TLSv1_2` and `Disable TLSv1_3`, and where.
    no_tls12: Option<Span>,
    no_tls13: Option<Span>,
    /// `SSLHonorCipherOrder`
    pub(crate) our_order: Option<bool>,
    span: Option<Span>,
}

impl PolicyDraft {
    /// Where something of it is said.
    pub(super) fn place(&self) -> Option<Span> {
        self.span.or(self.no_tls12).or(self.no_tls13)
    }

    pub(super) fn finish(self, cx: &mut Lowering<'_>) -> Option<Policy> {
        let of = |tls13| Suite::ALL.iter().copied().filter(move |suite| suite.is_tls13() == tls13).collect();
        let mut suites: Vec<Suite> = Vec::new();
        if self.no_tls13.is_none() {
            suites.extend(self.tls13.unwrap_or_else(|| of(true)));
        }
        if self.no_tls12.is_none() {
            suites.extend(self.tls12.unwrap_or_else(|| of(false)));
        }
        if suites.is_empty() {
            let span = self.no_tls13.or(self.no_tls12).or(self.span)?;
            cx.push(
                Diagnostic::error(span, "no protocol is left that could be spoken")
                    .help("TLS 1.2 and TLS 1.3 are all there is; leave one of them"),
            );
            return None;
        }
        Some(Policy { suites, our_order: self.our_order.unwrap_or(true) })
    }
}

/// `Disable`: this protocol and all before it.
pub(crate) fn disable(cx: &mut Lowering<'_>, draft: &mut PolicyDraft, statement: &Statement) {
    let choices =
        [("SSLv2", 0), ("SSLv3", 0), ("TLSv1", 0), ("TLSv1_1", 0), ("TLSv1_2", 12), ("TLSv1_3", 13)];
    // Those before TLS 1.2 are never spoken, which is all that these lines want.
    let Some(version) = cx.choice(&statement.arguments[0], &choices) else { return };
    if version >= 12 {
        draft.no_tls12 = Some(statement.span);
    }
    if version >= 13 {
        draft.no_tls13 = Some(statement.span);
    }
}

/// `Ciphers`
pub(crate) fn ciphers(cx: &mut Lowering<'_>, draft: &mut PolicyDraft, statement: &Statement) {
    draft.span = Some(statement.span);
    let mut only_tls13 = false;
    let mut never = Vec::new();
    let mut seen = false;
    for word in &statement.arguments {
        match &*word.text {
            "-cipherlist" if word.is_flag() => only_tls13 = false,
            "-ciphersuites" if word.is_flag() => only_tls13 = true,
            _ if word.is_flag() => {
                cx.refuse::<()>(word, "expected -cipherlist or -ciphersuites");
                return;
            }
            text => {
                seen = true;
                let read = List::read(text, &mut never);
                if !read.tls13.is_empty() {
                    draft.tls13 = Some(read.tls13);
                }
                if !only_tls13 && read.about_tls12 {
                    draft.tls12 = Some(read.tls12);
                }
            }
        }
    }
    if !seen {
        let last = &statement.arguments[statement.arguments.len() - 1];
        cx.refuse::<()>(last, "expected a list of ciphers");
        return;
    }
    tell(cx, statement.span, &never);
    if draft.tls12.as_ref().is_some_and(Vec::is_empty) {
        cx.push(
            Diagnostic::warning(
                statement.span,
                "nothing is left of this list in TLS 1.2, so only TLS 1.3 is spoken",
            )
            .help("ECDHE+AESGCM:ECDHE+CHACHA20 is what there is"),
        );
    }
}

/// Tells what is asked for and never spoken.
fn tell(cx: &mut Lowering<'_>, span: Span, never: &[String]) {
    let shown = match never {
        [] => return,
        [one] => one.clone(),
        [first, others @ ..] if others.len() < 4 => format!("{first}, {}", others.join(", ")),
        [first, others @ ..] => format!("{first} and {} more", others.len()),
    };
    cx.push(
        Diagnostic::warning(span, format!("these are never spoken: {shown}")).help(
            "only ECDHE with AES-GCM or ChaCha20 is left in TLS 1.2; all that came after 2014 can do it",
        ),
    );
}

/// A list of ciphers as it has been read.
#[derive(Default)]
struct List {
    tls12: Vec<Suite>,
    tls13: Vec<Suite>,
    /// Whether it says anything about TLS 1.2.
    about_tls12: bool,
}

impl List {
    fn read(text: &str, never: &mut Vec<String>) -> List {
        let mut list = List::default();
        let mut killed: Vec<Suite> = Vec::new();
        for term in text.split([':', ',', ' ', ';']).filter(|term| !term.is_empty()) {
            if term.starts_with('@') {
                if term.eq_ignore_ascii_case("@STRENGTH") {
                    list.tls12.sort_by_key(|suite| suite.name().contains("AES128"));
                }
                continue;
            }
            if let Some(suite) = Suite::ALL.iter().find(|suite| suite.is_tls13() && suite.name() == term) {
                if !list.tls13.contains(suite) {
                    list.tls13.push(*suite);
                }
                continue;
            }
            list.about_tls12 = true;
            let (operator, name) = match term.as_bytes()[0] {
                operator @ (b'!' | b'-' | b'+') => (operator, &term[1..]),
                _ => (b' ', term),
            };
            let meant: Vec<Suite> = Suite::ALL
                .iter()
                .copied()
                .filter(|suite| !suite.is_tls13() && name.split('+').all(|part| is_in(*suite, part)))
                .collect();
            match operator {
                b' ' => {
                    if meant.is_empty() && !never.iter().any(|known| known == name) {
                        never.push(name.to_owned());
                    }
                    let new = meant.into_iter().filter(|suite| !killed.contains(suite));
                    let new: Vec<Suite> = new.filter(|suite| !list.tls12.contains(suite)).collect();
                    list.tls12.extend(new);
                }
                b'+' => {
                    let (last, first): (Vec<Suite>, Vec<Suite>) =
                        list.tls12.iter().partition(|suite| meant.contains(suite));
                    list.tls12 = [first, last].concat();
                }
                operator => {
                    list.tls12.retain(|suite| !meant.contains(suite));
                    if operator == b'!' {
                        killed.extend(meant);
                    }
                }
            }
        }
        list
    }
}

/// Whether a suite of TLS 1.2 is one of those that OpenSSL means by this word.
fn is_in(suite: Suite, word: &str) -> bool {
    let name = suite.name();
    match word {
        "ALL" | "DEFAULT" | "HIGH" | "TLSv1.2" | "ECDHE" | "EECDH" | "kECDHE" | "kEECDH" | "ECDH" => true,
        "AESGCM" | "AES" => name.contains("AES"),
        "AES128" => name.contains("AES128"),
        "AES256" => name.contains("AES256"),
        "CHACHA20" => name.contains("CHACHA20"),
        "aRSA" => name.contains("RSA-") && !name.contains("ECDSA"),
        "aECDSA" | "ECDSA" => name.contains("ECDSA"),
        word => word == name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_as_openssl_reads_them() {
        let check = |text: &str, expect: &[&str], expect_never: &[&str]| {
            let mut never = Vec::new();
            let read = List::read(text, &mut never);
            let names: Vec<&str> = read.tls12.iter().chain(&read.tls13).map(|suite| suite.name()).collect();
            assert_eq!(names, expect, "{text}");
            assert_eq!(never, expect_never, "{text}");
        };
        const ECDSA128: &str = "ECDHE-ECDSA-AES128-GCM-SHA256";
        const RSA128: &str = "ECDHE-RSA-AES128-GCM-SHA256";
        const ECDSA256: &str = "ECDHE-ECDSA-AES256-GCM-SHA384";
        const RSA256: &str = "ECDHE-RSA-AES256-GCM-SHA384";
        const ECDSA_CHACHA: &str = "ECDHE-ECDSA-CHACHA20-POLY1305";
        const RSA_CHACHA: &str = "ECDHE-RSA-CHACHA20-POLY1305";
        let all = [ECDSA128, RSA128, ECDSA256, RSA256, ECDSA_CHACHA, RSA_CHACHA];
        check("HIGH:!aNULL:!MD5", &all, &[]);
        check("ALL:!SSLv2", &all, &[]);
        check("ECDHE+AESGCM", &all[..4], &[]);
        check("EECDH+AES256:EECDH+AES128:!ECDSA", &[RSA256, RSA128], &[]);
        check("ALL:-AES128:+AES256", &[ECDSA_CHACHA, RSA_CHACHA, ECDSA256, RSA256], &[]);
        check("!AES:ALL", &all[4..], &[]);
        check(
            "AES128:AES256:CHACHA20:@STRENGTH",
            &[ECDSA256, RSA256, ECDSA_CHACHA, RSA_CHACHA, ECDSA128, RSA128],
            &[],
        );
        check(
            "AES128-SHA:DES-CBC3-SHA:ECDHE-RSA-AES128-GCM-SHA256",
            &[RSA128],
            &["AES128-SHA", "DES-CBC3-SHA"],
        );
        check("RSA:kRSA", &[], &["RSA", "kRSA"]);
        check("TLS_AES_256_GCM_SHA384:aRSA+CHACHA20", &[RSA_CHACHA, "TLS_AES_256_GCM_SHA384"], &[]);
    }
}
