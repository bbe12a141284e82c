//! The text of an [`Error`]: what the integer is, whose it was, and what to do.
//!
//! It is made when somebody reads it, so that making an error costs next to nothing; what the integer comes near is looked up then, among what is
//! alive at that moment.

use crate::error::{Error, ErrorKind};
use crate::memory::{self, Region};
use crate::raw::bits;
use crate::raw::explain::{Cause, found};
use crate::raw::near::{self, Near};
use crate::site::Site;
use std::fmt::{self, Formatter};

/// What is known about an integer that is not a handle.
enum Clue {
    Near(Near),
    Region(Region),
    /// There is nothing to look for.
    None,
}

impl Clue {
    fn of(error: &Error) -> Self {
        if !matches!(error.kind(), ErrorKind::Malformed | ErrorKind::Unissued)
            || matches!(error.cause(), Cause::Reserved | Cause::Live)
        {
            return Self::None;
        }
        let bits = error.bits();
        match near::near(bits) {
            Some(near) => Self::Near(near),
            None => Self::Region(memory::region(bits)),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let clue = Clue::of(self);
        write!(f, "handle {:#018x}", self.bits())?;
        if let Some(expected) = self.expected_type() {
            write!(f, " (wanted: {expected})")?;
        }
        f.write_str(verdict(self))?;
        write_clue(f, &clue)?;
        write_past(f, self)?;
        f.write_str(remedy(self, &clue))
    }
}

/// What is wrong, in a few words.
fn verdict(error: &Error) -> &'static str {
    match error.cause() {
        Cause::Malformed if error.bits() == 0 => " is zero, which is never a handle",
        Cause::Malformed if error.bits() & 1 == 0 => " is malformed: every handle is an odd number",
        Cause::Malformed => " is malformed: no handle is negative as a signed number",
        Cause::Unissued => " was never issued by this process",
        Cause::Reserved | Cause::Live => " has no value yet: it is still being created",
        Cause::Stale => " is stale: it was removed",
        Cause::WrongType => " is of the wrong type",
        Cause::WrongRegistry => " belongs to another registry",
        Cause::TooManyHolds => " is held by as many counted guards as there can be",
        Cause::HeldHere => " is held by this very thread, which would wait for itself",
    }
}

fn write_clue(f: &mut Formatter<'_>, clue: &Clue) -> fmt::Result {
    match clue {
        Clue::None | Clue::Region(Region::Free | Region::Unknown) => Ok(()),
        Clue::Near(near) => write_near(f, *near),
        Clue::Region(Region::Stack) => f.write_str("; it is an address on this thread's stack"),
        Clue::Region(Region::Heap) => f.write_str("; it is an address in the heap"),
        Clue::Region(Region::File(name)) => {
            write!(f, "; it is an address in the program or library `{name}`")
        }
        Clue::Region(Region::Other) => f.write_str("; it is an address in this process's memory"),
    }
}

fn write_near(f: &mut Formatter<'_>, near: Near) -> fmt::Result {
    match near {
        Near::Value(handle) => {
            f.write_str("; it is the address of the value of ")?;
            write_live(f, handle)
        }
        Near::Page(info) => write!(f, "; it is an address in the memory that haft has for {}", info.name()),
        Near::Lower(handle) => {
            f.write_str("; it is the lower half of ")?;
            write_live(f, handle)
        }
        Near::Signed(handle) => {
            f.write_str("; it is the lower half, sign-extended, of ")?;
            write_live(f, handle)
        }
        Near::Upper(handle) => {
            f.write_str("; it is the upper half of ")?;
            write_live(f, handle)
        }
        Near::Off(handle) => {
            f.write_str("; it is one off ")?;
            write_live(f, handle)
        }
        Near::Bit(handle, bit) => {
            write!(f, "; it differs in bit {bit} alone from ")?;
            write_live(f, handle)
        }
        Near::Double(handle) => {
            f.write_str("; it is what a double keeps of ")?;
            write_live(f, handle)
        }
        Near::Cut(handle) => {
            f.write_str("; it lacks its upper bits: it is the rest of ")?;
            write_live(f, handle)
        }
    }
}

/// Names a live handle that was found, and what it is.
fn write_live(f: &mut Formatter<'_>, handle: u64) -> fmt::Result {
    write!(f, "the live handle {handle:#018x}")?;
    let Some(finding) = near::finding(handle) else {
        return Ok(());
    };
    if let Some(info) = found(handle, finding.cause) {
        write!(f, " (of type {}", info.name())?;
        if let Some(created) = Site::of(finding.created()) {
            write!(f, ", created at {created}")?;
        }
        f.write_str(")")?;
    }
    Ok(())
}

/// Type and places: whose the handle is, or was.
fn write_past(f: &mut Formatter<'_>, error: &Error) -> fmt::Result {
    if let Some(found) = error.found_type() {
        match error.cause() {
            Cause::WrongType => write!(f, ": it holds a {found}")?,
            Cause::Stale if error.expected_type() != Some(found) => write!(f, "; it held a {found}")?,
            _ => {}
        }
    }
    if let Some(created) = error.created_at() {
        write!(f, "; created at {created}")?;
    }
    if let Some(removed) = error.removed_at() {
        write!(f, "; removed at {removed}")?;
    }
    // Of the later of the two.
    error.thread().map_or(Ok(()), |thread| write!(f, " by {thread}"))
}

