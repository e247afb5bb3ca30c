//! Sessions: which client belongs to which back-end.
//!
//! One table for each service that has a `Session`. It is cut into shards, each behind its own lock, so that workers
//! seldom meet; a look-up is one hash, one short lock, one chain. Each use of a session makes it last `TTL` longer.
//! Since all sessions of a table live equally long, the order of last use is the order of expiry: the oldest is always
//! at the end of a list, where it is found without a search and without a task that sweeps the table.
//!
//! Clients choose their keys (a cookie, a parameter), so hashes are seeded, keys are stored up to a bound, and the
//! table has a bound: when it is full, the session that was not used for the longest time goes.

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Moment;

/// Sessions that one service remembers. An entry takes about 80 bytes with an ordinary key, so a full table takes
/// about 80 MB; a site with more clients than this within one `TTL` balances them by cookie elsewhere.
pub(crate) const SESSIONS_MAX: usize = 1_000_000;

/// Longest key that is stored as it came; of a longer one a 128-bit hash is stored. Session cookies have 20 to 100
/// bytes, and signed ones that hold the session itself would cost kilobytes for each client.
const KEY_BYTES_MAX: usize = 256;

/// Shards of a table. Many more than workers, so that two rarely want the same one, and few enough that a thousand
/// services with sessions cost nothing worth counting.
const SHARDS: usize = 64;

/// Sessions that one call removes at most because their time is over: more than one, so that the expired are removed
/// faster than new ones come, and few, so that no request pays for many.
const EXPIRED_A_CALL: usize = 4;

/// No entry.
const NONE: u32 = u32::MAX;

/// The sessions of one service.
pub(crate) struct Sessions {
    ttl: Duration,
    hash: RandomState,
    /// Hashes the second half of a long key's stand-in.
    hash_long: RandomState,
    shards: Box<[Mutex<Shard>]>,
    /// The back-ends by `plan::Backend::id`, sorted, each with its generation. An entry of an older generation than its
    /// back-end's is void; so the sessions of a back-end are dropped by a single addition, however many they are.
    generations: Box<[(usize, AtomicU32)]>,
}

/// A session, as it is shown to the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionView {
    /// The key as the client sends it; of a key longer than 256 bytes a stand-in.
    pub key: Box<[u8]>,
    /// Index into `Plan::backends`.
    pub backend: usize,
    /// How long it will be remembered if it is not used.
    pub left: Duration,
}

/// How the back-end of a session stands with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The request may go there.
    Good,
    /// Not this request, but the session stays: it is up and has failed this one.
    Passed,
    /// The session moves: it is down, or no longer one of the service's.
    Lost,
}

impl Sessions {
    /// An empty table for back-ends with these ids.
    pub(crate) fn new(ttl: Duration, backends: impl Iterator<Item = usize>) -> Sessions {
        Sessions::with_bound(ttl, backends, SESSIONS_MAX)
    }

    fn with_bound(ttl: Duration, backends: impl Iterator<Item = usize>, sessions_max: usize) -> Sessions {
        let shards = (0..SHARDS).map(|_| Mutex::new(Shard::new(sessions_max.div_ceil(SHARDS)))).collect();
        let mut backends: Vec<usize> = backends.collect();
        backends.sort_unstable();
        backends.dedup();
        let generations = backends.into_iter().map(|backend| (backend, AtomicU32::new(0))).collect();
        Sessions { ttl, hash: RandomState::new(), hash_long: RandomState::new(), shards, generations }
    }

    /// The back-end of `key`: the one that it has if its `standing` is good, else the one that `choose` gives, which it has
    /// from now on. The shard stays locked in between, so that two first requests of a client end at one back-end.
    pub(crate) fn assign(
        &self,
        key: &[u8],
        now: Moment,
        standing: impl FnOnce(usize) -> Standing,
        choose: impl FnOnce() -> Option<usize>,
    ) -> Option<usize> {
        self.with(key, |key, hash, mut shard| {
            let known = shard.find(key, hash).filter(|&at| self.holds(&shard.entries[at as usize], now));
            if let Some(at) = known {
                let backend = shard.entries[at as usize].backend as usize;
                match standing(backend) {
                    Standing::Good => {
                        shard.touch(at, now);
                        return Some(backend);
                    }
                    Standing::Passed => return choose(),
                    Standing::Lost => {}
                }
            }
            let backend = choose()?;
            self.put(&mut shard, key, hash, backend, now);
            Some(backend)
        })
    }

    /// Ties `key` to `backend`.
    pub(crate) fn learn(&self, key: &[u8], backend: usize, now: Moment) {
        self.with(key, |key, hash, mut shard| self.put(&mut shard, key, hash, backend, now));
    }

