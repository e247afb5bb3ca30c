//! Sessions of TLS 1.2 clients that take no tickets, shared by all workers of a listener.
//!
//! Everybody else keeps his session himself, in a ticket; for those few the cache is cut into parts, so that workers do
//! not wait for each other.

use std::sync::Arc;

use rustls::server::{ServerSessionMemoryCache, StoresServerSessions};

use crate::limits;

/// The cache of one listener.
#[derive(Debug)]
pub(super) struct Sessions {
    parts: [Arc<ServerSessionMemoryCache>; PARTS],
}

/// More than there are workers on most machines.
const PARTS: usize = 16;

impl Sessions {
    pub(super) fn new() -> Sessions {
        Sessions {
            parts: std::array::from_fn(|_| ServerSessionMemoryCache::new(limits::TLS_SESSIONS / PARTS)),
        }
    }

    /// Keys are random, and we have made them.
    fn part(&self, key: &[u8]) -> &ServerSessionMemoryCache {
        &self.parts[usize::from(key.first().copied().unwrap_or(0)) % PARTS]
    }
}

impl StoresServerSessions for Sessions {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        self.part(&key).put(key.clone(), value)
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.part(key).get(key)
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.part(key).take(key)
    }

    fn can_cache(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_in_is_found_whatever_part_it_is_in() {
        let sessions = Sessions::new();
        for key in 0..=u8::MAX {
            assert!(sessions.put(vec![key, 1], vec![key]));
        }
        for key in 0..=u8::MAX {
            assert_eq!(sessions.get(&[key, 1]), Some(vec![key]));
        }
        assert_eq!(sessions.take(&[7, 1]), Some(vec![7]));
        assert_eq!(sessions.take(&[7, 1]), None);
    }
}
