use std::time::Duration;

use plan::{Condition, Session};

use super::*;
use crate::backend::health::Attempt;
use crate::clock::ManualClock;
use crate::fault::Stage as At;
use crate::limits;
use crate::testing::{self, Setup, Stage, get};

/// Members of these priorities, all up, with ids from 0.
pub(super) fn members(weights: &[u16]) -> Vec<Member> {
    let mut setup = Setup::with(|_| ());
    let backends: Vec<_> = weights.iter().map(|&weight| ("10.0.0.1:80", weight)).collect();
    setup.balanced(&backends, Balancer::Random, None);
    let stage = setup.run();
    let members = stage.running.backends.iter().zip(weights);
    members.map(|(live, &weight)| Member { live: Arc::clone(live), weight: u64::from(weight) }).collect()
}

fn sticky(key: SessionKey) -> (Stage, ManualClock) {
    let (mut setup, hand) = Setup::new();
    let session = Session { key, ttl: Duration::from_secs(60) };
    setup.balanced(
        &[("10.0.0.1:80", 1), ("10.0.0.2:80", 1), ("10.0.0.3:80", 1)],
        Balancer::Iwrr,
        Some(session),
    );
    (setup.run(), hand)
}

fn try_pick(stage: &Stage, request: &str) -> Option<usize> {
    let mut x = stage.exchange(request);
    let picked = pick(&mut x, stage.set(0), true, &mut Random::seeded(1));
    assert_eq!(x.backend, picked.as_ref().ok().copied());
    picked.ok()
}

/// Where three requests with these fields go; round robin, so without a session three different back-ends.
fn goes(stage: &Stage, target: &str, fields: &str) -> Vec<usize> {
    (0..3).map(|_| try_pick(stage, &get(target, fields)).unwrap()).collect()
}

#[test]
fn members_that_are_down_disabled_or_tried_are_left_out() {
    let mut setup = Setup::with(|_| ());
    setup.balanced(&[("10.0.0.1:80", 5), ("10.0.0.2:80", 5), ("10.0.0.3:80", 5)], Balancer::Random, None);
    setup.backends[0].disabled = true;
    let stage = setup.run();
    stage.running.backends[1].set_alive(false);
    for seed in 0..20 {
        let mut x = stage.exchange(&get("/", ""));
        let mut random = Random::seeded(seed);
        assert_eq!(pick(&mut x, stage.set(0), true, &mut random).unwrap(), 2);
        x.tried.push(2);
        let fault = pick(&mut x, stage.set(0), true, &mut random).unwrap_err();
        assert_eq!((fault.stage, fault.cause.row().status), (At::Balance, 503));
    }
    stage.running.backends[1].set_alive(true);
    assert!((0..20).any(|seed| {
        pick(&mut stage.exchange(&get("/", "")), stage.set(0), true, &mut Random::seeded(seed)).unwrap() == 1
    }));
}

#[test]
fn a_later_group_serves_only_when_the_earlier_ones_cannot() {
    let mut setup = Setup::with(|_| ());
    let groups = vec![
        plan::Group {
            number: 0,
            members: vec![setup.member("10.0.0.1:80", 1), setup.member("10.0.0.2:80", 9)],
        },
        plan::Group { number: plan::Group::EMERGENCY, members: vec![setup.member("10.0.0.3:80", 9)] },
    ];
    setup.service(
        Condition::ALWAYS,
        plan::Target::Backends(BackendSet {
            groups,
            balancer: Balancer::Random,
            times: Vec::new(),
            session: None,
        }),
    );
    let stage = setup.run();
    let request = get("/", "");
    assert_ne!(try_pick(&stage, &request), Some(2));
    stage.running.backends[1].set_alive(false);
    assert_eq!(try_pick(&stage, &request), Some(0));
    stage.running.backends[0].set_alive(false);
    assert_eq!(try_pick(&stage, &request), Some(2));
    stage.running.backends[2].set_alive(false);
    assert_eq!(try_pick(&stage, &request), None);
    stage.running.backends[0].set_alive(true);
    assert_eq!(try_pick(&stage, &request), Some(0));
}

