//! Any thread may be the last to hold a value.

use haft::Registry;
use std::sync::MutexGuard;

fn main() {
    let _registry: Registry<MutexGuard<'static, u8>> = Registry::new();
}
