//! Small races for Miri, which sees each access to memory that nothing orders: one for each edge
//! of the architecture page, one for each operation.
//!
//! Threads pass handles on by relaxed atomics alone, so only haft orders what one does before what
//! another does. Values are on the heap: their use, their end and the reuse of their memory are
//! plain accesses. The tests are ordinary tests as well.

use haft::{AnyHandle, ErrorKind, Handle, Ref, Registry, Removal, SharedRef};
use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::thread;

/// How often each race is run.
const ROUNDS: u64 = if cfg!(miri) { 2 } else { 50 };

/// A value whose use and end Miri sees. It counts its drops without ordering anything.
struct Value {
    number: Box<u64>,
    drops: &'static AtomicUsize,
}

impl Value {
    fn new(number: u64, drops: &'static AtomicUsize) -> Self {
        Self { number: Box::new(number), drops }
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        *self.number += 1;
        self.drops.fetch_add(1, Relaxed);
    }
}

/// Where one thread leaves a handle for another, without ordering anything.
struct Post(AtomicU64);

impl Post {
    const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    fn send<T>(&self, handle: Handle<T>) {
        self.0.store(handle.to_bits(), Relaxed);
    }

    /// What is there, if anything.
    fn look<T>(&self) -> Option<Handle<T>> {
        Handle::from_bits(self.0.load(Relaxed))
    }

    /// Waits for the first.
    fn wait<T>(&self) -> Handle<T> {
        loop {
            match self.look() {
                Some(handle) => return handle,
                None => thread::yield_now(),
            }
        }
    }
}

/// Ends the process where a thread panics: another may wait for it.
struct NoPanic;

impl Drop for NoPanic {
    fn drop(&mut self) {
        if thread::panicking() {
            std::process::abort();
        }
    }
}

/// Runs these on threads of their own, which begin at about the same time.
fn together(all: &[&(dyn Fn() + Sync)]) {
    let started = AtomicUsize::new(0);
    thread::scope(|scope| {
        for work in all {
            scope.spawn(|| {
                let _no_panic = NoPanic;
                started.fetch_add(1, Relaxed);
                while started.load(Relaxed) < all.len() {
                    thread::yield_now();
                }
                work();
            });
        }
    });
}

fn remove<T: Send + Sync + 'static>(handle: Handle<T>) {
    let _ = handle.remove().unwrap();
}

fn remove_any<T: Send + Sync + 'static>(handle: Handle<T>) {
    let _ = AnyHandle::from(handle).remove().unwrap();
}

// ---- what each edge promises ----

#[test]
fn e1_a_value_is_whole_for_everybody_who_has_its_handle() {
    static DROPS: AtomicUsize = AtomicUsize::new(0);
    for round in 0..ROUNDS {
        let post = Post::new();
        let handle = thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let _no_panic = NoPanic;
                let handle = post.wait::<Value>();
                // The post orders nothing, so the handle may come before its value.
                let guard = loop {
                    match handle.get() {
                        Ok(guard) => break guard,
                        Err(_) => thread::yield_now(),
                    }
                };
                assert_eq!(*guard.number, round);
                handle
            });
            post.send(Handle::new(Value::new(round, &DROPS)));
            reader.join().unwrap()
        });
        assert_eq!(handle.remove().unwrap(), Removal::Dropped);
    }
    assert_eq!(DROPS.load(Relaxed) as u64, ROUNDS);
}

#[test]
fn e2_the_first_handles_of_a_new_page_lead_to_their_values() {
    let (registry, post) = (Registry::new(), Post::new());
    // More than the first page of a shard has.
    const COUNT: u64 = 40;
    together(&[&|| (0..COUNT).for_each(|number| post.send(registry.insert(Box::new(number)))), &|| {
        loop {
            let handle = post.wait::<Box<u64>>();
            match registry.get(handle).map(|guard| **guard) {
                Ok(number) if number == COUNT - 1 => break,
                Ok(number) => assert!(number < COUNT),
                Err(error) => assert_eq!(error.kind(), ErrorKind::Unissued),
            }
        }
    }]);
    assert_eq!(registry.len() as u64, COUNT);
}

