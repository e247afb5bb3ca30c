//! Room for one more client: a place under `MaxConnections`, and memory under `MaxMemory`. Without it, those that have
//! waited longest for nothing are told to go, and the new one waits.

use super::Worker;
use crate::limits;
use crate::log::Severity;
use crate::memory::Strain;
use crate::parts::Parts;
use crate::seats::{Seat, Seats};

impl Worker {
    /// A place for one more client of this listener: waits for it, for as long as it takes, while others who wait for
    /// nothing but themselves are told to go.
    pub(crate) async fn seat(&self, listener: usize) -> Seat {
        let Parts { store, clock, .. } = &self.parts;
        let mut waited = false;
        loop {
            // While there is enough memory, growth alone is a reason to look again.
            let strain = if waited { store.gauge.measure() } else { store.gauge.strain() };
            let mut full = None;
            if strain == Strain::Easy {
                match Seats::take(self.world.seats(), listener) {
                    Ok(seat) => return seat,
                    Err(taken) => {
                        self.note_no_room(format_args!(
                            "MaxConnections {}{} is reached",
                            taken.most,
                            if taken.of_listener { " of a listener" } else { "" }
                        ));
                        full = taken.of_listener.then_some(listener);
                        self.connections.shed(1, false, full, clock.now());
                    }
                }
            } else {
                let gone = self.connections.shed(limits::SHED_LEAST, true, None, clock.now());
                self.shed.set(self.shed.get() + gone);
                self.note_no_room(format_args!("the memory for pound is used up, {}", store.gauge.words()));
            }
            waited = true;
            self.world.seats().wait(full, limits::ACCEPT_PAUSE).await;
        }
    }

    /// A place beyond all bounds, for a client that was taken before a stop.
    pub(crate) fn squeeze(&self, listener: usize) -> Seat {
        Seats::squeeze(self.world.seats(), listener)
    }

    /// Reports that there is no place for a client, at most once in a while.
    fn note_no_room(&self, limit: std::fmt::Arguments<'_>) {
        let now = self.parts.clock.now();
        if self.no_room.get().is_some_and(|last| now.since(last) < limits::ROOM_REPORT) {
            return;
        }
        self.no_room.set(Some(now));
        let open = self.world.seats().open();
        let gone = self.shed.replace(0);
        let gone = if gone == 0 {
            String::new()
        } else {
            format!(", and {gone} that had waited longest, idle or within a head, were closed")
        };
        self.pen.borrow_mut().event(
            Severity::Warning,
            format_args!("{limit}: there are {open} clients{gone}; new ones wait until others go"),
        );
    }
}
