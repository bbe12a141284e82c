//! So does a shared one.

use haft::{Ref, Registry};

fn main() {
    let shared = {
        let registry = Registry::new();
        let handle = registry.insert(1);
        Ref::into_shared(registry.get(handle).unwrap())
    };
    println!("{}", *shared);
}
