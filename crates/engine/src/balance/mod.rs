//! Which back-end gets a request: the session's, or one by algorithm out of the first group that has a living member.

pub(crate) mod random;
pub(crate) mod round_robin;
pub(crate) mod session;

use std::sync::Arc;

use plan::backend::{BackendSet, Balancer};
use plan::session::SessionKey;
use wire::{Fields, RequestHead, cookie};

use crate::backend;
use crate::balance::round_robin::RoundRobin;
use crate::balance::session::{Sessions, Standing};
use crate::basic;
use crate::clock::Clock;
use crate::exchange::Exchange;
use crate::fault::{Cause, Fault, Stage};
use crate::random::Random;
use crate::scene::parameters;
use crate::text::Text;

pub use session::SessionView;

/// The back-ends of one service at work, shared by all workers.
#[derive(Debug)]
pub struct LiveSet {
    /// By ascending number.
    groups: Vec<Group>,
    balancer: Balancer,
    session: Option<(SessionKey, Sessions)>,
    clock: Clock,
}

#[derive(Debug)]
struct Group {
    members: Vec<Member>,
    robin: RoundRobin,
}

/// A back-end as one service uses it.
#[derive(Debug)]
pub(crate) struct Member {
    live: Arc<backend::Live>,
    weight: u64,
}

impl Member {
    /// Index into `Plan::backends`.
    pub(crate) fn id(&self) -> usize {
        self.live.plan.id
    }

    /// Its share relative to the others.
    pub(crate) fn weight(&self) -> u64 {
        self.weight
    }
}

impl LiveSet {
    /// Joins a plan's set to the back-ends at work, which stand at the index that their plan says.
    pub fn new(set: &BackendSet, backends: &[Arc<backend::Live>], clock: Clock) -> LiveSet {
        let member = |member: &plan::Member| {
            let live = backends.get(member.backend.id)?;
            Some(Member { live: Arc::clone(live), weight: u64::from(member.priority) })
        };
        let groups = set.groups.iter().map(|group| Group {
            members: group.members.iter().filter_map(member).collect(),
            robin: RoundRobin::default(),
        });
        let groups: Vec<Group> = groups.collect();
        let session = set.session.as_ref().map(|session| {
            let members = groups.iter().flat_map(|group| &group.members).map(Member::id);
            (session.key.clone(), Sessions::new(session.ttl, members))
        });
        LiveSet { groups, balancer: set.balancer, session, clock }
    }

    /// Up to `most` sessions, in no order.
    pub fn sessions(&self, most: usize) -> Vec<SessionView> {
        self.session.as_ref().map_or(Vec::new(), |(_, sessions)| sessions.list(self.clock.now(), most))
    }

    /// Ties a client to a back-end, as an operator asks; false if the service has no sessions or not this back-end.
    pub fn add_session(&self, key: &[u8], backend: usize) -> bool {
        match &self.session {
            Some((_, sessions)) if self.member(backend).is_some() => {
                sessions.learn(key, backend, self.clock.now());
                true
            }
            _ => false,
        }
    }

    /// Drops a session, as an operator asks; false if there was none.
    pub fn drop_session(&self, key: &[u8]) -> bool {
        self.session.as_ref().is_some_and(|(_, sessions)| sessions.forget(key, self.clock.now()))
    }

    fn member(&self, backend: usize) -> Option<&Member> {
        self.groups.iter().flat_map(|group| &group.members).find(|member| member.id() == backend)
    }

    /// One of the members that `may` be taken, of the first group that has one.
    fn choose(&self, may: impl Fn(&Member) -> bool, random: &mut Random) -> Option<usize> {
        self.groups.iter().find_map(|group| {
            let index = match self.balancer {
                Balancer::Random => random::draw(&group.members, &may, random.next()),
                Balancer::Iwrr => group.robin.take(&group.members, &may),
            };
            Some(group.members.get(index?)?.id())
        })
    }
}

