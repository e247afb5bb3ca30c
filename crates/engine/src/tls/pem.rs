//! PEM (RFC 7468): writing a section, and what of a file may be known outside of the process that reads it.
//!
//! What is let through was understood first, by the reader that it is meant for: so it is neither more nor less than that
//! one would find in the file itself, and what spoils the file for that one is told and not left out.

use rustls_pki_types::pem::{Error, PemObject, SectionKind};

/// A section: its first line, its content on one line, and its last, with `end` behind the first two.
pub(super) fn section(label: &str, der: &[u8], end: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut pem = String::with_capacity(der.len() * 4 / 3 + 80);
    pem.extend(["-----BEGIN ", label, "-----", end]);
    for group in der.chunks(3) {
        let bits =
            group.iter().fold(0u32, |bits, &byte| (bits << 8) | u32::from(byte)) << (8 * (3 - group.len()));
        for place in 0..4 {
            pem.push(match place <= group.len() {
                true => char::from(DIGITS[(bits >> (18 - 6 * place)) as usize & 63]),
                false => '=',
            });
        }
    }
    pem.extend([end, "-----END ", label, "-----"]);
    pem
}

/// What may be let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Certificates and lists of revoked ones.
    Public,
    /// Certificates, and the private key that stands with them.
    Pair,
    /// The first private key.
    Key,
}

impl Wanted {
    /// The label of a section, if that is wanted.
    fn label(self, kind: SectionKind) -> Option<&'static str> {
        match (self, kind) {
            (Wanted::Public | Wanted::Pair, SectionKind::Certificate) => Some("CERTIFICATE"),
            (Wanted::Public, SectionKind::Crl) => Some("X509 CRL"),
            (Wanted::Pair | Wanted::Key, SectionKind::PrivateKey) => Some("PRIVATE KEY"),
            (Wanted::Pair | Wanted::Key, SectionKind::RsaPrivateKey) => Some("RSA PRIVATE KEY"),
            (Wanted::Pair | Wanted::Key, SectionKind::EcPrivateKey) => Some("EC PRIVATE KEY"),
            _ => None,
        }
    }
}

/// The sections of a file that are wanted, written anew.
///
/// # Errors
/// It is no PEM: a section does not end, say, because a disk was full.
pub(super) fn only(wanted: Wanted, bytes: &[u8]) -> Result<Vec<u8>, String> {
    let mut sections = String::new();
    let mut add = |label: &str, der: &[u8]| sections.extend([&section(label, der, "\n"), "\n"]);
    for read in <(SectionKind, Vec<u8>)>::pem_slice_iter(bytes) {
        let (kind, der) = match (read, wanted) {
            (Ok(read), _) => read,
            // Whoever looks for a key takes the first that there is, and is told of nothing but that there is none.
            (Err(_), Wanted::Key) => break,
            (Err(error), _) => return Err(no_pem(&error)),
        };
        if let Some(label) = wanted.label(kind) {
            add(label, &der);
            if wanted == Wanted::Key {
                break;
            }
        }
    }
    if wanted == Wanted::Pair && is_encrypted(bytes) {
        // That there is such a key is told of, and what it is serves nobody.
        add("ENCRYPTED PRIVATE KEY", b"");
    }
    Ok(sections.into_bytes())
}

/// Whether there is a private key with a password.
pub(super) fn is_encrypted(pem: &[u8]) -> bool {
    memchr::memmem::find(pem, b"ENCRYPTED").is_some()
}

/// Why something is no PEM. What stands in it is not told.
pub(super) fn no_pem(error: &Error) -> String {
    match error {
        Error::MissingSectionEnd { end_marker } => {
            let label: String = String::from_utf8_lossy(end_marker).chars().take(LABEL_CHARS).collect();
            format!("it is cut off: the section {label:?} does not end")
        }
        Error::IllegalSectionStart { .. } => "it is no PEM: a section has no good first line".into(),
        error => format!("it is no PEM: {error}"),
    }
}

/// Characters of a label that are quoted: more than any has that is known.
const LABEL_CHARS: usize = 30;

