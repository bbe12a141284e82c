//! What each mistake is told (S13), word by word: `src/docs/errors.md` is made here, and checked.
//!
//! `HAFT_BLESS=1 cargo test --test error_table` writes the page anew. One test, so that nothing else is alive in the process.

mod started;

use haft::{AnyHandle, Error, ErrorKind, Handle, Ref, Registry};
use std::cell::Cell;
use std::fmt::Write;
use std::path::Path;
use std::sync::mpsc;
use std::thread;

struct Session(#[expect(dead_code)] [u8; 24]);
struct Cursor;

fn session() -> Session {
    Session([0; 24])
}

/// The error that looking up these bits as a session gives.
fn look(bits: u64) -> Error {
    match Handle::<Session>::try_from(bits) {
        Ok(handle) => handle.get().err().expect("must fail"),
        Err(error) => error,
    }
}

/// A handle whose lower half is a negative `int`: its thread is ending, so it has a place at the end of the table.
fn negative() -> Handle<Session> {
    struct AtTheEnd(Cell<Option<mpsc::Sender<Handle<Session>>>>);
    impl Drop for AtTheEnd {
        fn drop(&mut self) {
            self.0.take().unwrap().send(Handle::new(session())).unwrap();
        }
    }
    thread_local!(static AT_THE_END: AtTheEnd = const { AtTheEnd(Cell::new(None)) });
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        AT_THE_END.with(|end| end.0.set(Some(send)));
        Handle::new(session()).delete();
    })
    .join()
    .unwrap();
    receive.recv().unwrap()
}

