//! From a Plan to something that can run. Everything that can fail is in [`prepare`], which changes nothing yet.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use plan::{BackendAddress, Plan, Target};

use crate::backend::{Address, Live};
use crate::balance::LiveSet;
use crate::clock::Clock;
use crate::limits;
use crate::listen::{self, Bound};
use crate::local;
use crate::loops::Loops;
use crate::memory::Budget;
use crate::route::Index;
use crate::seats::Seats;
use crate::tls::{Connector, Line, Names, Server, Source, TlsError, Token};
use crate::world::Running;

/// A plan whose names are resolved and whose sockets are bound: it can be started without anything to go wrong.
#[derive(Debug)]
pub struct Prepared {
    pub(crate) running: Running,
    pub(crate) bound: Vec<Bound>,
    pub(crate) workers: usize,
    pub(crate) clock: Clock,
    pub(crate) source: Source,
    pub(crate) seats: Arc<Seats>,
    pub(crate) budget: Arc<Budget>,
}

/// Why a plan cannot be run here and now. Its text is one sentence: what, where, what to do.
#[derive(Debug)]
#[non_exhaustive]
pub enum PrepareError {
    /// The address of a listener cannot be bound.
    Bind {
        /// Where it stands in the configuration, and which it is.
        listener: String,
        /// The address.
        address: String,
        /// The program that listens there, where that can be seen.
        holder: Option<String>,
        /// Why.
        error: io::Error,
    },
    /// A host name cannot be resolved.
    Resolve {
        /// `listener` or `back-end`.
        what: &'static str,
        /// The name.
        name: String,
        /// Why.
        error: io::Error,
    },
    /// The directory of a `SendFile` cannot be opened.
    Files {
        /// Which.
        path: String,
        /// Why.
        error: io::Error,
    },
    /// A certificate or key cannot be used.
    Tls(TlsError),
    /// The token of `SSLEngine` has refused the PIN, or would lock itself at a wrong one. Another start with the same PIN does
    /// harm: tokens lock themselves after a few.
    Pin(TlsError),
    /// No listening socket came over `SocketFrom`.
    Receive {
        /// The Unix socket.
        path: String,
        /// Why.
        error: io::Error,
    },
}

impl fmt::Display for PrepareError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PrepareError::Bind { listener, address, holder, error } => {
                write!(f, "{listener} cannot listen on {address}: ")?;
                match error.kind() {
                    io::ErrorKind::AddrInUse => match holder {
                        Some(holder) => {
                            write!(f, "the address is in use by {holder}; stop it, or choose another Port")
                        }
                        None => f.write_str(
                            "the address is in use; stop the program that listens there (ss -ltnp shows it) or choose another Port",
                        ),
                    },
                    io::ErrorKind::PermissionDenied => f.write_str(
                        "permission denied; ports below 1024 and other users' directories need root or CAP_NET_BIND_SERVICE, so start as root or choose another Port",
                    ),
                    io::ErrorKind::AddrNotAvailable => f.write_str(
                        "this machine does not have the address; correct Address, or use 0.0.0.0 or :: for all of them",
                    ),
                    _ => write!(f, "{error}; correct Address"),
                }
            }
            PrepareError::Resolve { what, name, error } => {
                write!(
                    f,
                    "the host name {name} of a {what} cannot be resolved ({error}); correct Address or the name service"
                )
            }
            PrepareError::Files { path, error } => {
                write!(
                    f,
                    "the directory {path} of a SendFile cannot be opened: {error}; correct the path or its permissions"
                )
            }
            PrepareError::Tls(error) | PrepareError::Pin(error) => error.fmt(f),
            PrepareError::Receive { path, error } => {
                write!(
                    f,
                    "no listening socket was received over {path} (SocketFrom): {error}; start the program that hands it out first"
                )
            }
        }
    }
}

impl std::error::Error for PrepareError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            PrepareError::Bind { error, .. }
            | PrepareError::Resolve { error, .. }
            | PrepareError::Files { error, .. }
            | PrepareError::Receive { error, .. } => Some(error),
            PrepareError::Tls(_) | PrepareError::Pin(_) => None,
        }
    }
}

