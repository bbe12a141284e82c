//! Memory comes back (S17): when handles are gone, so is the memory that they took, without a call; that of a
//! dropped registry is back when `drop` returns; and no handle is ever issued again (S1).
//!
//! One test at a time in the process, since it looks at the memory of all of it. `HAFT_HANDLES` is how many
//! handles there are.
#![cfg(target_os = "linux")]

use haft::{ErrorKind, Handle, Registry};
use std::sync::{Mutex, mpsc};
use std::thread;

/// Held by each test: they look at the memory of the whole process.
static ALONE: Mutex<()> = Mutex::new(());

/// An emulator's memory is counted with the program's, and what it keeps of threads that ended stays.
fn is_emulated() -> bool {
    std::env::var_os("HAFT_RUNNER").is_some()
}

/// Bytes of this process that are in memory and are no file's: the program's own text, whose pages come in
/// as they are first run, is nothing that handles take.
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: Vec<usize> = text.split_whitespace().map(|word| word.parse().unwrap()).collect();
    // SAFETY: it takes a number and returns one.
    (pages[1] - pages[2]) * usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap()
}

/// The highest generation that was seen of each slot: a handle that comes again does not have a higher one.
struct Issued(Vec<u32>);

impl Issued {
    fn new(handles: usize) -> Self {
        // Written, so that all of it is in memory from the beginning.
        let mut highest = vec![1; 4 * handles + (4 << 20)];
        highest.fill(0);
        Self(highest)
    }

    fn note(&mut self, bits: u64) {
        let (generation, slot) = ((bits >> 33) as u32, (bits >> 1) as u32 as usize);
        assert!(generation > self.0[slot], "{bits:#x} was issued before");
        self.0[slot] = generation;
    }
}

/// What a test measures, and its handles, whose own memory is there from the beginning.
struct World {
    handles: Vec<Handle<u64>>,
    order: Vec<u32>,
    issued: Issued,
    /// Resident before the first handle, and at most.
    base: usize,
    peak: usize,
}

impl World {
    fn new(count: usize) -> Self {
        let null = Handle::from_bits(1).unwrap();
        let mut order: Vec<u32> = (0..count as u32).collect();
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        for last in (1..count).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            order.swap(last, (state >> 33) as usize % (last + 1));
        }
        let issued = Issued::new(count);
        let mut world = Self { handles: vec![null; count], order, issued, base: 0, peak: 0 };
        world.base = resident();
        world
    }

    fn fill(&mut self, insert: impl Fn(u64) -> Handle<u64>) {
        for (value, handle) in (0..).zip(&mut self.handles) {
            *handle = insert(value);
        }
        self.peak = self.peak.max(resident());
        self.handles.iter().for_each(|handle| self.issued.note(handle.to_bits()));
        assert!(self.handles.iter().step_by(997).all(|handle| handle.get().is_ok()));
    }

    /// What is left is at most a twentieth of the peak.
    fn is_back(&self, what: &str) {
        let (left, peak) = (resident().saturating_sub(self.base), self.peak - self.base);
        let share = 100.0 * left as f64 / peak as f64;
        println!("{what}: {} KiB of {} KiB are left, {share:.1} %", left >> 10, peak >> 10);
        assert!(share <= 5.0, "{what}: {share:.1} % of the memory is left");
        assert!(self.handles.iter().step_by(997).all(|handle| handle.get().is_err()));
    }
}

fn handles(default: usize) -> usize {
    std::env::var("HAFT_HANDLES").map_or(default, |count| count.parse().unwrap())
}

