//! A lookup that fails has no effect (S16): it delays no drop, makes no removal `Deferred`, and runs no user
//! code, however closely it meets a removal.
//!
//! `HAFT_INERT` is how many handles each test removes.

use haft::{AnyHandle, ErrorKind, Handle, Registry, Removal};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Barrier, Mutex};
use std::thread;

thread_local!(static ASKS: Cell<bool> = const { Cell::new(false) });

/// What is true of the values of one test.
struct Story {
    dropped: AtomicUsize,
    dropped_by_asker: AtomicUsize,
    /// What a value's drop takes, and the asker holds while it asks.
    lock: Option<Mutex<()>>,
}

impl Story {
    const fn new(lock: Option<Mutex<()>>) -> Self {
        Self { dropped: AtomicUsize::new(0), dropped_by_asker: AtomicUsize::new(0), lock }
    }
}

struct Value(&'static Story);

impl Drop for Value {
    fn drop(&mut self) {
        self.0.dropped.fetch_add(1, SeqCst);
        if ASKS.get() {
            // With the lock, which this thread has, it would wait for itself.
            self.0.dropped_by_asker.fetch_add(1, SeqCst);
        } else if let Some(lock) = &self.0.lock {
            drop(lock.lock().unwrap());
        }
    }
}

/// Another type, of which there are handles as well.
struct Other;

fn kind<T>(result: Result<T, haft::Error>) -> ErrorKind {
    result.err().expect("it must fail").kind()
}

/// Asks everything about a handle that gives no guard.
fn ask(own: &Registry<Value>, another: &Registry<Value>, handle: Handle<Value>) {
    use ErrorKind::{Malformed, Stale, Unissued, WrongRegistry, WrongType};
    let bits = handle.to_bits();
    let wrong = Handle::<Other>::from_bits(bits).unwrap();
    // It may be removed by now, or its slot in use again.
    let mistyped = |kind| matches!(kind, WrongType | Stale);
    assert!(mistyped(kind(wrong.get())) && mistyped(kind(wrong.remove())) && mistyped(kind(wrong.take())));
    assert!(matches!(kind(another.get(handle)), WrongRegistry | Stale));
    assert!(matches!(kind(another.remove(handle)), WrongRegistry | Stale));
    assert!(matches!(kind(another.take(handle)), WrongRegistry | Stale));
    assert!(!another.contains(handle));
    // Never issued, or issued and removed: a generation that is far away, none, one of a slot that is not there.
    for forged in [bits ^ 1 << 62, bits & ((1 << 33) - 1), bits ^ 1 << 32] {
        let forged = Handle::<Value>::from_bits(forged).unwrap();
        assert!(matches!(kind(forged.get()), Unissued | Stale));
        assert!(matches!(kind(own.take(forged)), Unissued | Stale | WrongRegistry));
    }
    for malformed in [bits - 1, bits | 1 << 63] {
        let malformed = Handle::<Value>::from_bits(malformed).unwrap();
        assert_eq!((kind(malformed.get()), kind(own.remove(malformed))), (Malformed, Malformed));
    }
    let any = AnyHandle::from(handle);
    let _ = (handle.is_live(), own.contains(handle), any.is_live());
    match any.type_name() {
        Ok(name) => assert!(name.ends_with("Value")),
        Err(error) => assert_eq!(error.kind(), Stale),
    }
    assert!(mistyped(kind(any.downcast::<Other>())));
}

/// The other thread would wait for ever for one that has failed.
struct EndTogether;

impl Drop for EndTogether {
    fn drop(&mut self) {
        if thread::panicking() {
            std::process::abort();
        }
    }
}

/// One thread removes what it has created, by `remove`, in batches. Another has looked each of them up, long
/// ago, and meanwhile asks what fails.
fn meet(story: &'static Story, remove: impl Fn(&Registry<Value>, Handle<Value>) + Sync, batch: usize) {
    let removed = std::env::var("HAFT_INERT").map_or(200_000, |count| count.parse::<usize>().unwrap());
    let batches = (removed / batch).max(1);
    let (own, another) = (Registry::new(), Registry::new());
    let _kept = another.insert(Value(story));
    let (handles, together, done) = (Mutex::new(Vec::new()), Barrier::new(2), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            let _end = EndTogether;
            ASKS.set(true);
            for _ in 0..batches {
                together.wait();
                let handles: Vec<Handle<Value>> = handles.lock().unwrap().clone();
                for handle in &handles {
                    drop(own.get(*handle).unwrap());
                }
                together.wait();
                // Over the whole batch again and again, as the other thread goes through it.
                while !done.load(SeqCst) {
                    for handle in &handles {
                        let _lock = story.lock.as_ref().map(|lock| lock.lock().unwrap());
                        ask(&own, &another, *handle);
                        if done.load(SeqCst) {
                            break;
                        }
                    }
                }
                together.wait();
            }
        });
        let _end = EndTogether;
        for _ in 0..batches {
            let mine: Vec<_> = (0..batch).map(|_| own.insert(Value(story))).collect();
            handles.lock().unwrap().clone_from(&mine);
            done.store(false, SeqCst);
            together.wait();
            together.wait();
            let before = story.dropped.load(SeqCst);
            for (count, handle) in (1..).zip(mine) {
                remove(&own, handle);
                assert_eq!(story.dropped.load(SeqCst), before + count, "it is dropped at once");
            }
            done.store(true, SeqCst);
            together.wait();
        }
    });
    assert_eq!(story.dropped_by_asker.load(SeqCst), 0, "no value was dropped by a lookup that failed");
    assert_eq!(story.dropped.load(SeqCst), batches * batch);
    assert!(own.is_empty());
}

#[test]
fn s16_lookups_that_fail_never_keep_a_value_from_being_taken() {
    static STORY: Story = Story::new(None);
    meet(&STORY, |own, handle| drop(own.take(handle).unwrap().expect("nobody holds it")), 500);
}

#[test]
fn s16_lookups_that_fail_never_defer_a_removal() {
    static STORY: Story = Story::new(None);
    meet(&STORY, |_, handle| assert_eq!(handle.remove().unwrap(), Removal::Dropped), 500);
}

#[test]
fn s16_a_thread_may_hold_a_lock_that_a_drop_takes_while_its_lookups_fail() {
    static STORY: Story = Story::new(Some(Mutex::new(())));
    meet(&STORY, |own, handle| assert_eq!(own.remove(handle).unwrap(), Removal::Dropped), 4);
}

/// Two threads have looked the handles up, so that a removal looks at all records.
#[test]
fn s16_lookups_that_fail_never_defer_a_removal_that_looks_at_all_records() {
    static STORY: Story = Story::new(None);
    let remove = |own: &Registry<Value>, handle: Handle<Value>| {
        drop(own.get(handle).unwrap());
        assert_eq!(own.remove(handle).unwrap(), Removal::Dropped);
    };
    meet(&STORY, remove, 500);
}