#[test]
fn e3_a_lookup_against_a_removal_finds_the_value_or_nothing() {
    static DROPS: AtomicUsize = AtomicUsize::new(0);
    for round in 0..ROUNDS {
        let handle = Handle::new(Value::new(round, &DROPS));
        together(&[
            &|| {
                if let Ok(guard) = handle.get() {
                    assert_eq!(*guard.number, round);
                }
            },
            &|| remove(handle),
        ]);
        assert_eq!(DROPS.load(Relaxed) as u64, round + 1);
        assert_eq!(handle.get().err().unwrap().kind(), ErrorKind::Stale);
    }
}

#[test]
fn e4_a_value_that_is_removed_under_guards_is_dropped_once_by_the_last() {
    static DROPS: AtomicUsize = AtomicUsize::new(0);
    // One fits the thread's own cells, ten do not.
    for (index, guards) in [1, 10, 1].into_iter().enumerate() {
        let (handle, removed) = (Handle::new(Value::new(7, &DROPS)), AtomicU64::new(0));
        together(&[
            &|| {
                let held: Vec<_> = (0..guards).filter_map(|_| handle.get().ok()).collect();
                while removed.load(Relaxed) == 0 {
                    held.iter().for_each(|guard| assert_eq!(*guard.number, 7));
                    thread::yield_now();
                }
                held.iter().for_each(|guard| assert_eq!(*guard.number, 7));
            },
            &|| {
                remove(handle);
                removed.store(1, Relaxed);
            },
        ]);
        assert_eq!(DROPS.load(Relaxed), index + 1);
    }
}

#[test]
fn e5_the_last_use_of_a_value_comes_before_its_drop_by_another() {
    static DROPS: AtomicUsize = AtomicUsize::new(0);
    for round in 0..ROUNDS {
        let (handle, used) = (Handle::new(Value::new(round, &DROPS)), AtomicU64::new(0));
        together(&[
            &|| {
                assert_eq!(*handle.get().unwrap().number, round);
                used.store(1, Relaxed);
            },
            &|| {
                while used.load(Relaxed) == 0 {
                    thread::yield_now();
                }
                remove(handle);
            },
        ]);
        assert_eq!(DROPS.load(Relaxed) as u64, round + 1);
    }
}

#[test]
fn e6_of_shared_guards_on_two_threads_the_last_one_drops_the_value() {
    static DROPS: AtomicUsize = AtomicUsize::new(0);
    for round in 0..ROUNDS {
        let handle = Handle::new(Value::new(round, &DROPS));
        let one = Ref::into_shared(handle.get().unwrap());
        let two = one.clone();
        let kept = [std::sync::Mutex::new(Some(one)), std::sync::Mutex::new(Some(two))];
        let use_one = |index: usize| {
            let mine: SharedRef<'_, Value> = kept[index].lock().unwrap().take().unwrap();
            assert_eq!(*mine.number, round);
        };
        together(&[&|| use_one(0), &|| use_one(1), &|| remove(handle)]);
        assert_eq!(DROPS.load(Relaxed) as u64, round + 1);
    }
}

#[test]
fn e7_what_another_thread_removes_is_used_again_by_its_creator() {
    static DROPS: AtomicUsize = AtomicUsize::new(0);
    // Enough that the creator runs out of slots and takes back what was returned.
    let (registry, post) = (Registry::new(), Post::new());
    let count = if cfg!(miri) { 70 } else { 1_000 };
    together(&[
        &|| {
            for number in 0..count {
                post.send(registry.insert(Value::new(number, &DROPS)));
            }
            while !registry.is_empty() {
                let _ = post.look::<Value>().map(|handle| registry.remove(handle));
                registry.clear();
            }
        },
        &|| {
            let mut last = None;
            while last.is_none_or(|last| last < count - 5) && (DROPS.load(Relaxed) as u64) < count {
                if let Ok(Some(value)) = registry.take(post.wait()) {
                    last = Some(*value.number);
                }
            }
        },
    ]);
    assert_eq!((DROPS.load(Relaxed) as u64, registry.len()), (count, 0));
}

