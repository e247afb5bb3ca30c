//! Addresses and ports as text, without the allocator: nearly every request needs one.

use std::fmt::Display;
use std::io::Write;
use std::net::IpAddr;

/// The longest address is an IPv6 one with an IPv4 tail: 45 bytes.
const BYTES: usize = 48;

/// A short text on the stack.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Text {
    bytes: [u8; BYTES],
    len: usize,
}

impl Text {
    /// The text of an address or a number; anything longer is cut.
    pub(crate) fn of(value: impl Display) -> Text {
        let mut bytes = [0; BYTES];
        let mut rest = &mut bytes[..];
        // Fails when the room is used up, and has then filled it.
        let _ = write!(rest, "{value}");
        let len = BYTES - rest.len();
        Text { bytes, len }
    }

    /// The text of an address. IPv4 without `fmt`, which takes three times as long.
    pub(crate) fn address(address: IpAddr) -> Text {
        let IpAddr::V4(address) = address else { return Text::of(address) };
        let mut text = Text { bytes: [0; BYTES], len: 0 };
        for (index, octet) in address.octets().into_iter().enumerate() {
            if index > 0 {
                text.push(b'.');
            }
            if octet >= 100 {
                text.push(b'0' + octet / 100);
            }
            if octet >= 10 {
                text.push(b'0' + octet / 10 % 10);
            }
            text.push(b'0' + octet % 10);
        }
        text
    }

    /// The text of a port.
    pub(crate) fn number(number: u16) -> Text {
        let mut text = Text { bytes: [0; BYTES], len: 0 };
        for unit in [10_000, 1000, 100, 10] {
            if number >= unit {
                text.push(b'0' + (number / unit % 10) as u8);
            }
        }
        text.push(b'0' + (number % 10) as u8);
        text
    }

    fn push(&mut self, byte: u8) {
        self.bytes[self.len] = byte;
        self.len += 1;
    }

    /// Its bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::*;

    #[test]
    fn addresses_read_as_everywhere() {
        for address in ["0.0.0.0", "9.10.99.100", "255.255.255.255", "127.0.0.1", "2001:db8::1", "::"] {
            assert_eq!(Text::address(address.parse().unwrap()).bytes(), address.as_bytes());
        }
    }

    #[test]
    fn the_longest_address_fits() {
        let longest = "1111:2222:3333:4444:5555:6666:7777:8888".parse::<Ipv6Addr>().unwrap();
        assert_eq!(Text::of(longest).bytes(), longest.to_string().as_bytes());
        for port in [0u16, 7, 10, 80, 443, 999, 1000, 8080, 10_000, 65_535] {
            assert_eq!(Text::number(port).bytes(), port.to_string().as_bytes());
        }
        assert_eq!(Text::of("x".repeat(100)).bytes(), [b'x'; BYTES]);
    }
}
