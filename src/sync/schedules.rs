//! loom's atomics, with what its search needs in order to miss no schedule.
//!
//! loom looks for races at the last access to each object alone. A thread that loads a word and
//! then exchanges it hides the loads that others did before: its own load is the last one, and is
//! no race. The order in which the exchange comes before those loads is never tried.
//!
//! Here each word has one more object for each thread that loads it. A load ends with an access to
//! its own thread's object, and every change ends with accesses to the others' objects. So loom
//! finds every load that races with a change. Loads do not race with each other, and changes do
//! already.
//!
//! * Such an object is a condition variable that nobody waits for. To notify it is an access to
//!   loom, and neither orders nor changes anything in the memory of the model.
//! * loom does not explore at these accesses. They add no place where threads can switch: what is
//!   found at one of them is tried at the access to the word, just before.
//! * A fence is no access to loom, and no thread ever switches just before one. Here each fence
//!   follows an access to one object that all fences have in common, so their order is explored.
//!
//! The models in `raw/models/schedules.rs` fail without it.

use loom::sync::Condvar;
use loom::sync::atomic;
pub(crate) use loom::sync::atomic::Ordering;
use loom::thread::{self, ThreadId};
use std::cell::{Cell, RefCell};
use std::sync::{Arc, Mutex};

/// One of loom's atomics, whose loads are found by those who change it.
#[derive(Debug)]
pub(crate) struct Word<A> {
    atomic: A,
    loads: Loads,
}

/// The threads that have loaded a word, each with its object. Never locked during an access.
#[derive(Debug, Default)]
struct Loads(Mutex<Vec<(ThreadId, Arc<Condvar>)>>);

impl Loads {
    /// Says that this thread has loaded the word just now.
    fn loaded(&self) {
        LAST.set(None);
        let own = self.own();
        loom::stop_exploring();
        own.notify_one();
        loom::explore();
    }

    fn own(&self) -> Arc<Condvar> {
        let me = thread::current().id();
        let mut all = self.0.lock().unwrap();
        if let Some((_, own)) = all.iter().find(|(id, _)| *id == me) {
            return own.clone();
        }
        let own = Arc::new(Condvar::new());
        all.push((me, own.clone()));
        own
    }

    /// Says that this thread has changed the word just now, by an exchange of that ordering if
    /// there is one.
    fn changed(&self, exchange: Option<Ordering>) {
        let me = thread::current().id();
        // SeqCst: what loom leaves out of such an exchange is in the fence after it.
        LAST.set((exchange == Some(Ordering::SeqCst)).then_some(me));
        let mut all = self.0.lock().unwrap().clone();
        all.retain(|(id, _)| *id != me);
        loom::stop_exploring();
        all.iter().for_each(|(_, others)| others.notify_one());
        loom::explore();
    }
}

macro_rules! words {
    ($($name:ident $(<$type:ident>)?: $value:ty, $($arithmetic:ident)*;)*) => { $(
        pub(crate) type $name $(<$type>)? = Word<atomic::$name $(<$type>)?>;

        #[allow(dead_code, reason = "not each kind of word needs all of them")]
        impl $(<$type>)? $name $(<$type>)? {
            pub(crate) fn new(value: $value) -> Self {
                Self { atomic: atomic::$name::new(value), loads: Loads::default() }
            }

            pub(crate) fn load(&self, ordering: Ordering) -> $value {
                let value = self.atomic.load(ordering);
                self.loads.loaded();
                value
            }

            pub(crate) fn store(&self, value: $value, ordering: Ordering) {
                self.atomic.store(value, ordering);
                self.loads.changed(None);
            }

            pub(crate) fn swap(&self, value: $value, ordering: Ordering) -> $value {
                let before = self.atomic.swap(value, ordering);
                self.loads.changed(Some(ordering));
                before
            }

            pub(crate) fn compare_exchange(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                let before = self.atomic.compare_exchange(current, new, success, failure);
                self.loads.changed(Some(success));
                before
            }

            pub(crate) fn compare_exchange_weak(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                self.compare_exchange(current, new, success, failure)
            }

            pub(crate) fn fetch_update(
                &self,
                set: Ordering,
                fetch: Ordering,
                mut change: impl FnMut($value) -> Option<$value>,
            ) -> Result<$value, $value> {
                let mut value = self.load(fetch);
                while let Some(new) = change(value) {
                    match self.compare_exchange(value, new, set, fetch) {
                        Ok(value) => return Ok(value),
                        Err(now) => value = now,
                    }
                }
                Err(value)
            }

            $(
                pub(crate) fn $arithmetic(&self, value: $value, ordering: Ordering) -> $value {
                    let before = self.atomic.$arithmetic(value, ordering);
                    self.loads.changed(Some(ordering));
                    before
                }
            )*
        }
    )* };
}

words! {
    AtomicBool: bool, fetch_and fetch_or;
    AtomicU32: u32, fetch_add fetch_sub fetch_and fetch_or;
    AtomicU64: u64, fetch_add fetch_sub fetch_and fetch_or;
    AtomicUsize: usize, fetch_add fetch_sub fetch_and fetch_or;
    AtomicPtr<T>: *mut T,;
}

std::thread_local! {
    /// What all fences of the execution have in common.
    static FENCES: RefCell<Option<Arc<Condvar>>> = const { RefCell::new(None) };
    /// The thread that made the last access, if that was a `SeqCst` exchange.
    static LAST: Cell<Option<ThreadId>> = const { Cell::new(None) };
}

/// Begins an execution of a model.
pub(crate) fn begin() {
    FENCES.set(Some(Arc::new(Condvar::new())));
    LAST.set(None);
}

/// A fence that is ordered before or after each other one. One that follows a `SeqCst` exchange
/// stands for what loom leaves out of that exchange, and belongs to it: nobody comes between.
pub(crate) fn fence(ordering: Ordering) {
    if LAST.take() != Some(thread::current().id()) {
        let fences = FENCES.with_borrow(Clone::clone);
        fences.expect("each execution calls `begin`").notify_one();
    }
    atomic::fence(ordering);
}
