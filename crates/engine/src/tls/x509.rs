//! What an X.509 certificate says (RFC 5280), as far as we have to know it: rustls verifies, this only reads.
//!
//! The bytes may come from a client, so nothing here trusts a length.

use std::net::IpAddr;

/// The parts of a certificate that we look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Certificate<'a> {
    /// The common name of the subject, as it stands.
    pub(super) common_name: Option<&'a [u8]>,
    /// Seconds since the epoch before which it does not hold.
    pub(super) not_before: i64,
    /// Seconds since the epoch after which it does not hold.
    pub(super) not_after: i64,
    /// DNS names of the subject (section 4.2.1.6).
    pub(super) names: Vec<&'a str>,
    /// Addresses of the subject.
    pub(super) addresses: Vec<IpAddr>,
}

const INTEGER: u8 = 0x02;
const OID: u8 = 0x06;
const OCTETS: u8 = 0x04;
const BOOLEAN: u8 = 0x01;
const UTC_TIME: u8 = 0x17;
const TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;
const DNS_NAME: u8 = 0x82;
const IP_ADDRESS: u8 = 0x87;

const COMMON_NAME: &[u8] = &[0x55, 4, 3];
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 29, 17];

/// Names taken of one certificate. Those of the public authorities have at most a hundred or so.
const NAMES_MAX: usize = 10_000;

/// Reads a certificate; `None` if it is none.
pub(super) fn parse(der: &[u8]) -> Option<Certificate<'_>> {
    let mut whole = Der(der);
    let mut certificate = Der(whole.take(SEQUENCE)?);
    let mut tbs = Der(certificate.take(SEQUENCE)?);
    tbs.skip(VERSION);
    tbs.take(INTEGER)?;
    let _algorithm = tbs.take(SEQUENCE)?;
    let _issuer = tbs.take(SEQUENCE)?;
    let mut validity = Der(tbs.take(SEQUENCE)?);
    let not_before = time(validity.any()?)?;
    let not_after = time(validity.any()?)?;
    let subject = tbs.take(SEQUENCE)?;
    let _key = tbs.take(SEQUENCE)?;
    let mut read = Certificate {
        common_name: common_name(subject),
        not_before,
        not_after,
        names: Vec::new(),
        addresses: Vec::new(),
    };
    // Unique identifiers, which nobody uses, stand between the key and the extensions.
    while let Some((tag, content)) = tbs.any() {
        if tag == EXTENSIONS {
            extensions(content, &mut read)?;
        }
    }
    Some(read)
}

/// Takes the names out of the extensions (section 4.1.2.9).
fn extensions<'a>(content: &'a [u8], read: &mut Certificate<'a>) -> Option<()> {
    let mut content = Der(content);
    let mut extensions = Der(content.take(SEQUENCE)?);
    while let Some(extension) = extensions.take(SEQUENCE) {
        let mut extension = Der(extension);
        let kind = extension.take(OID)?;
        extension.skip(BOOLEAN);
        let mut value = Der(extension.take(OCTETS)?);
        if kind != SUBJECT_ALT_NAME {
            continue;
        }
        let mut names = Der(value.take(SEQUENCE)?);
        while let Some((tag, name)) = names.any().filter(|_| read.names.len() < NAMES_MAX) {
            match tag {
                DNS_NAME => read.names.extend(std::str::from_utf8(name).ok().filter(|name| name.is_ascii())),
                IP_ADDRESS => read.addresses.extend(
                    <[u8; 4]>::try_from(name)
                        .map(IpAddr::from)
                        .or_else(|_| <[u8; 16]>::try_from(name).map(IpAddr::from)),
                ),
                _ => {}
            }
        }
    }
    Some(())
}

/// The attributes of a name, in order: type and value with its tag.
fn attributes(name: &[u8]) -> impl Iterator<Item = (&[u8], u8, &[u8])> {
    let mut sets = Der(name);
    let mut set = Der(&[]);
    std::iter::from_fn(move || {
        loop {
            if let Some(attribute) = set.take(SEQUENCE) {
                let mut attribute = Der(attribute);
                let kind = attribute.take(OID)?;
                let (tag, value) = attribute.any()?;
                return Some((kind, tag, value));
            }
            set = Der(sets.take(SET)?);
        }
    })
}

