//! After a fork the child can use every handle that existed (S12).
#![cfg(unix)]

use haft::{Handle, Registry};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
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

#[test]
fn s12_the_child_uses_all_handles_while_others_worked() {
    let make = || (0..300).map(|index| Handle::new(format!("text {index}"))).collect::<Vec<_>>();
    let others = thread::spawn(make).join().unwrap();
    let mine = make();
    let registered: Vec<_> = (0..100).map(|index| REGISTRY.insert(vec![index; 3])).collect();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(SeqCst) {
                    let handle = Handle::new(1_u64);
                    assert_eq!(*handle.get().unwrap(), 1);
                    handle.delete();
                }
            });
        }
        for _ in 0..20 {
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
    // The parent's handles are its own.
    assert!(mine.iter().chain(&others).all(|handle| handle.remove().is_ok()));
    REGISTRY.clear();
}
