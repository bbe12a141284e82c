//! All kinds of threads.

use crate::work::Worker;
use std::cell::RefCell;
use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::{self, JoinHandle};

pub static STOP: AtomicBool = AtomicBool::new(false);
static STARTED: AtomicU64 = AtomicU64::new(0);

/// Threads started, of all kinds.
pub fn started() -> u64 {
    STARTED.load(Relaxed)
}

fn running() -> bool {
    !STOP.load(Relaxed)
}

fn seed() -> u64 {
    STARTED.fetch_add(1, Relaxed) + 1
}

/// A thread of the kind that comes in this place, which works until it is told to stop.
pub fn start(index: usize) -> JoinHandle<()> {
    let kinds: [fn(); 4] = [long, c, short, ending];
    thread::spawn(kinds[index % kinds.len()])
}

/// Rust's, and long.
fn long() {
    let mut worker = Worker::new(seed());
    while running() {
        worker.work(1000);
    }
}

/// C's: made by pthread_create, several at a time.
fn c() {
    extern "C" fn run(_: *mut c_void) -> *mut c_void {
        Worker::new(seed()).work(20_000);
        ptr::null_mut()
    }
    while running() {
        let threads = [(); 2].map(|()| {
            // SAFETY: a valid thread function, without an argument; each thread is joined below.
            unsafe {
                let mut thread = std::mem::zeroed();
                assert_eq!(libc::pthread_create(&mut thread, ptr::null(), run, ptr::null_mut()), 0);
                thread
            }
        });
        for thread in threads {
            // SAFETY: started above, joined once.
            assert_eq!(unsafe { libc::pthread_join(thread, ptr::null_mut()) }, 0);
        }
    }
}

/// Short-lived ones, several at a time.
fn short() {
    while running() {
        let threads = [(); 4].map(|()| thread::spawn(|| Worker::new(seed()).work(100)));
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    }
}

/// Works when it is dropped.
struct AtEnd(RefCell<Option<Worker>>);

impl Drop for AtEnd {
    fn drop(&mut self) {
        // Guards that the thread had go in here, too.
        if let Some(mut worker) = self.0.take() {
            worker.work(100);
        }
    }
}

thread_local! {
    static FIRST: AtEnd = const { AtEnd(RefCell::new(None)) };
    static SECOND: AtEnd = const { AtEnd(RefCell::new(None)) };
}

/// Threads that work in their thread-local destructors, before and after haft's own, some of them only there.
fn ending() {
    fn run() {
        let seed = seed();
        let mut worker = Worker::new(seed);
        if seed.is_multiple_of(3) {
            FIRST.with(|end| end.0.replace(Some(Worker::new(!seed))));
        }
        if !seed.is_multiple_of(5) {
            worker.work(50);
        }
        // With the guards that it has now.
        SECOND.with(|end| end.0.replace(Some(worker)));
    }
    while running() {
        let threads = [(); 4].map(|()| thread::spawn(run));
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    }
}
