//! The threads that use handles, by number: twelve bits name the one that created or removed a handle.
//!
//! A thread gets a number when it first enrols or binds; numbers are not used again, and threads
//! that come after the last have none. The table keeps what each was called, without allocation:
//! the first 15 bytes, which is all that Linux has.

use crate::sync::{AtomicU32, AtomicU64, Ordering};
use std::fmt;

/// Bits that a number has.
pub(crate) const BITS: u32 = 12;
/// The first that is not given out.
const END: u32 = (1 << BITS) - 1;

/// Whether the system can be asked what it calls a thread.
#[cfg(test)]
pub(crate) const KNOWN: bool =
    cfg!(all(any(target_os = "linux", target_vendor = "apple", windows), not(miri)));

/// What is kept of a name, with zeros behind it: as much as Linux keeps.
type Bytes = [u8; 16];

static NAMES: [[AtomicU64; 2]; END as usize] =
    [const { [AtomicU64::new(0), AtomicU64::new(0)] }; END as usize];

/// The next number.
static NEXT: AtomicU32 = AtomicU32::new(1);

/// A number for the calling thread; 0 where none is left.
#[cold]
pub(crate) fn number() -> u32 {
    let number = take(&NEXT);
    if number == 0 {
        return 0;
    }
    let name = own_name();
    for (half, word) in NAMES[number as usize].iter().zip(name.chunks_exact(8)) {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(word);
        // Relaxed: whoever finds the number has acquired the word that it stands in (E11), which is stored later.
        half.store(u64::from_ne_bytes(bytes), Ordering::Relaxed);
    }
    number
}

/// The next of these numbers; 0, for ever, after the last. Relaxed: only the number matters.
fn take(next: &AtomicU32) -> u32 {
    let taken =
        next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |next| (next < END).then_some(next + 1));
    taken.unwrap_or(0)
}

/// A thread that has a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Thread(u16);

impl Thread {
    /// The one with this number; `None` for 0.
    pub(crate) fn of(number: u32) -> Option<Self> {
        (1..END).contains(&number).then_some(Self(number as u16))
    }

    /// Its number, from 1 in the order in which threads first used handles.
    pub(crate) const fn number(self) -> u16 {
        self.0
    }

    fn name(self) -> Bytes {
        let mut name = [0; 16];
        for (half, word) in name.chunks_exact_mut(8).zip(&NAMES[usize::from(self.0)]) {
            half.copy_from_slice(&word.load(Ordering::Relaxed).to_ne_bytes());
        }
        name
    }
}

impl fmt::Display for Thread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name();
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        write!(f, "thread {}", self.0)?;
        match name {
            [] => Ok(()),
            name => write!(f, " ({})", String::from_utf8_lossy(name)),
        }
    }
}

/// What the system calls this thread. (Rust's own name of it cannot be asked for in a thread that is nearly gone.)
#[cfg(all(target_os = "linux", not(miri)))]
fn own_name() -> Bytes {
    let mut name = [0; 16];
    if super::confine::is_confined() {
        return name;
    }
    // SAFETY(F4): they take nothing and cannot fail.
    if unsafe { libc::gettid() == libc::getpid() } {
        // The system has the program's name for it.
        name[..4].copy_from_slice(b"main");
        return name;
    }
    // SAFETY(F4): a place for 16 bytes, which is what a name has with its zero; on failure it stays empty.
    unsafe { libc::prctl(libc::PR_GET_NAME, name.as_mut_ptr()) };
    name
}

#[cfg(all(target_vendor = "apple", not(miri)))]
fn own_name() -> Bytes {
    let mut whole = [0; 64];
    // SAFETY(F4): it takes nothing and cannot fail.
    if unsafe { libc::pthread_main_np() } != 0 {
        // As on other systems; here it has no name.
        whole[..4].copy_from_slice(b"main");
    } else {
        // SAFETY(F4): a place for so many bytes, which ends with a zero; on failure it stays empty.
        unsafe { libc::pthread_getname_np(libc::pthread_self(), whole.as_mut_ptr().cast(), whole.len()) };
    }
    let mut name = [0; 16];
    name[..15].copy_from_slice(&whole[..15]);
    name
}

#[cfg(all(windows, not(miri)))]
fn own_name() -> Bytes {
    super::windows::thread_name()
}

#[cfg(any(miri, not(any(target_os = "linux", target_vendor = "apple", windows))))]
fn own_name() -> Bytes {
    [0; 16]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_differ_and_bring_the_name_back() {
        let named = |name: &str| {
            let thread = std::thread::Builder::new().name(name.into()).spawn(number).unwrap();
            Thread::of(thread.join().unwrap()).unwrap()
        };
        let (one, two) = (named("short"), named("a name that is longer than fifteen bytes"));
        assert_ne!(one.number(), two.number());
        if KNOWN {
            assert_eq!(one.to_string(), format!("thread {} (short)", one.number()));
            assert_eq!(two.to_string(), format!("thread {} (a name that is )", two.number()));
        }
        assert!(Thread::of(0).is_none() && Thread::of(END).is_none() && Thread::of(END - 1).is_some());
    }

    #[test]
    fn s9_after_the_last_number_there_are_none() {
        let next = AtomicU32::new(END - 2);
        assert_eq!([(); 4].map(|()| take(&next)), [END - 2, END - 1, 0, 0]);
        assert_eq!(END >> BITS, 0, "all of them fit");
    }
}
