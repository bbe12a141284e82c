//! What to do with a panic that cannot be passed on.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Drops a payload; where that panics as well, what comes of it is leaked.
pub(super) fn discard(payload: Box<dyn Any + Send>) {
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(again);
    }
}