    /// Drops the session of `key`; says whether there was one.
    pub(crate) fn forget(&self, key: &[u8], now: Moment) -> bool {
        self.with(key, |key, hash, mut shard| match shard.find(key, hash) {
            Some(at) => {
                let held = self.holds(&shard.entries[at as usize], now);
                shard.remove(at);
                held
            }
            None => false,
        })
    }

    /// Drops all sessions of `backend`.
    pub(crate) fn forget_backend(&self, backend: usize) {
        if let Some(generation) = self.generation_of(backend) {
            generation.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Up to `most` sessions, in no order.
    pub(crate) fn list(&self, now: Moment, most: usize) -> Vec<SessionView> {
        let mut views = Vec::new();
        for shard in &self.shards {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            let mut at = shard.newest;
            while at != NONE && views.len() < most {
                let entry = &shard.entries[at as usize];
                if self.holds(entry, now) {
                    views.push(SessionView {
                        key: entry.key.clone(),
                        backend: entry.backend as usize,
                        left: (entry.used + self.ttl).since(now),
                    });
                }
                at = entry.older;
            }
        }
        views
    }

    /// Hands `work` the key as it is stored, its hash and the locked shard that it belongs to.
    fn with<T>(&self, key: &[u8], work: impl FnOnce(&[u8], u32, MutexGuard<'_, Shard>) -> T) -> T {
        let full = self.hash_bytes(&self.hash, key);
        // The halves are independent: one chooses the shard, the other the chain in it.
        let (shard, hash) = ((full >> 32) as usize % SHARDS, full as u32);
        // A panic elsewhere while the lock was held is no reason to fail every later request of these clients: a shard
        // is only changed by straight-line code below.
        let guard = self.shards[shard].lock().unwrap_or_else(PoisonError::into_inner);
        if key.len() <= KEY_BYTES_MAX {
            return work(key, hash, guard);
        }
        // Two keyed 64-bit hashes; a client cannot look for a collision with somebody else's key.
        let mut digest = *b"long key 0123456789abcdef";
        digest[9..17].copy_from_slice(&full.to_ne_bytes());
        digest[17..25].copy_from_slice(&self.hash_bytes(&self.hash_long, key).to_ne_bytes());
        work(&digest, hash, guard)
    }

    fn hash_bytes(&self, state: &RandomState, key: &[u8]) -> u64 {
        let mut hasher = state.build_hasher();
        hasher.write(key);
        hasher.finish()
    }

    fn generation(&self, backend: usize) -> u32 {
        self.generation_of(backend).map_or(0, |generation| generation.load(Ordering::Relaxed))
    }

    fn generation_of(&self, backend: usize) -> Option<&AtomicU32> {
        let at = self.generations.binary_search_by_key(&backend, |(id, _)| *id).ok()?;
        Some(&self.generations[at].1)
    }

    /// Whether the entry's time is not over and its back-end has not been dropped since.
    fn holds(&self, entry: &Entry, now: Moment) -> bool {
        now.since(entry.used) < self.ttl && entry.generation == self.generation(entry.backend as usize)
    }

    fn put(&self, shard: &mut Shard, key: &[u8], hash: u32, backend: usize, now: Moment) {
        let generation = self.generation(backend);
        // Indices of a plan's back-ends; no file names four billion of them.
        let backend = u32::try_from(backend).unwrap_or(u32::MAX);
        if let Some(at) = shard.find(key, hash) {
            let entry = &mut shard.entries[at as usize];
            entry.backend = backend;
            entry.generation = generation;
            shard.touch(at, now);
            return;
        }
        for _ in 0..EXPIRED_A_CALL {
            match shard.oldest {
                NONE => break,
                at if self.holds(&shard.entries[at as usize], now) => break,
                at => shard.remove(at),
            }
        }
        if shard.entries.len() >= shard.entries_max {
            shard.remove(shard.oldest);
        }
        shard.insert(Entry {
            key: key.into(),
            hash,
            backend,
            generation,
            used: now,
            chained: NONE,
            newer: NONE,
            older: NONE,
        });
    }
}

// Keys are credentials more often than not.
impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").field("ttl", &self.ttl).finish_non_exhaustive()
    }
}

/// A part of the table: entries without gaps, chained by hash and listed by last use.
struct Shard {
    entries: Vec<Entry>,
    /// Heads of the chains; a power of two of them, at least as many as entries.
    chains: Vec<u32>,
    newest: u32,
    oldest: u32,
    entries_max: usize,
}

struct Entry {
    key: Box<[u8]>,
    used: Moment,
    hash: u32,
    backend: u32,
    generation: u32,
    /// The next entry of the same chain.
    chained: u32,
    newer: u32,
    older: u32,
}

impl Shard {
    fn new(entries_max: usize) -> Shard {
        Shard {
            entries: Vec::new(),
            chains: Vec::new(),
            newest: NONE,
            oldest: NONE,
            entries_max: entries_max.max(1),
        }
    }

