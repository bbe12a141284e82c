//! Every mistake that a C program can make with a handle, and what it is told.

use crate::checks::Checks;
use haft::{AnyHandle, Error, ErrorKind, Handle, Registry, Removal};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

struct Session(#[allow(dead_code)] &'static str);
struct Cursor;

/// Shows one mistake: it must be told as `kind`.
fn show<T>(checks: &mut Checks, name: &str, kind: ErrorKind, result: Result<T, Error>) {
    match result {
        Ok(_) => checks.check(format!("{name}: must fail"), false),
        Err(error) => {
            println!("  {name}\n      {error}");
            checks.equal(name, error.kind(), kind);
        }
    }
}

pub fn run(checks: &mut Checks) {
    let live = Handle::new(Session("live"));
    let bits = live.to_bits();
    let look = |bits: u64| Handle::<Session>::try_from(bits).and_then(|handle| handle.get().map(drop));

    show(checks, "zero", ErrorKind::Null, look(0));
    let object = 5_u64;
    let address = (&raw const object).addr() as u64;
    show(checks, "the address of something", ErrorKind::Malformed, look(address));
    show(checks, "a handle plus one", ErrorKind::Malformed, look(bits + 1));
    show(checks, "one flipped bit", ErrorKind::Unissued, look(bits ^ 1 << 40));
    show(checks, "all ones", ErrorKind::Unissued, look(u64::MAX));
    show(checks, "a number from nowhere", ErrorKind::Unissued, look(0x2545_F491_4F6C_DD1D));
    let cursor = Handle::new(Cursor);
    show(checks, "a handle of another type", ErrorKind::WrongType, look(cursor.to_bits()));
    cursor.delete();

    let (here, there) = (Registry::new(), Registry::new());
    let elsewhere = there.insert(Session("elsewhere"));
    show(checks, "a handle of another registry", ErrorKind::WrongRegistry, here.get(elsewhere).map(drop));
    drop(there);
    show(checks, "a handle of a dropped registry", ErrorKind::Stale, here.get(elsewhere).map(drop));

    let removed = Handle::new(Session("removed"));
    removed.delete();
    show(checks, "a removed handle", ErrorKind::Stale, removed.get().map(drop));
    show(checks, "a second removal", ErrorKind::Stale, removed.remove());
    show(checks, "the same through a generic destroy", ErrorKind::Stale, AnyHandle::from(removed).remove());
    let again = Handle::new(Session("again"));
    show(checks, "a removed handle whose slot is used again", ErrorKind::Stale, removed.get().map(drop));
    again.delete();

    // Not a mistake: removal while somebody uses the value.
    struct Flag(Arc<AtomicBool>);
    impl Drop for Flag {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let dropped = Arc::new(AtomicBool::new(false));
    let used = Handle::new(Flag(dropped.clone()));
    let guard = used.get();
    checks.equal("removal in use is deferred", used.remove().ok(), Some(Removal::Deferred));
    checks.check("the value stays while it is used", !dropped.load(Ordering::SeqCst));
    drop(guard);
    checks.check("and goes with the last use", dropped.load(Ordering::SeqCst));

    checks.check("after all that the live handle still works", look(bits).is_ok());
    live.delete();
}
