//! Brings dead back-ends back: every `Alive` seconds each is offered a connection, and one that takes it is alive.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::{Live, connect};
use crate::limits;

/// Probes the dead ones of `backends` once, all at the same time; gives those that came back.
pub(crate) async fn round(backends: &[Arc<Live>]) -> Vec<Arc<Live>> {
    let mut probes = JoinSet::new();
    for live in backends.iter().filter(|live| !live.is_alive()) {
        let live = live.clone();
        probes.spawn(async move {
            let limit: Duration = live.plan.times.connect.min(limits::PROBE_TIMEOUT);
            connect::reach(&live.address, limit).await.is_ok().then_some(live)
        });
    }
    let mut back = Vec::new();
    while let Some(probe) = probes.join_next().await {
        if let Ok(Some(live)) = probe
            && live.came_back()
        {
            back.push(live);
        }
    }
    back
}
