//! Nor has the default registry room for what must stay on its thread.

use haft::Handle;
use std::sync::Mutex;

fn main() {
    static LOCK: Mutex<u8> = Mutex::new(1);
    let _ = Handle::new(LOCK.lock().unwrap());
}