    fn chain(&self, hash: u32) -> usize {
        hash as usize & (self.chains.len() - 1)
    }

    fn find(&self, key: &[u8], hash: u32) -> Option<u32> {
        if self.chains.is_empty() {
            return None;
        }
        let mut at = self.chains[self.chain(hash)];
        while at != NONE {
            let entry = &self.entries[at as usize];
            if entry.hash == hash && *entry.key == *key {
                return Some(at);
            }
            at = entry.chained;
        }
        None
    }

    /// Makes the entry the one that was used last.
    fn touch(&mut self, at: u32, now: Moment) {
        self.entries[at as usize].used = now;
        if self.newest != at {
            self.unlist(at);
            self.list(at);
        }
    }

    fn insert(&mut self, entry: Entry) {
        if self.entries.len() >= self.chains.len() {
            self.grow();
        }
        let chain = self.chain(entry.hash);
        let at = self.entries.len() as u32;
        self.entries.push(Entry { chained: self.chains[chain], ..entry });
        self.chains[chain] = at;
        self.list(at);
    }

    /// Removes an entry; the last one takes its place, so that there are no gaps.
    fn remove(&mut self, at: u32) {
        self.unlist(at);
        self.unchain(at);
        let last = (self.entries.len() - 1) as u32;
        if last != at {
            // Whoever points to the last one has to point here.
            let (newer, older) = (self.entries[last as usize].newer, self.entries[last as usize].older);
            *self.newer_end(newer) = at;
            *self.older_end(older) = at;
            let chain = self.chain(self.entries[last as usize].hash);
            *self.link_to(chain, last) = at;
        }
        self.entries.swap_remove(at as usize);
    }

    fn grow(&mut self) {
        let chains = (self.chains.len() * 2).max(16);
        self.chains.clear();
        self.chains.resize(chains, NONE);
        for at in 0..self.entries.len() {
            let chain = self.chain(self.entries[at].hash);
            self.entries[at].chained = self.chains[chain];
            self.chains[chain] = at as u32;
        }
    }

    fn list(&mut self, at: u32) {
        let before = self.newest;
        self.entries[at as usize].newer = NONE;
        self.entries[at as usize].older = before;
        *self.older_end(before) = at;
        self.newest = at;
    }

    fn unlist(&mut self, at: u32) {
        let (newer, older) = (self.entries[at as usize].newer, self.entries[at as usize].older);
        *self.newer_end(newer) = older;
        *self.older_end(older) = newer;
    }

    /// Where the list says what is older than `newer`.
    fn newer_end(&mut self, newer: u32) -> &mut u32 {
        if newer == NONE { &mut self.newest } else { &mut self.entries[newer as usize].older }
    }

    /// Where the list says what is newer than `older`.
    fn older_end(&mut self, older: u32) -> &mut u32 {
        if older == NONE { &mut self.oldest } else { &mut self.entries[older as usize].newer }
    }

    fn unchain(&mut self, at: u32) {
        let chained = self.entries[at as usize].chained;
        let chain = self.chain(self.entries[at as usize].hash);
        *self.link_to(chain, at) = chained;
    }

