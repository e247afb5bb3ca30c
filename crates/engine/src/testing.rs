//! Exchanges for unit tests: a plan by hand, and a request as a client would send it.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use plan::listener::{MethodLevel, RewriteLocation};
use plan::log::Facility;
use plan::pattern::Kind;
use plan::process::PidFile;
use plan::rewrite::Rewrites;
use plan::service::LogSuppress;
use plan::{
    Acl, Backend, BackendAddress, BackendSet, Balancer, Bounds, Condition, Group, ListenAddress, Listener,
    LogFormat, Logging, Match, Member, Pattern, Plan, Process, Service, Session, Target, Template,
};
use wire::h1::{framing, parse};
use wire::{Limits, RequestHead, ResponseHead, Slots};

use crate::backend::{Address, Live};
use crate::balance::LiveSet;
use crate::clock::{Clock, ManualClock};
use crate::exchange::{ClientFacts, Endpoint, Exchange};
use crate::loops::Loops;
use crate::route::Index;
use crate::world::{Current, Running};

/// A plan with one listener, before it is joined to a world.
pub(crate) struct Setup {
    pub(crate) listener: Listener,
    pub(crate) services: Vec<Service>,
    pub(crate) backends: Vec<Backend>,
    pub(crate) captures: bool,
    pub(crate) formats: Vec<LogFormat>,
    pub(crate) peer: Endpoint,
    pub(crate) local: Endpoint,
    pub(crate) secure: bool,
    clock: Clock,
}

impl Setup {
    /// `ListenHTTP` on 192.0.2.80:80 without services; the client is 203.0.113.7.
    pub(crate) fn new() -> (Setup, ManualClock) {
        let (clock, hand) = Clock::manual();
        let setup = Setup {
            listener: listener(),
            services: Vec::new(),
            backends: Vec::new(),
            captures: true,
            formats: LogFormat::built_in(),
            peer: inet("203.0.113.7:40000"),
            local: inet("192.0.2.80:80"),
            secure: false,
            clock,
        };
        (setup, hand)
    }

    /// One whose listener is changed by `change`.
    pub(crate) fn with(change: impl FnOnce(&mut Setup)) -> Setup {
        let (mut setup, _) = Setup::new();
        change(&mut setup);
        setup
    }

    /// Adds a service.
    pub(crate) fn service(&mut self, condition: Condition, target: Target) -> &mut Service {
        let id = self.services.len();
        self.services.push(Service {
            id,
            name: None,
            place: format!("service {id}"),
            locus: format!("pound.cfg:{id}"),
            disabled: false,
            client_certificate: false,
            condition,
            rewrites: Rewrites::default(),
            forwarded_header: None,
            trusted: None,
            rewrite_location: None,
            rewrite_destination: None,
            log_suppress: LogSuppress::default(),
            target,
            target_locus: String::new(),
        });
        &mut self.services[id]
    }

    /// Adds a service with back-ends of these addresses and priorities in one group.
    pub(crate) fn balanced(
        &mut self,
        backends: &[(&str, u16)],
        balancer: Balancer,
        session: Option<Session>,
    ) {
        let members = backends.iter().map(|(address, priority)| self.member(address, *priority)).collect();
        let groups = vec![Group { number: 0, members }];
        self.service(
            Condition::ALWAYS,
            Target::Backends(BackendSet { groups, balancer, times: Vec::new(), session }),
        );
    }

    /// Adds a back-end and makes a member of it. The backends of the plan share it.
    pub(crate) fn member(&mut self, address: &str, priority: u16) -> Member {
        let id = self.backends.len();
        self.backends.push(backend(id, address));
        Member { backend: Arc::new(backend(id, address)), priority }
    }

    /// The plan alone.
    pub(crate) fn plan(mut self) -> Plan {
        let services: Vec<Arc<Service>> = self.services.into_iter().map(Arc::new).collect();
        self.listener.services = services.clone();
        Plan {
            process: process(),
            logging: Logging {
                facility: Facility::Standard,
                file: None,
                tag: "pound".into(),
                formats: self.formats,
            },
            listeners: vec![self.listener],
            services,
            backends: self.backends.into_iter().map(Arc::new).collect(),
            alive: Duration::from_secs(30),
            watch_interval: Duration::from_secs(1),
            watched: Vec::new(),
            token: None,
            captures: self.captures,
        }
    }

    /// Joins it all.
    pub(crate) fn run(self) -> Stage {
        let (clock, peer, local, secure) = (self.clock.clone(), self.peer, self.local, self.secure);
        let plan = self.plan();
        let live: Vec<Arc<Live>> = plan
            .backends
            .iter()
            .map(|backend| {
                let address = match &backend.address {
                    BackendAddress::Inet(ip, port) => Address::Inet(vec![SocketAddr::new(*ip, *port)]),
                    BackendAddress::Name(_, port) => {
                        Address::Inet(vec![SocketAddr::from(([10, 0, 0, 99], *port))])
                    }
                    BackendAddress::Unix(path) => Address::Unix(path.clone()),
                };
                Arc::new(Live::new(Arc::clone(backend), address, None))
            })
            .collect();
        let sets = plan
            .services
            .iter()
            .map(|service| match &service.target {
                Target::Backends(set) => Some(LiveSet::new(set, &live, clock.clone())),
                _ => None,
            })
            .collect();
        let routes = vec![Index::new(&plan.listeners[0].services)];
        let client = ClientFacts { peer, local, listener: 0, secure, misplaced: false, tls: None };
        Stage {
            running: Current::new(Arc::new(Running {
                roots: Vec::new(),
                tls: Vec::new(),
                token: None,
                loops: Loops::none(),
                plan,
                backends: live,
                sets,
                routes,
            })),
            client: Rc::new(client),
            clock,
        }
    }
}

