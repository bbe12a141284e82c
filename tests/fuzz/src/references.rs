//! The C API: any integer as a handle, any memory as a reference, null anywhere, beside objects and references that must go on working.

use crate::past::{Numbers, Past};
use crate::{Bytes, count};
use haft::capi::*;
use haft::ffi::*;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// Each kind's objects are the address of its counter, which its function moves.
static DESTROYED: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];

unsafe extern "C" fn destroy(object: *mut c_void) {
    // SAFETY: every object of these kinds is the address of a counter above.
    unsafe { &*object.cast::<AtomicU64>() }.fetch_add(1, SeqCst);
}

struct Types([haft_type; 2]);
// SAFETY: never written, and what it points to is static.
unsafe impl Sync for Types {}

static TYPES: Types = Types([
    haft_type { name: c"first".as_ptr(), destroy: Some(destroy) },
    haft_type { name: c"second".as_ptr(), destroy: Some(destroy) },
]);

static PAST: Mutex<Option<Past>> = Mutex::new(None);

/// A reference as C sees it.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
struct Raw {
    object: *mut c_void,
    handle: u64,
    keeper: u64,
    number: u64,
}

fn raw(reference: haft_ref) -> Raw {
    // SAFETY: the header's own layout.
    unsafe { std::mem::transmute(reference) }
}

fn reference(raw: Raw) -> haft_ref {
    // SAFETY: any memory may be passed as a reference.
    unsafe { std::mem::transmute(raw) }
}

struct Object {
    kind: usize,
    live: bool,
    holds: usize,
}

struct World {
    made: Vec<u64>,
    objects: Numbers<Object>,
    live: usize,
    held: Vec<haft_ref>,
    /// Of references that were released, and forged ones.
    others: Vec<haft_ref>,
    destroyed: [u64; 2],
    past: Past,
}

fn object(kind: usize) -> *mut c_void {
    ptr::from_ref(&DESTROYED[kind]).cast_mut().cast()
}

fn kind_of(index: usize) -> *const haft_type {
    match index {
        0 | 1 => &TYPES.0[index],
        _ => ptr::null(),
    }
}

/// Runs one input.
pub fn run(bytes: &[u8]) {
    DESTROYED.iter().for_each(|count| count.store(0, SeqCst));
    let mut world = World {
        made: Vec::new(),
        objects: Numbers::default(),
        live: 0,
        held: Vec::new(),
        others: Vec::new(),
        destroyed: [0; 2],
        past: PAST.lock().unwrap().take().unwrap_or_default(),
    };
    let mut bytes = Bytes(bytes);
    let mut operations = 0;
    while world.step(&mut bytes).is_some() {
        operations += 1;
        world.check();
    }
    while !world.held.is_empty() {
        world.release(0);
    }
    for handle in std::mem::take(&mut world.made) {
        if world.objects[&handle].live {
            world.remove(handle, false);
        }
    }
    world.check();
    assert_eq!((world.live, haft_live()), (0, 0));
    *PAST.lock().unwrap() = Some(world.past);
    count(operations);
}

impl World {
    fn step(&mut self, bytes: &mut Bytes<'_>) -> Option<()> {
        let what = bytes.byte()?;
        let kind = usize::from(what >> 5 & 1);
        match what & 15 {
            0..=2 => {
                if self.live < 200 {
                    self.make(kind);
                }
            }
            3 | 4 => {
                let bits = self.bits(bytes)?;
                self.remove(bits, what >> 6 == 0);
            }
            5..=7 => {
                let bits = self.bits(bytes)?;
                self.get(if what >> 6 == 3 { 2 } else { kind }, bits);
            }
            8 => {
                let bits = self.bits(bytes)?;
                self.take(kind, bits);
            }
            9 | 10 => {
                let index = usize::from(bytes.byte()?);
                if !self.held.is_empty() {
                    self.release(index % self.held.len());
                }
            }
            11 => {
                let index = usize::from(bytes.byte()?);
                if !self.held.is_empty() {
                    let index = index % self.held.len();
                    // SAFETY: a reference of our own.
                    assert_eq!(unsafe { haft_share(&raw mut self.held[index]) }, HAFT_OK);
                }
            }
            12 => self.forge(bytes)?,
            13 => {
                let bits = self.bits(bytes)?;
                self.ask(bits, what);
            }
            14 => self.release_other(usize::from(bytes.byte()?), what & 64 != 0),
            _ => self.nulls(),
        }
        Some(())
    }

    fn bits(&self, bytes: &mut Bytes<'_>) -> Option<u64> {
        let (which, how) = (usize::from(bytes.byte()?), bytes.byte()?);
        let known = match self.made.len() {
            0 => 1,
            length => self.made[length - 1 - which % length],
        };
        Some(match how {
            0..=159 => known,
            160..=207 => known ^ 1 << (how % 64),
            208..=219 => known.wrapping_add(u64::from(how) % 5).wrapping_sub(2),
            220 => 0,
            221..=239 => known ^ u64::from(how) << 33,
            _ => bytes.integer()?,
        })
    }