#[test]
fn e8_what_a_thread_leaves_is_used_by_the_threads_that_follow() {
    static DROPS: AtomicUsize = AtomicUsize::new(0);
    let (registry, post) = (Registry::new(), Post::new());
    let work = |number: u64| {
        // One more than it removes, so that something of each thread stays.
        let insert = || registry.insert(Value::new(number, &DROPS));
        let (kept, gone) = (insert(), insert());
        assert_eq!(*registry.get(kept).unwrap().number, number);
        registry.remove(gone).unwrap();
        if let Some(handle) = post.look() {
            let _ = registry.remove(handle);
        }
        post.send(kept);
    };
    for round in 0..ROUNDS.min(20) {
        // Some begin while others end.
        thread::spawn(|| remove(Handle::new(7_u8))).join().unwrap();
        together(&[&|| work(2 * round), &|| work(2 * round + 1)]);
    }
    registry.clear();
    assert_eq!(DROPS.load(Relaxed) as u64, 4 * ROUNDS.min(20));
}

#[test]
fn e9_a_registry_is_dropped_while_another_thread_looks_its_handles_up() {
    static DROPS: AtomicUsize = AtomicUsize::new(0);
    for round in 0..ROUNDS {
        let registry = std::sync::Mutex::new(Some(Registry::new()));
        let handle = registry.lock().unwrap().as_ref().unwrap().insert(Value::new(round, &DROPS));
        together(&[
            &|| {
                for _ in 0..3 {
                    match handle.get() {
                        Ok(guard) => assert_eq!(*guard.number, round),
                        Err(error) => assert_eq!(error.kind(), ErrorKind::Stale),
                    }
                    let _ = AnyHandle::from(handle).type_name();
                }
            },
            &|| drop(registry.lock().unwrap().take()),
        ]);
        assert_eq!(DROPS.load(Relaxed) as u64, round + 1);
    }
}

#[test]
fn e10_a_guard_lets_go_while_its_registry_is_dropped() {
    static DROPS: AtomicUsize = AtomicUsize::new(0);
    for round in 0..ROUNDS {
        let registry = Registry::new();
        let handle = registry.insert(Value::new(round, &DROPS));
        let guard = std::sync::Mutex::new(Some(Ref::into_shared(handle.get().unwrap())));
        let registry = std::sync::Mutex::new(Some(registry));
        together(&[
            &|| {
                let guard = guard.lock().unwrap().take().unwrap();
                assert_eq!(*guard.number, round);
            },
            &|| drop(registry.lock().unwrap().take()),
            &|| handle.get().map_or((), |guard| assert_eq!(*guard.number, round)),
        ]);
        assert_eq!(DROPS.load(Relaxed) as u64, round + 1);
    }
}

#[test]
fn e11_an_error_names_the_lines_of_its_own_handle() {
    let registry: Registry<Box<u64>> = Registry::new();
    let posts = [Post::new(), Post::new()];
    let first = line!();
    let even = || {
        let handle = registry.insert(Box::new(0));
        posts[0].send(handle);
        registry.remove(handle).unwrap();
    };
    let odd = || {
        let handle = registry.insert(Box::new(1));
        posts[1].send(handle);
        registry.remove(handle).unwrap();
    };
    let lines = [(first + 2, first + 4), (first + 7, first + 9)];
    together(&[
        &|| {
            for _ in 0..2 * ROUNDS {
                even();
                odd();
            }
        },
        &|| {
            for round in 0..2 * ROUNDS {
                let index = (round % 2) as usize;
                let Err(error) = registry.get(posts[index].wait()) else {
                    continue;
                };
                let told = [error.created_at(), error.removed_at()];
                let [created, removed] = told.map(|site| site.map(|site| site.line()));
                assert!(created.is_none_or(|line| line == lines[index].0), "{created:?} {error}");
                assert!(removed.is_none_or(|line| line == lines[index].1), "{removed:?} {error}");
            }
        },
    ]);
}

