//! After a fork the child can use every handle that existed (S12), whatever the other threads were doing.
//!
//! `HAFT_FORKS` is how many children there are.
#![cfg(unix)]
#![allow(dropping_copy_types)]

use haft::{Handle, Registry};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

static REGISTRY: Registry<Vec<u32>> = Registry::new();

/// What the child does, on its one thread; its result is the exit code.
fn child(mine: &[Handle<String>], others: &[Handle<String>], registered: &[Handle<Vec<u32>>]) -> bool {
    let mut good = true;
    for (index, handle) in mine.iter().chain(others).enumerate() {
        good &= handle.get().is_ok_and(|text| text.starts_with("text"));
        good &= match index % 3 {
            0 => handle.remove().is_ok(),
            1 => handle.take().is_ok_and(|text| text.is_some()),
            _ => {
                let guard = handle.get();
                handle.remove().is_ok() && guard.is_ok()
            }
        };
        good &= handle.get().is_err();
    }
    for handle in registered {
        good &= REGISTRY.get(*handle).is_ok_and(|numbers| numbers.len() == 3);
        good &= REGISTRY.remove(*handle).is_ok();
    }
    good
}

static PASSED_ON: AtomicU64 = AtomicU64::new(0);

/// What other threads are in the middle of when the process forks: all kinds of operations, and all transitions (removal of what another thread
/// made and looks at, registries and threads that come and go).
fn work(kind: usize, common: Handle<String>) {
    match kind {
        0 => {
            let handle = Handle::new(1_u64);
            let old = Handle::<u64>::from_bits(PASSED_ON.swap(handle.to_bits(), SeqCst));
            drop(handle.get());
            drop(old.map(Handle::remove));
        }
        1 => {
            if let Some(handle) = Handle::<u64>::from_bits(PASSED_ON.load(SeqCst)) {
                let guard = handle.get();
                drop(handle.remove());
                drop(guard);
            }
        }
        _ => {
            let registry = Registry::new();
            let handle = registry.insert(7_u16);
            thread::scope(|scope| scope.spawn(|| drop(registry.remove(handle))).join().unwrap());
            // (The parent's own threads must leave the child's work alone, so this one is only looked at.)
            assert!(common.get().unwrap().starts_with("text"));
        }
    }
}

#[test]
fn s12_the_child_uses_all_handles_while_others_worked() {
    let make = || (0..300).map(|index| Handle::new(format!("text {index}"))).collect::<Vec<_>>();
    let others = thread::spawn(make).join().unwrap();
    let mine = make();
    let registered: Vec<_> = (0..100).map(|index| REGISTRY.insert(vec![index; 3])).collect();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for kind in 0..3 {
            let (stop, mine) = (&stop, &mine);
            scope.spawn(move || {
                while !stop.load(SeqCst) {
                    work(kind, mine[kind]);
                }
            });
        }
        let forks = std::env::var("HAFT_FORKS").map_or(20, |count| count.parse().unwrap());
        for _ in 0..forks {
            // SAFETY: the child calls nothing but haft, the allocator (which the C library keeps usable) and `_exit`.
            let pid = unsafe { libc::fork() };
            assert!(pid >= 0);
            if pid == 0 {
                let good = child(&mine, &others, &registered);
                // SAFETY: ends the child without running anything of the parent's.
                unsafe { libc::_exit(if good { 0 } else { 1 }) };
            }
            let (begun, mut status) = (Instant::now(), 0);
            // SAFETY: a place for the status of our own child.
            while unsafe { libc::waitpid(pid, &mut status, libc::WNOHANG) } == 0 {
                if begun.elapsed() > Duration::from_secs(60) {
                    // SAFETY: our own child.
                    unsafe { libc::kill(pid, libc::SIGKILL) };
                    stop.store(true, SeqCst);
                    panic!("the child hangs");
                }
                thread::sleep(Duration::from_millis(1));
            }
            assert!(
                libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0,
                "the child failed: {status:#x}"
            );
        }
        stop.store(true, SeqCst);
    });
    drop(Handle::<u64>::from_bits(PASSED_ON.load(SeqCst)).map(Handle::remove));
    // The parent's handles are its own.
    assert!(mine.iter().chain(&others).all(|handle| handle.remove().is_ok()));
    REGISTRY.clear();
}
