//! After a fork the child can use every handle that existed (S12), whatever the other threads were doing.
//!
//! `HAFT_FORKS` is how many children there are.
// Elsewhere there is no `fork`.
#![cfg(unix)]
#![allow(dropping_copy_types)]

mod started;

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
    // What takes locks: new pages, new registries, their ends, reports, and the text of an error.
    let new = Registry::new();
    let handles: Vec<_> = (0..2000).map(|number| new.insert(number)).collect();
    good &= handles.iter().all(|handle| new.get(*handle).is_ok());
    good &= new.len() == 2000 && haft::leaks().to_string().contains("live");
    drop(new);
    good &= handles[7].get().is_err_and(|error| error.to_string().contains("stale"));
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

/// Forks, and gives what the child's function returns, as the child writes it to a pipe.
fn in_a_child(run: impl FnOnce() -> Vec<u64>) -> std::fs::File {
    use std::io::Write;
    use std::os::fd::FromRawFd;
    let mut ends = [0; 2];
    // SAFETY: a place for two descriptors.
    assert_eq!(unsafe { libc::pipe(ends.as_mut_ptr()) }, 0);
    // SAFETY: new descriptors, which nobody else has.
    let [read, mut write] = ends.map(|end| unsafe { std::fs::File::from_raw_fd(end) });
    // SAFETY: the child calls nothing but haft, the allocator and the system.
    match unsafe { libc::fork() } {
        0 => {
            // One that hangs ends, and has told nothing.
            // SAFETY: it takes a number.
            unsafe { libc::alarm(20) };
            let bytes: Vec<_> = run().into_iter().flat_map(u64::to_ne_bytes).collect();
            let written = write.write_all(&bytes).is_ok();
            // SAFETY: ends the child without running anything of the parent's.
            unsafe { libc::_exit(i32::from(!written)) }
        }
        pid => assert!(pid > 0),
    }
    read
}

/// Handles of all kinds of slots: of pages that were there before, free or with room again, and of new ones.
fn issue(inherited: &[Handle<u8>], registry: &Registry<u16>) -> Vec<u64> {
    let mut issued = Vec::new();
    let mut create = || {
        for number in 0..40 {
            issued.push(Handle::new(number as u8).to_bits());
            issued.push(registry.insert(number).to_bits());
            issued.push(Handle::new(u64::from(number)).to_bits());
        }
    };
    create();
    inherited.iter().for_each(|handle| drop(handle.remove()));
    create();
    // A cycle, and another thread, which adopts what an ended one has left.
    for handle in &issued.clone() {
        drop(Handle::<u64>::from_bits(*handle).map(Handle::remove));
    }
    let of_a_thread =
        thread::spawn(|| (0..40).map(|number| Handle::new(number as u64).to_bits()).collect::<Vec<_>>());
    issued.extend(of_a_thread.join().unwrap());
    issued
}

#[test]
fn s19_parent_children_and_grandchildren_never_issue_the_same_handle() {
    // In an emulator, a child may wait for ever for a lock of the emulator's own that another thread held.
    if std::env::var_os("HAFT_RUNNER").is_some() {
        return;
    }
    static SMALL: Registry<u16> = Registry::new();
    let inherited: Vec<_> = (0..100).map(Handle::new).collect();
    thread::spawn(|| (0..10_u64).for_each(|number| drop(Handle::new(number).remove()))).join().unwrap();
    let before = SMALL.insert(7);
    let mut pipes: Vec<_> = (0..20).map(|_| in_a_child(|| issue(&inherited, &SMALL))).collect();
    pipes.push(in_a_child(|| {
        // A grandchild, and what its parent issues after it.
        let pipe = in_a_child(|| issue(&inherited, &SMALL));
        let of_the_grandchild = told(pipe);
        let mut all = issue(&inherited, &SMALL);
        all.extend(of_the_grandchild);
        all
    }));
    let mut all = issue(&inherited, &SMALL);
    let of_one = all.len();
    pipes.into_iter().for_each(|pipe| all.extend(told(pipe)));
    assert_eq!(all.len(), 23 * of_one, "every child has told its handles");
    let count = all.len();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), count, "some handle was issued twice");
    assert!(SMALL.get(before).is_ok());
    SMALL.clear();
}

