//! Every mistake that a C program can make with a handle, and what it is told.

use crate::checks::Checks;
use haft::{AnyHandle, Error, ErrorKind, Handle, Registry, Removal};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

struct Session(#[allow(dead_code)] &'static str);
struct Cursor;

/// Shows one mistake: it must be told as `kind`.
fn show<T>(checks: &mut Checks, name: &str, kind: ErrorKind, result: Result<T, Error>) {
    tells(checks, name, kind, "", result);
}

/// Shows one mistake whose text must also have a piece in it.
fn tells<T>(checks: &mut Checks, name: &str, kind: ErrorKind, piece: &str, result: Result<T, Error>) {
    match result {
        Ok(_) => checks.check(format!("{name}: must fail"), false),
        Err(error) => {
            let text = error.to_string();
            println!("  {name}\n      {text}");
            checks.equal(name, error.kind(), kind);
            checks.check(format!("{name} is told as \"{piece}\""), text.contains(piece));
        }
    }
}

/// How many mistakes the process was told of.
static TOLD: AtomicU64 = AtomicU64::new(0);

pub fn run(checks: &mut Checks) {
    let before = haft::stats().errors;
    haft::on_misuse(|_| {
        TOLD.fetch_add(1, Ordering::Relaxed);
    });
    // The first handle of all is its own upper half and one, which would be two mistakes in one.
    let first = Handle::new(Session("first"));
    let live = Handle::new(Session("live"));
    let bits = live.to_bits();
    let look = |bits: u64| Handle::<Session>::try_from(bits).and_then(|handle| handle.get().map(drop));

    show(checks, "zero", ErrorKind::Null, look(0));
    let object = 5_u64;
    let address = (&raw const object).addr() as u64;
    let stack = if cfg!(target_os = "linux") { "this thread's stack" } else { "" };
    tells(checks, "the address of a variable", ErrorKind::Malformed, stack, look(address));
    let value = live.get().map_or(0, |session| std::ptr::from_ref(&*session).addr() as u64);
    tells(checks, "the address of the value", ErrorKind::Malformed, "address of the value of", look(value));
    tells(
        checks,
        "a handle in an `unsigned int`",
        ErrorKind::Unissued,
        "the lower half of",
        look(bits & 0xFFFF_FFFF),
    );
    tells(checks, "its upper half", ErrorKind::Malformed, "the upper half of", look(bits >> 32 << 32));
    tells(checks, "a handle plus one", ErrorKind::Malformed, "one off", look(bits + 1));
    tells(checks, "one flipped bit", ErrorKind::Unissued, "differs in bit 40 alone", look(bits ^ 1 << 40));
    tells(checks, "all ones", ErrorKind::Malformed, "no handle is negative", look(u64::MAX));
    tells(
        checks,
        "a handle of another run",
        ErrorKind::Unissued,
        "an earlier run",
        look(0x2545_F491_4F6C_DD1D),
    );
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
    // Others are created and removed until the slot's turn comes.
    let again = loop {
        let next = Handle::new(Session("again"));
        if next.to_bits() as u32 == removed.to_bits() as u32 {
            break next;
        }
        next.delete();
    };
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
    first.delete();
    let made = haft::stats().errors.total() - before.total();
    println!("  {made} errors were made, and the hook was told of {}", TOLD.load(Ordering::Relaxed));
    checks.check("the hook was told of each", TOLD.load(Ordering::Relaxed) == made && made > 0);
    haft::on_misuse(|_| ());
}
