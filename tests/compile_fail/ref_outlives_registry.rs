//! A guard from a registry borrows it.

use haft::Registry;

fn main() {
    let registry = Registry::new();
    let handle = registry.insert(1);
    let guard = registry.get(handle).unwrap();
    drop(registry);
    println!("{}", *guard);
}
