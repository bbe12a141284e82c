//! The fast paths, for valgrind's callgrind: each does the same work so many times, once for each argument.
//!
//! What is counted is all that happens within the function; what `setup` does is not. Every path is warm: pages are made, sites are known, and a thread has
//! looked up before what it looks up.

use gungraun::prelude::*;
use haft::capi::*;
use haft::{AnyHandle, Handle, Ref, Registry};
use std::ffi::c_void;
use std::hint::black_box;
use std::thread;

/// The registry that is used by name.
static REGISTRY: Registry<u64> = Registry::new();

fn read(value: Result<Ref<'_, u64>, haft::Error>) -> u64 {
    *value.unwrap()
}

// ---- what a path begins with ----

/// Room for so many handles, and one live one so that the thread is known.
fn room(count: u64) -> u64 {
    let handles = live(count);
    handles.into_iter().for_each(Handle::delete);
    let handles = live_in_registry(count);
    handles.into_iter().for_each(|handle| assert!(REGISTRY.remove(handle).is_ok()));
    black_box(count)
}

/// Live handles of this thread, each looked up once.
fn live(count: u64) -> Vec<Handle<u64>> {
    let handles: Vec<_> = (0..count).map(Handle::new).collect();
    handles.iter().for_each(|handle| drop(handle.value()));
    handles
}

fn live_in_registry(count: u64) -> Vec<Handle<u64>> {
    let handles: Vec<_> = (0..count).map(|value| REGISTRY.insert(value)).collect();
    handles.iter().for_each(|handle| drop(REGISTRY.get(*handle)));
    handles
}

/// Live handles that another thread has created, which still runs; each looked up here once.
fn foreign(count: u64) -> Vec<Handle<u64>> {
    // This thread has a shard of its own, too, so that it does not adopt the other one's.
    live(1);
    let (give, take) = std::sync::mpsc::channel();
    thread::spawn(move || {
        give.send(live(count)).unwrap();
        loop {
            thread::park();
        }
    });
    let handles = take.recv().unwrap();
    handles.iter().for_each(|handle| drop(handle.value()));
    handles
}

/// As [`foreign`], after one of them was removed here.
fn foreign_to_remove(count: u64) -> Vec<Handle<u64>> {
    let mut handles = foreign(count + 1);
    handles.pop().unwrap().delete();
    handles
}

fn stale(count: u64) -> Vec<Handle<u64>> {
    let handles = live(count);
    handles.iter().for_each(|handle| handle.delete());
    handles
}

fn known_to_c(count: u64) -> u64 {
    c_cycle_of(count);
    black_box(count)
}

// ---- the paths ----

#[library_benchmark(setup = room)]
#[benches::of(1000, 2000)]
fn handle_create(count: u64) {
    for value in 0..count {
        let _ = black_box(Handle::new(value));
    }
}

#[library_benchmark(setup = live)]
#[benches::of(1000, 2000)]
fn handle_get(handles: Vec<Handle<u64>>) {
    for handle in &handles {
        black_box(read(handle.get()));
    }
    std::mem::forget(handles);
}

#[library_benchmark(setup = live)]
#[benches::of(1000, 2000)]
fn handle_remove(handles: Vec<Handle<u64>>) {
    for handle in &handles {
        let _ = black_box(handle.remove());
    }
    std::mem::forget(handles);
}

#[library_benchmark(setup = room)]
#[benches::of(1000, 2000)]
fn handle_cycle(count: u64) {
    for value in 0..count {
        let handle = black_box(Handle::new(value));
        black_box(read(handle.get()));
        let _ = black_box(handle.remove());
    }
}

#[library_benchmark(setup = room)]
#[benches::of(1000, 2000)]
fn registry_create(count: u64) {
    for value in 0..count {
        black_box(REGISTRY.insert(value));
    }
}

#[library_benchmark(setup = live_in_registry)]
#[benches::of(1000, 2000)]
fn registry_get(handles: Vec<Handle<u64>>) {
    for handle in &handles {
        black_box(read(REGISTRY.get(*handle)));
    }
    std::mem::forget(handles);
}

