//! Threads that may wait for a token, so that no worker has to.
//!
//! There are a few, and a short queue before them; whoever finds it full waits for room, first come, first served. What
//! nobody waits for any more, because its client has gone or its time is over, is thrown away before it is begun.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
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
    /// There is a job of `run_within`, waiting or under way.
    checks: bool,
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

    /// Has something done and blocks until that is so, but no longer than `limit`. It goes to the front, and there is never
    /// more than one: `None` too if the one before is still under way. What was given up is not begun any more.
    pub(super) fn run_within<T: Send + 'static>(
        self: &Arc<Self>,
        limit: Duration,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let (done, result) = mpsc::sync_channel(1);
        let given_up = Arc::new(AtomicBool::new(false));
        let mut state = self.lock();
        if state.over || state.checks {
            return None;
        }
        state.checks = true;
        let (own, too_late) = (self.clone(), given_up.clone());
        state.queue.push_front(Box::new(move || {
            let outcome = (!too_late.load(Ordering::Relaxed)).then(|| catch_unwind(AssertUnwindSafe(work)));
            // Before the answer, so that whoever has it may ask at once for more. A panic is told by there being none.
            own.lock().checks = false;
            if let Some(Ok(outcome)) = outcome {
                let _ = done.send(outcome);
            }
        }));
        drop(state);
        self.call.notify_one();
        let answer = result.recv_timeout(limit).ok();
        given_up.store(true, Ordering::Relaxed);
        answer
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
    use std::sync::atomic::AtomicUsize;
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
        let started = Arc::new(Mutex::new(Vec::new()));
        for number in 0..places {
            let (end, work) = stuck();
            ends.push(end);
            let (own, begun, started) = (helpers.clone(), begun.clone(), started.clone());
            let work = move || {
                started.lock().unwrap().push(number);
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
        let mut served = Vec::new();
        for (number, task) in tasks.into_iter().enumerate() {
            if started.lock().unwrap().contains(&number) {
                served.push(task);
                continue;
            }
            task.abort();
            assert!(task.await.unwrap_err().is_cancelled());
        }
        assert_eq!(served.len(), limits::TOKEN_HELPERS);
        drop(ends);
        for task in served {
            assert_eq!(task.await.unwrap(), Some(()));
        }
        while helpers.room.available_permits() < places {
            tokio::task::yield_now().await;
        }
        assert_eq!(begun.load(Ordering::SeqCst), limits::TOKEN_HELPERS, "someone was served who had gone");
        assert_eq!(helpers.run(|| 7).await, Some(7));
        assert!(helpers.stop(LONG));
    }

    #[tokio::test]
    async fn a_check_that_was_given_up_is_not_made_and_there_is_one_at_a_time() {
        let helpers = helpers();
        let (mut ends, mut tasks) = (Vec::new(), Vec::new());
        let busy = Arc::new(AtomicUsize::new(0));
        for _ in 0..limits::TOKEN_HELPERS {
            let (end, work) = stuck();
            ends.push(end);
            let (own, busy) = (helpers.clone(), busy.clone());
            tasks.push(tokio::spawn(async move {
                own.run(move || {
                    busy.fetch_add(1, Ordering::SeqCst);
                    work();
                })
                .await
            }));
        }
        while busy.load(Ordering::SeqCst) < limits::TOKEN_HELPERS {
            tokio::task::yield_now().await;
        }
        let made = Arc::new(AtomicUsize::new(0));
        let check = |limit| {
            let made = made.clone();
            helpers.run_within(limit, move || made.fetch_add(1, Ordering::SeqCst))
        };
        assert_eq!(check(Duration::from_millis(10)), None);
        for _ in 0..1000 {
            // As the first still waits, these are refused at once.
            assert_eq!(check(LONG), None);
        }
        assert_eq!(helpers.lock().queue.len(), 1);
        drop(ends);
        for task in tasks {
            task.await.unwrap();
        }
        while helpers.lock().checks {
            tokio::task::yield_now().await;
        }
        assert_eq!(made.load(Ordering::SeqCst), 0, "a check was made that nobody waits for");
        assert_eq!(check(LONG), Some(0));
        assert_eq!(helpers.run_within(LONG, || panic!("as planned")), None::<()>);
        assert_eq!(check(LONG), Some(1), "a panic leaves nothing behind");
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
