//! A value goes out as a number and comes back.

use haft::{AnyHandle, Error, Handle, Registry, Removal};

struct Session {
    user: String,
}

/// All sessions have one owner.
static SESSIONS: Registry<Session> = Registry::new();

/// What C calls in a callback: all that it has is the number.
fn callback(bits: u64) -> Result<(), Error> {
    let session = Handle::<Session>::try_from(bits)?.get()?;
    println!("called back for {}", session.user);
    Ok(())
}

fn main() -> Result<(), Error> {
    let handle = SESSIONS.insert(Session { user: "alice".into() });
    let bits = handle.to_bits();
    println!("C holds {handle}");

    // Any thread may use it.
    std::thread::spawn(move || callback(bits)).join().expect("the thread did not panic")?;

    // Removing it while somebody uses it is safe: the last one drops it.
    let session = SESSIONS.get(handle)?;
    assert_eq!(SESSIONS.remove(handle)?, Removal::Deferred);
    println!("removed, and still here: {}", session.user);
    drop(session);

    // Mistakes are told.
    println!("{}", callback(bits).unwrap_err());
    println!("{}", callback(bits + 1).unwrap_err());
    println!("{}", callback(0).unwrap_err());

    // One destroy function serves every kind.
    let forgotten = Handle::new(vec![1, 2, 3]);
    print!("{}", haft::leaks());
    AnyHandle::try_from(forgotten.to_bits())?.remove()?;
    print!("{}", haft::leaks());
    Ok(())
}
