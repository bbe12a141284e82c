//! Random integers and random lives of references, into every entry point of the C API: nothing that C can do without itself committing
//! undefined behaviour may crash, or change what it should not.

#![cfg(feature = "capi")]

use haft::capi::*;
use haft::ffi;
use std::collections::{HashMap, HashSet};
use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// The count of live handles is the process's.
static ALONE: Mutex<()> = Mutex::new(());

/// Objects are counted by the addresses of these: one for each kind.
static DESTROYED: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];

unsafe extern "C" fn destroy(object: *mut c_void) {
    // SAFETY: every object of these kinds is the address of a counter above.
    unsafe { &*object.cast::<AtomicU64>() }.fetch_add(1, Ordering::Relaxed);
}

struct Types([haft_type; 2]);
// SAFETY: never written, and what it points to is static.
unsafe impl Sync for Types {}

static TYPES: Types = Types([
    haft_type { name: c"first".as_ptr(), destroy: Some(destroy) },
    haft_type { name: c"second".as_ptr(), destroy: Some(destroy) },
]);

/// As good as needed, and the same each time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}

/// Integers that C might pass.
fn any_bits(random: &mut Random, known: &[u64]) -> u64 {
    let known = if known.is_empty() { 1 } else { known[random.below(known.len())] };
    match random.below(8) {
        0 => 0,
        1 => random.next(),
        2 => known ^ 1 << random.below(64),
        3 => known.wrapping_add(random.next() % 5).wrapping_sub(2),
        4 => known & 0xFFFF_FFFF,
        _ => known,
    }
}

#[derive(Default)]
struct World {
    /// Every handle ever made, with its kind.
    made: Vec<u64>,
    issued: HashSet<u64>,
    /// Live ones.
    live: HashMap<u64, usize>,
    /// References that are held, and how many there are of each handle.
    held: Vec<haft_ref>,
    holds: HashMap<u64, usize>,
    /// Copies of references, some of them released.
    copies: Vec<haft_ref>,
    /// Objects of each kind that must have been destroyed.
    destroyed: [u64; 2],
}

impl World {
    fn new_object(&mut self, kind: usize) {
        let mut handle = 0;
        let object = ptr::from_ref(&DESTROYED[kind]).cast_mut().cast();
        // SAFETY: pointers to our own.
        let status = unsafe { haft_new_at(&TYPES.0[kind], object, &raw mut handle, c"random.c".as_ptr(), 3) };
        assert_eq!(status, ffi::HAFT_OK);
        assert!(self.live.insert(handle, kind).is_none());
        self.made.push(handle);
        assert!(self.issued.insert(handle));
    }

    fn gone(&mut self, handle: u64) -> Option<usize> {
        let kind = self.live.remove(&handle)?;
        if self.holds.get(&handle).is_none_or(|holds| *holds == 0) {
            self.destroyed[kind] += 1;
        } else {
            // The last holder destroys it; until then the kind is kept under a number that is no handle.
            self.live.insert(!handle, kind);
        }
        Some(kind)
    }

    fn remove(&mut self, bits: u64) {
        let status = haft_remove(bits);
        let expected = bits == 0 || self.live.contains_key(&bits);
        assert_eq!(status == ffi::HAFT_OK, expected, "{bits:#x}: {status}");
        self.gone(bits);
    }

    fn get(&mut self, kind: usize, bits: u64) {
        let mut reference = NOT_HELD;
        // SAFETY: pointers to our own.
        let status = unsafe { haft_get(&TYPES.0[kind], bits, &raw mut reference) };
        match self.live.get(&bits) {
            Some(&actual) if actual == kind => {
                assert_eq!(status, ffi::HAFT_OK);
                assert_eq!(
                    (reference.handle, reference.object.addr()),
                    (bits, ptr::from_ref(&DESTROYED[kind]).addr())
                );
                *self.holds.entry(bits).or_default() += 1;
                self.held.push(reference);
                self.copies.push(reference);
            }
            Some(_) => assert_eq!(status, ffi::HAFT_WRONG_TYPE),
            None => {
                let expected = match bits {
                    0 => ffi::HAFT_NULL_HANDLE,
                    bits if bits % 2 == 0 || bits >> 63 == 1 => ffi::HAFT_MALFORMED,
                    bits if self.issued.contains(&bits) => ffi::HAFT_STALE,
                    _ => ffi::HAFT_UNISSUED,
                };
                // (A damaged handle may be one that an internal reference has.)
                if status != ffi::HAFT_WRONG_TYPE && status != ffi::HAFT_STALE {
                    assert_eq!(status, expected, "{bits:#x}");
                }
            }
        }
    }

    fn release(&mut self, index: usize) {
        let mut reference = self.held.swap_remove(index);
        let handle = reference.handle;
        // SAFETY: a reference of our own.
        assert_eq!(unsafe { haft_release(&raw mut reference) }, ffi::HAFT_OK);
        let holds = self.holds.get_mut(&handle).unwrap();
        *holds -= 1;
        if *holds == 0 {
            if let Some(kind) = self.live.remove(&!handle) {
                self.destroyed[kind] += 1;
            }
        }
        // Again, and a copy: both are told.
        // SAFETY: as above.
        assert_eq!(unsafe { haft_release(&raw mut reference) }, ffi::HAFT_NOT_HELD);
    }

