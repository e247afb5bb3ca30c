//! What a worker lends to the stages of a request: its clock, its buffers, its connections, its counters.
//!
//! None of it is shared with another thread, so none of it is locked. No stage keeps a borrow across an await.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use crate::backend::pool::Pool;
use crate::buffer::Store;
use crate::clock::Clock;
use crate::random::Random;
use crate::stats;
use crate::tls;

/// The parts of one worker.
pub(crate) struct Parts {
    pub(crate) clock: Clock,
    pub(crate) store: Store,
    pub(crate) pool: RefCell<Pool>,
    pub(crate) random: RefCell<Random>,
    pub(crate) stats: Arc<stats::Cells>,
    pub(crate) handshakes: Rc<tls::Handshakes>,
    /// Where TLS is read into.
    pub(crate) scratch: tls::Scratch,
    /// Set when this worker takes no more requests.
    pub(crate) stopping: Cell<bool>,
}
