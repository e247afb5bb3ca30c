//! What a worker learns from requests about the health of back-ends: whether they take connections, and whether they
//! answer. The rules are in `backend/health.rs`.

use super::Worker;
use crate::backend::health::{Attempt, Refusal};
use crate::backend::{Live, connect};
use crate::balance;
use crate::care;
use crate::exchange::Exchange;
use crate::fault::{Cause, Fault};
use crate::log::Severity;
use crate::world::Running;

impl Worker {
    /// Learns from a request that was at a back-end whether that takes connections, and whether it answers.
    pub(crate) fn note_health(&self, running: &Running, x: &mut Exchange, fault: Option<&Fault>) {
        let Some(live) = x.backend.and_then(|backend| running.backends.get(backend)) else { return };
        let (health, now, rarest) = (&live.health, self.parts.clock.now(), running.plan.alive);
        if let Some(dead) = x.revived.take() {
            care::backend_is_back(&mut self.pen.borrow_mut(), running, live, dead);
        }
        let Some(fault) = fault else {
            if let Some(out) = health.answered(x.attempt, now) {
                self.pen.borrow_mut().event(
                    Severity::Notice,
                    format_args!(
                        "back-end {} answers again and gets its share, after {:.1} s",
                        live.plan.address,
                        out.as_secs_f64()
                    ),
                );
            }
            return;
        };
        if let Some(refusal) = refusal(&fault.cause) {
            if health.died(x.revival, refusal, now, rarest) {
                self.buried(running, live, fault);
            }
        } else if fault.is_no_answer() {
            if x.reused && matches!(fault.cause, Cause::BackendSilent) {
                // It had just been used, and was closed nevertheless: the others will have been too.
                let mut pool = self.parts.pool.borrow_mut();
                pool.forget(live);
                pool.closed(live, now);
            }
            let fails = health.failed(x.attempt, now, rarest);
            // Not each time: where nobody can be spared it stays like this.
            if live.plan.fails_max.is_some_and(|most| fails.is_multiple_of(most.get())) {
                self.leave_out(running, live, fault, fails);
            }
        } else if x.attempt == Attempt::Trial {
            health.trial_over(now);
        }
    }

    /// A back-end has died: nothing that belongs to it is kept.
    fn buried(&self, running: &Running, live: &Live, fault: &Fault) {
        self.parts.pool.borrow_mut().forget(live);
        for set in running.sets.iter().flatten() {
            balance::forget_backend(set, live.plan.id);
        }
        self.world.deaths().notify_one();
        self.pen.borrow_mut().event(
            Severity::Warning,
            format_args!(
                "back-end {} is dead: {fault} [{}]; it is probed soon, then less often, at last every {} s",
                live.plan.address,
                fault.cause.row().code,
                running.plan.alive.as_secs()
            ),
        );
    }

    /// Leaves a back-end out that gives no answers, if enough others are well.
    fn leave_out(&self, running: &Running, live: &Live, fault: &Fault, fails: u32) {
        let _one_at_a_time = self.world.leaving_out();
        let mut spared = false;
        for set in running.sets.iter().flatten() {
            match set.can_spare(live.plan.id) {
                Some(true) => spared = true,
                Some(false) => return,
                None => {}
            }
        }
        let (now, rarest) = (self.parts.clock.now(), running.plan.alive);
        if spared && let Some(pause) = live.health.leave_out(now, rarest) {
            self.pen.borrow_mut().event(
                Severity::Warning,
                format_args!(
                    "back-end {} is left out: it gave no answer to {fails} requests in a row (MaxFails), last: {fault}; \
                     single requests try it again, first in {:.0} s",
                    live.plan.address,
                    pause.as_secs_f64()
                ),
            );
        }
    }
}

/// What a failure to connect says about the next try; `None` if it was no such failure.
fn refusal(cause: &Cause) -> Option<Refusal> {
    match cause {
        Cause::ConnectFailed(error) => Some(connect::refusal(error)),
        Cause::ConnectTimeout => Some(Refusal::Unreachable),
        _ => None,
    }
}