#[library_benchmark(setup = live_in_registry)]
#[benches::of(1000, 2000)]
fn registry_remove(handles: Vec<Handle<u64>>) {
    for handle in &handles {
        let _ = black_box(REGISTRY.remove(*handle));
    }
    std::mem::forget(handles);
}

#[library_benchmark(setup = room)]
#[benches::of(1000, 2000)]
fn registry_cycle(count: u64) {
    for value in 0..count {
        let handle = black_box(REGISTRY.insert(value));
        black_box(read(REGISTRY.get(handle)));
        let _ = black_box(REGISTRY.remove(handle));
    }
}

#[library_benchmark(setup = foreign)]
#[benches::of(1000, 2000)]
fn foreign_get(handles: Vec<Handle<u64>>) {
    for handle in &handles {
        black_box(read(handle.get()));
    }
    std::mem::forget(handles);
}

#[library_benchmark(setup = foreign_to_remove)]
#[benches::of(1000, 2000)]
fn foreign_remove(handles: Vec<Handle<u64>>) {
    for handle in &handles {
        let _ = black_box(handle.remove());
    }
    std::mem::forget(handles);
}

#[library_benchmark(setup = live)]
#[benches::of(1000, 2000)]
fn take(handles: Vec<Handle<u64>>) {
    for handle in &handles {
        let _ = black_box(handle.take());
    }
    std::mem::forget(handles);
}

#[library_benchmark(setup = live)]
#[benches::of(1000, 2000)]
fn any_remove(handles: Vec<Handle<u64>>) {
    for handle in &handles {
        let _ = black_box(AnyHandle::from(*handle).remove());
    }
    std::mem::forget(handles);
}

#[library_benchmark(setup = live)]
#[benches::of(1000, 2000)]
fn get_shared(handles: Vec<Handle<u64>>) {
    for handle in &handles {
        black_box(*Ref::into_shared(handle.get().unwrap()));
    }
    std::mem::forget(handles);
}

#[library_benchmark(setup = stale)]
#[benches::of(1000, 2000)]
fn stale_get(handles: Vec<Handle<u64>>) {
    for handle in &handles {
        let _ = black_box(handle.get().map(drop));
    }
    std::mem::forget(handles);
}

// As C does it: through pointers, which the compiler does not see through.
#[library_benchmark(setup = known_to_c)]
#[benches::of(1000, 2000)]
fn c_cycle(count: u64) {
    c_cycle_of(count);
}

struct Kind(haft_type);

// SAFETY: it is only read.
unsafe impl Sync for Kind {}

static KIND: Kind = Kind(haft_type { name: c"number".as_ptr(), destroy: None });

#[inline(always)]
fn c_cycle_of(count: u64) {
    type New = unsafe extern "C" fn(*const haft_type, *mut c_void, *mut haft_handle) -> haft_status;
    type Get = unsafe extern "C" fn(*const haft_type, haft_handle, *mut haft_ref) -> haft_status;
    type Release = unsafe extern "C" fn(*mut haft_ref) -> haft_status;
    type Remove = extern "C" fn(haft_handle) -> haft_status;
    let new = black_box(haft_new as New);
    let get = black_box(haft_get as Get);
    let release = black_box(haft_release as Release);
    let remove = black_box(haft_remove as Remove);
    for value in 0..count {
        let mut handle = 0;
        let mut held = haft_ref::NOT_HELD;
        // SAFETY: the descriptor is a static, and both places can be written.
        let statuses = unsafe {
            let object = std::ptr::without_provenance_mut(value as usize);
            let made = new(&KIND.0, object, &mut handle);
            let got = get(&KIND.0, handle, &mut held);
            black_box(held.object);
            [made, got, release(&mut held), remove(handle)]
        };
        assert_eq!(statuses, [0; 4]);
    }
}

library_benchmark_group!(
    name = paths,
    benchmarks = [
        handle_create,
        handle_get,
        handle_remove,
        handle_cycle,
        registry_create,
        registry_get,
        registry_remove,
        registry_cycle,
        foreign_get,
        foreign_remove,
        take,
        any_remove,
        get_shared,
        stale_get,
        c_cycle,
    ]
);

main!(library_benchmark_groups = paths);
