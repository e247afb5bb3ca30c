//! Any bytes as a Cookie or Set-Cookie value, and as a list.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::{cookie, token};

/// Whether `part` lies within `whole`, by place and not only by content.
fn within(part: &[u8], whole: &[u8]) -> bool {
    let (part, whole) = (part.as_ptr_range(), whole.as_ptr_range());
    whole.start <= part.start && part.end <= whole.end
}

fuzz_target!(|bytes: &[u8]| {
    for (name, value) in cookie::pairs(bytes) {
        assert!(!name.is_empty() && within(name, bytes) && within(value, bytes));
        assert!(!name.contains(&b'=') && !name.contains(&b';') && !value.contains(&b';'));
        let first = cookie::value(bytes, name).expect("it is there");
        assert!(first.as_ptr() <= value.as_ptr());
    }
    if let Some((name, value)) = cookie::set_cookie(bytes) {
        assert_eq!(cookie::pairs(bytes).next(), Some((name, value)));
    }

    let members: Vec<_> = token::list(bytes).collect();
    for member in &members {
        assert!(!member.is_empty() && token::trim(member) == *member && within(member, bytes));
        assert!(token::has_member(bytes, member));
        for part in token::parts(member) {
            assert!(within(part, member));
            if let Some((name, value)) = token::parameter(part) {
                assert!(token::is_token(name) && within(value, part));
            }
        }
    }
    // Joining the members gives the same list again.
    let joined = members.join(&b","[..]);
    assert_eq!(token::list(&joined).collect::<Vec<_>>(), members);
    if let Some(text) = token::unquote(bytes) {
        assert!(text.len() + 2 <= bytes.len());
    }
});
