//! What kind of memory an address is in, as far as the system tells.

/// A part of the process's memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Region {
    /// The stack of the calling thread.
    Stack,
    /// The heap.
    Heap,
    /// The program or a library: the file's name.
    File(String),
    /// Mapped, and nothing more is known: large allocations, other threads' stacks.
    Other,
}

/// The region that an address is in; `None` where nothing is there, or where the system does not tell.
///
/// On Linux it reads `/proc/self/maps` up to the address, and at most 256 KiB of it: tens of microseconds, mostly.
pub(crate) fn region(address: u64) -> Option<Region> {
    // The first page is never mapped, and no process has more than 57 bits of addresses: most wrong integers are small, or handles of others.
    if address < 4096 || address >> 57 != 0 {
        return None;
    }
    #[cfg(target_os = "linux")]
    {
        use std::io::Read;
        let mut maps = String::new();
        let file = std::fs::File::open("/proc/self/maps").ok()?;
        // Cut off in the middle of a line, or of a character of a name, is fine.
        let _ = file.take(256 * 1024).read_to_string(&mut maps);
        let here = std::ptr::from_ref(&maps).addr() as u64;
        find(&maps, address, here)
    }
    #[cfg(not(target_os = "linux"))]
    None
}

/// The region of an address in the text that Linux gives, where `here` is on the stack of the calling thread.
#[cfg(any(target_os = "linux", test))]
fn find(maps: &str, address: u64, here: u64) -> Option<Region> {
    for line in maps.lines() {
        let mut words = line.split_ascii_whitespace();
        let (begin, end) = words.next()?.split_once('-')?;
        let (begin, end) = (u64::from_str_radix(begin, 16).ok()?, u64::from_str_radix(end, 16).ok()?);
        if address >= end {
            continue;
        }
        if address < begin {
            break;
        }
        return Some(match words.nth(4) {
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
        for nothing in [0x54ff, 0x5700, 0x7100, 0x7300, u64::MAX] {
            assert_eq!(find(nothing), None, "{nothing:#x}");
        }
        assert_eq!(super::find("nonsense", 0x7000, 0), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn s13_the_system_tells_where_things_are() {
        static CONSTANT: u8 = 7;
        let local = 5_u8;
        assert_eq!(region((&raw const local).addr() as u64), Some(Region::Stack));
        assert!(matches!(region((&raw const CONSTANT).addr() as u64), Some(Region::File(_))));
        let large = vec![0_u8; 1 << 24];
        assert!(matches!(region(large.as_ptr().addr() as u64 + (1 << 20)), Some(Region::Other)));
        assert_eq!(region(5), None);
        assert_eq!(region(u64::MAX), None);
    }
}