#[test]
fn e12_a_thread_that_often_looks_up_against_removals_by_another() {
    static DROPS: AtomicUsize = AtomicUsize::new(0);
    let (registry, post) = (Registry::new(), Post::new());
    let (count, done) = (if cfg!(miri) { 12 } else { 1_000 }, AtomicU64::new(0));
    together(&[
        &|| {
            // Some of its own in between, which nobody else knows.
            let own = Handle::new(Box::new(7_u64));
            while done.load(Relaxed) == 0 {
                if let Ok(guard) = registry.get(post.wait::<Value>()) {
                    assert!(*guard.number < count);
                }
                for _ in 0..4 {
                    assert_eq!(**own.get().unwrap(), 7);
                }
            }
            own.delete();
        },
        &|| {
            for number in 0..count {
                let handle = registry.insert(Value::new(number, &DROPS));
                post.send(handle);
                thread::yield_now();
                let _ = registry.remove(handle).unwrap();
            }
            done.store(1, Relaxed);
        },
    ]);
    assert_eq!(DROPS.load(Relaxed) as u64, count);
}

#[test]
fn e3_a_creator_removes_what_another_looks_up_or_removes() {
    static DROPS: AtomicUsize = AtomicUsize::new(0);
    for round in 0..ROUNDS {
        // A new page each time, that nobody else has touched.
        let (registry, posts) = (Registry::new(), [Post::new(), Post::new()]);
        let wins = AtomicUsize::new(0);
        let count_in = |won: bool| _ = wins.fetch_add(usize::from(won), Relaxed);
        together(&[
            &|| {
                for post in &posts {
                    let handle = registry.insert(Value::new(round, &DROPS));
                    post.send(handle);
                    count_in(registry.remove(handle).is_ok());
                }
            },
            &|| {
                if let Ok(guard) = registry.get(posts[0].wait::<Value>()) {
                    assert_eq!(*guard.number, round);
                }
                count_in(registry.remove(posts[1].wait::<Value>()).is_ok());
            },
        ]);
        assert_eq!((wins.load(Relaxed), DROPS.load(Relaxed) as u64), (2, 2 * round + 2));
    }
}

#[test]
fn e14_the_first_lookup_of_a_thread_against_a_removal() {
    static DROPS: AtomicUsize = AtomicUsize::new(0);
    for round in 0..ROUNDS {
        let handle = Handle::new(Value::new(round, &DROPS));
        let other = Handle::new(Box::new(round));
        let first = || {
            if let Ok(guard) = handle.get() {
                assert_eq!(*guard.number, round);
            }
            assert_eq!(**other.get().unwrap(), round);
        };
        together(&[&first, &|| remove(handle), &first]);
        assert_eq!(DROPS.load(Relaxed) as u64, round + 1);
        assert_eq!(other.remove().unwrap(), Removal::Dropped);
    }
}

/// Lookups of a number against its removal, and a creation in the same place.
fn lookups_against(remove: &(dyn Fn(Handle<u64>) + Sync)) {
    for round in 0..ROUNDS {
        let handle = Handle::new(2 * round);
        let look_up = || {
            for _ in 0..3 {
                if let Ok(number) = handle.get() {
                    assert_eq!(*number, 2 * round);
                }
            }
        };
        let remove_and_create = || {
            remove(handle);
            let others = [(); 2].map(|()| Handle::new(2 * round + 1));
            assert!(handle.get().is_err());
            others.into_iter().for_each(Handle::delete);
        };
        together(&[&look_up, &remove_and_create]);
    }
}

#[test]
fn e3_a_lookup_against_a_removal_finds_the_handles_own_number_or_nothing() {
    lookups_against(&|handle| remove(handle));
}

#[test]
fn e3_a_lookup_against_a_removal_of_whatever_type() {
    lookups_against(&|handle| remove_any(handle));
}

#[test]
fn e3_a_lookup_against_take() {
    lookups_against(&|handle| _ = handle.take().unwrap());
}

#[test]
fn e3_a_lookup_against_the_last_guard_of_a_removed_value() {
    lookups_against(&|handle| {
        let guard = handle.get().unwrap();
        assert_eq!(handle.remove().unwrap(), Removal::Deferred);
        drop(guard);
    });
}

#[test]
fn e3_a_lookup_in_a_registry_against_its_clearing() {
    let registry = Registry::new();
    for round in 0..ROUNDS {
        let handle = registry.insert(2 * round);
        together(&[
            &|| {
                if let Ok(number) = registry.get(handle) {
                    assert_eq!(*number, 2 * round);
                }
            },
            &|| {
                registry.clear();
                let other = registry.insert(2 * round + 1);
                registry.remove(other).unwrap();
            },
        ]);
    }
}

