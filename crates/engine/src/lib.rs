//! The engine: the only crate that touches client and back-end sockets.
//!
//! The way of a request through it, in the order of the modules that it passes:
//!
//! ```text
//!   accept ─▶ worker::connection ─▶ serve::serve                      who runs
//!                                      │ client::read_head            bytes ─▶ Head
//!                                      │ sanitize                     parsed ─▶ trusted
//!                                      │ route                        ─▶ service
//!                                      │ rewrite                      as the service wants it
//!                  respond ◀─ local ◀──┤
//!                                      └─▶ balance ─▶ relay ─▶ backend
//!                                                      │ pump         bodies, both ways
//!                                                      └ tunnel       after a 101
//!   a Fault from any stage ─▶ respond::fault       an Exchange at its end ─▶ stats, log
//! ```
//!
//! A module uses only modules of its own row and below. Exchange and World are types that all of them know: an
//! Exchange holds the configuration that it runs under.
//!
//! ```text
//!   1  engine  worker  accept  drain  control  care  snapshot      who runs
//!   2  serve  reload  afresh  listen                           what may touch the World
//!   3  relay  tunnel  respond  local  log                    moving and answering
//!   4  balance  route  rewrite  sanitize  location           deciding
//!   5  forwarded  condition  expand  scene  basic  loops     looking at a message
//!   6  parts  client  pump  backend                          speaking
//!   7  h1  stats  spoken                                     one connection; counters; names for people
//!   8  holder  stream  fresh  tls  buffer  pipe  quota  memory  seats  watchdog  pace  fault  excerpt  clock  random
//!      text  watched  limits  sys
//! ```

mod accept;
mod afresh;
mod backend;
mod balance;
mod buffer;
mod care;
mod client;
mod clock;
mod control;
mod drain;
mod engine;
mod excerpt;
mod exchange;
mod fault;
mod fresh;
mod h1;
mod holder;
mod limits;
mod listen;
pub mod log;
mod memory;
mod pace;
mod parts;
mod pipe;
mod pump;
mod relay;
mod reload;
mod respond;
mod seats;
mod serve;
mod snapshot;
mod spoken;
mod stats;
mod stream;
pub mod sys;
mod tls;
mod tunnel;
mod watchdog;
mod watched;
mod worker;
mod world;

// deciding
mod basic;
mod condition;
mod expand;
mod forwarded;
mod local;
mod location;
mod loops;
mod quota;
mod random;
mod rewrite;
mod route;
mod sanitize;
mod scene;
#[cfg(test)]
mod testing;
mod text;

pub use balance::SessionView;
pub use clock::{Clock, ManualClock, Moment};
pub use engine::{Engine, Hurry, Stopped, start};
pub use fault::{Blame, Cause, Fault, Stage};
pub use reload::{PrepareError, Prepared, prepare};
pub use snapshot::{BackendView, Snapshot};
pub use spoken::{http_versions, tls_versions};
pub use stats::{BackendTotals, Totals};
pub use tls::{Finding, Names as TlsFiles, TlsError, check as check_tls, keep as keep_tls_files};
pub use world::World;