#[test]
fn without_a_session_requests_are_spread() {
    let (mut setup, _) = Setup::new();
    setup.balanced(&[("10.0.0.1:80", 1), ("10.0.0.2:80", 1), ("10.0.0.3:80", 1)], Balancer::Iwrr, None);
    assert_eq!(goes(&setup.run(), "/", ""), [0, 1, 2]);
}

#[test]
fn each_kind_of_session_finds_its_key() {
    let stays = |key: SessionKey, target: &str, fields: &str| {
        let (stage, _hand) = sticky(key);
        let first = goes(&stage, target, fields);
        assert!(first.iter().all(|backend| *backend == first[0]), "{target} {fields}");
    };
    stays(SessionKey::Ip, "/", "");
    stays(SessionKey::Basic, "/", "Authorization: Basic YTpi\r\n");
    stays(SessionKey::Url("id".into()), "/a?x=1&id=7", "");
    stays(SessionKey::Parm, "/a;b;jsessionid=7?q", "");
    stays(SessionKey::Cookie("sid".into()), "/", "Cookie: a=1; sid=7\r\n");
    stays(SessionKey::Cookie("sid".into()), "/", "Cookie: SID=7\r\n");
    stays(SessionKey::Header("X-Id".into()), "/", "x-id: 7\r\n");
}

#[test]
fn clients_that_say_nothing_are_not_one_client() {
    let spread = |key: SessionKey, target: &str, fields: &str| {
        assert_eq!(goes(&sticky(key).0, target, fields), [0, 1, 2], "{target} {fields}");
    };
    spread(SessionKey::Basic, "/", "");
    spread(SessionKey::Basic, "/", "Authorization: Basic Og==\r\n");
    spread(SessionKey::Url("id".into()), "/?ids=7&id=", "");
    spread(SessionKey::Parm, "/a", "");
    spread(SessionKey::Parm, "/a;", "");
    spread(SessionKey::Cookie("sid".into()), "/", "Cookie: sid=\r\n");
    spread(SessionKey::Header("X-Id".into()), "/", "X-Id:\r\n");
}

#[test]
fn clients_behind_a_trusted_proxy_are_told_apart() {
    let (stage, _hand) = sticky(SessionKey::Ip);
    let from = |address: &str| {
        let mut x = stage.exchange(&get("/", ""));
        x.origin = Some(address.parse().unwrap());
        pick(&mut x, stage.set(0), true, &mut Random::seeded(1)).unwrap()
    };
    assert_ne!(from("198.51.100.1"), from("198.51.100.2"));
    assert_eq!(from("198.51.100.1"), from("198.51.100.1"));
}

#[test]
fn an_answer_begins_a_session_at_the_backend_that_gave_it() {
    let learn_from = |key: SessionKey, fields: &str| {
        let (stage, _hand) = sticky(key);
        let mut x = stage.exchange(&get("/", ""));
        x.backend = Some(2);
        x.response = testing::answer(&format!("HTTP/1.1 200 OK\r\n{fields}\r\n"));
        learn(&x, stage.set(0));
        stage
    };
    let stage =
        learn_from(SessionKey::Cookie("sid".into()), "Set-Cookie: x=1\r\nSet-Cookie: sid=7; Path=/\r\n");
    assert_eq!(goes(&stage, "/", "Cookie: sid=7\r\n"), [2, 2, 2]);
    let stage = learn_from(SessionKey::Header("X-Id".into()), "X-Id: 7\r\n");
    assert_eq!(goes(&stage, "/", "X-Id: 7\r\n"), [2, 2, 2]);
    for nothing in ["", "Set-Cookie: sid=; Max-Age=0\r\n", "Set-Cookie: other=7\r\n"] {
        assert!(learn_from(SessionKey::Cookie("sid".into()), nothing).set(0).sessions(9).is_empty());
    }
}

