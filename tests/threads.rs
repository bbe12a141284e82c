//! Many threads (S1, S4, S6, S8, S9).

use haft::{Handle, Ref, Registry, Removal};
use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::thread::{self, ThreadId};

/// So many, and a few under Miri, which is ten thousand times slower.
const fn few(count: usize) -> usize {
    if cfg!(miri) { 3 } else { count }
}

/// Says on which thread it was dropped.
struct Tells(Arc<Mutex<Vec<ThreadId>>>);

impl Drop for Tells {
    fn drop(&mut self) {
        self.0.lock().unwrap().push(thread::current().id());
    }
}

#[test]
fn s4_of_racing_removals_one_wins() {
    let threads = 4;
    let rounds = few(2_000);
    let (barrier, drops) = (Barrier::new(threads), Arc::new(Mutex::new(Vec::new())));
    let handles: Vec<_> = (0..rounds).map(|_| Handle::new(Tells(drops.clone()))).collect();
    let wins: usize = thread::scope(|scope| {
        let work = |take: bool| {
            let (barrier, handles) = (&barrier, &handles);
            scope.spawn(move || {
                barrier.wait();
                let win = |handle: &&Handle<Tells>| match take {
                    true => handle.take().is_ok(),
                    false => handle.remove().is_ok(),
                };
                handles.iter().filter(win).count()
            })
        };
        let threads: Vec<_> = (0..threads).map(|index| work(index % 2 == 0)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!((wins, drops.lock().unwrap().len()), (rounds, rounds));
}

#[test]
fn s6_the_last_holder_drops_on_its_own_thread() {
    let drops = Arc::new(Mutex::new(Vec::new()));
    for shared in [false, true] {
        let handle = Handle::new(Tells(drops.clone()));
        let (ready, wait) = mpsc::channel();
        let (go, removed) = mpsc::channel::<()>();
        let holder = thread::spawn(move || {
            let guard = handle.get().unwrap();
            if shared {
                let guard = Ref::into_shared(guard);
                ready.send(()).unwrap();
                removed.recv().unwrap();
                drop(guard);
            } else {
                ready.send(()).unwrap();
                removed.recv().unwrap();
                drop(guard);
            }
            thread::current().id()
        });
        wait.recv().unwrap();
        assert_eq!(handle.remove().unwrap(), Removal::Deferred);
        assert!(drops.lock().unwrap().is_empty());
        go.send(()).unwrap();
        let holder = holder.join().unwrap();
        assert_eq!(drops.lock().unwrap().drain(..).collect::<Vec<_>>(), [holder]);
    }
}

#[test]
fn s6_a_shared_guard_is_dropped_where_it_went() {
    let drops = Arc::new(Mutex::new(Vec::new()));
    let handle = Handle::new(Tells(drops.clone()));
    let shared = Ref::into_shared(handle.get().unwrap());
    let copies: Vec<_> = (0..few(10)).map(|_| shared.clone()).collect();
    handle.delete();
    drop(shared);
    for copy in copies {
        assert!(drops.lock().unwrap().is_empty());
        let there = thread::spawn(move || {
            drop(copy);
            thread::current().id()
        });
        let there = there.join().unwrap();
        let dropped = drops.lock().unwrap();
        assert!(dropped.is_empty() || dropped[..] == [there]);
    }
    assert_eq!(drops.lock().unwrap().len(), 1);
}

#[test]
fn s1_threads_registries_and_types_never_share_a_handle() {
    let all = Mutex::new(HashSet::new());
    thread::scope(|scope| {
        for _ in 0..few(8) {
            scope.spawn(|| {
                let mut mine = Vec::new();
                for round in 0..few(50) as u64 {
                    let registry = Registry::new();
                    for value in 0..few(20) as u64 {
                        mine.push(registry.insert(value).to_bits());
                        let default = Handle::new(value as u32);
                        mine.push(default.to_bits());
                        if round % 2 == 0 {
                            default.delete();
                        }
                    }
                }
                let count = mine.len();
                let mut all = all.lock().unwrap();
                let before = all.len();
                all.extend(mine);
                assert_eq!(all.len(), before + count);
            });
        }
    });
    assert_eq!(all.lock().unwrap().len(), few(8) * few(50) * 2 * few(20));
}

#[test]
fn s9_two_thousand_threads_at_once() {
    let registry = Registry::new();
    let count = if cfg!(miri) { 12 } else { 2_000 };
    let (here, hot) = (Barrier::new(count), registry.insert(0_usize));
    thread::scope(|scope| {
        for index in 1..=count {
            let (registry, here) = (&registry, &here);
            let work = move || {
                let mine = registry.insert(index);
                here.wait();
                let guards = (registry.get(mine).unwrap(), registry.get(hot).unwrap());
                assert_eq!((*guards.0, *guards.1), (index, 0));
                here.wait();
                drop(guards);
                registry.remove(mine).unwrap();
            };
            thread::Builder::new().stack_size(64 * 1024).spawn_scoped(scope, work).unwrap();
        }
    });
    assert_eq!(registry.len(), 1);
    assert_eq!(registry.remove(hot).unwrap(), Removal::Dropped);
}

#[test]
fn a_limit_is_exact_also_between_threads() {
    const LIMIT: usize = if cfg!(miri) { 10 } else { 1_000 };
    let registry = Registry::with_limit(LIMIT);
    let inserted = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..few(8) {
            scope.spawn(|| {
                for value in 0..LIMIT / 2 {
                    match registry.try_insert(value) {
                        Ok(_) => drop(inserted.fetch_add(1, SeqCst)),
                        Err(full) => assert_eq!(full.0, value),
                    }
                }
            });
        }
    });
    assert_eq!((inserted.load(SeqCst), registry.len()), (LIMIT, LIMIT));
    let some = registry.live().next().unwrap().handle;
    thread::scope(|scope| scope.spawn(|| registry.remove(some).unwrap()).join().unwrap());
    assert!(registry.try_insert(0).is_ok() && registry.try_insert(0).is_err());
}

// Handles do not fit pointers of 32 bits.
#[cfg(all(unix, target_pointer_width = "64"))]
#[cfg_attr(miri, ignore = "Miri cannot give back what a joined pthread returns")]
#[test]
fn s8_threads_that_rust_did_not_start() {
    use std::ffi::c_void;
    use std::ptr;

    /// The handle as a pointer; where a pointer is too small for that, the handle's address.
    #[cfg(target_pointer_width = "64")]
    fn to_user(handle: &Handle<u64>) -> *mut c_void {
        handle.to_ptr()
    }
    #[cfg(not(target_pointer_width = "64"))]
    fn to_user(handle: &Handle<u64>) -> *mut c_void {
        ptr::from_ref(handle).cast_mut().cast()
    }
    #[cfg(target_pointer_width = "64")]
    fn from_user(user: *mut c_void) -> Handle<u64> {
        Handle::from_ptr(user).unwrap()
    }
    #[cfg(not(target_pointer_width = "64"))]
    fn from_user(user: *mut c_void) -> Handle<u64> {
        // SAFETY: `to_user` made it, from a handle that is there until the thread is joined.
        unsafe { *user.cast() }
    }

    extern "C" fn work(user: *mut c_void) -> *mut c_void {
        let shared = from_user(user);
        let mine = Handle::new(*shared.get().unwrap() + 1);
        let result = *mine.get().unwrap();
        mine.delete();
        ptr::without_provenance_mut(result as usize)
    }
    let shared = Handle::new(41_u64);
    for _ in 0..few(100) {
        let mut result = ptr::null_mut();
        // SAFETY: a valid thread function, whose argument is as it wants it; the thread is joined.
        unsafe {
            let mut thread = std::mem::zeroed();
            assert_eq!(libc::pthread_create(&mut thread, ptr::null(), work, to_user(&shared)), 0);
            assert_eq!(libc::pthread_join(thread, &mut result), 0);
        }
        assert_eq!(result.addr(), 42);
    }
    shared.delete();
}

#[cfg(windows)]
#[test]
fn s8_threads_that_rust_did_not_start() {
    use std::ffi::c_void;
    use std::ptr;

    type Work = extern "system" fn(*mut c_void) -> u32;
    #[link(name = "kernel32")]
    unsafe extern "system" {
        fn CreateThread(
            attributes: *const c_void,
            stack: usize,
            work: Work,
            user: *mut c_void,
            flags: u32,
            id: *mut u32,
        ) -> *mut c_void;
        fn WaitForSingleObject(object: *mut c_void, milliseconds: u32) -> u32;
        fn GetExitCodeThread(thread: *mut c_void, code: *mut u32) -> i32;
        fn CloseHandle(object: *mut c_void) -> i32;
    }

    extern "system" fn work(user: *mut c_void) -> u32 {
        // SAFETY: a handle that is there until this thread has ended.
        let shared: Handle<u64> = unsafe { *user.cast() };
        let mine = Handle::new(*shared.get().unwrap() + 1);
        let result = *mine.get().unwrap();
        mine.delete();
        result as u32
    }
    let shared = Handle::new(41_u64);
    for _ in 0..100 {
        let mut result = 0;
        // SAFETY: a valid thread function with the argument that it wants; the thread is waited for.
        unsafe {
            let user = ptr::from_ref(&shared).cast_mut().cast();
            let thread = CreateThread(ptr::null(), 0, work, user, 0, ptr::null_mut());
            assert!(!thread.is_null());
            assert_eq!(WaitForSingleObject(thread, u32::MAX), 0);
            assert_ne!(GetExitCodeThread(thread, &mut result), 0);
            assert_ne!(CloseHandle(thread), 0);
        }
        assert_eq!(result, 42);
    }
    shared.delete();
}

#[test]
fn e7_what_other_threads_return_is_counted_until_the_owner_takes_it() {
    let registry = Registry::new();
    // A shard's first page has so many slots.
    let handles: Vec<_> = (0..16_u64).map(|value| registry.insert(value)).collect();
    assert_eq!(registry.stats().returned, 0);
    let returned = &handles[..10];
    thread::scope(|scope| {
        scope.spawn(|| returned.iter().for_each(|handle| assert!(registry.remove(*handle).is_ok())));
    });
    assert_eq!((registry.stats().returned, registry.len()), (10, 6));
    let _ = registry.insert(16);
    assert_eq!((registry.stats().returned, registry.len(), registry.stats().pages), (0, 7, 1));
}

#[test]
fn s9_threads_that_create_at_once_have_shards_and_records_of_their_own() {
    let (registry, here) = (Registry::new(), std::sync::Barrier::new(10));
    thread::scope(|scope| {
        for _ in 0..10 {
            scope.spawn(|| {
                let _ = registry.insert(7);
                here.wait();
                let stats = haft::stats();
                assert!(stats.shards >= 10 && stats.records >= 10, "{stats:?}");
            });
        }
    });
    assert_eq!(registry.len(), 10);
}

#[test]
fn s6_values_that_wait_for_their_holders_are_counted_in_their_registry_and_in_the_process() {
    let registry = Registry::new();
    let guards: [_; 3] = std::array::from_fn(|value| {
        let handle = registry.insert(value);
        let guard = registry.get(handle).unwrap();
        assert_eq!(registry.remove(handle).unwrap(), haft::Removal::Deferred);
        guard
    });
    assert_eq!(registry.stats().deferred, 3);
    assert!(haft::stats().deferred >= 3);
    drop(guards);
    assert_eq!(registry.stats().deferred, 0);
}
