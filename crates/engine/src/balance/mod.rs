//! Which back-end gets a request: the session's, or one by algorithm out of the first group that has a living member.

mod drought;
pub(crate) mod random;
pub(crate) mod round_robin;
pub(crate) mod session;

use std::sync::Arc;
use std::time::Duration;

use plan::backend::{BackendSet, Balancer};
use plan::session::SessionKey;
use wire::{Fields, RequestHead, cookie};

use crate::backend;
use crate::backend::health::Attempt;
use crate::balance::drought::Drought;
use crate::balance::round_robin::RoundRobin;
use crate::balance::session::{Sessions, Standing};
use crate::basic;
use crate::clock::{Clock, Moment};
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
    drought: Drought,
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
        LiveSet { groups, balancer: set.balancer, session, drought: Drought::default(), clock }
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

    /// One of the members that `may` be taken. A group's own order is: one that is due for a trial, one that is well (if
    /// possible one that does not seem to hang), one that is left out; then comes the next group. If nobody is up, one that is dead and worth a try.
    fn choose(&self, wanted: &Wanted<'_>, random: &mut Random) -> Option<(usize, Attempt)> {
        let now = self.clock.now();
        for group in &self.groups {
            if let Some(member) = group.members.iter().find(|member| wanted.claims_trial(member, now)) {
                return Some((member.id(), Attempt::Trial));
            }
            let well = |member: &Member| member.live.is_well() && wanted.may(member);
            let up = |member: &Member| member.live.is_up() && wanted.may(member);
            let first = match group.members.iter().any(|member| member.live.health.is_stalled()) {
                false => None,
                true => self.take(group, |member| well(member) && !member.live.health.is_stalled(), random),
            };
            let found =
                first.or_else(|| self.take(group, well, random)).or_else(|| self.take(group, up, random));
            if let Some(id) = found {
                return Some((id, Attempt::Usual));
            }
        }
        let last = |member: &Member| {
            let live = &member.live;
            wanted.may(member) && live.is_enabled() && !live.is_alive() && live.health.is_worth_a_try(now)
        };
        self.groups.iter().find_map(|group| Some((self.take(group, last, random)?, Attempt::LastResort)))
    }

    /// One of those members of a group that `may` be taken, as the balancer says.
    fn take(&self, group: &Group, may: impl Fn(&Member) -> bool, random: &mut Random) -> Option<usize> {
        let index = match self.balancer {
            Balancer::Random => random::draw(&group.members, may, random.next()),
            Balancer::Iwrr => group.robin.take(&group.members, may),
        };
        Some(group.members.get(index?)?.id())
    }

    /// Whether a back-end may be left out as far as this service goes: half of a group at most is, and one that is well
    /// has to stay. `None` if it has no say, since the back-end stands alone or not at all in it.
    pub(crate) fn can_spare(&self, backend: usize) -> Option<bool> {
        let groups =
            self.groups.iter().filter(|group| group.members.iter().any(|member| member.id() == backend));
        let mut verdict = None;
        for group in groups {
            let enabled = group.members.iter().filter(|member| member.live.is_enabled());
            let (mut members, mut left_out, mut well) = (0, 1, 0);
            for member in enabled {
                members += 1;
                if member.id() != backend {
                    left_out += usize::from(member.live.health.is_left_out());
                    well += usize::from(member.live.is_well());
                }
            }
            if members > 1 {
                verdict = Some(verdict.unwrap_or(true) && 2 * left_out <= members && well > 0);
            }
        }
        verdict
    }

    /// One more request found nobody alive. If that is worth a line: how many there were since the last line.
    pub(crate) fn meets_drought(&self) -> Option<u64> {
        self.drought.meets(self.clock.now())
    }

    /// A back-end has come back: gives how many requests found nobody and have not been told of, if it is one of these.
    pub(crate) fn ends_drought(&self, backend: usize) -> u64 {
        if self.member(backend).is_some() { self.drought.take_untold() } else { 0 }
    }

    /// Its back-ends that are dead, each with the time since when and the time until its next probe.
    pub(crate) fn dead(&self) -> impl Iterator<Item = (&backend::Live, Duration, Option<Duration>)> {
        let now = self.clock.now();
        let members = self.groups.iter().flat_map(|group| &group.members);
        members.filter(|member| member.live.is_enabled()).filter_map(move |member| {
            let (since, next) = member.live.health.death()?;
            Some((&*member.live, now.since(since), next.map(|next| next.since(now))))
        })
    }
}

/// What a request asks of the member that it goes to.
struct Wanted<'a> {
    /// Those that have failed it.
    tried: &'a [usize],
    /// It may be sent again if it gets no answer.
    again: bool,
}

impl Wanted<'_> {
    fn may(&self, member: &Member) -> bool {
        !self.tried.contains(&member.id())
    }

    fn claims_trial(&self, member: &Member, now: Moment) -> bool {
        let live = &member.live;
        // One that is left out is the exception.
        live.health.is_left_out()
            && live.is_up()
            && self.may(member)
            && live.health.claim_trial(now, self.again, live.plan.times.connect + live.plan.times.answer.time)
    }
}

/// Chooses a back-end for the request and notes it in the exchange. One that is down or was tried already is left out.
/// `again`: the request may be sent again if it gets no answer.
///
/// # Errors
/// `NoBackend` if none is left.
pub(crate) fn pick(
    x: &mut Exchange,
    set: &LiveSet,
    again: bool,
    random: &mut Random,
) -> Result<usize, Fault> {
    let wanted = Wanted { tried: &x.tried, again };
    let key = set.session.as_ref().and_then(|(kind, sessions)| Some((request_key(kind, x)?, sessions)));
    let mut attempt = Attempt::Usual;
    let mut choose = || {
        let (id, how) = set.choose(&wanted, random)?;
        attempt = how;
        Some(id)
    };
    let picked = match key {
        Some((key, sessions)) => sessions.assign(
            key.bytes(),
            set.clock.now(),
            |backend| match set.member(backend) {
                Some(member) if member.live.is_well() && wanted.may(member) => Standing::Good,
                // It failed this one request; that alone must not cost the client its session.
                Some(member) if member.live.is_well() => Standing::Passed,
                _ => Standing::Lost,
            },
            choose,
        ),
        None => choose(),
    };
    let picked = picked.ok_or_else(|| Fault::new(Stage::Balance, Cause::NoBackend))?;
    x.backend = Some(picked);
    x.attempt = attempt;
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
