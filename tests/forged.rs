//! Any integer is safe (S3): random and damaged ones among many live handles.
//!
//! `HAFT_FORGED` is how many are tried.

use haft::{AnyHandle, ErrorKind, Handle, Registry};
use std::collections::{BTreeMap, HashSet};
use std::time::Instant;

const LIVE: u64 = 100_000;

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

#[test]
fn s3_forged_handles_are_errors_and_live_ones_still_work() {
    let count = std::env::var("HAFT_FORGED").map_or(500_000, |count| count.parse::<u64>().unwrap());
    let registry = Registry::new();
    let handles: Vec<Handle<u64>> = (0..LIVE)
        .map(|value| if value % 2 == 0 { registry.insert(value) } else { Handle::new(value) })
        .collect();
    let live: HashSet<u64> = handles.iter().map(|handle| handle.to_bits()).collect();
    assert_eq!(live.len(), handles.len());
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let mut kinds: BTreeMap<String, u64> = BTreeMap::new();
    let mut hits = 0;
    let begun = Instant::now();
    let mut guards = Vec::new();
    for round in 0..count {
        // Now and then this thread has more guards than cells, so that lookups count.
        match round % 1000 {
            0 => guards.extend(handles[..10].iter().map(|handle| handle.get().unwrap())),
            500 => guards.clear(),
            _ => {}
        }
        let any = random.next();
        let known = handles[(any % LIVE) as usize].to_bits();
        let forged = match round % 12 {
            0..=2 => any,
            3..=5 => known ^ 1 << (any >> 32 & 63),
            6 => known.wrapping_add(1),
            7 => known.wrapping_sub(1),
            8 => known ^ any & 0xFFFF_FFFF_0000_0000,
            9 => known ^ any & 0xFFFF_FFFF,
            10 => known.wrapping_add((1 << 33) * (any >> 60)),
            _ => known.rotate_left((any >> 32) as u32 & 63),
        };
        let Some(handle) = Handle::<u64>::from_bits(forged) else {
            continue;
        };
        if live.contains(&forged) {
            hits += 1;
            continue;
        }
        let error = if round % 2 == 0 { handle.get().err() } else { registry.get(handle).err() };
        let error = error.unwrap_or_else(|| panic!("{forged:#x} is not a live handle"));
        assert!(!matches!(error.kind(), ErrorKind::Null | ErrorKind::TooManyHolds), "{error}");
        if round % 16 == 0 {
            assert!(AnyHandle::from(handle).type_name().is_err());
        }
        if round % 64 == 0 {
            assert!(handle.remove().is_err() && registry.take(handle).is_err());
            assert!(AnyHandle::from(handle).remove().is_err());
        }
        *kinds.entry(format!("{:?}", error.kind())).or_default() += 1;
    }
    drop(guards);
    println!(
        "{count} forged handles among {LIVE} live ones in {:.1} s; {hits} were live; {kinds:?}",
        begun.elapsed().as_secs_f64()
    );
    for (value, handle) in (0..).zip(&handles) {
        assert_eq!(*handle.get().unwrap(), value);
        handle.delete();
    }
    assert!(registry.is_empty());
}
