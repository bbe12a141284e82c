//! Events for the crate `tracing`, in builds with the feature of that name: rare ones only, and nothing on a fast path.
//!
//! A subscriber is the user's code. It runs with nothing locked, may use haft, and its panics end here. While it runs, this thread makes no
//! further events.

use super::exhausted::Exhausted;
use super::unwind::quietly;
use crate::sync::thread_local;
use std::cell::Cell;
use std::fmt::{Debug, Display};

/// A page that was made, and that nobody was told of: at that moment locks are held.
#[derive(Clone, Copy)]
struct Grown {
    slots: u32,
    bytes: usize,
}

thread_local! {
    static GROWN: Cell<Option<Grown>> = const { Cell::new(None) };
    static EMITTING: Cell<bool> = const { Cell::new(false) };
}

fn emit(event: impl FnOnce()) {
    if !EMITTING.replace(true) {
        quietly(event);
        EMITTING.set(false);
    }
}

/// An error was made. Its text is only made where somebody wants it.
pub(crate) fn misuse(handle: u64, kind: &dyn Debug, error: &dyn Display) {
    emit(
        || tracing::warn!(target: "haft", handle = format_args!("{handle:#018x}"), ?kind, %error, "misuse of a handle"),
    );
}

/// There is a new page: [`after_pop`] tells.
pub(super) fn grown(slots: u32, bytes: usize) {
    GROWN.set(Some(Grown { slots, bytes }));
}

/// A creation has found a slot, or has not.
pub(super) fn after_pop(type_name: &str, failed: Option<Exhausted>) {
    if let Some(Grown { slots, bytes }) = GROWN.take() {
        emit(|| tracing::debug!(target: "haft", type_name, slots, bytes, "a new page"));
    }
    match failed {
        None | Some(Exhausted::Limit) => {}
        Some(Exhausted::Space) => {
            emit(|| tracing::warn!(target: "haft", type_name, "the handle space is exhausted"));
        }
        Some(Exhausted::Memory) => emit(|| tracing::warn!(target: "haft", type_name, "no memory for a page")),
    }
}

/// A registry has as many live handles as it may have.
pub(super) fn limited(type_name: &str, limit: usize) {
    emit(|| tracing::debug!(target: "haft", type_name, limit, "a registry's limit is reached"));
}

/// A registry was dropped, with all that it had.
pub(super) fn dropped(type_name: &str, live: usize, held: usize, created: u64) {
    emit(|| tracing::debug!(target: "haft", type_name, live, held, created, "a registry was dropped"));
}
