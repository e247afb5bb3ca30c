//! Threads that may wait for a token, so that no worker has to.
//!
//! There are a few, and a short queue before them; whoever finds it full waits for room, first come, first served. What
//! nobody waits for any more, because its client has gone or its time is over, is thrown away before it is begun.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot};

use crate::limits;

type Job = Box<dyn FnOnce() + Send>;

pub(super) struct Helpers {
    state: Mutex<State>,
    /// There is something to do, or nothing will ever be.
    call: Condvar,
    /// One of them has ended.
    ended: Condvar,
    room: Arc<Semaphore>,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Job>,
    alive: usize,
    over: bool,
}

impl Default for Helpers {
    fn default() -> Self {
        Helpers {
            state: Mutex::default(),
            call: Condvar::new(),
            ended: Condvar::new(),
            room: Arc::new(Semaphore::new(limits::TOKEN_HELPERS + limits::TOKEN_QUEUE)),
        }
    }
}

impl Helpers {
    /// Starts the threads.
    pub(super) fn start(self: &Arc<Self>) -> io::Result<()> {
        for number in 0..limits::TOKEN_HELPERS {
            let own = self.clone();
            self.lock().alive += 1;
            let thread = thread::Builder::new().name(format!("pound-key-{number}")).spawn(move || own.help());
            if let Err(error) = thread {
                self.lock().alive -= 1;
                return Err(error);
            }
        }
        Ok(())
    }

    /// Has something done, and waits for it without blocking. `None` if it panicked, or if there are no helpers any more.
    /// Whoever stops waiting gives its place up.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let place = self.room.clone().acquire_owned().await.ok()?;
        let (done, result) = oneshot::channel();
        self.put(Box::new(move || {
            if !done.is_closed() {
                // Whoever has gone meanwhile does not want it.
                let _ = done.send(work());
            }
            drop(place);
        }));
        result.await.ok()
    }

    /// Has something done and blocks until that is so, but no longer than `limit`. It goes to the front: whoever calls
    /// this is one thread that calls once at a time.
    pub(super) fn run_within<T: Send + 'static>(
        &self,
        limit: Duration,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let (done, result) = mpsc::sync_channel(1);
        let mut state = self.lock();
        if state.over {
            return None;
        }
        state.queue.push_front(Box::new(move || {
            let _ = done.send(work());
        }));
        drop(state);
        self.call.notify_one();
        result.recv_timeout(limit).ok()
    }

    /// Ends the threads; whether they have all ended within `limit`.
    pub(super) fn stop(&self, limit: Duration) -> bool {
        let mut state = self.lock();
        state.over = true;
        // What is dropped tells those who wait for it.
        let left = std::mem::take(&mut state.queue);
        self.room.close();
        self.call.notify_all();
        let (state, _) = self
            .ended
            .wait_timeout_while(state, limit, |state| state.alive > 0)
            .unwrap_or_else(PoisonError::into_inner);
        let all = state.alive == 0;
        drop(state);
        drop(left);
        all
    }

    fn put(&self, job: Job) {
        let mut state = self.lock();
        if !state.over {
            state.queue.push_back(job);
            drop(state);
            self.call.notify_one();
        }
    }

    /// What a thread does all its life.
    fn help(&self) {
        loop {
            let state = self.lock();
            let waits = |state: &mut State| state.queue.is_empty() && !state.over;
            let mut state = self.call.wait_while(state, waits).unwrap_or_else(PoisonError::into_inner);
            let Some(job) = state.queue.pop_front() else {
                state.alive -= 1;
                self.ended.notify_all();
                return;
            };
            drop(state);
            // A panic has been reported by its hook, and whoever waits sees that nothing comes.
            let _ = catch_unwind(AssertUnwindSafe(job));
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    fn helpers() -> Arc<Helpers> {
        let helpers: Arc<Helpers> = Arc::default();
        helpers.start().unwrap();
        helpers
    }

    /// Something that goes on until the sender is dropped.
    fn stuck() -> (mpsc::Sender<()>, Box<dyn FnOnce() + Send>) {
        let (end, ended) = mpsc::channel::<()>();
        (end, Box::new(move || assert!(ended.recv().is_err())))
    }

    #[tokio::test]
    async fn what_is_done_comes_back() {
        let helpers = helpers();
        assert_eq!(helpers.run(|| 7).await, Some(7));
        assert_eq!(helpers.run_within(LONG, || 8), Some(8));
        assert!(helpers.stop(LONG));
        assert_eq!(helpers.run(|| 7).await, None);
        assert_eq!(helpers.run_within(LONG, || 8), None);
    }

    #[tokio::test]
    async fn a_panic_costs_no_helper() {
        let helpers = helpers();
        for _ in 0..2 * limits::TOKEN_HELPERS {
            assert_eq!(helpers.run(|| panic!("as planned")).await, None::<()>);
        }
        assert_eq!(helpers.run(|| 7).await, Some(7));
        assert!(helpers.stop(LONG));
    }

    #[tokio::test]
    async fn whoever_finds_the_queue_full_waits_and_whoever_goes_is_not_served() {
        let helpers = helpers();
        let begun = Arc::new(AtomicUsize::new(0));
        let mut ends = Vec::new();
        let mut tasks = Vec::new();
        let places = limits::TOKEN_HELPERS + limits::TOKEN_QUEUE;
        for _ in 0..places {
            let (end, work) = stuck();
            ends.push(end);
            let (own, begun) = (helpers.clone(), begun.clone());
            let work = move || {
                begun.fetch_add(1, Ordering::SeqCst);
                work();
            };
            tasks.push(tokio::spawn(async move { own.run(work).await }));
        }
        while helpers.room.available_permits() > 0 || begun.load(Ordering::SeqCst) < limits::TOKEN_HELPERS {
            tokio::task::yield_now().await;
        }
        // No room: this one waits for a place, and gives up.
        let begun_by_late = begun.clone();
        let late = helpers.run(move || begun_by_late.fetch_add(1000, Ordering::SeqCst));
        assert!(timeout(Duration::from_millis(20), late).await.is_err());
        assert_eq!(
            begun.load(Ordering::SeqCst),
            limits::TOKEN_HELPERS,
            "more at once than there are helpers"
        );
        // Those in the queue go away; they are thrown away unbegun, and their places come back.
        for task in tasks.drain(limits::TOKEN_HELPERS..) {
            task.abort();
        }
        drop(ends);
        assert_eq!(helpers.run(|| 7).await, Some(7));
        while helpers.room.available_permits() < places {
            tokio::task::yield_now().await;
        }
        assert!(begun.load(Ordering::SeqCst) <= places);
        assert!(helpers.stop(LONG));
    }

    #[test]
    fn a_token_that_hangs_does_not_hold_up_the_end() {
        let helpers = helpers();
        let (end, work) = stuck();
        assert_eq!(helpers.run_within(Duration::from_millis(10), work), None);
        assert!(!helpers.stop(Duration::from_millis(10)));
        drop(end);
    }
}