#[test]
fn s17_memory_comes_back_whoever_removes_the_handles_and_in_whatever_order() {
    if is_emulated() {
        return;
    }
    let _alone = ALONE.lock();
    let count = handles(2_000_000);
    let mut world = World::new(count);
    let registry = Registry::new();
    let insert = |value| registry.insert(value);

    world.fill(insert);
    world.handles.iter().for_each(|handle| handle.delete());
    world.is_back("removed by the creator");

    world.fill(insert);
    world.order.iter().for_each(|index| world.handles[*index as usize].delete());
    world.is_back("removed by the creator in random order");

    world.fill(insert);
    thread::scope(|scope| {
        scope.spawn(|| world.handles.iter().for_each(|handle| handle.delete())).join().unwrap();
    });
    world.is_back("removed by another thread");

    // The creator waits meanwhile, and does not use haft: it has removed nothing, or some of each page.
    for some in [usize::MAX, 1000] {
        let (created, wait) = mpsc::channel();
        let (wake, sleep) = mpsc::channel::<()>();
        let mut mine = std::mem::take(&mut world.handles);
        thread::scope(|scope| {
            // Dropped also where a check fails here, so that the other one ends.
            let wake = wake;
            let registry = &registry;
            let creator = scope.spawn(move || {
                for (value, handle) in (0..).zip(&mut mine) {
                    *handle = registry.insert(value);
                }
                mine.iter().skip(1).step_by(some).for_each(|handle| handle.delete());
                created.send(mine).unwrap();
                let _ = sleep.recv();
            });
            world.handles = wait.recv().unwrap();
            world.handles.iter().for_each(|handle| world.issued.note(handle.to_bits()));
            world.order.iter().for_each(|index| _ = world.handles[*index as usize].remove());
            world.is_back("removed by another thread in random order while the creator sleeps");
            drop(wake);
            creator.join().unwrap();
        });
        assert!(registry.is_empty());
    }

    world.fill(insert);
    registry.clear();
    world.is_back("cleared");
    assert!(registry.is_empty());

    world.fill(insert);
    drop(registry);
    world.is_back("the registry dropped");

    // What it left is used by the next one.
    let next = Registry::new();
    world.fill(|value| next.insert(value));
    drop(next);
    world.is_back("the next registry dropped");

    // One thread after the other, some of which have the shard of one before.
    let registry = Registry::new();
    for turn in 0..20 {
        let each = count / 20;
        thread::scope(|scope| {
            let turn = scope.spawn(|| {
                let part = &mut world.handles[..each];
                for (value, handle) in (0..).zip(&mut *part) {
                    *handle = if turn % 2 == 0 { registry.insert(value) } else { Handle::new(value) };
                }
                part.iter().for_each(|handle| world.issued.note(handle.to_bits()));
                part.iter().for_each(|handle| handle.delete());
            });
            // A scope ends before its threads have: the next one would find nothing to adopt.
            turn.join().unwrap();
        });
    }
    world.is_back("twenty threads in turn");
}

/// The owner creates and removes, another thread removes as well, and pages are vacant all the time. Every
/// other registry is dropped while the other thread is still at it.
#[test]
fn e16_s17_memory_that_goes_back_while_others_return_slots_loses_no_value_and_no_handle() {
    let _alone = ALONE.lock();
    const EACH: u64 = 20_000;
    let rounds = handles(2_000_000) as u64 / EACH;
    let (give, take) = mpsc::channel::<(bool, Vec<(Handle<u64>, u64)>)>();
    let mut issued = Issued::new(200_000);
    thread::scope(|scope| {
        scope.spawn(move || {
            for (dropped, handles) in take {
                for (handle, value) in handles {
                    let found = handle.get().map(|found| *found);
                    let taken = handle.take();
                    match (found, taken) {
                        (Ok(found), Ok(Some(taken))) => assert_eq!((found, taken), (value, value)),
                        (_, Err(error)) => assert!(dropped && error.kind() == ErrorKind::Stale, "{error}"),
                        other => panic!("{other:?}"),
                    }
                }
            }
        });
        let mut registry = Registry::new();
        for round in 0..rounds {
            let made: Vec<_> =
                (0..EACH).map(|index| (registry.insert(round << 32 | index), round << 32 | index)).collect();
            made.iter().for_each(|(handle, _)| issued.note(handle.to_bits()));
            assert!(made.iter().all(|(handle, value)| *handle.get().unwrap() == *value));
            let (mine, theirs) = made.split_at((round * 7919 % EACH) as usize);
            let drops = round % 2 == 1;
            give.send((drops, theirs.to_vec())).unwrap();
            mine.iter().for_each(|(handle, _)| handle.delete());
            if drops {
                registry = Registry::new();
            }
            while !registry.is_empty() {
                thread::yield_now();
            }
        }
        drop(give);
    });
}

/// A registry costs little, also where there are as many as there can be pages.
#[test]
#[ignore = "a million registries take two gigabytes, and all places of the process"]
fn s17_a_million_registries_with_a_handle_each_work_and_cost_less_than_two_kib_each() {
    if is_emulated() {
        return;
    }
    let _alone = ALONE.lock();
    const COUNT: usize = 1_000_000;
    let mut registries: Vec<(Registry<u64>, Option<Handle<u64>>)> =
        (0..COUNT).map(|_| (Registry::new(), Handle::from_bits(1))).collect();
    let base = resident();
    for (value, (registry, handle)) in (0..).zip(&mut registries) {
        *handle = Some(registry.insert(value));
    }
    let each = (resident() - base) / COUNT;
    println!("{each} bytes for each registry with a handle");
    for (value, (registry, handle)) in (0..).zip(&registries) {
        assert_eq!(*registry.get(handle.unwrap()).unwrap(), value);
        assert_eq!(registry.len(), 1);
    }
    // They are told apart.
    for pair in registries.windows(2).step_by(1009) {
        let error = pair[0].0.get(pair[1].1.unwrap()).err().unwrap();
        assert_eq!(error.kind(), haft::ErrorKind::WrongRegistry);
    }
    let handles: Vec<_> = registries.iter().filter_map(|(_, handle)| *handle).collect();
    drop(registries);
    assert!(handles.iter().all(|handle| handle.get().is_err()));
    // What they left is used by others.
    for value in 0..1000 {
        let registry = Registry::new();
        let handle = registry.insert(value);
        assert_eq!(*registry.get(handle).unwrap(), value);
    }
    assert!(each < 2048, "{each} bytes");
}