    fn make(&mut self, kind: usize) {
        let mut handle = 0;
        // SAFETY: pointers to our own.
        let status = unsafe {
            match self.made.len() % 2 {
                0 => haft_new(&TYPES.0[kind], object(kind), &raw mut handle),
                _ => haft_new_at(&TYPES.0[kind], object(kind), &raw mut handle, c"fuzz.c".as_ptr(), 7),
            }
        };
        assert_eq!(status, HAFT_OK);
        self.past.learn(handle);
        self.objects.insert(handle, Object { kind, live: true, holds: 0 });
        self.made.push(handle);
        self.live += 1;
    }

    /// What a lookup of these bits says; `None` for a live object.
    fn judge(&self, bits: u64, kind: usize) -> Option<haft_status> {
        match self.objects.get(&bits) {
            Some(object) if object.live && object.kind == kind => None,
            Some(object) if object.live => Some(HAFT_WRONG_TYPE),
            Some(_) => Some(HAFT_STALE),
            None if bits == 0 => Some(HAFT_NULL_HANDLE),
            None if bits & 1 == 0 || bits >> 63 == 1 => Some(HAFT_MALFORMED),
            None if self.past.knows(bits) => Some(HAFT_STALE),
            None => Some(HAFT_UNISSUED),
        }
    }

    /// References that are shared have handles of their own, which nobody told us: forged bits may hit one.
    fn internal(&self, bits: u64) -> bool {
        !self.past.knows(bits) && !self.objects.contains_key(&bits)
    }

    fn closed(&mut self, bits: u64, taken: bool) {
        let object = self.objects.get_mut(&bits).unwrap();
        object.live = false;
        self.live -= 1;
        if object.holds == 0 && !taken {
            self.destroyed[object.kind] += 1;
        }
    }

    fn remove(&mut self, bits: u64, place: bool) {
        if self.internal(bits) && haft_is_live(bits) == 1 {
            // A shared reference's own: removing it is a mistake that C can make, but what is left then is not ours to know.
            return;
        }
        // SAFETY: a string that stays.
        let status = match place {
            true => unsafe { haft_remove_at(bits, c"fuzz.c".as_ptr(), 9) },
            false => haft_remove(bits),
        };
        let live = self.objects.get(&bits).is_some_and(|object| object.live);
        assert_eq!(status == HAFT_OK, live || bits == 0, "{bits:#x}: {status}");
        if live {
            self.closed(bits, false);
        }
    }

    fn get(&mut self, kind: usize, bits: u64) {
        let mut reference = haft_ref::NOT_HELD;
        // SAFETY: pointers to our own, or null.
        let status = unsafe { haft_get(kind_of(kind), bits, &raw mut reference) };
        match self.judge(bits, kind) {
            _ if kind == 2 => assert_eq!(status, HAFT_NULL_ARGUMENT),
            None => {
                assert_eq!(status, HAFT_OK);
                let got = raw(reference);
                assert_eq!((got.handle, got.object), (bits, object(kind)));
                self.objects.get_mut(&bits).unwrap().holds += 1;
                self.held.push(reference);
            }
            Some(expected) => {
                let internal = self.internal(bits) && matches!(status, HAFT_WRONG_TYPE | HAFT_STALE);
                assert!(status == expected || internal, "{bits:#x}: {status}, and not {expected}");
                assert_eq!(raw(reference), raw(haft_ref::NOT_HELD), "written without success");
            }
        }
    }

    fn take(&mut self, kind: usize, bits: u64) {
        let mut out = ptr::null_mut();
        // SAFETY: pointers to our own.
        let status = unsafe { haft_take(&TYPES.0[kind], bits, &raw mut out) };
        if self.judge(bits, kind).is_some() {
            assert!(status != HAFT_OK && status != HAFT_IN_USE && out.is_null());
            return;
        }
        let held = self.objects[&bits].holds > 0;
        assert_eq!(status, if held { HAFT_IN_USE } else { HAFT_OK });
        assert_eq!(out, if held { ptr::null_mut() } else { object(kind) });
        self.closed(bits, !held);
    }

    fn release(&mut self, index: usize) {
        let mut reference = self.held.swap_remove(index);
        let handle = raw(reference).handle;
        self.others.insert(0, reference);
        self.others.truncate(32);
        // SAFETY: a reference of our own.
        assert_eq!(unsafe { haft_release(&raw mut reference) }, HAFT_OK);
        let object = self.objects.get_mut(&handle).unwrap();
        object.holds -= 1;
        if object.holds == 0 && !object.live {
            self.destroyed[object.kind] += 1;
        }
        // SAFETY: as above; it was cleared.
        assert_eq!(unsafe { haft_release(&raw mut reference) }, HAFT_NOT_HELD);
    }