#[test]
fn a_session_moves_when_its_backend_is_down_or_was_tried() {
    let (stage, _hand) = sticky(SessionKey::Cookie("sid".into()));
    let request = get("/", "Cookie: sid=7\r\n");
    assert!(stage.set(0).add_session(b"7", 1));
    assert_eq!(try_pick(&stage, &request), Some(1));
    stage.running.backends[1].set_alive(false);
    let moved = try_pick(&stage, &request).unwrap();
    assert_ne!(moved, 1);
    stage.running.backends[1].set_alive(true);
    assert_eq!(try_pick(&stage, &request), Some(moved), "it stays where it went");
    let mut x = stage.exchange(&request);
    x.tried.push(moved);
    assert_ne!(pick(&mut x, stage.set(0), true, &mut Random::seeded(1)).unwrap(), moved);
}

#[test]
fn sessions_end_with_their_time_their_backend_or_the_operators_word() {
    let (stage, hand) = sticky(SessionKey::Cookie("sid".into()));
    let set = stage.set(0);
    assert!(set.add_session(b"a", 1) && set.add_session(b"b", 2) && !set.add_session(b"c", 9));
    assert_eq!(set.sessions(9).len(), 2);
    forget_backend(set, 1);
    assert_eq!(set.sessions(9).len(), 1);
    assert!(set.drop_session(b"b") && !set.drop_session(b"b") && !set.drop_session(b"a"));
    set.add_session(b"a", 1);
    hand.advance(Duration::from_secs(60));
    assert!(set.sessions(9).is_empty());
}

/// A balanced service of so many back-ends, with round robin.
fn group(size: usize) -> (Stage, ManualClock) {
    let (mut setup, hand) = Setup::new();
    let addresses: Vec<_> = (0..size).map(|number| format!("10.0.0.{number}:80")).collect();
    let backends: Vec<_> = addresses.iter().map(|address| (address.as_str(), 1)).collect();
    setup.balanced(&backends, Balancer::Iwrr, None);
    (setup.run(), hand)
}

fn leave_out(stage: &Stage, backend: usize) {
    let alive = Duration::from_secs(30);
    assert!(stage.running.backends[backend].health.leave_out(stage.clock.now(), alive).is_some());
}

#[test]
fn one_that_is_left_out_gets_single_requests_until_it_has_answered_enough() {
    let (stage, hand) = group(2);
    let request = get("/", "");
    leave_out(&stage, 0);
    assert_eq!(goes(&stage, "/", ""), [1, 1, 1]);
    hand.advance(Duration::from_secs(1));
    assert_eq!(goes(&stage, "/", ""), [0, 1, 1], "the others wait for what comes of the first");
    let health = &stage.running.backends[0].health;
    for _ in 1..limits::TRIALS {
        assert_eq!(health.answered(Attempt::Trial, stage.clock.now()), None);
        assert_eq!(try_pick(&stage, &request), Some(0));
        assert_eq!(try_pick(&stage, &request), Some(1));
    }
    assert!(health.answered(Attempt::Trial, stage.clock.now()).is_some());
    assert_eq!([try_pick(&stage, &request), try_pick(&stage, &request)].iter().flatten().sum::<usize>(), 1);
}

#[test]
fn one_that_is_left_out_is_used_before_none_and_before_a_later_group() {
    let (stage, _hand) = group(2);
    leave_out(&stage, 0);
    stage.running.backends[1].set_alive(false);
    assert_eq!(goes(&stage, "/", ""), [0, 0, 0]);
    let mut x = stage.exchange(&get("/", ""));
    pick(&mut x, stage.set(0), true, &mut Random::seeded(1)).unwrap();
    assert_eq!(x.attempt, Attempt::Usual);
}

#[test]
fn half_of_a_group_at_most_is_left_out() {
    for (size, most) in [(1, 0), (2, 1), (3, 1), (4, 2), (5, 2), (6, 3)] {
        let (stage, _hand) = group(size);
        let mut out = 0;
        for backend in 0..size {
            if stage.set(0).can_spare(backend) == Some(true) {
                leave_out(&stage, backend);
                out += 1;
            }
        }
        assert_eq!(out, most, "of {size}");
    }
}