/// Chooses a back-end for the request and notes it in the exchange. One that is down or was tried already is left out.
///
/// # Errors
/// `NoBackend` if none is left.
pub(crate) fn pick(x: &mut Exchange, set: &LiveSet, random: &mut Random) -> Result<usize, Fault> {
    let tried = &x.tried;
    let may = |member: &Member| member.live.is_up() && !tried.contains(&member.id());
    let key = set.session.as_ref().and_then(|(kind, sessions)| Some((request_key(kind, x)?, sessions)));
    let picked = match key {
        Some((key, sessions)) => sessions.assign(
            key.bytes(),
            set.clock.now(),
            |backend| match set.member(backend) {
                Some(member) if may(member) => Standing::Good,
                // It failed this one request; that alone must not cost the client its session.
                Some(member) if member.live.is_up() => Standing::Passed,
                _ => Standing::Lost,
            },
            || set.choose(may, random),
        ),
        None => set.choose(may, random),
    };
    let picked = picked.ok_or_else(|| Fault::new(Stage::Balance, Cause::NoBackend))?;
    x.backend = Some(picked);
    Ok(picked)
}

/// Learns from the head of an answer which session its back-end has begun: by a cookie that it sets, or a field.
pub(crate) fn learn(x: &Exchange, set: &LiveSet) {
    let (Some((kind, sessions)), Some(backend)) = (&set.session, x.backend) else { return };
    if let Some(key) = answer_key(kind, x.response.fields()) {
        sessions.learn(key, backend, set.clock.now());
    }
}

/// Drops the sessions of a back-end that died: its clients are spread over the others at once, and stay there.
pub(crate) fn forget_backend(set: &LiveSet, backend: usize) {
    if let Some((_, sessions)) = &set.session {
        sessions.forget_backend(backend);
    }
}

/// What identifies a client: a piece of its request where possible.
enum Key<'a> {
    Borrowed(&'a [u8]),
    Address(Text),
    Owned(Vec<u8>),
}

impl Key<'_> {
    fn bytes(&self) -> &[u8] {
        match self {
            Key::Borrowed(bytes) => bytes,
            Key::Address(text) => text.bytes(),
            Key::Owned(bytes) => bytes,
        }
    }
}

/// What identifies the client of a request; `None` if it does not say. An empty value says nothing, or all clients
/// without one would be one client.
fn request_key<'a>(kind: &SessionKey, x: &'a Exchange) -> Option<Key<'a>> {
    let request = &x.request;
    let key = match kind {
        // The client's, not that of a trusted proxy before us: else all of its clients were one.
        SessionKey::Ip => Key::Address(Text::address(x.origin?)),
        SessionKey::Basic => Key::Owned(basic::user(request.fields())?),
        SessionKey::Url(name) => Key::Borrowed(parameters(request.query(), name).next()?),
        SessionKey::Parm => Key::Borrowed(path_parameter(request)?),
        SessionKey::Cookie(name) => Key::Borrowed(request_cookie(request.fields(), name.as_bytes())?),
        SessionKey::Header(name) => Key::Borrowed(request.fields().find(name.as_bytes())?),
    };
    (!key.bytes().is_empty()).then_some(key)
}

/// The key that an answer begins a session with.
fn answer_key<'a>(kind: &SessionKey, fields: &'a Fields) -> Option<&'a [u8]> {
    let key = match kind {
        SessionKey::Cookie(name) => {
            let set = fields.get_all(wire::Known::SetCookie).filter_map(cookie::set_cookie);
            // The last one of a name is what a client keeps (RFC 6265 section 5.3).
            set.filter(|(found, _)| found.eq_ignore_ascii_case(name.as_bytes())).last()?.1
        }
        SessionKey::Header(name) => fields.find(name.as_bytes())?,
        SessionKey::Ip | SessionKey::Basic | SessionKey::Url(_) | SessionKey::Parm => return None,
    };
    (!key.is_empty()).then_some(key)
}

/// The value of a cookie. Names have case (RFC 6265), but Pound has always found them without, and files rely on it:
/// the exact name wins, then the first in any case.
fn request_cookie<'a>(fields: &'a Fields, name: &[u8]) -> Option<&'a [u8]> {
    cookie::find(fields, name).or_else(|| {
        let mut pairs = fields.get_all(wire::Known::Cookie).flat_map(cookie::pairs);
        pairs.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    })
}

/// What follows the last `;` of the path.
fn path_parameter(request: &RequestHead) -> Option<&[u8]> {
    let path = request.path();
    Some(&path[memchr::memrchr(b';', path)? + 1..])
}

#[cfg(test)]
mod tests;