/// What to do.
fn remedy(error: &Error, clue: &Clue) -> &'static str {
    match (error.cause(), clue) {
        (Cause::Malformed, _) if error.bits() == 0 => ". Check that the handle was stored before it is used.",
        (Cause::Malformed | Cause::Unissued, Clue::Near(near)) => match near {
            Near::Value(_) => {
                ". Pass the handle itself (the integer from `to_bits`, the pointer from `to_ptr`), not the address of its value."
            }
            Near::Page(_) => {
                ". Pass the handle itself (the integer from `to_bits`, the pointer from `to_ptr`), not an address; values that are removed \
                 must not be used by address either."
            }
            Near::Lower(_) | Near::Signed(_) | Near::Upper(_) => {
                ". Unless it is a number of something else, it went through 32 bits: keep handles in `uint64_t` or `void *`, not in `int` or \
                 `long`, and declare the functions that take and return them."
            }
            Near::Double(_) => {
                ". It went through a floating-point number (a JavaScript number, a JSON number, SQL's REAL), which has 53 bits: pass handles \
                 as integers of 64 bits or as text, or use `Registry::narrow(53)`."
            }
            Near::Cut(..) => {
                ". It went through something that has fewer than 64 bits: a tagged pointer, a light userdata, a field of bits. Keep handles whole, \
                 or use `Registry::narrow`, down to 47 bits."
            }
            Near::Off(_) => ". A handle is no number to count with: keep it as it was given.",
            Near::Bit(..) => ". Look for flags that are kept in the handle's bits, or for damaged memory.",
        },
        (Cause::Malformed | Cause::Unissued, Clue::Region(Region::Stack)) => {
            ". Pass the handle itself (the integer from `to_bits`, the pointer from `to_ptr`), not the address of the variable that it is in."
        }
        (
            Cause::Malformed | Cause::Unissued,
            Clue::Region(Region::Heap | Region::File(_) | Region::Other),
        ) => {
            ". Pass the handle itself (the integer from `to_bits`, the pointer from `to_ptr`), not the address of something."
        }
        (Cause::Malformed, _) if error.bits() & 1 == 1 => {
            ". Check that it is not -1 or another code of an error; else look for damaged memory."
        }
        (Cause::Malformed, Clue::Region(Region::Free)) => {
            ", and this is an address that is not in use, or damaged. Pass the integer from `to_bits` (or the pointer from `to_ptr`), as it was \
             given."
        }
        (Cause::Malformed, _) => {
            ", and this is an address, or damaged. Pass the integer from `to_bits` (or the pointer from `to_ptr`), as it was given."
        }
        (Cause::Unissued, _) if bits::generation(error.bits()) == 0 => {
            ", nor by any other: it is too small. Check that it is the integer from `to_bits`, and not an index, a descriptor or a count."
        }
        (Cause::Unissued, _) => {
            " and this copy of haft; it may be a handle of an earlier run, of another process or of another copy. Do not keep \
             handles beyond their process, and give them to the library that issued them; else look for damaged memory."
        }
        (Cause::Reserved | Cause::Live, _) => ". Use it after `insert_with` has returned.",
        (Cause::Stale, _) if error.created_at().is_none() => {
            " (its slot is in use again or was, so the lines are not known any more). Look for a second removal, or a copy that \
             was kept too long."
        }
        (Cause::Stale, _) => ". Look for a second removal, or a copy that was kept too long.",
        (Cause::WrongType, _) if error.found_type() == error.expected_type() => {
            ". These are two types of one name. In C, a descriptor that is `static` in a header is another one in each file: use \
             HAFT_DECLARE_TYPE and HAFT_DEFINE_TYPE. In Rust, look for two versions of one crate."
        }
        (Cause::WrongType, _) => ". Look it up with its own type, or check for mixed-up arguments.",
        (Cause::WrongRegistry, _) => ". Look it up in the registry that issued it.",
        (Cause::TooManyHolds, _) => ". Drop some guards; they are likely leaked.",
        (Cause::HeldHere, _) => ". Drop the guard first, or use `remove`, which does not wait.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AnyHandle;

    #[test]
    fn s13_where_the_system_does_not_tell_an_address_is_not_said_to_be_unused() {
        let error = |bits| AnyHandle::from_bits(bits).unwrap().type_name().unwrap_err();
        let (even, odd) = (error(0x7000_0000_1000), error(0x7000_0000_1001));
        let remedy = |error, region| remedy(error, &Clue::Region(region));
        assert!(remedy(&even, Region::Free).contains("an address that is not in use, or damaged."));
        assert!(remedy(&even, Region::Unknown).contains("an address, or damaged."));
        // It may be a handle of others, or an address.
        for region in [Region::Free, Region::Unknown] {
            assert!(remedy(&odd, region).contains("a handle of an earlier run"));
        }
    }
}