// ---- operations ----

#[test]
fn s4_of_remove_take_and_remove_of_whatever_type_one_wins() {
    static DROPS: AtomicUsize = AtomicUsize::new(0);
    for round in 0..ROUNDS {
        let (handle, wins) = (Handle::new(Value::new(round, &DROPS)), AtomicUsize::new(0));
        let count_in = |won: bool| _ = wins.fetch_add(usize::from(won), Relaxed);
        together(&[&|| count_in(handle.remove().is_ok()), &|| count_in(handle.take().is_ok()), &|| {
            count_in(AnyHandle::from(handle).remove().is_ok())
        }]);
        assert_eq!((wins.load(Relaxed), DROPS.load(Relaxed) as u64), (1, round + 1));
    }
}

#[test]
fn s7_take_against_lookups_gives_the_value_or_leaves_it() {
    static DROPS: AtomicUsize = AtomicUsize::new(0);
    for round in 0..ROUNDS {
        let handle = Handle::new(Value::new(round, &DROPS));
        together(&[
            &|| {
                if let Some(value) = handle.take().unwrap() {
                    assert_eq!(*value.number, round);
                }
            },
            &|| {
                if let Ok(guard) = handle.get() {
                    assert_eq!(*Ref::into_shared(guard).number, round);
                }
            },
        ]);
        assert_eq!(DROPS.load(Relaxed) as u64, round + 1);
    }
}

#[test]
fn s10_a_handle_that_insert_with_discloses_is_live_only_with_its_value() {
    let registry = Registry::new();
    for round in 0..ROUNDS {
        let post = Post::new();
        together(&[
            &|| {
                let handle = registry.insert_with(|handle| {
                    post.send(handle);
                    assert!(registry.get(handle).is_err());
                    Box::new(round)
                });
                assert_eq!(post.look(), Some(handle));
            },
            &|| {
                let handle = post.wait::<Box<u64>>();
                match registry.get(handle) {
                    Ok(guard) => assert_eq!(**guard, round),
                    Err(error) => assert_eq!(error.kind(), ErrorKind::Unissued),
                }
                if let Ok(Some(value)) = registry.take(handle) {
                    assert_eq!(*value, round);
                }
            },
        ]);
        registry.clear();
    }
}

#[test]
fn clearing_against_creation_lookup_and_removal() {
    static DROPS: AtomicUsize = AtomicUsize::new(0);
    let (registry, post) = (Registry::new(), Post::new());
    let count = 2 * ROUNDS;
    together(&[
        &|| {
            for number in 0..count {
                let handle = registry.insert(Value::new(number, &DROPS));
                post.send(handle);
                if number % 2 == 0 {
                    let _ = registry.remove(handle);
                }
            }
        },
        &|| (0..2).for_each(|_| registry.clear()),
        &|| {
            for _ in 0..count {
                if let Ok(guard) = registry.get(post.wait::<Value>()) {
                    assert!(*guard.number < count);
                }
            }
        },
    ]);
    registry.clear();
    assert_eq!((DROPS.load(Relaxed) as u64, registry.len()), (count, 0));
}

#[test]
fn a_dropped_registry_drops_what_others_created_in_it() {
    static DROPS: AtomicUsize = AtomicUsize::new(0);
    for round in 0..ROUNDS {
        let registry = Registry::new();
        let fill = || {
            let _kept = registry.insert(Value::new(round, &DROPS));
            let gone = registry.insert(Value::new(round, &DROPS));
            registry.remove(gone).unwrap();
        };
        together(&[&fill, &fill]);
        drop(registry);
        assert_eq!(DROPS.load(Relaxed) as u64, 4 * round + 4);
    }
}

#[test]
fn a_limit_holds_between_threads() {
    // Counted here: `len` adds up what threads count for themselves, one after the other.
    let live = AtomicUsize::new(0);
    let registry = Registry::with_limit(2);
    let work = || {
        for number in 0..ROUNDS {
            if let Ok(handle) = registry.try_insert(Box::new(number)) {
                assert!(live.fetch_add(1, Relaxed) < 2);
                assert_eq!(**registry.get(handle).unwrap(), number);
                live.fetch_sub(1, Relaxed);
                registry.remove(handle).unwrap();
            }
        }
    };
    together(&[&work, &work, &work]);
    assert!(registry.is_empty());
}

