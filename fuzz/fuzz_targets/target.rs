//! Any bytes as a request target and as an authority.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::Method;
use wire::target::{self, Absolute, RequestTarget};

fn sound(bytes: &[u8]) {
    assert!(bytes.iter().all(|&byte| byte > b' ' && byte != 0x7f && byte != b'#'));
    assert!(!bytes.windows(3).any(|three| three == b"%00"));
    let path = bytes.split(|&byte| byte == b'?').next().unwrap_or_default();
    assert!(!path.ends_with(b"%"));
}

fn check_absolute(absolute: &Absolute<'_>) {
    sound(absolute.path);
    for method in [Method::Get, Method::Options] {
        let origin = absolute.origin_form(method);
        let again = target::classify(&origin, method).expect("origin-form of a valid target is valid");
        match again {
            RequestTarget::Origin { query, .. } => assert_eq!(query, absolute.query),
            RequestTarget::Asterisk => assert_eq!(method, Method::Options),
            other => panic!("{other:?}"),
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let (path, query) = target::path_and_query(bytes);
    let (path, query) = (&bytes[path], query.map(|query| &bytes[query]));
    for method in [Method::Get, Method::Options, Method::Connect] {
        match target::classify(bytes, method) {
            Ok(RequestTarget::Origin { path: own, query: own_query }) => {
                assert_eq!((own, own_query), (path, query));
                sound(bytes);
            }
            Ok(RequestTarget::Absolute(absolute)) => {
                assert_eq!((absolute.path, absolute.query), (path, query));
                check_absolute(&absolute);
            }
            Ok(RequestTarget::Asterisk) => assert_eq!(bytes, b"*"),
            Ok(RequestTarget::Authority(_)) => assert_eq!(method, Method::Connect),
            Err(_) => {}
        }
    }

    if let Ok(authority) = target::authority(bytes) {
        assert!(!authority.host.is_empty() && authority.host.is_ascii());
        assert!(bytes.starts_with(authority.host));
        assert!(!bytes.iter().any(|byte| b"/?#@\\ \t".contains(byte)));
        assert!(authority.agrees(&authority, target::Scheme::Http));
    }

    if let Some(path) = target::without_plain_dots(bytes) {
        assert!(path.len() < bytes.len() && path.starts_with(b"/"));
        assert_eq!(target::without_plain_dots(&path), None);
        // No other dot segment comes or goes by it.
        assert_eq!(target::remove_dot_segments(&path), target::remove_dot_segments(bytes));
    }

    let removed = target::remove_dot_segments(bytes);
    assert!(removed.len() <= bytes.len().max(1));
    assert_eq!(target::remove_dot_segments(&removed), removed);
    // A path without dot segments is left alone.
    if bytes.starts_with(b"/") && !target::has_dot_segment(bytes) {
        assert_eq!(removed, bytes);
    }

    let mut encoded = Vec::new();
    target::percent_encode(bytes, &mut encoded);
    assert_eq!(target::percent_decode(&encoded), bytes);
});