/// What a child has told.
fn told(mut pipe: std::fs::File) -> Vec<u64> {
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut pipe, &mut bytes).unwrap();
    bytes.chunks_exact(8).map(|eight| u64::from_ne_bytes(eight.try_into().unwrap())).collect()
}

#[test]
fn s12_a_fork_waits_for_locks_that_others_take_all_the_time() {
    static BUSY: Registry<u32> = Registry::new();
    let _ = BUSY.insert(1);
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while !stop.load(SeqCst) {
                    assert!(!BUSY.is_empty());
                }
            });
        }
        for _ in 0..50 {
            let told = told(in_a_child(|| {
                let handle = BUSY.insert(2);
                vec![u64::from(BUSY.get(handle).is_ok()), BUSY.len() as u64]
            }));
            if told != [1, 2] {
                stop.store(true, SeqCst);
                panic!("the child hangs, or counts {told:?}");
            }
        }
        stop.store(true, SeqCst);
    });
    BUSY.clear();
}

#[test]
fn s12_a_fork_waits_for_threads_that_are_just_ending() {
    // In an emulator, as above.
    if std::env::var_os("HAFT_RUNNER").is_some() {
        return;
    }
    let stop = AtomicBool::new(false);
    let churn = || {
        while !stop.load(SeqCst) {
            thread::spawn(|| Handle::new(1_u8).delete()).join().unwrap();
        }
    };
    thread::scope(|scope| {
        (0..4).for_each(|_| drop(scope.spawn(churn)));
        let children = std::env::var("HAFT_FORKS").map_or(50, |count| count.parse().unwrap());
        for _ in 0..children {
            // It forks before it has created anything, so its child must get its place among the threads.
            let forks = || told(in_a_child(|| vec![Handle::new(2_u8).to_bits()]));
            if thread::spawn(forks).join().unwrap().is_empty() {
                stop.store(true, SeqCst);
                panic!("the child hangs");
            }
        }
        stop.store(true, SeqCst);
    });
}

/// Created by other libraries' handlers: in a child, and in the parent.
static BY_HANDLERS: [AtomicU64; 2] = [AtomicU64::new(0), AtomicU64::new(0)];
static BEFORE: Registry<u64> = Registry::new();

extern "C" fn before_the_fork() {
    // A new registry takes locks.
    let handle = Registry::new().insert(7);
    drop(handle);
    drop(BEFORE.insert(0));
}

extern "C" fn after_it_in_the_child() {
    BY_HANDLERS[0].store(BEFORE.insert(1).to_bits(), SeqCst);
}

extern "C" fn after_it_in_the_parent() {
    BY_HANDLERS[1].store(BEFORE.insert(2).to_bits(), SeqCst);
}

#[test]
#[ignore = "a part of another test"]
fn part_handlers() {
    // Before haft asks for its own, so that these run inside of those; and once more, outside.
    let register = || {
        let [before, parent, child] = [before_the_fork, after_it_in_the_parent, after_it_in_the_child];
        // SAFETY: functions that stay.
        assert_eq!(unsafe { libc::pthread_atfork(Some(before), Some(parent), Some(child)) }, 0);
    };
    register();
    let first = BEFORE.insert(0);
    let mut all = Vec::new();
    for round in 0..20 {
        if round == 10 {
            register();
        }
        let pipe = in_a_child(|| {
            let own = BEFORE.insert(3);
            let good = BEFORE.get(first).is_ok() && BEFORE.len() > 1 && BEFORE.get(own).is_ok();
            vec![BY_HANDLERS[0].load(SeqCst), own.to_bits(), u64::from(good)]
        });
        let told = told(pipe);
        assert_eq!((told.len(), told.last()), (3, Some(&1)), "the child hangs, or fails");
        all.extend_from_slice(&told[..2]);
        all.push(BY_HANDLERS[1].load(SeqCst));
        all.push(BEFORE.insert(4).to_bits());
    }
    let count = all.len();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), count, "some handle was issued twice");
}

#[test]
fn s12_s19_other_libraries_may_use_haft_in_what_they_do_around_a_fork() {
    let mut command = started::this_program();
    let output = command.args(["--exact", "part_handlers", "--ignored", "--nocapture"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
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
