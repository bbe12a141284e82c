//! What to do with a panic that cannot be passed on.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Drops a payload; where that panics as well, what comes of it is leaked.
pub(crate) fn discard(payload: Box<dyn Any + Send>) {
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(again);
    }
}

/// Runs what may panic on behalf of somebody else: its panic ends here.
pub(crate) fn quietly(work: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(work)) {
        discard(payload);
    }
}