    fn take(&mut self, kind: usize, bits: u64) {
        let mut object = ptr::null_mut();
        // SAFETY: pointers to our own.
        let status = unsafe { haft_take(&TYPES.0[kind], bits, &raw mut object) };
        let right = self.live.get(&bits) == Some(&kind);
        let held = self.holds.get(&bits).is_some_and(|holds| *holds > 0);
        match (right, held) {
            (true, true) => assert_eq!(status, ffi::HAFT_IN_USE),
            (true, false) => {
                assert_eq!((status, object.addr()), (ffi::HAFT_OK, ptr::from_ref(&DESTROYED[kind]).addr()))
            }
            (false, _) => assert!(status != ffi::HAFT_OK && status != ffi::HAFT_IN_USE),
        }
        assert_eq!(object.is_null(), status != ffi::HAFT_OK);
        if right {
            self.gone(bits);
            // What was taken is not destroyed.
            self.destroyed[kind] -= u64::from(!held);
        }
    }

    fn check(&self) {
        let destroyed: Vec<_> = DESTROYED.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        assert_eq!(destroyed, self.destroyed);
    }
}

const NOT_HELD: haft_ref = haft_ref::NOT_HELD;

unsafe extern "C" fn ignore(_: *mut c_void, _: *const c_char, _: usize) -> c_int {
    0
}

fn run(seed: u64, steps: usize) {
    let mut random = Random(seed);
    let mut world = World::default();
    for step in 0..steps {
        let bits = any_bits(&mut random, &world.made);
        let kind = random.below(2);
        match random.below(16) {
            0..4 if world.live.len() < 60 => world.new_object(kind),
            0..6 => world.remove(bits),
            6..9 => world.get(kind, bits),
            9..11 if !world.held.is_empty() => {
                let index = random.below(world.held.len());
                world.release(index);
            }
            11 => world.take(kind, bits),
            12 if !world.held.is_empty() => {
                let index = random.below(world.held.len());
                // SAFETY: a reference of our own.
                assert_eq!(unsafe { haft_share(&raw mut world.held[index]) }, ffi::HAFT_OK);
            }
            13 if !world.copies.is_empty() => {
                // A copy whose reference was released or shared since, or is damaged. (One that is still held would be released by this.)
                let index = random.below(world.copies.len());
                let mut copy = world.copies[index];
                let alive = world.held.iter().any(|held| same(held, &copy));
                if !alive {
                    // SAFETY: initialised.
                    assert_eq!(unsafe { haft_release(&raw mut copy) }, ffi::HAFT_NOT_HELD);
                    world.copies.swap_remove(index);
                }
            }
            14 => {
                let mut name = [0_u8; 12];
                let mut length = 0;
                // SAFETY: pointers to our own.
                let status = unsafe {
                    haft_type_name(bits, name.as_mut_ptr().cast(), random.below(13), &raw mut length)
                };
                if let Some(kind) = world.live.get(&bits) {
                    assert_eq!((status, length), (ffi::HAFT_OK, [5, 6][*kind]));
                }
                assert_eq!(haft_is_live(bits) == 1, status == ffi::HAFT_OK);
                // SAFETY: it stays until the next call on this thread.
                let text = unsafe { CStr::from_ptr(haft_last_error()) };
                assert!(text.to_str().is_ok());
                // SAFETY: static.
                assert!(!unsafe { CStr::from_ptr(haft_status_text(bits as i32)) }.is_empty());
            }
            _ if step % 64 == 0 => {
                // SAFETY: the writer ignores what it gets.
                assert_eq!(unsafe { haft_report(Some(ignore), ptr::null_mut()) }, ffi::HAFT_OK);
                assert!(haft_live() >= world.live.keys().filter(|bits| *bits % 2 == 1).count() as u64);
            }
            _ => {}
        }
        if step % 16 == 0 {
            world.check();
        }
    }
    while !world.held.is_empty() {
        world.release(0);
    }
    for handle in world.live.keys().copied().collect::<Vec<_>>() {
        world.remove(handle);
    }
    world.check();
}

fn same(one: &haft_ref, other: &haft_ref) -> bool {
    format!("{one:?}") == format!("{other:?}")
}

#[test]
fn s3_random_integers_and_references_through_c_never_crash() {
    let steps = std::env::var("HAFT_STEPS").map_or(20_000, |steps| steps.parse().expect("a number"));
    let _alone = ALONE.lock().unwrap();
    let before = haft_live();
    for seed in 1..=8 {
        for (destroyed, total) in DESTROYED.iter().zip([0; 2]) {
            destroyed.store(total, Ordering::Relaxed);
        }
        run(0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(seed), steps);
    }
    assert_eq!(haft_live(), before);
}

/// A reference that was released stays released, also for whoever wants to share a copy of it.
#[test]
fn sharing_a_copy_of_a_released_shared_reference_is_told() {
    let _alone = ALONE.lock().unwrap();
    let (mut handle, mut reference) = (0, NOT_HELD);
    // SAFETY: pointers to our own.
    unsafe {
        assert_eq!(haft_new(&NOTHING.0[0], ptr::null_mut(), &raw mut handle), ffi::HAFT_OK);
        assert_eq!(haft_get(&NOTHING.0[0], handle, &raw mut reference), ffi::HAFT_OK);
        assert_eq!(haft_share(&raw mut reference), ffi::HAFT_OK);
        assert_eq!(haft_share(&raw mut reference), ffi::HAFT_OK, "it stays as it is");
        let mut copy = reference;
        assert_eq!(haft_release(&raw mut reference), ffi::HAFT_OK);
        assert_eq!(haft_share(&raw mut copy), ffi::HAFT_NOT_HELD);
        assert_eq!(haft_release(&raw mut copy), ffi::HAFT_NOT_HELD);
    }
    assert_eq!(haft_remove(handle), ffi::HAFT_OK);
}

/// A kind of which nobody counts the objects.
static NOTHING: Types = Types([
    haft_type { name: c"nothing".as_ptr(), destroy: None },
    haft_type { name: c"nothing either".as_ptr(), destroy: None },
]);
