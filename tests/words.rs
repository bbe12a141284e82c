//! Words by `copied`: the value that `get` finds, and the error that it gives (S3, S13); under fire from removals and new values (S5).
//!
//! `HAFT_STRESS` is for how many milliseconds the last test runs.

use haft::{Error, ErrorKind, Handle, Registry, Word};
use std::fmt::Debug;
use std::num::{NonZeroI8, NonZeroU16, NonZeroU32, NonZeroU64, NonZeroUsize};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

/// What a lookup of these bits gives, if the copy says the same: by a handle alone and by a registry.
fn both<T: Word + PartialEq + Debug>(registry: &Registry<T>, bits: u64) -> [Result<T, Error>; 2] {
    let handle = Handle::<T>::from_bits(bits).expect("not zero");
    // Texts have ages in them, which may go on between two calls.
    let agrees = |copy: Result<T, Error>, look: &dyn Fn() -> Result<T, Error>, before: Result<T, Error>| {
        let told = |result: Result<T, Error>| {
            result.map_err(|error| (error.kind(), error.bits(), error.to_string()))
        };
        let (copy, after) = (told(copy), told(look()));
        assert!(copy == told(before) || copy == after, "{copy:?} is not {after:?}");
    };
    let look_alone = || handle.get().map(|guard| *guard);
    let look_inside = || registry.get(handle).map(|guard| *guard);
    let (before, alone) = (look_alone(), handle.copied());
    agrees(alone, &look_alone, before);
    let (before, inside) = (look_inside(), registry.copied(handle));
    agrees(inside, &look_inside, before);
    [alone, inside]
}

fn kinds<T: Word + PartialEq + Debug>(registry: &Registry<T>, bits: u64) -> [Option<ErrorKind>; 2] {
    both(registry, bits).map(|result| result.err().map(|error| error.kind()))
}

#[test]
fn s15_a_copy_is_the_value_for_every_size_of_word() {
    fn check<T: Word + PartialEq + Debug>(values: &[T]) {
        let registry = Registry::new();
        for &value in values {
            let handles = [Handle::new(value), registry.insert(value), registry.insert_with(|_| value)];
            for handle in handles {
                assert_eq!(handle.copied().unwrap(), value);
                assert_eq!(*handle.get().unwrap(), value);
                assert_eq!(handle.take().unwrap(), Some(value));
                assert_eq!(handle.copied().unwrap_err().kind(), ErrorKind::Stale);
            }
        }
    }
    check(&[0_u8, 0xA5, u8::MAX]);
    check(&[0_u16, 0xA55A, u16::MAX]);
    check(&[0_u32, 0x0123_4567, u32::MAX]);
    check(&[0_u64, 0x0123_4567_89AB_CDEF, u64::MAX]);
    check(&[0_usize, usize::MAX]);
    check(&[i8::MIN, -1, i8::MAX]);
    check(&[i16::MIN, -1, i16::MAX]);
    check(&[i32::MIN, -1, i32::MAX]);
    check(&[i64::MIN, -1, i64::MAX]);
    check(&[isize::MIN, -1, isize::MAX]);
    check(&[f32::MIN, -0.0, f32::INFINITY]);
    check(&[f64::MIN, -0.0, f64::INFINITY]);
    check(&[false, true]);
    check(&['\0', 'x', char::MAX]);
    check(&[NonZeroI8::MIN, NonZeroI8::MAX]);
    check(&[NonZeroU16::MIN, NonZeroU16::MAX]);
    check(&[NonZeroU32::MIN, NonZeroU32::MAX]);
    check(&[NonZeroU64::MIN, NonZeroU64::MAX]);
    check(&[NonZeroUsize::MIN, NonZeroUsize::MAX]);
}

#[test]
fn s3_s13_a_copy_gives_the_error_of_get() {
    let registry = Registry::new();
    let handle = registry.insert(7_u64);
    assert_eq!(both(&registry, handle.to_bits()).map(Result::unwrap), [7, 7]);
    let bits = handle.to_bits();
    assert_eq!(kinds(&registry, bits + 1), [Some(ErrorKind::Malformed); 2]);
    assert_eq!(kinds(&registry, 0x10), [Some(ErrorKind::Malformed); 2]);
    assert_eq!(kinds(&registry, u64::MAX), [Some(ErrorKind::Unissued); 2]);
    assert_eq!(kinds(&registry, bits + (1 << 33)), [Some(ErrorKind::Unissued); 2]);
    for bit in 0..64 {
        let kinds = kinds(&registry, bits ^ 1 << bit);
        assert!(kinds.iter().all(Option::is_some), "bit {bit}");
    }

    // Of another type, in a default registry and in one of its own.
    for other in [Handle::new(7_i64).to_bits(), Registry::leaked_insert(7_i64)] {
        assert_eq!(kinds(&registry, other), [Some(ErrorKind::WrongType); 2]);
    }
    let elsewhere = Handle::new(8_u64);
    assert_eq!(kinds(&registry, elsewhere.to_bits()), [None, Some(ErrorKind::WrongRegistry)]);

    assert_eq!(both(&registry, bits).map(Result::unwrap), [7, 7], "nothing of all that changed it");
    elsewhere.delete();
    registry.remove(handle).unwrap();
    assert_eq!(kinds(&registry, elsewhere.to_bits()), [Some(ErrorKind::Stale); 2]);
    assert_eq!(kinds(&registry, bits), [Some(ErrorKind::Stale); 2]);
    // Without bit 0, its generation is that of the slot's word.
    assert_eq!(kinds(&registry, bits - 1), [Some(ErrorKind::Malformed); 2]);

    let mut reserved = 0;
    let handle = registry.insert_with(|me| {
        reserved = me.to_bits();
        assert_eq!(kinds(&registry, reserved), [Some(ErrorKind::Unissued); 2]);
        9
    });
    assert_eq!(handle.to_bits(), reserved);
    let other = Registry::<u64>::new();
    drop(registry);
    assert_eq!(kinds(&other, reserved), [Some(ErrorKind::Stale); 2]);
    // A registry that was never used has nothing.
    assert_eq!(Registry::<u64>::new().copied(handle).unwrap_err().kind(), ErrorKind::Stale);
}

