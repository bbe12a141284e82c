//! A guard does not leave the scope of its registry.

use haft::Registry;

fn main() {
    let guard = {
        let registry = Registry::new();
        let handle = registry.insert(1);
        registry.get(handle).unwrap()
    };
    println!("{}", *guard);
}
