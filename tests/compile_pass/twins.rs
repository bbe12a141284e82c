//! What the programs that must not compile are one step away from.

use haft::{Handle, Ref, Registry};
use std::sync::Mutex;

fn main() {
    let handle = Handle::new(1);
    let shared = Ref::into_shared(handle.get().unwrap());
    std::thread::spawn(move || println!("{}", *shared)).join().unwrap();
    handle.delete();

    let registry = Registry::new();
    let handle = registry.insert(1);
    let guard = registry.get(handle).unwrap();
    println!("{}", *guard);
    drop(guard);
    drop(registry);

    Handle::new(Mutex::new(1)).delete();
    static LOCAL: &str = "static";
    Handle::new(LOCAL).delete();
    let functions: Registry<fn(&'static str)> = Registry::new();
    let same: &Registry<fn(&'static str)> = &functions;
    assert!(same.is_empty());
}