    /// Memory that is no reference of ours: a held one with something changed, or anything.
    fn forge(&mut self, bytes: &mut Bytes<'_>) -> Option<()> {
        let (which, how, bits) = (usize::from(bytes.byte()?), bytes.byte()?, bytes.integer()?);
        let mut forged = match self.held.is_empty() {
            true => Raw { object: ptr::null_mut(), handle: bits, keeper: bits, number: bits },
            false => raw(self.held[which % self.held.len()]),
        };
        match how % 6 {
            0 => forged.number ^= bits,
            1 => forged.keeper ^= bits,
            2 => forged.number = forged.number.wrapping_add(bits % 7).wrapping_sub(3),
            3 => forged.keeper = forged.keeper.wrapping_add(bits % 33).wrapping_sub(16),
            4 => forged = Raw { object: ptr::null_mut(), handle: bits, keeper: bits, number: bits | 1 },
            _ => (forged.keeper, forged.number) = (forged.number, forged.keeper),
        }
        self.others.insert(0, reference(forged));
        self.others.truncate(32);
        Some(())
    }

    /// Releases or shares what is not held: nothing happens.
    fn release_other(&mut self, index: usize, share: bool) {
        if self.others.is_empty() {
            return;
        }
        let mut other = self.others[index % self.others.len()];
        // (Where it stands for the same as one that is held, it is that one.)
        let is = |raw: Raw| (raw.keeper, raw.number);
        if self.held.iter().any(|held| is(raw(*held)) == is(raw(other))) {
            return;
        }
        // SAFETY: initialised memory.
        let status = unsafe {
            match share {
                true => haft_share(&raw mut other),
                false => haft_release(&raw mut other),
            }
        };
        assert!(matches!(status, HAFT_NOT_HELD | HAFT_WRONG_THREAD), "{other:?}: {status}");
    }

    fn ask(&self, bits: u64, what: u8) {
        let mut name = [b'!' as c_char; 12];
        let mut length = 77;
        let size = usize::from(what >> 4) % 13;
        // SAFETY: pointers to our own.
        let status = unsafe { haft_type_name(bits, name.as_mut_ptr(), size, &raw mut length) };
        if let Some(object) = self.objects.get(&bits).filter(|object| object.live) {
            assert_eq!((status, length), (HAFT_OK, [5, 6][object.kind]));
            assert!(name[size..].iter().all(|byte| *byte == b'!' as c_char), "written past the end");
        }
        assert_eq!(haft_is_live(bits) == 1, status == HAFT_OK);
        // SAFETY: it stays until the next call on this thread.
        assert!(unsafe { CStr::from_ptr(haft_last_error()) }.to_str().is_ok());
        // SAFETY: static.
        assert!(!unsafe { CStr::from_ptr(haft_status_text(bits as i32)) }.is_empty());
    }

    /// Null, wherever it may be passed.
    fn nulls(&self) {
        unsafe extern "C" fn ignore(_: *mut c_void, _: *const c_char, _: usize) -> c_int {
            0
        }
        let known = self.made.last().copied().unwrap_or(3);
        let mut handle = 0;
        let mut out = ptr::null_mut();
        // SAFETY: null is allowed by each.
        unsafe {
            assert_eq!(haft_new(ptr::null(), object(0), &raw mut handle), HAFT_NULL_ARGUMENT);
            assert_eq!(haft_new(&TYPES.0[0], object(0), ptr::null_mut()), HAFT_NULL_ARGUMENT);
            assert_eq!(haft_get(&TYPES.0[0], known, ptr::null_mut()), HAFT_NULL_ARGUMENT);
            assert_eq!(haft_release(ptr::null_mut()), HAFT_NULL_ARGUMENT);
            assert_eq!(haft_share(ptr::null_mut()), HAFT_NULL_ARGUMENT);
            assert_eq!(haft_take(ptr::null(), known, &raw mut out), HAFT_NULL_ARGUMENT);
            assert_eq!(haft_take(&TYPES.0[0], known, ptr::null_mut()), HAFT_NULL_ARGUMENT);
            assert_eq!(haft_stats(ptr::null_mut()), HAFT_NULL_ARGUMENT);
            assert_eq!(haft_report(None, ptr::null_mut()), HAFT_NULL_ARGUMENT);
            assert_eq!(haft_report(Some(ignore), ptr::null_mut()), HAFT_OK);
            haft_type_name(known, ptr::null_mut(), 0, ptr::null_mut());
        }
        assert!(handle == 0 && out.is_null());
    }

    fn check(&self) {
        let destroyed: Vec<_> = DESTROYED.iter().map(|count| count.load(SeqCst)).collect();
        assert_eq!(destroyed, self.destroyed);
    }
}
