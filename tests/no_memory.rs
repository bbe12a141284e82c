//! Memory that is refused, allocation by allocation: the value comes back, nothing else changes, and later calls work.
//!
//! Each attempt is a child of its own, so that one that aborts is seen as that.

#![allow(clippy::result_large_err, reason = "what comes back is the value, and it is large on purpose")]
// The child is made by `fork`, which is nowhere else.
#![cfg(unix)]
#![allow(dropping_copy_types)]

use haft::{ErrorKind, Full, Handle, Registry};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicIsize, AtomicUsize, Ordering::SeqCst};

struct Refusing;

thread_local! {
    /// Allocations until one is refused; negative for none.
    static LEFT: Cell<isize> = const { Cell::new(-1) };
    static REFUSED: Cell<bool> = const { Cell::new(false) };
}

static BLOCKS: AtomicIsize = AtomicIsize::new(0);

// SAFETY: everything is the system allocator's, or refused, which is allowed.
unsafe impl GlobalAlloc for Refusing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let left = LEFT.get();
        LEFT.set(if left < 0 { left } else { left - 1 });
        if left == 0 {
            REFUSED.set(true);
            return std::ptr::null_mut();
        }
        BLOCKS.fetch_add(1, SeqCst);
        // SAFETY: the caller's promises, passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        BLOCKS.fetch_sub(1, SeqCst);
        // SAFETY: the caller's promises, passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Refusing = Refusing;

/// Counts its drops; it has a number to be recognised by. Its alignment gives it pages of seven slots, each of
/// which is an allocation.
#[repr(align(8192))]
struct Value(usize);

/// Values that fill a number of pages.
const FULL: usize = 4 * 7;

static DROPS: AtomicUsize = AtomicUsize::new(0);

impl Drop for Value {
    fn drop(&mut self) {
        DROPS.fetch_add(1, SeqCst);
    }
}

/// Runs with one allocation refused: the one after so many. Also whether it was reached.
fn refusing<R>(after: isize, work: impl FnOnce() -> R) -> (R, bool) {
    REFUSED.set(false);
    LEFT.set(after);
    let result = work();
    LEFT.set(-1);
    (result, REFUSED.get())
}

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    /// It did what it should.
    Good,
    /// So far no allocation was refused: there are no more.
    NotReached,
    /// A check failed.
    Bad,
    /// A signal: `handle_alloc_error` aborts.
    Signal(i32),
}

/// Runs in a child of its own, whose one thread has not used haft yet.
fn child(work: impl FnOnce() -> End) -> End {
    // Nobody else is in the middle of printing or the like at the fork.
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap();
    // SAFETY: the child goes on alone, with an allocator that the C library keeps usable, and ends by `_exit`.
    unsafe {
        let pid = libc::fork();
        assert!(pid >= 0);
        if pid == 0 {
            // (The abort that some attempts expect says so, which is of no use here.)
            let null = libc::open(c"/dev/null".as_ptr(), libc::O_WRONLY);
            libc::dup2(null, 2);
            let end = catch_unwind(AssertUnwindSafe(work)).unwrap_or(End::Bad);
            libc::_exit(match end {
                End::Good => 0,
                End::NotReached => 1,
                _ => 2,
            });
        }
        let mut status = 0;
        assert_eq!(libc::waitpid(pid, &mut status, 0), pid);
        match libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status)) {
            Some(0) => End::Good,
            Some(1) => End::NotReached,
            Some(_) => End::Bad,
            None => End::Signal(libc::WTERMSIG(status)),
        }
    }
}

/// Refuses each allocation in turn, each in a new child, until there are no more.
fn each(attempt: impl Fn(isize) -> End) -> Vec<End> {
    let ends: Vec<_> =
        (0..1000).map(|after| child(|| attempt(after))).take_while(|end| *end != End::NotReached).collect();
    assert!(ends.len() < 1000, "it never ends");
    ends
}

/// The value comes back as it was, and goes in afterwards.
fn comes_back(
    after: isize,
    number: usize,
    try_insert: impl Fn(Value) -> Result<Handle<Value>, Full<Value>>,
) -> (Option<Handle<Value>>, bool) {
    let drops = DROPS.load(SeqCst);
    let (result, refused) = refusing(after, || try_insert(Value(number)));
    match result {
        Ok(handle) => (Some(handle), refused),
        Err(Full(value)) => {
            assert!(refused, "full without a reason");
            assert_eq!((value.0, DROPS.load(SeqCst)), (number, drops), "the value itself comes back");
            assert!(format!("{:?} {}", Full(()), Full(())).contains("memory"));
            let handle = try_insert(value).map_err(drop).expect("room again");
            assert_eq!(handle.get().unwrap().0, number);
            (Some(handle), refused)
        }
    }
}