    /// The link of `chain` that leads to `at`, which must be in that chain.
    fn link_to(&mut self, chain: usize, at: u32) -> &mut u32 {
        let mut before = NONE;
        let mut here = self.chains[chain];
        while here != at {
            before = here;
            here = self.entries[here as usize].chained;
        }
        if before == NONE { &mut self.chains[chain] } else { &mut self.entries[before as usize].chained }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::random::{Random, below};

    const TTL: Duration = Duration::from_secs(10);

    fn at(seconds: u64) -> Moment {
        Moment(seconds * 1_000_000)
    }

    fn find(sessions: &Sessions, key: &[u8], now: Moment) -> Option<usize> {
        sessions.assign(key, now, |_| Standing::Good, || None)
    }

    #[test]
    fn a_client_stays_where_it_is_and_each_use_counts() {
        let sessions = Sessions::new(TTL, 0..3);
        assert_eq!(sessions.assign(b"k", at(0), |_| Standing::Good, || Some(2)), Some(2));
        assert_eq!(sessions.assign(b"k", at(9), |_| Standing::Good, || Some(1)), Some(2));
        assert_eq!(sessions.assign(b"k", at(18), |_| Standing::Good, || Some(1)), Some(2));
        assert_eq!(sessions.assign(b"k", at(28), |_| Standing::Good, || Some(1)), Some(1), "10 s unused");
    }

    #[test]
    fn a_session_moves_when_its_backend_cannot_be_used() {
        let sessions = Sessions::new(TTL, 0..3);
        sessions.learn(b"k", 2, at(0));
        assert_eq!(sessions.assign(b"k", at(1), |_| Standing::Lost, || Some(0)), Some(0));
        assert_eq!(find(&sessions, b"k", at(2)), Some(0));
        assert_eq!(sessions.assign(b"k", at(3), |_| Standing::Lost, || None), None);
        assert_eq!(sessions.assign(b"k", at(3), |_| Standing::Passed, || Some(2)), Some(2), "for this once");
        assert_eq!(sessions.assign(b"k", at(3), |_| Standing::Good, || Some(2)), Some(0), "and not for good");
        assert_eq!(find(&sessions, b"k", at(4)), Some(0), "with nobody to move to it stays");
    }

    #[test]
    fn a_backend_is_forgotten_with_all_its_sessions_and_may_get_new_ones() {
        let sessions = Sessions::new(TTL, 0..2);
        for number in 0..100u8 {
            sessions.learn(&[number], usize::from(number % 2), at(0));
        }
        sessions.forget_backend(1);
        let left = sessions.list(at(1), usize::MAX);
        assert_eq!(left.len(), 50);
        assert!(left.iter().all(|view| view.backend == 0 && view.left == Duration::from_secs(9)));
        sessions.learn(&[1], 1, at(1));
        assert_eq!(find(&sessions, &[1], at(2)), Some(1));
        assert_eq!(find(&sessions, &[3], at(2)), None);
        sessions.forget_backend(7);
    }

    #[test]
    fn a_full_table_drops_what_was_not_used_longest() {
        let sessions = Sessions::with_bound(TTL, 0..1, SHARDS * 4);
        for number in 0..100_000u32 {
            sessions.learn(&number.to_be_bytes(), 0, at(1));
            assert_eq!(find(&sessions, b"busy", at(1)), (number > 0).then_some(0), "{number}");
            sessions.learn(b"busy", 0, at(1));
        }
        assert!(sessions.list(at(1), usize::MAX).len() <= SHARDS * 4);
        assert_eq!(find(&sessions, &99_999u32.to_be_bytes(), at(1)), Some(0));
        assert_eq!(find(&sessions, &0u32.to_be_bytes(), at(1)), None);
        assert_eq!(sessions.list(at(1), 3).len(), 3);
    }

    #[test]
    fn long_keys_are_told_apart_and_not_stored() {
        let sessions = Sessions::new(TTL, 0..2);
        let (one, mut other) = (vec![b'x'; 100_000], vec![b'x'; 100_000]);
        other[99_999] = b'y';
        sessions.learn(&one, 0, at(0));
        sessions.learn(&other, 1, at(0));
        assert_eq!(find(&sessions, &one, at(0)), Some(0));
        assert_eq!(find(&sessions, &other, at(0)), Some(1));
        assert!(sessions.list(at(0), 9).iter().all(|view| view.key.len() < KEY_BYTES_MAX));
    }

    #[test]
    fn a_session_can_be_dropped_by_key() {
        let sessions = Sessions::new(TTL, 0..1);
        sessions.learn(b"k", 0, at(0));
        assert!(sessions.forget(b"k", at(1)));
        assert!(!sessions.forget(b"k", at(1)));
        sessions.learn(b"k", 0, at(1));
        assert!(!sessions.forget(b"k", at(20)), "over");
    }

    #[test]
    fn keys_do_not_show_in_debug_output() {
        let sessions = Sessions::new(TTL, 0..1);
        sessions.learn(b"secret", 0, at(0));
        assert!(!format!("{sessions:?}").contains("secret"));
    }

    #[test]
    fn agrees_with_a_plain_map_over_many_random_steps() {
        let sessions = Sessions::new(TTL, 0..5);
        let mut model: HashMap<u64, (usize, u64)> = HashMap::new();
        let mut random = Random::seeded(3);
        let mut now = 0;
        for _ in 0..200_000 {
            let key = below(random.next(), 2_000);
            let backend = below(random.next(), 5) as usize;
            let bytes = key.to_be_bytes();
            match below(random.next(), 16) {
                0 => now += below(random.next(), 2),
                1..=6 => {
                    sessions.learn(&bytes, backend, at(now));
                    model.insert(key, (backend, now));
                }
                7 => {
                    let held = model.remove(&key).is_some_and(|(_, used)| now - used < 10);
                    assert_eq!(sessions.forget(&bytes, at(now)), held);
                }
                8 if below(random.next(), 1_000) == 0 => {
                    sessions.forget_backend(backend);
                    model.retain(|_, (of, _)| *of != backend);
                }
                _ => {
                    let expected = model.get_mut(&key).filter(|(_, used)| now - *used < 10);
                    let expected = expected.map(|(backend, used)| {
                        *used = now;
                        *backend
                    });
                    assert_eq!(find(&sessions, &bytes, at(now)), expected);
                }
            }
        }
        let held = model.values().filter(|(_, used)| now - used < 10).count();
        assert_eq!(sessions.list(at(now), usize::MAX).len(), held);
    }
}
