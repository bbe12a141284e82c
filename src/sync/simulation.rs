//! Atomics that tell an observer of every access: for the simulation of many cores, built with `--cfg haft_sim` only.
//!
//! They are std's own and do what those do. What is not atomic is told where it is tracked for the model checker as well: values and page headers.

use std::panic::Location;
use std::ptr;
use std::sync::OnceLock;

pub(crate) use std::sync::atomic::Ordering;

/// What a thread is about to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Reads memory.
    Load,
    /// Writes memory.
    Store,
    /// Reads and writes memory in one go, or writes it before everything that follows: a locked instruction.
    Exchange,
    /// A full fence: a locked instruction without memory of its own.
    Fence,
    /// Makes all threads of the process pass a barrier: a system call.
    Barrier,
}

/// One access, told before it happens, on the thread that makes it.
#[derive(Clone, Copy, Debug)]
pub struct Access {
    /// What is done.
    pub kind: Kind,
    /// Where the memory is; 0 where there is none.
    pub address: usize,
    /// Which line of haft's code does it.
    pub place: &'static Location<'static>,
}

static OBSERVER: OnceLock<fn(Access)> = OnceLock::new();

/// Names the one function that is told of every access from now on.
///
/// # Panics
///
/// Where it is called twice.
pub fn observe(observer: fn(Access)) {
    assert!(OBSERVER.set(observer).is_ok(), "there is one observer, for good");
}

#[track_caller]
pub(super) fn tell(kind: Kind, address: usize) {
    if let Some(observer) = OBSERVER.get() {
        observer(Access { kind, address, place: Location::caller() });
    }
}

/// As std's.
#[track_caller]
pub(crate) fn fence(order: Ordering) {
    // Only SeqCst is a locked instruction, on x86-64; the others keep the compiler's order.
    if order == Ordering::SeqCst {
        tell(Kind::Fence, 0);
    }
    std::sync::atomic::fence(order);
}

macro_rules! atomic {
    ($name:ident $(<$parameter:ident>)?, $value:ty) => {
        #[doc = "As std's, observed."]
        #[derive(Debug)]
        #[repr(transparent)]
        pub(crate) struct $name $(<$parameter>)? (std::sync::atomic::$name $(<$parameter>)?);

        #[allow(dead_code, reason = "all types have all methods")]
        impl $(<$parameter>)? $name $(<$parameter>)? {
            pub(crate) const fn new(value: $value) -> Self {
                Self(std::sync::atomic::$name::new(value))
            }

            #[track_caller]
            fn tell(&self, kind: Kind) {
                tell(kind, ptr::from_ref(self).addr());
            }

            #[track_caller]
            pub(crate) fn load(&self, order: Ordering) -> $value {
                self.tell(Kind::Load);
                self.0.load(order)
            }

            #[track_caller]
            pub(crate) fn store(&self, value: $value, order: Ordering) {
                // A SeqCst store is an exchange, on x86-64.
                self.tell(if order == Ordering::SeqCst { Kind::Exchange } else { Kind::Store });
                self.0.store(value, order);
            }

            #[track_caller]
            pub(crate) fn swap(&self, value: $value, order: Ordering) -> $value {
                self.tell(Kind::Exchange);
                self.0.swap(value, order)
            }

            // A failed exchange takes the line as well.
            #[track_caller]
            pub(crate) fn compare_exchange(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                self.tell(Kind::Exchange);
                self.0.compare_exchange(current, new, success, failure)
            }

            #[track_caller]
            pub(crate) fn compare_exchange_weak(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                self.tell(Kind::Exchange);
                self.0.compare_exchange_weak(current, new, success, failure)
            }

            #[track_caller]
            pub(crate) fn fetch_update(
                &self,
                success: Ordering,
                failure: Ordering,
                mut next: impl FnMut($value) -> Option<$value>,
            ) -> Result<$value, $value> {
                let mut now = self.load(failure);
                while let Some(new) = next(now) {
                    match self.compare_exchange_weak(now, new, success, failure) {
                        Ok(before) => return Ok(before),
                        Err(other) => now = other,
                    }
                }
                Err(now)
            }
        }
    };
}

macro_rules! arithmetic {
    ($($name:ident, $value:ty;)*) => {
        $(
            #[allow(dead_code, reason = "all types have all methods")]
            impl $name {
                #[track_caller]
                pub(crate) fn fetch_add(&self, value: $value, order: Ordering) -> $value {
                    self.tell(Kind::Exchange);
                    self.0.fetch_add(value, order)
                }

                #[track_caller]
                pub(crate) fn fetch_sub(&self, value: $value, order: Ordering) -> $value {
                    self.tell(Kind::Exchange);
                    self.0.fetch_sub(value, order)
                }

                #[track_caller]
                pub(crate) fn fetch_max(&self, value: $value, order: Ordering) -> $value {
                    self.tell(Kind::Exchange);
                    self.0.fetch_max(value, order)
                }

                #[track_caller]
                pub(crate) fn fetch_or(&self, value: $value, order: Ordering) -> $value {
                    self.tell(Kind::Exchange);
                    self.0.fetch_or(value, order)
                }

                #[track_caller]
                pub(crate) fn fetch_and(&self, value: $value, order: Ordering) -> $value {
                    self.tell(Kind::Exchange);
                    self.0.fetch_and(value, order)
                }
            }
        )*
    };
}

atomic!(AtomicBool, bool);
atomic!(AtomicU32, u32);
atomic!(AtomicU64, u64);
atomic!(AtomicUsize, usize);
atomic!(AtomicPtr<T>, *mut T);
arithmetic! {
    AtomicU32, u32;
    AtomicU64, u64;
    AtomicUsize, usize;
}
