//! What Go asserts of its `runtime/cgo.Handle` through C.

use haft::{Handle, Registry};
use haft_c_tests::{call_elsewhere, call_everywhere, call_here, call_with_address, call_with_user_data};
use std::ffi::c_void;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::SeqCst};
use std::sync::mpsc::{Sender, channel};

type Channel = Mutex<Sender<i32>>;

static CHANNELS: Registry<std::sync::Arc<Channel>> = Registry::new();

extern "C" fn send(handle: u64) {
    let channel = Handle::<std::sync::Arc<Channel>>::from_bits(handle).unwrap().value();
    channel.lock().unwrap().send(42).unwrap();
}

#[test]
fn forty_two_rounds_through_c_on_another_thread() {
    let (sender, receiver) = channel();
    let channel = std::sync::Arc::new(Mutex::new(sender));
    for round in 0..42 {
        // A new handle to the same channel each time.
        let handle = CHANNELS.insert(channel.clone());
        if round % 2 == 0 {
            assert_eq!(call_elsewhere(send, handle.to_bits()), 0);
        } else {
            call_here(send, handle.to_bits());
        }
        assert_eq!(receiver.recv(), Ok(42));
        CHANNELS.remove(handle).unwrap();
    }
    assert!(CHANNELS.is_empty() && CHANNELS.live().len() == 0);
}

extern "C" fn change(user: *mut c_void) {
    let handle = Handle::<AtomicI64>::from_ptr(user).unwrap();
    handle.value().fetch_add(1, SeqCst);
}

extern "C" fn change_by_address(user: *mut c_void) {
    // SAFETY: C passes the address of a handle that is there for the call.
    let bits = unsafe { *user.cast::<u64>() };
    Handle::<AtomicI64>::from_bits(bits).unwrap().value().fetch_add(10, SeqCst);
}

#[test]
fn the_caller_sees_what_the_callee_changed() {
    let handle = Handle::new(AtomicI64::new(0));
    call_with_user_data(change, handle.to_ptr());
    assert_eq!(handle.value().load(SeqCst), 1);
    call_with_address(change_by_address, handle.to_bits());
    assert_eq!(handle.value().load(SeqCst), 11);
    handle.delete();
}

static CALLS: AtomicU64 = AtomicU64::new(0);
static FOREIGN: Registry<String> = Registry::new();

extern "C" fn from_everywhere(handle: u64) {
    let shared = Handle::<String>::from_bits(handle).unwrap();
    assert_eq!(*shared.value(), "shared");
    let mine = FOREIGN.insert("mine".to_string());
    assert_eq!(*FOREIGN.get(mine).unwrap(), "mine");
    FOREIGN.remove(mine).unwrap();
    CALLS.fetch_add(1, SeqCst);
}

#[test]
fn callbacks_on_threads_of_c_leave_nothing_behind() {
    let shared = FOREIGN.insert("shared".to_string());
    let (waves, threads) = (50, 16);
    for _ in 0..waves {
        assert_eq!(call_everywhere(from_everywhere, shared.to_bits(), threads), 0);
    }
    assert_eq!(CALLS.load(SeqCst), waves * threads as u64);
    assert_eq!(FOREIGN.len(), 1);
    FOREIGN.remove(shared).unwrap();
    let stats = haft::stats();
    assert!(stats.records <= 2 * threads + 8 && stats.shards <= 2 * threads + 8, "{stats:?}");
}