/// Resolves names and binds sockets. Call it with the rights that binding needs, before they are given up.
///
/// # Errors
/// The first thing that stands in the way; sockets that were bound are closed again.
pub fn prepare(plan: Plan) -> Result<Prepared, PrepareError> {
    let clock = Clock::system();
    // The time zone is read from files that a jail will not have.
    crate::log::prepare();
    let workers = plan
        .process
        .workers
        .or_else(|| std::thread::available_parallelism().ok())
        .map_or(1, std::num::NonZeroUsize::get);
    let mut resolved = HashMap::new();
    let now = clock.wall().as_secs() as i64;
    // It is opened later, by the process that serves: see `unlock`.
    let token = plan.token.as_ref().map(|token| Arc::new(Token::new(token, clock.clone())));
    let mut backends = Vec::with_capacity(plan.backends.len());
    for backend in &plan.backends {
        let tls =
            backend.tls.as_ref().map(|tls| Connector::new(backend, tls, token.as_ref(), now)).transpose();
        let tls = tls.map_err(PrepareError::Tls)?.map(Arc::new);
        backends.push(Arc::new(Live::new(backend.clone(), address(&backend.address, &mut resolved)?, tls)));
    }
    let sets = plan
        .services
        .iter()
        .map(|service| match &service.target {
            Target::Backends(set) => Some(LiveSet::new(set, &backends, clock.clone())),
            _ => None,
        })
        .collect();
    let mut roots = Vec::with_capacity(plan.services.len());
    for service in &plan.services {
        roots.push(match &service.target {
            Target::Files(root) if plan.process.root_jail.is_some() => Some(
                local::file::open_root(root)
                    .map_err(|error| PrepareError::Files { path: root.display().to_string(), error })?,
            ),
            _ => None,
        });
    }
    let routes = plan.listeners.iter().map(|listener| Index::new(&listener.services)).collect();
    // Before any socket: what is wrong with a file should not depend on whether the port is free.
    let mut tls = Vec::with_capacity(plan.listeners.len());
    for listener in &plan.listeners {
        let server = listener.tls.as_ref().map(|tls| Server::new(tls, token.as_ref(), now));
        let server = server.transpose().map_err(PrepareError::Tls)?;
        tls.push(server.map(Arc::new));
    }
    let mut bound = Vec::with_capacity(plan.listeners.len());
    for listener in &plan.listeners {
        bound.push(listen::bind(listener, workers)?);
    }
    let seats = Arc::new(Seats::new(&plan));
    let budget = Arc::new(Budget::new(plan.process.memory_max, seats.clone()));
    let sockets = bound.iter().filter_map(|bound| bound.sockets.first()).flatten();
    let loops = Loops::new(backends.iter().map(AsRef::as_ref), sockets, plan.process.root_jail.as_deref());
    let running = Running { plan, backends, sets, roots, routes, tls, loops, token };
    Ok(Prepared { running, bound, workers, clock, source: Source::Own, seats, budget })
}

impl Prepared {
    /// Begins to look how much memory this process takes. To be called in the one that serves, after its last fork and before
    /// it enters its jail, where there is no `/proc`.
    pub fn watch_memory(&self) {
        self.budget.watch();
    }

    /// The plan it was made from.
    pub fn plan(&self) -> &Plan {
        &self.running.plan
    }

    /// The files that the plan names for TLS; they are followed while we run.
    pub fn tls_files(&self) -> Names {
        Names::of(&self.running.plan)
    }

    /// From now on those files are not read by this process, but by whoever runs [`keep_tls_files`](crate::keep_tls_files)
    /// at the other end of `line`. Waits until it does.
    ///
    /// # Errors
    /// Nobody does, within ten seconds.
    pub fn read_tls_files_over(&mut self, line: UnixStream) -> io::Result<()> {
        self.source = Source::Keeper(Line::new(self.tls_files(), line)?);
        Ok(())
    }

    /// From now on nobody reads those files: they are not followed.
    pub fn leave_tls_files(&mut self) {
        self.source = Source::Nobody;
    }

    /// Opens the token of `SSLEngine`, if there is one, and looks for the keys that should be in it. To be called in the
    /// process that serves, after its last fork, which PKCS#11 modules do not survive; and before it gives up its rights
    /// and enters its jail, where the module, its settings and the PIN may be out of reach. Blocks for as long as the token
    /// does.
    ///
    /// # Errors
    /// The token cannot be opened, or has not the key of a certificate.
    pub fn unlock(&self) -> Result<(), PrepareError> {
        let Some(token) = &self.running.token else { return Ok(()) };
        self.open(token).map_err(|error| match token.has_refused_pin() {
            true => PrepareError::Pin(error),
            false => PrepareError::Tls(error),
        })
    }

    fn open(&self, token: &Token) -> Result<(), TlsError> {
        token.open()?;
        for server in self.running.tls.iter().flatten() {
            server.check_keys()?;
        }
        for connector in self.running.backends.iter().filter_map(|live| live.tls.as_ref()) {
            connector.check_key()?;
        }
        Ok(())
    }

    /// What is really bound: the listener's id and the address, the port chosen by the system filled in.
    pub fn bound(&self) -> Vec<(usize, String)> {
        self.bound
            .iter()
            .flat_map(|bound| bound.addresses.iter().map(|address| (bound.listener, address.clone())))
            .collect()
    }
}

fn address(
    address: &BackendAddress,
    resolved: &mut HashMap<(String, u16), Vec<SocketAddr>>,
) -> Result<Address, PrepareError> {
    Ok(match address {
        BackendAddress::Inet(ip, port) => Address::Inet(vec![SocketAddr::new(*ip, *port)]),
        BackendAddress::Unix(path) => Address::Unix(path.clone()),
        // A few hundred back-ends often share a few names, and the resolver may be slow.
        BackendAddress::Name(name, port) => match resolved.get(&(name.clone(), *port)) {
            Some(known) => Address::Inet(known.clone()),
            None => {
                let addresses = resolve("back-end", name, *port)?;
                resolved.insert((name.clone(), *port), addresses.clone());
                Address::Inet(addresses)
            }
        },
    })
}

/// The addresses of a name, IPv4 first as C Pound has it; at least one.
pub(crate) fn resolve(what: &'static str, name: &str, port: u16) -> Result<Vec<SocketAddr>, PrepareError> {
    let failed = |error| PrepareError::Resolve { what, name: name.to_owned(), error };
    let mut addresses: Vec<SocketAddr> =
        (name, port).to_socket_addrs().map_err(failed)?.take(limits::ADDRESSES_PER_NAME).collect();
    if addresses.is_empty() {
        return Err(failed(io::Error::new(io::ErrorKind::NotFound, "it has no address")));
    }
    addresses.sort_by_key(|address| matches!(address.ip(), IpAddr::V6(_)));
    addresses.dedup();
    Ok(addresses)
}