/// A handle that another process issued.
fn of_another_run() -> u64 {
    let output = started::this_program()
        .args(["--exact", "issues_a_handle_for_another_process", "--nocapture"])
        .env("HAFT_ISSUE", "1")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let bits = text.split("issued ").nth(1).expect("the other process says what it issued");
    bits.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn issues_a_handle_for_another_process() {
    if std::env::var_os("HAFT_ISSUE").is_some() {
        println!("issued {}", Handle::new(session()).to_bits());
    }
}

/// The page, as rows of a table.
struct Table(String);

impl Table {
    fn row(&mut self, mistake: &str, kind: ErrorKind, error: Error, pieces: &[&str]) {
        let text = error.to_string();
        assert_eq!(error.kind(), kind, "{mistake}: {text}");
        for piece in pieces {
            assert!(text.contains(piece), "{mistake}: {piece:?} is not in: {text}");
        }
        assert!(text.ends_with('.'), "it ends with what to do: {text}");
        assert_eq!(format!("{error:?}"), format!("Error({kind:?}: {text})"));
        writeln!(self.0, "| {mistake} | `{kind:?}` | {} |", stable(&text)).unwrap();
    }
}

/// The text without what is different each time: the bits of handles, and lines of this file.
fn stable(text: &str) -> String {
    let mut stable = String::new();
    let mut rest = text.replace(&program(), "server").replace("error_table::", "");
    while let Some(at) = rest.find("0x") {
        let digits =
            rest[at + 2..].find(|next: char| !next.is_ascii_hexdigit()).unwrap_or(rest.len() - at - 2);
        stable.push_str(&rest[..at]);
        let bits = &rest[at..at + 2 + digits];
        stable.push_str(if bits.trim_start_matches(['0', 'x']).len() > 4 { "0x…" } else { bits });
        rest = rest[at + 2 + digits..].to_owned();
    }
    stable.push_str(&rest);
    let mut parts = stable.split(concat!(file!(), ":"));
    let mut lines = parts.next().unwrap().to_owned();
    for part in parts {
        lines.push_str("src/server.rs:…");
        lines.push_str(part.trim_start_matches(|next: char| next.is_ascii_digit() || next == ':'));
    }
    // Threads have the numbers of this run and, on Linux, names.
    let mut parts = lines.split(" by thread ");
    let mut threads = parts.next().unwrap().to_owned();
    for part in parts {
        threads.push_str(" by thread 1 (main)");
        threads.push_str(&part[part.find(['.', ';']).unwrap()..]);
    }
    threads
}

fn program() -> String {
    std::env::current_exe().unwrap().file_name().unwrap().to_str().unwrap().to_owned()
}

const HEAD: &str = "\
# Errors and what to do

Every text that an [`Error`](crate::Error) can have, for a program that wants a `Session`. The page is written by a test
(`HAFT_BLESS=1 cargo test --test error_table`), and the same test fails where a text has changed. `0x…` stands for a handle or an address, `src/server.rs:…` for a
place in the program, `thread 1 (main)` for a thread. Types have their full paths in a program, as Rust's [`type_name`](std::any::type_name) gives them
(`server::Session`, `alloc::string::String`), so two types of one name in different modules are told apart; kinds of C have the names of their descriptors.

A text is made when it is read, not when the error is: what an integer comes near is looked up among the handles that are alive *then*.
Halves, flipped bits and neighbours are a few dozen lookups. An address is compared with every page, and the upper half of a handle
with every slot, up to 1,048,576 places and slots; where there are more, the text says less. Which memory an address is in is known on Linux and
Windows; elsewhere the text for an even one says only: `and this is an address, or damaged`.

| what is passed | kind | what the error says |
|---|---|---|
";

#[test]
fn s13_every_mistake_has_its_text() {
    let mut table = Table(HEAD.to_owned());
    // The first handle of a process is its own upper half and one.
    let first = Handle::new(session());
    let live = Handle::new(session());
    let bits = live.to_bits();
    let handle = format!("{bits:#018x}");
    let created = format!("Session, created at {}:{}:", file!(), line!() - 3);

    table.row("zero", ErrorKind::Null, look(0), &["is zero"]);

    // Addresses.
    let local = (0_u64, session());
    let address = (&raw const local.0).addr() as u64;
    let stack = ["this thread's stack", "variable"];
    let memory_is_known = cfg!(any(target_os = "linux", windows));
    if memory_is_known {
        table.row("the address of a variable, even", ErrorKind::Malformed, look(address), &stack);
        table.row("the address of a byte, odd", ErrorKind::Unissued, look(address + 1), &stack);
        let constant = "a constant".as_ptr().addr() as u64 & !1;
        table.row("the address of a constant", ErrorKind::Malformed, look(constant), &["program or library"]);
    }
    let large = vec![0_u8; 1 << 20];
    let middle = large.as_ptr().addr() as u64 + (1 << 19) & !1;
    table.row(
        "the address of a large buffer",
        ErrorKind::Malformed,
        look(middle),
        if memory_is_known { &["in this process's memory"] } else { &["an address, or damaged"] },
    );
    let value = std::ptr::from_ref(&*live.get().unwrap()).addr() as u64;
    let whose = ["address of the value of", &handle, &created, "not the address of its value"];
    table.row("the address of the value itself", ErrorKind::Malformed, look(value), &whose);
    table.row("an odd address within the value", ErrorKind::Unissued, look(value + 5), &whose);
    let dangling = Handle::new(session());
    let removed = std::ptr::from_ref(&*dangling.get().unwrap()).addr() as u64;
    dangling.delete();
    let page = ["in the memory that haft has for", "Session"];
    table.row("the address of a value that was removed", ErrorKind::Malformed, look(removed), &page);
    assert_eq!(look(value - 8).kind(), ErrorKind::Malformed);
    assert!(look(value - 8).to_string().contains(page[0]), "the slot before its value");
    table.row("an address of nothing", ErrorKind::Malformed, look(0x10), &["not in use, or damaged"]);

    // Halves.
    let (upper, lower) = (bits >> 32, bits & 0xFFFF_FFFF);
    let cut = ["the live handle", &handle, &created, "32 bits", "uint64_t"];
    table.row(
        "the lower 32 bits",
        ErrorKind::Unissued,
        look(lower),
        &[&cut[..], &["the lower half of"]].concat(),
    );
    table.row(
        "the upper 32 bits",
        ErrorKind::Malformed,
        look(upper << 32),
        &[&cut[..], &["the upper half of"]].concat(),
    );
    assert!(
        look(upper).to_string().contains(&format!("upper half of the live handle {handle}")),
        "moved down"
    );
    // Where the target has no thread-local values of its own, haft's are made anew for a late
    // destructor, and the handle's place is as any other's.
    let by_keys = cfg!(all(windows, target_env = "gnu"));
    if !by_keys {
        through_an_int(&mut table);
    }

    // Other numbers. By chance a handle may lose nothing, or one bit alone.
    let others = Registry::new();
    let narrowed = |narrow: fn(u64) -> u64| {
        let mut made = (0..100_000).map(|_| others.insert(session()).to_bits());
        let loses = |bits: &u64| (bits ^ narrow(*bits)).count_ones() > 2 && narrow(*bits) << 32 != 0;
        narrow(made.find(loses).expect("of so many, one loses more"))
    };
    let double = narrowed(|bits| bits as f64 as u64);
    let pieces = ["what a double keeps of the live handle", "53 bits"];
    table.row("a handle that was a double", ErrorKind::Malformed, look(double), &pieces);
    let tagged = narrowed(|bits| bits & ((1 << 47) - 1));
    let pieces = ["it lacks its upper bits: it is the rest of the live handle", "fewer than 64 bits"];
    table.row("a handle in 47 bits of a tagged pointer", ErrorKind::Unissued, look(tagged), &pieces);
    drop(others);

    // Damage.
    let off = ["it is one off the live handle", &handle, "no number to count with"];
    table.row("a handle plus one", ErrorKind::Malformed, look(bits + 1), &off);
    table.row("a handle minus one", ErrorKind::Malformed, look(bits - 1), &off);
    for bit in 1..64 {
        let damaged = bits ^ 1 << bit;
        // By chance the generations of two slots are the same, and the other one is as near.
        if (damaged ^ first.to_bits()).count_ones() == 1 {
            continue;
        }
        let error = look(damaged);
        let pieces = format!("it differs in bit {bit} alone from the live handle {handle} (of type ");
        // The slots that were used by now are not this many.
        let kind = if bit == 63 { ErrorKind::Malformed } else { ErrorKind::Unissued };
        assert!(error.kind() == kind && error.to_string().contains(&pieces), "{error}");
        if bit == 40 {
            table.row("a handle with a flipped bit", ErrorKind::Unissued, error, &["flags", "damaged"]);
        }
    }
    table.row("-1, as C has it for an error", ErrorKind::Malformed, look(u64::MAX), &["negative", "code"]);
    table.row("a small number", ErrorKind::Unissued, look(0x1235), &["too small"]);
    table.row(
        "a handle of another run, or another copy of haft",
        ErrorKind::Unissued,
        look(of_another_run()),
        &["earlier run", "another copy"],
    );

    // Handles of this process.
    let registry = Registry::new();
    let _made = registry.insert_with(|handle| {
        table.row(
            "a handle whose value is still being made",
            ErrorKind::Unissued,
            look(handle.to_bits()),
            &["no value yet"],
        );
        session()
    });
    let removed = registry.insert(session());
    registry.remove(removed).unwrap();
    let lines =
        [concat!("created at ", file!()), concat!("removed at ", file!()), " by thread ", "second removal"];
    table.row("a removed handle", ErrorKind::Stale, look(removed.to_bits()), &lines);
    // Others are created and removed until the slot's turn comes.
    let _again = std::iter::repeat_with(|| registry.insert(session()))
        .find(|next| {
            let same = next.to_bits() as u32 == removed.to_bits() as u32;
            same || registry.remove(*next).is_err()
        })
        .unwrap();
    table.row(
        "a removed handle whose slot is in use again",
        ErrorKind::Stale,
        look(removed.to_bits()),
        &["not known any more"],
    );
    let gone = Registry::new();
    let orphan = gone.insert(session());
    drop(gone);
    table.row(
        "a handle of a dropped registry",
        ErrorKind::Stale,
        look(orphan.to_bits()),
        &["it was removed"],
    );
    let cursor = Handle::new(Cursor);
    table.row(
        "a handle of another type",
        ErrorKind::WrongType,
        look(cursor.to_bits()),
        &["wanted", "Session", "holds a", "Cursor"],
    );
    cursor.delete();
    let stale_cursor = look(cursor.to_bits());
    table.row("a removed handle of another type", ErrorKind::Stale, stale_cursor, &["it held a", "Cursor"]);
    table.row(
        "a handle of another registry",
        ErrorKind::WrongRegistry,
        registry.get(live).err().unwrap(),
        &["issued it"],
    );
    table.row(
        "a handle with 4,194,303 counted guards",
        ErrorKind::TooManyHolds,
        too_many(),
        &["likely leaked"],
    );
    let live_here = registry.insert(session());
    let guard = registry.get(live_here).unwrap();
    table.row(
        "a handle that this thread holds, where it would wait until nobody does",
        ErrorKind::HeldHere,
        registry.remove_and_wait(live_here).unwrap_err(),
        &["wait for itself", "does not wait"],
    );
    drop(guard);
    let any = AnyHandle::from(removed).remove().unwrap_err();
    assert!(!any.to_string().contains("wanted"), "nothing was wanted: {any}");

    // After all that nothing has changed.
    assert!(live.get().is_ok() && local.0 == 0 && large[0] == 0);
    live.delete();
    first.delete();
    check(&table.0);
}

/// The lower half of a handle, sign-extended.
fn through_an_int(table: &mut Table) {
    let negative = negative();
    let (signed, whole) = (negative.to_bits() as i32, format!("{:#018x}", negative.to_bits()));
    assert!(signed < 0, "{whole}");
    let extended = ["the lower half, sign-extended, of the live handle", &whole, "uint64_t"];
    table.row(
        "the lower 32 bits, through a C `int`",
        ErrorKind::Malformed,
        look(signed as i64 as u64),
        &extended,
    );
    let zero_extended = look(u64::from(signed as u32));
    assert!(zero_extended.to_string().contains(&format!("the lower half of the live handle {whole}")));
    negative.delete();
    assert!(!look(signed as i64 as u64).to_string().contains("half"), "it is not live any more");
}

/// The error where all guards of a handle that can be counted are taken, and all cells of the thread.
fn too_many() -> Error {
    let held = Handle::new(session());
    for _ in 0..4_194_303 {
        std::mem::forget(Ref::into_shared(held.get().unwrap()));
    }
    let mut guards = Vec::new();
    loop {
        match held.get() {
            Ok(guard) => guards.push(guard),
            Err(error) => return error,
        }
        assert!(guards.len() < 100, "a thread has a few cells");
    }
}

fn check(page: &str) {
    // The page is of Linux with 64 bits, as far as systems differ.
    if !cfg!(all(target_os = "linux", target_pointer_width = "64")) {
        return;
    }
    // The test belongs to several packages, each at another place.
    let root =
        Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().find(|folder| folder.join("src/docs").is_dir());
    let path = root.expect("a folder of the repository").join("src/docs/errors.md");
    if std::env::var_os("HAFT_BLESS").is_some() {
        std::fs::write(&path, page).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    for (line, (found, expected)) in page.lines().zip(golden.lines()).enumerate() {
        assert_eq!(found, expected, "src/docs/errors.md:{}: HAFT_BLESS=1 writes it anew", line + 1);
    }
    assert_eq!(page.lines().count(), golden.lines().count(), "HAFT_BLESS=1 writes it anew");
}