fn common_name(name: &[u8]) -> Option<&[u8]> {
    attributes(name).filter(|(kind, _, _)| *kind == COMMON_NAME).map(|(_, _, value)| value).last()
}

/// `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ` (RFC 5280 section 4.1.2.5).
fn time((tag, text): (u8, &[u8])) -> Option<i64> {
    let text = text.strip_suffix(b"Z")?;
    if !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = |digits: &[u8]| digits.iter().fold(0i64, |sum, digit| sum * 10 + i64::from(digit - b'0'));
    let (year, rest) = match (tag, text.len()) {
        (UTC_TIME, 12) => match number(&text[..2]) {
            year @ 50.. => (1900 + year, &text[2..]),
            year => (2000 + year, &text[2..]),
        },
        (TIME, 14) => (number(&text[..4]), &text[4..]),
        _ => return None,
    };
    let part = |at: usize| number(&rest[at..at + 2]);
    let (month, day) = (part(0), part(2));
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Days since the epoch of a date of the civil calendar, counted in years that begin with March, so that the leap
    // day comes last.
    let shifted = if month <= 2 { year - 1 } else { year };
    let month = (month + 9) % 12;
    let days = 365 * shifted + shifted.div_euclid(4) - shifted.div_euclid(100)
        + shifted.div_euclid(400)
        + (153 * month + 2) / 5
        + day
        - 1
        - 719_468;
    Some(((days * 24 + part(4)) * 60 + part(6)) * 60 + part(8))
}

/// Values in DER, one behind the other.
#[derive(Clone, Copy)]
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The next value: its tag and its content.
    fn any(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        // Tags of more than one byte are in no certificate.
        if tag & 0x1f == 0x1f {
            return None;
        }
        let (&first, mut rest) = rest.split_first()?;
        let len = match first {
            0..=0x7f => usize::from(first),
            // Four bytes of length are more than any certificate has.
            0x81..=0x84 => {
                let (len, after) = rest.split_at_checked(usize::from(first & 0x7f))?;
                rest = after;
                len.iter().fold(0, |sum, &byte| (sum << 8) | usize::from(byte))
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(len)?;
        self.0 = rest;
        Some((tag, content))
    }

    /// The next value if it has this tag.
    fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        let mut after = *self;
        let (found, content) = after.any()?;
        if found != tag {
            return None;
        }
        *self = after;
        Some(content)
    }

    /// Passes over the next value if it has this tag.
    fn skip(&mut self, tag: u8) {
        let _ = self.take(tag);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_civil_calendar() {
        let check = |tag, text: &str, expect| assert_eq!(time((tag, text.as_bytes())), expect, "{text}");
        check(UTC_TIME, "700101000000Z", Some(0));
        check(UTC_TIME, "500101000000Z", Some(-631_152_000));
        check(UTC_TIME, "240229120000Z", Some(1_709_208_000));
        check(UTC_TIME, "491231235959Z", Some(2_524_607_999));
        check(TIME, "20500101000000Z", Some(2_524_608_000));
        check(TIME, "99991231235959Z", Some(253_402_300_799));
        for wrong in
            ["700001000000Z", "701301000000Z", "7001010000Z", "70010100000xZ", "700101000000", "Z", ""]
        {
            check(UTC_TIME, wrong, None);
            check(TIME, wrong, None);
        }
    }

    proptest::proptest! {
        /// A certificate may come from a client: whatever is in it, reading it ends.
        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let _ = parse(&bytes);
        }

        #[test]
        fn a_damaged_certificate_is_read_or_refused(at: proptest::sample::Index, byte: u8) {
            let key = rcgen::KeyPair::generate().unwrap();
            let names = vec!["www.example.org".to_owned(), "192.0.2.1".to_owned()];
            let params = rcgen::CertificateParams::new(names).unwrap();
            let mut der = params.self_signed(&key).unwrap().der().to_vec();
            let read = parse(&der).unwrap();
            proptest::prop_assert_eq!(&read.names, &["www.example.org"]);
            proptest::prop_assert_eq!(&read.addresses, &[IpAddr::from([192, 0, 2, 1])]);
            let at = at.index(der.len());
            der[at] = byte;
            let _ = parse(&der);
        }
    }
}
