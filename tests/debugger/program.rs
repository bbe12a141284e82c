//! What `tests/debugger/run` looks at: handles of several kinds, in several states; then it stops.

use haft::{AnyHandle, Handle, Ref, Registry};

#[derive(Debug)]
struct Session {
    user: &'static str,
    number: u32,
}

struct Cursor(u64);

static CURSORS: Registry<Cursor> = Registry::new();

/// Where the debugger waits. A frame of C's language is no obstacle, either.
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn haft_debugger_stop(bits: u64) -> u64 {
    std::hint::black_box(bits)
}

/// A handle of C's, with C's own type and place.
#[cfg(feature = "capi")]
fn of_c() -> u64 {
    use haft::capi::{haft_new_at, haft_type};
    struct Kind(haft_type);
    // SAFETY: constant, and the name is a literal.
    unsafe impl Sync for Kind {}
    static KIND: Kind = Kind(haft_type { name: c"socket".as_ptr(), destroy: None });
    let mut bits = 0;
    // SAFETY: the descriptor, the file's name and the result's place stay; null is a legal object.
    let status = unsafe {
        haft_new_at(&raw const KIND.0, std::ptr::null_mut(), &raw mut bits, c"lib/socket.c".as_ptr(), 77)
    };
    assert_eq!(status, 0);
    bits
}

#[cfg(not(feature = "capi"))]
fn of_c() -> u64 {
    0
}

fn main() {
    let live = Handle::new(Session { user: "alice", number: 7 });
    let any = AnyHandle::from(live);
    let held = Handle::new(Session { user: "carol", number: 9 });
    let guard = held.get().unwrap();
    held.delete();
    let removed = Handle::new(Session { user: "bob", number: 8 });
    removed.delete();
    let cursor = std::thread::spawn(|| CURSORS.insert(Cursor(42))).join().unwrap();
    let older = Handle::new(0_u8);
    older.delete();
    // Others are created and removed until the slot's turn comes.
    let newer = loop {
        let next = Handle::new(1_u8);
        if next.to_bits() as u32 == older.to_bits() as u32 {
            break next;
        }
        next.delete();
    };
    let many: Vec<_> = (0..300).map(|number| Handle::new([number; 3])).collect();
    let c = of_c();
    // At last, so that its place is not used again.
    let gone = Registry::new();
    let orphan = gone.insert("orphan");
    drop(gone);
    println!(
        "live {live}\nheld {held}\nremoved {removed}\ncursor {cursor}\nolder {older}\nnewer {newer}\norphan {orphan}\nc {c:#018x}"
    );
    std::io::Write::flush(&mut std::io::stdout()).unwrap();
    haft_debugger_stop(live.to_bits());
    // Everything is used after the stop, so that it is there.
    let cursor = CURSORS.get(cursor).unwrap().0;
    println!("{any} {} {} {cursor} {}", Ref::handle(&guard), guard.number, many.len());
    println!("{}", guard.user);
}