#[test]
fn a_handle_of_whatever_type_against_its_removal() {
    static DROPS: AtomicUsize = AtomicUsize::new(0);
    for round in 0..ROUNDS {
        let handle = Handle::new(Value::new(round, &DROPS));
        let any = AnyHandle::from(handle);
        together(&[
            &|| {
                if let Ok(name) = any.type_name() {
                    assert!(name.ends_with("Value"), "{name}");
                }
                if let Ok(typed) = any.downcast::<Value>() {
                    assert_eq!(typed, handle);
                }
                assert!(any.downcast::<u64>().is_err());
                let _ = any.is_live();
            },
            &|| remove_any(handle),
        ]);
        assert!(!any.is_live() && !handle.is_live());
    }
    assert_eq!(DROPS.load(Relaxed) as u64, ROUNDS);
}

#[test]
fn reports_and_counts_while_others_create_and_remove() {
    let (registry, done) = (Registry::new(), AtomicU64::new(0));
    let always = registry.insert(Box::new(0_u64));
    together(&[
        &|| {
            for number in 1..=2 * ROUNDS {
                let handle = registry.insert(Box::new(number));
                let guard = registry.get(handle).unwrap();
                let _ = registry.remove(handle);
                drop(guard);
            }
            done.store(1, Relaxed);
        },
        &|| {
            for _ in 0..2 {
                assert!(registry.leaks().count() >= 1);
                assert!(haft::leaks().to_string().contains("miri.rs"));
                let stats = registry.stats();
                // What is live is only exact where nobody creates or removes meanwhile: below.
                assert!(stats.created >= 1, "{stats:?}");
                assert!(haft::stats().created >= 1);
                assert!(registry.live().any(|live| live.handle == always));
                let _ = registry.deferred().count();
            }
        },
    ]);
    assert_eq!((done.load(Relaxed), registry.len(), registry.stats().live), (1, 1, 1));
}

#[test]
fn a_misuse_hook_is_called_on_the_thread_and_may_change_meanwhile() {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    fn one(error: &haft::Error) {
        assert!(!error.to_string().is_empty());
        CALLS.fetch_add(1, Relaxed);
    }
    fn two(error: &haft::Error) {
        assert_ne!(error.bits(), 0);
        CALLS.fetch_add(1, Relaxed);
    }
    let stale = Handle::new(Box::new(7_u64));
    stale.delete();
    let before = haft::on_misuse(one);
    together(&[
        &|| (0..2).for_each(|_| assert!(stale.get().is_err())),
        &|| assert!(haft::on_misuse(two).is_some()),
        &|| (0..2).for_each(|_| assert!(stale.remove().is_err())),
    ]);
    assert!(before.is_none());
    assert!(CALLS.load(Relaxed) > 0, "calls are limited in each second, but not to none");
}

#[test]
fn s6_a_shared_guard_goes_to_another_thread_and_drops_the_value_there() {
    static DROPS: AtomicUsize = AtomicUsize::new(0);
    for round in 0..ROUNDS {
        let handle = Handle::new(Value::new(round, &DROPS));
        let guard = Ref::into_shared(handle.get().unwrap());
        assert_eq!(handle.remove().unwrap(), Removal::Deferred);
        thread::spawn(move || assert_eq!(*guard.number, round)).join().unwrap();
        assert_eq!(DROPS.load(Relaxed) as u64, round + 1);
    }
}

#[test]
fn s8_guards_and_creation_in_destructors_of_thread_locals() {
    static DROPS: AtomicUsize = AtomicUsize::new(0);
    struct AtEnd(Handle<Value>);
    impl Drop for AtEnd {
        fn drop(&mut self) {
            let late = Handle::new(Value::new(1, &DROPS));
            assert_eq!(*late.get().unwrap().number, 1);
            assert_eq!(late.remove().unwrap(), Removal::Dropped);
            let _ = self.0.remove();
        }
    }
    thread_local! {
        static EARLY: RefCell<Option<AtEnd>> = const { RefCell::new(None) };
        static GUARD: RefCell<Option<Ref<'static, Value>>> = const { RefCell::new(None) };
    }
    for round in 0..ROUNDS {
        let handle = Handle::new(Value::new(round, &DROPS));
        let work = move || {
            EARLY.set(Some(AtEnd(handle)));
            GUARD.set(handle.get().ok());
        };
        // A scope does not wait for destructors of thread-locals; a join does.
        let threads = [thread::spawn(work), thread::spawn(work)];
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert!(!handle.is_live());
        assert_eq!(DROPS.load(Relaxed) as u64, 3 * round + 3);
    }
}