#[test]
fn nobody_is_left_out_when_the_others_are_down() {
    let (stage, _hand) = group(4);
    for dead in 1..4 {
        assert_eq!(stage.set(0).can_spare(0), Some(true));
        stage.running.backends[dead].set_alive(false);
    }
    assert_eq!(stage.set(0).can_spare(0), Some(false));
    assert_eq!(group(1).0.set(0).can_spare(0), None, "it stands alone");
}

#[test]
fn when_all_are_dead_those_that_refused_are_tried() {
    use crate::backend::health::Refusal;
    let (stage, hand) = group(3);
    let alive = Duration::from_secs(30);
    for (live, refusal) in
        stage.running.backends.iter().zip([Refusal::Unreachable, Refusal::Refused, Refusal::Unreachable])
    {
        live.health.died(0, refusal, stage.clock.now(), alive);
    }
    assert_eq!(try_pick(&stage, &get("/", "")), None, "it has just refused");
    hand.advance(limits::RESORT_PAUSE);
    let mut x = stage.exchange(&get("/", ""));
    assert_eq!(pick(&mut x, stage.set(0), false, &mut Random::seeded(1)).unwrap(), 1);
    assert_eq!(x.attempt, Attempt::LastResort);
    stage.running.backends[2].set_alive(true);
    assert_eq!(goes(&stage, "/", ""), [2, 2, 2], "somebody is alive");
}

#[test]
fn a_session_leaves_a_back_end_that_is_left_out_and_stays_where_it_went() {
    let (stage, _hand) = sticky(SessionKey::Cookie("sid".into()));
    stage.set(0).add_session(b"7", 1);
    leave_out(&stage, 1);
    let gone = goes(&stage, "/", "Cookie: sid=7\r\n");
    assert!(gone[0] != 1 && gone.iter().all(|backend| *backend == gone[0]), "{gone:?}");
}

#[test]
fn one_that_seems_to_hang_gets_nothing_new_while_another_one_is_well() {
    let (stage, _hand) = group(3);
    let stalled = |backend: usize, yes| stage.running.backends[backend].health.set_stalled(yes);
    stalled(0, true);
    assert_eq!(goes(&stage, "/", ""), [1, 2, 1]);
    stalled(1, true);
    stalled(2, true);
    assert_eq!(goes(&stage, "/", "").len(), 3, "all are as good as each other");
    stage.running.backends[1].health.answered(Attempt::Usual, stage.clock.now());
    assert_eq!(goes(&stage, "/", ""), [1, 1, 1]);
}

#[test]
fn waiting_requests_without_any_answer_are_a_sign_of_hanging() {
    use crate::backend::stall::Look;
    let (stage, hand) = group(1);
    let live = &stage.running.backends[0];
    let mut look = Look::default();
    let mut again = |waiting, heads, seconds| {
        hand.advance(Duration::from_secs(seconds));
        let news = look.again(live, waiting, heads, stage.clock.now()).is_some();
        (live.health.is_stalled(), news)
    };
    assert_eq!(
        again(9, 100, 0),
        (false, false),
        "the first look sees only how many answers there were before"
    );
    assert_eq!(again(9, 100, 1), (false, false));
    assert_eq!(again(9, 101, 3), (false, false), "it answers");
    assert_eq!(again(2, 101, 3), (false, false), "two may just be slow");
    assert_eq!(again(3, 101, 0), (false, false));
    assert_eq!(again(3, 101, 2), (true, true));
    assert_eq!(again(4, 101, 2), (true, false), "no news");
    assert_eq!(again(1, 101, 1), (false, false));
    assert_eq!(again(3, 101, 0), (false, false));
    assert_eq!(again(3, 101, 2), (true, false), "that was said a moment ago");
}
