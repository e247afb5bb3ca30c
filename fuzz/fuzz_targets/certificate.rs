//! Any bytes as a certificate, an OCSP answer and a list of revoked certificates: what is read is part of the input and
//! can stand in a field, no cut says anything else, and what stands behind is not looked at.
#![no_main]

use libfuzzer_sys::fuzz_target;

// The reader alone, and not the engine around it, which brings cryptography that would have to be built again.
#[allow(dead_code, reason = "the engine uses all of it")]
#[path = "../../crates/engine/src/tls/x509.rs"]
mod x509;

/// Whether a part is one of the input's bytes, and not made up.
fn is_within(part: &[u8], input: &[u8]) -> bool {
    let (part, input) = (part.as_ptr_range(), input.as_ptr_range());
    input.start <= part.start && part.end <= input.end
}

fn look(input: &[u8]) {
    let Some(read) = x509::parse(input) else { return };
    assert!(is_within(read.serial, input));
    for name in &read.names {
        assert!(is_within(name.as_bytes(), input) && name.is_ascii());
    }
    for name in [read.issuer, read.subject] {
        let text = name.to_string();
        assert!(!text.chars().any(char::is_control), "{text:?} cannot stand in a field");
        assert!(name.common_name().is_none_or(|name| is_within(name, input)));
    }
    let serial = x509::decimal(read.serial);
    assert!(!serial.is_empty() && serial.bytes().all(|byte| byte.is_ascii_digit()));
    assert!(serial == "0" || !serial.starts_with('0'));
}

fuzz_target!(|input: &[u8]| {
    look(input);
    let (certificate, answer, list) =
        (x509::parse(input), x509::staple_until(input), x509::list_until(input));
    let seed = input.iter().fold(0usize, |sum, &byte| sum.wrapping_mul(31).wrapping_add(usize::from(byte)));
    for cut in [input.len().saturating_sub(1), input.len() / 2, seed % (input.len() + 1)] {
        let part = &input[..cut];
        assert!(x509::parse(part).is_none_or(|read| Some(read) == certificate));
        assert!(x509::staple_until(part).is_none_or(|until| Some(until) == answer));
        assert!(x509::list_until(part).is_none_or(|until| Some(until) == list));
    }
    if certificate.is_some() || answer.is_some() || list.is_some() {
        let mut longer = input.to_vec();
        longer.extend_from_slice(b"\x30\x03\x02\x01\x00");
        // Slices of different inputs are compared by what is in them.
        assert_eq!(x509::parse(&longer), certificate);
        assert_eq!(x509::staple_until(&longer), answer);
        assert_eq!(x509::list_until(&longer), list);
    }
});