/// A world to send requests into.
pub(crate) struct Stage {
    pub(crate) running: Current,
    pub(crate) client: Rc<ClientFacts>,
    pub(crate) clock: Clock,
}

impl Stage {
    /// An exchange whose head was just parsed.
    pub(crate) fn exchange(&self, request: &str) -> Exchange {
        let mut x = Exchange::open(Rc::clone(&self.client), self.running.clone(), self.clock.now());
        x.request = head(request);
        x.body = framing::request(&x.request).unwrap();
        x
    }

    /// The set of the service with this id.
    pub(crate) fn set(&self, service: usize) -> &LiveSet {
        self.running.sets[service].as_ref().unwrap()
    }
}

/// The target of a request that makes its task panic, in tests of this crate: peer bytes alone cannot, as far as we know,
/// and what follows if they can is to be known as well.
pub(crate) const PANIC: &[u8] = b"/panic";

/// Panics if that is what is asked for.
pub(crate) fn panic_if_asked(request: &RequestHead) {
    assert!(request.target() != PANIC, "asked for");
}

/// A request by its head.
pub(crate) fn head(text: &str) -> RequestHead {
    parse::request(text.as_bytes().to_vec(), Slots::default(), &Limits::default()).unwrap()
}

/// An answer by its head.
pub(crate) fn answer(text: &str) -> ResponseHead {
    parse::response(text.as_bytes().to_vec(), Slots::default(), &Limits::default()).unwrap()
}

/// `GET target` with Host `www.example.org` and these further field lines, each ended by CRLF.
pub(crate) fn get(target: &str, fields: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: www.example.org\r\n{fields}\r\n")
}

pub(crate) fn inet(address: &str) -> Endpoint {
    Endpoint::Inet(address.parse().unwrap())
}

/// A POSIX pattern with case.
pub(crate) fn regex(text: &str) -> Match {
    Match { pattern: Pattern::new(text, Kind::Posix, false).unwrap(), tag: None }
}

pub(crate) fn exact(text: &str) -> Match {
    Match { pattern: Pattern::new(text, Kind::Exact, true).unwrap(), tag: None }
}

pub(crate) fn template(text: &str) -> Template {
    Template::new(text).unwrap()
}

pub(crate) fn acl(entries: &[&str]) -> Arc<Acl> {
    Arc::new(Acl::new(entries.iter().map(|entry| Acl::entry(entry).unwrap()).collect()))
}

fn backend(id: usize, address: &str) -> Backend {
    let address = match address.parse::<SocketAddr>() {
        Ok(address) => BackendAddress::Inet(address.ip(), address.port()),
        Err(_) => match address.split_once(':') {
            Some((name, port)) => BackendAddress::Name(name.into(), port.parse().unwrap()),
            None => BackendAddress::Unix(address.into()),
        },
    };
    Backend {
        id,
        name: None,
        locus: format!("pound.cfg:2{id}"),
        address,
        times: plan::Times::default(),
        fails_max: plan::limits::BACKEND_FAILS,
        disabled: false,
        tls: None,
        tolerance: Default::default(),
    }
}

fn listener() -> Listener {
    Listener {
        id: 0,
        place: "pound.cfg:1".into(),
        name: None,
        locus: "pound.cfg:1".into(),
        address: ListenAddress::Inet(SocketAddr::from(([192, 0, 2, 80], 80))),
        tls: None,
        methods: MethodLevel::Basic,
        methods_named: Vec::new(),
        client_timeout: Duration::from_secs(10),
        half_close: true,
        client_stream: plan::Silence::new(Duration::from_secs(60), "StreamClient"),
        check_url: None,
        alphabets: None,
        body_max: None,
        target_max: None,
        bounds: Bounds::default(),
        error_pages: Default::default(),
        rewrite_location: RewriteLocation::BackendOrListener,
        rewrite_destination: false,
        forwarded_headers: true,
        tls_headers: plan::TlsHeaders::OneLine,
        forwarded_header: "X-Forwarded-For".into(),
        trusted: Acl::empty(),
        log_format: 1,
        rewrites: Rewrites::default(),
        services: Vec::new(),
    }
}

fn process() -> Process {
    Process {
        user: None,
        group: None,
        root_jail: None,
        daemon: false,
        supervisor: false,
        pid_file: PidFile::None,
        grace: Duration::from_secs(30),
        grace_idle: Duration::from_secs(1),
        connections_max: None,
        memory_max: None,
        workers: NonZeroUsize::new(1),
    }
}
