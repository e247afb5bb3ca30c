//! Looks after back-ends from beside the workers: probes those that are dead, and notices those that hang.

use std::cell::RefCell;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::backend::stall::Look;
use crate::backend::{Live, probe};
use crate::clock::Moment;
use crate::limits;
use crate::log::{Pen, Severity};
use crate::stats;
use crate::tls::Scratch;
use crate::world::{Running, World};

/// Probes each dead back-end when it is due.
pub(crate) async fn probe_the_dead(world: &World, pen: &RefCell<Pen>) {
    let scratch = Scratch::default();
    let clock = world.clock();
    let mut probes = JoinSet::new();
    loop {
        let running = world.running();
        let now = clock.now();
        let mut next = None;
        for live in &running.backends {
            match live.health.probe_at() {
                Some(at) if at <= now => {
                    live.health.probing();
                    let (live, scratch, rarest) = (live.clone(), scratch.clone(), running.plan.alive);
                    probes.spawn_local(probe::probe(live, scratch, clock.clone(), rarest));
                }
                Some(at) => next = Some(next.map_or(at, |next: Moment| next.min(at))),
                None => {}
            }
        }
        let pause = next.map(|next| next.since(now));
        tokio::select! {
            Some(probed) = probes.join_next() => {
                if let Ok(Some((live, dead))) = probed {
                    backend_is_back(&mut pen.borrow_mut(), &running, &live, dead);
                }
            }
            () = sleep(pause.unwrap_or_default()), if pause.is_some() => {}
            () = world.deaths().notified() => {}
        }
    }
}

/// Looks whether a back-end hangs, where others could take its requests.
pub(crate) async fn look_for_stalls(world: &World, pen: &RefCell<Pen>) {
    let mut looks: Vec<Look> = Vec::new();
    let mut look = interval(limits::STALL_LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        let (running, now) = (world.running(), world.clock().now());
        looks.resize(running.backends.len(), Look::default());
        for (live, look) in running.backends.iter().zip(&mut looks) {
            let (waiting, heads) = stats::waits(world.stats(), live.plan.id);
            if let Some(silence) = look.again(live, waiting, heads, now) {
                pen.borrow_mut().event(
                    Severity::Notice,
                    format_args!(
                        "back-end {} seems to hang: {waiting} requests wait, and none was answered for {:.1} s; \
                         where others are well, they get the next ones",
                        live.plan.address,
                        silence.as_secs_f64()
                    ),
                );
            }
        }
    }
}

/// Reports that a back-end takes connections again, after `dead`.
pub(crate) fn backend_is_back(pen: &mut Pen, running: &Running, live: &Live, dead: Duration) {
    let sentence = format_args!("back-end {} is back after {:.1} s", live.plan.address, dead.as_secs_f64());
    pen.event(Severity::Notice, sentence);
    for (set, service) in running.sets.iter().zip(&running.plan.services) {
        let Some(set) = set else { continue };
        let untold = set.ends_drought(live.plan.id);
        if untold > 0 {
            let name = service.name.as_deref().unwrap_or(&service.place);
            let sentence = format_args!(
                "{untold} more requests to {name} were answered by 503 meanwhile [E-NO-BACKEND]"
            );
            pen.event(Severity::Warning, sentence);
        }
    }
}