/// Everything that a growing registry allocates, refused one by one.
#[test]
fn a_refused_page_gives_the_value_back_and_nothing_is_lost() {
    const VALUES: usize = 200;
    let ends = each(|after| {
        // What is kept for ever is made here: the record, the thread's entries. (The next registry has what
        // this one leaves.)
        drop(Registry::new().insert(Value(0)));
        let registry = Registry::new();
        let first = registry.insert(Value(0));
        let drops = DROPS.load(SeqCst);
        let mut handles = Vec::with_capacity(VALUES);
        let mut left = after;
        let mut reached = false;
        for number in 1..VALUES {
            // Count down over all insertions.
            if !reached {
                LEFT.set(left);
                let result = registry.try_insert(Value(number));
                (left, reached) = (LEFT.get(), REFUSED.get());
                LEFT.set(-1);
                match result {
                    Ok(handle) => handles.push(handle),
                    Err(full) => {
                        assert_eq!(full.0.0, number);
                        assert_eq!(DROPS.load(SeqCst), drops);
                        handles.push(registry.try_insert(full.0).map_err(drop).expect("room again"));
                    }
                }
            } else {
                handles.push(registry.insert(Value(number)));
            }
        }
        if !reached {
            return End::NotReached;
        }
        assert_eq!(
            (registry.len(), *registry.get(first).map(|value| value.0).as_ref().unwrap()),
            (VALUES, 0)
        );
        assert!(handles.iter().zip(1..).all(|(handle, number)| registry.get(*handle).unwrap().0 == number));
        drop(registry);
        assert_eq!(DROPS.load(SeqCst), drops + VALUES);
        assert!(handles.iter().all(|handle| handle.get().is_err()));
        // No block is left but what the next registry uses.
        let blocks = BLOCKS.load(SeqCst);
        let next = Registry::new();
        (0..VALUES).for_each(|number| drop(next.insert(Value(number))));
        drop(next);
        assert_eq!(BLOCKS.load(SeqCst), blocks, "leaked");
        End::Good
    });
    assert!(ends.len() >= 30, "pages and their list: {ends:?}");
    assert!(ends.iter().all(|end| *end == End::Good), "{ends:?}");
}

/// The first handle of all, of a thread, of a type, in a registry: pages are refused as any other. A few small blocks of bookkeeping are not, which
/// [`Handle::try_new`] says: where there is no memory for them, the program ends as with `Box::new`.
#[test]
fn a_refused_first_page_gives_the_value_back_and_small_blocks_end_the_program() {
    let first_of_all = each(|after| {
        let registry = Registry::new();
        match comes_back(after, 7, |value| registry.try_insert(value)) {
            (_, false) => End::NotReached,
            (Some(handle), true) if registry.remove(handle).is_ok() && registry.is_empty() => End::Good,
            _ => End::Bad,
        }
    });
    let first_here = each(|after| {
        let first = Registry::new();
        let _first = first.insert(Value(1));
        let registry = Registry::new();
        match comes_back(after, 7, |value| registry.try_insert(value)) {
            (_, false) => End::NotReached,
            _ => End::Good,
        }
    });
    let first_of_type = each(|after| {
        drop(Handle::new(1_u64));
        match comes_back(after, 7, Handle::try_new) {
            (_, false) => End::NotReached,
            _ => End::Good,
        }
    });
    let later = each(|after| {
        (0..FULL).for_each(|number| drop(Handle::new(Value(number))));
        match comes_back(after, 7, Handle::try_new) {
            (_, false) => End::NotReached,
            _ => End::Good,
        }
    });
    for ends in [&first_of_all, &first_here, &first_of_type] {
        let fine = |end: &End| matches!(end, End::Good | End::Signal(libc::SIGABRT));
        assert!(ends.iter().all(fine), "never anything else: {ends:?}");
        assert!(ends.contains(&End::Good), "the page is refused, at least: {ends:?}");
    }
    assert!(!later.is_empty() && later.iter().all(|end| *end == End::Good), "{later:?}");
    println!("first of all: {first_of_all:?}\nin a registry: {first_here:?}\nof a type: {first_of_type:?}");
}

/// What cannot give the value back ends the program, as `Box::new` does; and the closure of `insert_with` is not called for nothing.
#[test]
fn insert_and_insert_with_end_the_program_where_a_page_is_refused() {
    let full = || {
        let registry = Registry::new();
        (0..FULL).for_each(|number| drop(registry.insert(Value(number))));
        registry
    };
    let insert = || {
        let registry = full();
        drop(refusing(0, || registry.insert(Value(7))));
        End::Good
    };
    let insert_with = || {
        let registry = full();
        // SAFETY: ends the child.
        drop(refusing(0, || registry.insert_with(|_| unsafe { libc::_exit(0) })));
        End::Good
    };
    assert_eq!((child(insert), child(insert_with)), (End::Signal(libc::SIGABRT), End::Signal(libc::SIGABRT)));
}

/// A registry that is dropped where there is no memory: its values go, its handles are stale, and the next
/// registry has its pages.
#[test]
fn dropping_a_registry_needs_no_memory() {
    let ends = [0, 1, 2].map(|after| {
        child(|| {
            let kept = Registry::new();
            let _own = kept.insert(Value(0));
            let registry = Registry::new();
            let handles: Vec<_> = (0..100).map(|number| registry.insert(Value(number))).collect();
            let drops = DROPS.load(SeqCst);
            let ((), refused) = refusing(after, || drop(registry));
            assert!(!refused, "it asks for memory");
            assert_eq!(DROPS.load(SeqCst), drops + 100);
            assert!(
                handles
                    .iter()
                    .all(|handle| handle.get().err().map(|error| error.kind()) == Some(ErrorKind::Stale))
            );
            // The next one uses what was left.
            let blocks = BLOCKS.load(SeqCst);
            drop(Registry::<Value>::new().insert(Value(1)));
            assert_eq!(BLOCKS.load(SeqCst), blocks);
            assert_eq!(haft::stats().pages, 1, "only that of the registry that is kept");
            assert!(
                handles
                    .iter()
                    .all(|handle| handle.get().err().map(|error| error.kind()) == Some(ErrorKind::Stale))
            );
            assert_eq!(kept.len(), 1);
            End::Good
        })
    });
    assert_eq!(ends, [End::Good; 3]);
}
