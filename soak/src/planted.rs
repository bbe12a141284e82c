//! Faults that sanitizers must find, each reached through a handle.

use haft::Handle;
use std::cell::UnsafeCell;
use std::thread;

/// Plain memory that says it may be shared.
struct Wrong(UnsafeCell<u64>);
// SAFETY: none: this is the fault.
unsafe impl Sync for Wrong {}

impl Wrong {
    fn add(&self) {
        // SAFETY: none: this is the fault.
        unsafe { *self.0.get() += 1 };
    }
}

/// Does what is wrong.
pub fn plant(fault: &str) -> Result<(), String> {
    match fault {
        "race" => {
            // Looking a handle up orders its creation before, and nothing else.
            let handle = Handle::new(Wrong(UnsafeCell::new(0)));
            let there = thread::spawn(move || (0..1000).for_each(|_| handle.value().add()));
            (0..1000).for_each(|_| handle.value().add());
            there.join().map_err(|_| "a thread panicked")?;
        }
        "leak" => {
            // (Not of a value that was under a handle: its free slot may still show the address, and nothing is lost that can be found.)
            let length = Handle::new(100).take().map_err(|error| error.to_string())?;
            std::mem::forget(vec![7_u8; length.unwrap_or_default()]);
        }
        "use-after-free" => {
            let handle = Handle::new(Box::new(7_u8));
            let guard = handle.value();
            let pointer: *const u8 = &raw const **guard;
            drop(guard);
            handle.delete();
            // SAFETY: none: this is the fault.
            println!("{}", unsafe { pointer.read_volatile() });
        }
        other => return Err(format!("no such fault: {other}")),
    }
    Ok(())
}