#[cfg(test)]
mod tests {
    use super::*;
    use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};

    #[test]
    fn a_section_stands_between_its_lines() {
        let check = |der: &[u8], expect: &str| {
            assert_eq!(section("X", der, " "), format!("-----BEGIN X----- {expect} -----END X-----"));
        };
        check(b"", "");
        check(b"f", "Zg==");
        check(b"fo", "Zm8=");
        check(b"foo", "Zm9v");
        check(&[0xff, 0xfe, 0xfd, 0xfc], "//79/A==");
    }

    fn text(label: &str) -> String {
        format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n")
    }

    #[test]
    fn only_what_is_wanted_passes() {
        let labels = ["CERTIFICATE", "X509 CRL", "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"];
        let others = ["EC PARAMETERS", "OPENSSH PRIVATE KEY", "PUBLIC KEY", "CERTIFICATE REQUEST", "ANY"];
        let all: String = others.iter().chain(&labels).map(|label| text(label)).collect();
        let file = format!("root:$6$secret:1\n{all}root:x\n");
        let check = |wanted: Wanted, expect: &[&str]| {
            let expect: String = expect.iter().map(|label| text(label)).collect();
            let passed = only(wanted, file.as_bytes()).unwrap();
            assert_eq!(String::from_utf8(passed).unwrap(), expect, "{wanted:?}");
        };
        check(Wanted::Public, &labels[..2]);
        check(Wanted::Pair, &["CERTIFICATE", "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"]);
        check(Wanted::Key, &["PRIVATE KEY"]);
    }

    #[test]
    fn of_a_key_with_a_password_nothing_passes_but_that_it_is_there() {
        let file = text("CERTIFICATE") + &text("ENCRYPTED PRIVATE KEY");
        let passed = only(Wanted::Pair, file.as_bytes()).unwrap();
        assert!(is_encrypted(&passed));
        assert_eq!(memchr::memmem::find_iter(&passed, "AAAA").count(), 1);
    }

    /// What a reader makes of a file, and of what passes of it.
    fn alike(file: &[u8]) {
        fn all<T: PemObject>(pem: &[u8]) -> Option<Vec<T>> {
            T::pem_slice_iter(pem).collect::<Result<_, _>>().ok()
        }
        let passed = only(Wanted::Public, file).ok();
        let passed = |read: &dyn Fn(&[u8]) -> bool| passed.as_deref().is_some_and(read);
        let certificates = all::<CertificateDer<'_>>(file);
        assert_eq!(certificates.is_some(), passed(&|pem| all(pem) == certificates));
        let lists = all::<CertificateRevocationListDer<'_>>(file);
        assert_eq!(lists.is_some(), passed(&|pem| all(pem) == lists));
        let key = PrivateKeyDer::from_pem_slice(file).ok();
        let passed = only(Wanted::Key, file).unwrap();
        assert_eq!(PrivateKeyDer::from_pem_slice(&passed).ok(), key);
    }

    #[test]
    fn a_file_that_is_broken_is_as_broken_for_whoever_gets_it() {
        let good = text("CERTIFICATE");
        for file in [
            good.clone() + &good,
            good.replace('\n', "\r"),
            good.replace('\n', "\r\n"),
            // Cut in the middle, in the last line, in the first.
            good.clone() + &good[..30],
            good.clone() + &good[..good.len() - 4],
            good.clone() + &good[..20],
            // One within another.
            format!("{}{good}", &good[..30]),
            format!("-----BEGIN CERTIFICATE-----\n{good}"),
            good.replace("AAAA", "A?AA"),
            good.replace("END CERTIFICATE", "END X509 CRL"),
            format!("{}{good}", text("PRIVATE KEY").replace("AAAA", "?")),
            format!("{}{}", text("PRIVATE KEY"), &good[..40]),
            format!("-----BEGIN ANY-----\n{good}"),
            "nonsense".into(),
            String::new(),
        ] {
            alike(file.as_bytes());
        }
        assert!(only(Wanted::Pair, &good.as_bytes()[..40]).unwrap_err().contains("CERTIFICATE"));
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_in_a_file_is_found_alike(pieces in proptest::collection::vec(0usize..9, 0..12)) {
            let pieces = pieces.into_iter().map(|piece| [
                "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----", "-----BEGIN PRIVATE KEY-----",
                "-----END PRIVATE KEY-----", "-----BEGIN X", "AAAA", "\n", "\r", "-----BEGIN X509 CRL-----\nAA==\n-----END X509 CRL-----",
            ][piece]);
            alike(pieces.collect::<String>().as_bytes());
        }
    }
}
