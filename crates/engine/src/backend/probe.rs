//! Brings dead back-ends back: each is offered a connection, soon after it died and then ever more seldom, and one that
//! takes it is alive.

use std::sync::Arc;
use std::time::Duration;

use super::Live;
use super::connect::{self, ConnectError};
use super::health::Refusal;
use crate::clock::Clock;
use crate::limits;
use crate::tls::Scratch;

/// Offers a connection to a back-end that is dead; says for how long it was, if it takes it. Probes are at most `rarest`
/// apart.
pub(crate) async fn probe(
    live: Arc<Live>,
    scratch: Scratch,
    clock: Clock,
    rarest: Duration,
) -> Option<(Arc<Live>, Duration)> {
    let limit = live.plan.times.connect.min(limits::PROBE_TIMEOUT);
    let refusal = match connect::connect(&live, limit, &scratch).await {
        // What a request would be told of TLS says more than that nobody is there. One that goes on with the handshake
        // for ever is as good as dead.
        Ok(_) | Err(ConnectError::Tls(_)) => {
            let dead = live.health.came_back(clock.now());
            return dead.map(|dead| (live, dead));
        }
        Err(ConnectError::Io(error)) => connect::refusal(&error),
        Err(ConnectError::Timeout) => Refusal::Unreachable,
    };
    live.health.still_dead(refusal, clock.now(), rarest);
    None
}
