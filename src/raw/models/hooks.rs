//! A function that is put in while others take it.

use super::*;
use crate::raw::hook::Hook;
use crate::sync::{AtomicU64, Ordering};

struct Shared {
    hook: Hook<()>,
    /// What was set up before the function was put in.
    ready: AtomicU64,
}

fn one(_: &()) {}
fn two(_: &()) {}

#[test]
fn f5_what_was_set_up_before_a_function_is_visible_to_whoever_gets_it() {
    explore(|order| {
        let world: &Shared = Box::leak(Box::new(Shared { hook: Hook::new(), ready: AtomicU64::new(0) }));
        let ready = || world.ready.load(Ordering::Relaxed);
        let (before, seen) = order.race(
            move || {
                // Relaxed: whoever gets the function has acquired what it stands for.
                world.ready.store(1, Ordering::Relaxed);
                world.hook.replace(one)
            },
            move || world.hook.get().map(|_| ready()),
        );
        assert!(before.is_none());
        assert!(seen.is_none_or(|ready| ready == 1), "the function came before what it needs");
    });
}

#[test]
fn f5_who_replaces_a_function_sees_what_was_set_up_for_it() {
    explore(|order| {
        let world: &Shared = Box::leak(Box::new(Shared { hook: Hook::new(), ready: AtomicU64::new(0) }));
        let (first, second) = order.race(
            move || {
                world.ready.store(1, Ordering::Relaxed);
                world.hook.replace(one).is_some()
            },
            move || {
                let before = world.hook.replace(two).is_some();
                assert!(!before || world.ready.load(Ordering::Relaxed) == 1);
                before
            },
        );
        assert!(first != second, "one comes first");
    });
}