#[test]
fn s3_integers_that_are_no_handles_against_creation_and_removal() {
    let registry = Registry::new();
    let post = Post::new();
    together(&[
        &|| {
            for number in 0..2 * ROUNDS {
                let handle = registry.insert(Box::new(number));
                post.send(handle);
                registry.remove(handle).unwrap();
            }
        },
        &|| {
            for round in 0..ROUNDS {
                let bits = post.wait::<Box<u64>>().to_bits();
                for other in [bits ^ 1, bits ^ 2, bits ^ 1 << (40 + round % 20), bits ^ 1 << 63] {
                    let Some(other) = Handle::<Vec<u8>>::from_bits(other) else {
                        continue;
                    };
                    assert!(other.get().is_err() && other.remove().is_err());
                }
            }
        },
    ]);
}

// ---- C ----

#[cfg(feature = "capi")]
mod capi {
    use super::*;
    use haft::capi::{
        haft_get, haft_handle, haft_is_live, haft_new, haft_ref, haft_release, haft_remove, haft_share,
        haft_take, haft_type,
    };
    use haft::ffi;
    use std::ffi::c_void;
    use std::sync::Mutex;

    static DESTROYED: AtomicUsize = AtomicUsize::new(0);
    /// The count is of all tests of this module.
    static ALONE: Mutex<()> = Mutex::new(());

    unsafe extern "C" fn destroy(object: *mut c_void) {
        // SAFETY: every object of the kind is a box of this type, and haft destroys each once.
        drop(unsafe { Box::from_raw(object.cast::<u64>()) });
        DESTROYED.fetch_add(1, Relaxed);
    }

    struct Type(haft_type);
    // SAFETY: never written, and what it points to is static.
    unsafe impl Sync for Type {}
    static TYPE: Type = Type(haft_type { name: c"number".as_ptr(), destroy: Some(destroy) });

    struct Sendable(haft_ref);
    // SAFETY: the test moves a reference only where its thread does not use it any more.
    unsafe impl Send for Sendable {}

    fn create(number: u64) -> haft_handle {
        let (object, mut handle) = (Box::into_raw(Box::new(number)), 0);
        // SAFETY: a valid descriptor, an object of its kind, and a place for the handle.
        assert_eq!(unsafe { haft_new(&TYPE.0, object.cast(), &raw mut handle) }, ffi::HAFT_OK);
        handle
    }

    fn get(handle: haft_handle) -> Result<haft_ref, i32> {
        let mut reference = haft_ref::NOT_HELD;
        // SAFETY: a valid descriptor and a place for the reference.
        match unsafe { haft_get(&TYPE.0, handle, &raw mut reference) } {
            ffi::HAFT_OK => Ok(reference),
            status => Err(status),
        }
    }

    fn number(reference: &haft_ref) -> u64 {
        // SAFETY: the reference is held.
        unsafe { *reference.object.cast::<u64>() }
    }

    fn release(reference: &mut haft_ref) -> i32 {
        // SAFETY: an initialised reference that nobody else uses now.
        unsafe { haft_release(reference) }
    }

    fn share(reference: &mut haft_ref) -> i32 {
        // SAFETY: as above.
        unsafe { haft_share(reference) }
    }

    #[test]
    fn references_of_c_against_a_removal() {
        let _alone = ALONE.lock();
        for round in 0..ROUNDS {
            let (handle, before) = (create(round), DESTROYED.load(Relaxed));
            let look = || match get(handle) {
                Ok(mut reference) => {
                    assert_eq!(number(&reference), round);
                    assert_eq!(release(&mut reference), ffi::HAFT_OK);
                    assert_eq!(release(&mut reference), ffi::HAFT_NOT_HELD);
                }
                Err(status) => assert_eq!(status, ffi::HAFT_STALE),
            };
            together(&[&look, &|| assert_eq!(haft_remove(handle), ffi::HAFT_OK), &look]);
            assert_eq!((DESTROYED.load(Relaxed), haft_is_live(handle)), (before + 1, 0));
        }
    }

