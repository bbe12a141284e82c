//! What kind of memory an address is in, as far as the system tells.

use crate::raw::confine::is_confined;

/// A part of the process's memory.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "other systems tell less"))]
pub(crate) enum Region {
    /// The stack of the calling thread.
    Stack,
    /// The heap.
    Heap,
    /// The program or a library: the file's name.
    File(String),
    /// In use, and nothing more is known: large allocations, other threads' stacks.
    Other,
    /// Nothing is there.
    Free,
    /// The system does not tell.
    Unknown,
}

/// The region that an address is in.
///
/// On Linux it reads `/proc/self/maps` up to the address, and at most 256 KiB of it: tens of
/// microseconds, mostly. On Windows it is one call. On other systems it is not known.
pub(crate) fn region(address: u64) -> Region {
    // The first page is never mapped, and no process has more than 57 bits of addresses: most wrong integers are small, or handles of others.
    if address < 4096 || address >> 57 != 0 || usize::try_from(address).is_err() {
        return Region::Free;
    }
    if is_confined() { Region::Unknown } else { system(address) }
}

#[cfg(target_os = "linux")]
fn system(address: u64) -> Region {
    use std::io::Read;
    const MOST: u64 = 256 * 1024;
    let mut maps = Vec::new();
    let here = std::ptr::from_ref(&maps).addr() as u64;
    let Ok(file) = std::fs::File::open("/proc/self/maps") else {
        return Region::Unknown;
    };
    let whole = file.take(MOST).read_to_end(&mut maps).is_ok() && (maps.len() as u64) < MOST;
    match find(&String::from_utf8_lossy(&maps), address, here) {
        Some(region) => region,
        None if whole && !maps.is_empty() => Region::Free,
        None => Region::Unknown,
    }
}

#[cfg(all(windows, not(miri)))]
fn system(address: u64) -> Region {
    use crate::raw::windows::{Memory, memory};
    let local = 0_u8;
    match memory(address as usize) {
        Memory::Free => Region::Free,
        Memory::Image(path) => Region::File(path.rsplit(['\\', '/']).next().unwrap_or(&path).to_owned()),
        // A thread's stack is one allocation.
        Memory::Plain(begin) => match memory(std::ptr::from_ref(&local).addr()) {
            Memory::Plain(stack) if stack == begin => Region::Stack,
            _ => Region::Other,
        },
    }
}

#[cfg(not(any(target_os = "linux", all(windows, not(miri)))))]
fn system(_address: u64) -> Region {
    Region::Unknown
}

/// The region of an address in the text that Linux gives, where `here` is on the stack of the
/// calling thread; `None` where the text ends before it comes to the address, or cannot be read.
#[cfg(any(target_os = "linux", test))]
fn find(maps: &str, address: u64, here: u64) -> Option<Region> {
    for line in maps.lines() {
        let mut words = line.split_ascii_whitespace();
        let (begin, end) = words.next()?.split_once('-')?;
        // Of a line that is cut off, the end may be as well.
        words.next()?;
        let (begin, end) = (u64::from_str_radix(begin, 16).ok()?, u64::from_str_radix(end, 16).ok()?);
        if address >= end {
            continue;
        }
        if address < begin {
            return Some(Region::Free);
        }
        return Some(match words.nth(3) {
            _ if (begin..end).contains(&here) => Region::Stack,
            Some("[heap]") => Region::Heap,
            Some(path) if path.starts_with('/') => {
                Region::File(path.rsplit('/').next().unwrap_or(path).to_owned())
            }
            _ => Region::Other,
        });
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAPS: &str = "\
5500-5600 r-xp 00000000 08:01 42      /usr/bin/server
5600-5700 rw-p 00000000 00:00 0       [heap]
7000-7100 rw-p 00000000 00:00 0
7200-7300 rw-p 00000000 00:00 0       [stack]
";

    #[test]
    fn s13_regions_are_told_apart() {
        let find = |address| find(MAPS, address, 0x7250);
        assert_eq!(find(0x5500), Some(Region::File("server".to_owned())));
        assert_eq!(find(0x55ff), Some(Region::File("server".to_owned())));
        assert_eq!(find(0x5600), Some(Region::Heap));
        assert_eq!(find(0x7001), Some(Region::Other));
        assert_eq!(find(0x7299), Some(Region::Stack));
        for free in [0x54ff, 0x5700, 0x7100] {
            assert_eq!(find(free), Some(Region::Free), "{free:#x}");
        }
        for beyond in [0x7300, u64::MAX] {
            assert_eq!(find(beyond), None, "{beyond:#x}");
        }
        assert_eq!(super::find("nonsense", 0x7000, 0), None);
    }

    #[test]
    fn s13_nothing_is_said_of_an_address_that_the_text_does_not_come_to() {
        // The text is cut off somewhere.
        for end in 0..MAPS.len() {
            let found = super::find(&MAPS[..end], 0x7250, 0);
            assert!(matches!(found, None | Some(Region::Other)), "{end}: {found:?}");
        }
    }

    #[test]
    #[cfg(any(target_os = "linux", windows))]
    fn s13_the_system_tells_where_things_are() {
        static CONSTANT: u8 = 7;
        let local = 5_u8;
        assert_eq!(region((&raw const local).addr() as u64), Region::Stack);
        assert!(matches!(region((&raw const CONSTANT).addr() as u64), Region::File(_)));
        let large = vec![0_u8; 1 << 24];
        assert_eq!(region(large.as_ptr().addr() as u64 + (1 << 20)), Region::Other);
        // The first pages are nobody's.
        assert_eq!(region(4096), Region::Free);
    }

    #[test]
    #[cfg(not(any(target_os = "linux", windows)))]
    fn s13_where_the_system_does_not_tell_nothing_is_said() {
        let local = 5_u8;
        assert_eq!(region((&raw const local).addr() as u64), Region::Unknown);
    }

    #[test]
    fn s13_what_cannot_be_an_address_is_none_on_any_system() {
        for none in [0, 5, 4095, 1 << 57, u64::MAX] {
            assert_eq!(region(none), Region::Free, "{none:#x}");
        }
    }
}
