//! A signal handler must not call haft. Built with debug assertions, haft says so, loudly.
//!
//! So must an allocator that itself uses haft, in the middle of a creation.
#![cfg(all(unix, debug_assertions, not(miri)))]

mod started;

use haft::Handle;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::os::unix::process::ExitStatusExt;
use std::ptr;
use std::time::{Duration, Instant};

thread_local! {
    /// How many handles the handler has made.
    static MADE: Cell<u32> = const { Cell::new(0) };
    /// Whether the allocator uses haft.
    static USES_HAFT: Cell<bool> = const { Cell::new(false) };
}

/// Uses haft where it is told to.
struct Allocator;

// SAFETY: the system's allocator does all of it.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if USES_HAFT.replace(false) {
            Handle::new(1_u8).delete();
        }
        // SAFETY: passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

extern "C" fn creates_and_removes(_: libc::c_int) {
    Handle::new(1_u8).delete();
    MADE.set(MADE.get() + 1);
}

/// Calls the handler on this thread, every so often, from now on.
fn interrupts() {
    let handler: extern "C" fn(libc::c_int) = creates_and_removes;
    let each = libc::timeval { tv_sec: 0, tv_usec: 200 };
    let timer = libc::itimerval { it_interval: each, it_value: each };
    // SAFETY: a handler, and a timer that is read.
    unsafe {
        assert_ne!(libc::signal(libc::SIGALRM, handler as libc::sighandler_t), libc::SIG_ERR);
        assert_eq!(libc::setitimer(libc::ITIMER_REAL, &raw const timer, ptr::null_mut()), 0);
    }
}

/// Runs a part of this file in a process of its own, which haft must end, and say why.
fn is_ended(part: &str) {
    let mut command = started::this_program();
    let output = command.args(["--exact", part, "--ignored", "--nocapture"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("haft was called in the middle of one of its own operations"), "{text}");
    let emulated = std::env::var_os("HAFT_RUNNER").is_some();
    assert!(output.status.signal() == Some(libc::SIGABRT) || emulated && !output.status.success());
}

#[test]
fn a_handler_that_comes_in_the_middle_of_haft_is_noticed() {
    is_ended("part_in_the_middle");
}

#[test]
#[ignore = "a part of another test"]
fn part_in_the_middle() {
    Handle::new(1_u8).delete();
    interrupts();
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(60) {
        Handle::new(1_u8).delete();
    }
    panic!("{} interruptions, and none was noticed", MADE.get());
}

#[test]
fn an_allocator_that_uses_haft_in_the_middle_of_a_creation_is_noticed() {
    is_ended("part_allocator");
}

#[test]
#[ignore = "a part of another test"]
fn part_allocator() {
    let mut handles = Vec::with_capacity(20_000);
    handles.push(Handle::new([0; 16]));
    USES_HAFT.set(true);
    // Sooner or later this needs another page.
    handles.extend((1..20_000).map(|number| Handle::new([number; 16])));
    panic!("{} handles, and nothing was noticed", handles.len());
}

#[test]
fn what_is_not_in_the_middle_of_haft_is_not_taken_for_it() {
    // An allocator may use haft elsewhere.
    USES_HAFT.set(true);
    let text = "x".repeat(200_000);
    assert!(!USES_HAFT.get() && text.len() == 200_000);
    // And a value's drop may.
    struct Parent(Handle<u8>);
    impl Drop for Parent {
        fn drop(&mut self) {
            self.0.delete();
            Handle::new(2_u8).delete();
        }
    }
    Handle::new(Parent(Handle::new(3))).delete();
}