    #[test]
    fn a_shared_reference_of_c_is_released_by_another_thread() {
        let _alone = ALONE.lock();
        for round in 0..ROUNDS {
            let (handle, before) = (create(round), DESTROYED.load(Relaxed));
            let mut reference = get(handle).unwrap();
            assert_eq!(share(&mut reference), ffi::HAFT_OK);
            let sent = Mutex::new(Some(Sendable(reference)));
            together(&[
                &|| {
                    let Sendable(mut reference) = sent.lock().unwrap().take().unwrap();
                    assert_eq!(number(&reference), round);
                    assert_eq!(release(&mut reference), ffi::HAFT_OK);
                },
                &|| assert_eq!(haft_remove(handle), ffi::HAFT_OK),
            ]);
            assert_eq!(DESTROYED.load(Relaxed), before + 1);
        }
    }

    #[test]
    fn copies_of_a_shared_reference_of_c_are_released_once() {
        let _alone = ALONE.lock();
        for round in 0..ROUNDS {
            let (handle, before) = (create(round), DESTROYED.load(Relaxed));
            let mut reference = get(handle).unwrap();
            assert_eq!(share(&mut reference), ffi::HAFT_OK);
            let copies = [reference; 2].map(|it| Mutex::new(Sendable(it)));
            let wins = AtomicUsize::new(0);
            let let_go = |index: usize| {
                let mut mine = copies[index].lock().unwrap().0;
                match release(&mut mine) {
                    ffi::HAFT_OK => _ = wins.fetch_add(1, Relaxed),
                    status => assert_eq!(status, ffi::HAFT_NOT_HELD),
                }
            };
            together(&[&|| let_go(0), &|| let_go(1)]);
            assert_eq!((wins.load(Relaxed), haft_remove(handle)), (1, ffi::HAFT_OK));
            assert_eq!(DESTROYED.load(Relaxed), before + 1);
        }
    }

    #[test]
    fn a_reference_of_c_is_refused_by_other_threads_and_kept_beyond_its_own() {
        let _alone = ALONE.lock();
        let (handle, before) = (create(7), DESTROYED.load(Relaxed));
        // More than a thread has cells: the last ones are shared.
        let mut references: Vec<_> = (0..8).map(|_| get(handle).unwrap()).collect();
        let first = Mutex::new(Sendable(references[0]));
        together(&[&|| {
            let mut copy = first.lock().unwrap().0;
            assert_eq!(release(&mut copy), ffi::HAFT_WRONG_THREAD);
        }]);
        assert_eq!(haft_remove(handle), ffi::HAFT_OK);
        assert_eq!(DESTROYED.load(Relaxed), before);
        for reference in &mut references {
            assert_eq!(number(reference), 7);
            assert_eq!(release(reference), ffi::HAFT_OK);
        }
        assert_eq!(DESTROYED.load(Relaxed), before + 1);
    }

    #[test]
    fn taking_an_object_back_against_lookups_from_c() {
        let _alone = ALONE.lock();
        for round in 0..ROUNDS {
            let (handle, before) = (create(round), DESTROYED.load(Relaxed));
            together(&[
                &|| {
                    let mut object = std::ptr::null_mut();
                    // SAFETY: a valid descriptor and a place for the object.
                    match unsafe { haft_take(&TYPE.0, handle, &raw mut object) } {
                        // SAFETY: the object is this thread's now.
                        ffi::HAFT_OK => unsafe { destroy(object) },
                        status => assert_eq!(status, ffi::HAFT_IN_USE),
                    }
                },
                &|| {
                    if let Ok(mut reference) = get(handle) {
                        assert_eq!(number(&reference), round);
                        assert_eq!(release(&mut reference), ffi::HAFT_OK);
                    }
                },
            ]);
            assert_eq!(DESTROYED.load(Relaxed), before + 1);
        }
    }
}
