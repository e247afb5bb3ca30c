//! What *is* running: the Plan joined to live back-ends, sessions and counters.

use std::sync::Arc;

use plan::Plan;

use crate::backend;
use crate::balance;

/// One configuration at work. Immutable; a request sees one from start to end.
#[derive(Debug)]
pub struct Running {
    /// What it was made from.
    pub plan: Plan,
    /// By `plan::Backend::id`.
    pub backends: Vec<Arc<backend::Live>>,
    /// By `plan::Service::id`; `None` for a service that answers by itself.
    pub sets: Vec<Option<balance::LiveSet>>,
}