/// A handle that stays, in a registry that does.
trait Leaked<T> {
    fn leaked_insert(value: T) -> u64;
}

impl<T: Word> Leaked<T> for Registry<T> {
    fn leaked_insert(value: T) -> u64 {
        Box::leak(Box::new(Self::new())).insert(value).to_bits()
    }
}

#[test]
fn s5_a_copy_needs_no_value_to_stay() {
    let handle = Handle::new(7_u32);
    let guard = handle.get().unwrap();
    assert_eq!(handle.copied().unwrap(), 7);
    assert!(handle.remove().is_ok());
    // Removed and still held: there, and no longer found.
    assert_eq!(*guard, 7);
    assert_eq!(handle.copied().unwrap_err().kind(), ErrorKind::Stale);
}

#[test]
fn s8_a_copy_in_a_thread_that_ends_or_has_all_its_cells_taken() {
    struct Late(Handle<u64>);
    impl Drop for Late {
        fn drop(&mut self) {
            assert_eq!(self.0.copied().unwrap(), 7);
            self.0.delete();
        }
    }
    thread_local!(static LATE: std::cell::RefCell<Option<Late>> = const { std::cell::RefCell::new(None) });
    let handle = Handle::new(7_u64);
    let thread = thread::spawn(move || LATE.with(|late| *late.borrow_mut() = Some(Late(handle))));
    thread.join().expect("nothing panicked");
    assert_eq!(handle.copied().unwrap_err().kind(), ErrorKind::Stale);

    let (handle, other) = (Handle::new(1_u64), Handle::new(2_u64));
    let guards: Vec<_> = (0..20).map(|_| other.get().unwrap()).collect();
    assert_eq!(handle.copied().unwrap(), 1);
    drop(guards);
}

/// What a handle's value is in the test below.
fn due(bits: u64) -> u64 {
    bits.wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

#[test]
fn s3_s5_copies_against_removal_and_reuse() {
    static REGISTRY: Registry<u64> = Registry::new();
    static SHOWN: [AtomicU64; 8] = [const { AtomicU64::new(1) }; 8];
    static STOP: AtomicBool = AtomicBool::new(false);
    let time = std::env::var("HAFT_STRESS").map_or(300, |text| text.parse().expect("milliseconds"));
    let end = Instant::now() + Duration::from_millis(time);

    // The handles are passed on without ordering anything.
    fn copies(remove: bool) -> u64 {
        let (mut found, mut round) = (0, 0_usize);
        while !STOP.load(Relaxed) {
            round += 1;
            let handle = Handle::<u64>::from_bits(SHOWN[round % SHOWN.len()].load(Relaxed)).unwrap();
            if let Ok(value) = REGISTRY.copied(handle) {
                assert_eq!(value, due(handle.to_bits()), "{handle} led to another's value");
                found += 1;
            }
            if remove && round.is_multiple_of(64) && REGISTRY.remove(handle).is_ok() {
                assert!(REGISTRY.copied(handle).is_err(), "{handle} is removed");
            }
        }
        found
    }
    let found: u64 = thread::scope(|scope| {
        let readers = [false, true].map(|remove| scope.spawn(move || copies(remove)));
        let mut round = 0_usize;
        while Instant::now() < end {
            for _ in 0..100 {
                round += 1;
                let shown = &SHOWN[round % SHOWN.len()];
                let old = Handle::from_bits(shown.load(Relaxed)).unwrap();
                // The other thread may have been first.
                let _ = REGISTRY.remove(old);
                assert!(REGISTRY.copied(old).is_err(), "{old} is removed");
                shown.store(REGISTRY.insert_with(|me| due(me.to_bits())).to_bits(), Relaxed);
            }
        }
        STOP.store(true, Relaxed);
        readers.into_iter().map(|reader| reader.join().unwrap()).sum()
    });
    assert!(found > 0, "no copy met a live handle");
}
