//! Errors that speak (S13): every kind reached, told apart, and its text.

use haft::{AnyHandle, Error, ErrorKind, Handle, Registry, Removal};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// The error that looking up these bits as a `T` gives.
fn lookup<T: Send + Sync + 'static>(bits: u64) -> Error {
    match Handle::<T>::try_from(bits) {
        Ok(handle) => handle.get().err().expect("must fail"),
        Err(error) => error,
    }
}

fn check(error: Error, kind: ErrorKind, pieces: &[&str]) {
    let text = error.to_string();
    assert_eq!(error.kind(), kind, "{text}");
    for piece in pieces {
        assert!(text.contains(piece), "{piece:?} is not in: {text}");
    }
    assert!(text.contains(&format!("{:#018x}", error.bits())), "{text}");
    assert!(format!("{error:?}").contains(&text), "Debug says as much as Display");
}

/// The next handle of the slot that a removed one had: others are created and removed until its turn comes.
fn again<T: Send + Sync + 'static>(
    registry: &Registry<T>,
    old: Handle<T>,
    make: impl Fn() -> T,
) -> Handle<T> {
    for _ in 0..4096 {
        let handle = registry.insert(make());
        if handle.to_bits() as u32 == old.to_bits() as u32 {
            return handle;
        }
        registry.remove(handle).unwrap();
    }
    panic!("the slot of {old} is not used again");
}

#[test]
fn s13_zero_is_null() {
    struct Value;
    check(lookup::<Value>(0), ErrorKind::Null, &["is zero", "Value", "Check that"]);
    #[cfg(target_pointer_width = "64")]
    {
        let null: *mut std::ffi::c_void = std::ptr::null_mut();
        check(Handle::<Value>::try_from(null).unwrap_err(), ErrorKind::Null, &["is zero"]);
    }
    check(AnyHandle::try_from(0).unwrap_err(), ErrorKind::Null, &["is zero"]);
}

#[test]
fn s13_an_address_is_malformed() {
    let object = 5_u32;
    let bits = (&raw const object).addr() as u64;
    check(lookup::<u32>(bits), ErrorKind::Malformed, &["malformed", "address", "to_bits"]);
}

/// A slot that is not live has its last generation in its word, without the live bit: nothing that lacks bit 0 may be taken for that.
#[test]
fn s3_neighbours_and_flipped_bits_of_what_is_not_live_are_errors_and_change_nothing() {
    /// Only here, so that no other test's handles are of this type.
    struct Own(#[expect(dead_code, reason = "only counted")] Arc<()>);
    let count = Arc::new(());
    let check = |bits: u64, registry: &Registry<Own>| {
        let near = [bits - 1, bits + 1].into_iter().chain((0..64).map(|bit| bits ^ 1 << bit));
        for handle in near.filter_map(Handle::<Own>::from_bits) {
            assert!(handle.get().is_err() && registry.get(handle).is_err(), "{handle}");
            assert!(handle.remove().is_err() && registry.remove(handle).is_err(), "{handle}");
            assert!(handle.take().is_err() && AnyHandle::from(handle).remove().is_err(), "{handle}");
        }
    };
    let registry = Registry::<Own>::new();
    let kept = [Handle::new(Own(count.clone())), registry.insert(Own(count.clone()))];
    for handle in [Handle::new(Own(count.clone())), registry.insert(Own(count.clone()))] {
        // Held, then vacant.
        let guard = handle.get().unwrap();
        assert_eq!(handle.remove().unwrap(), Removal::Deferred);
        check(handle.to_bits(), &registry);
        drop(guard);
        check(handle.to_bits(), &registry);
    }
    // Reserved.
    let reserved = registry.insert_with(|handle| {
        check(handle.to_bits(), &registry);
        Own(count.clone())
    });
    assert_eq!(Arc::strong_count(&count), 4, "the kept ones, and the one that was reserved");
    assert!(kept.into_iter().chain([reserved]).all(|handle| handle.get().is_ok()));
    kept[0].delete();
}

#[test]
fn s3_neighbours_and_every_flipped_bit_are_errors_and_the_handle_still_works() {
    struct Value(u8);
    let handle = Handle::new(Value(9));
    let bits = handle.to_bits();
    check(lookup::<Value>(bits + 1), ErrorKind::Malformed, &["malformed"]);
    check(lookup::<Value>(bits - 1), ErrorKind::Malformed, &["malformed"]);
    check(lookup::<Value>(bits + 2), ErrorKind::Unissued, &["never issued"]);
    check(lookup::<Value>(u64::MAX >> 1), ErrorKind::Unissued, &["never issued", "this process"]);
    for bit in 0..64 {
        let error = lookup::<Value>(bits ^ 1 << bit);
        let malformed = bit == 0 || bit == 63;
        let expected = if malformed { ErrorKind::Malformed } else { ErrorKind::Unissued };
        // Other tests run in the same process: their handles may be, or have been, where the flipped bit points.
        let other = !malformed && matches!(error.kind(), ErrorKind::WrongType | ErrorKind::Stale);
        assert!(error.kind() == expected || other, "bit {bit}: {error}");
        let forged = Handle::<Value>::from_bits(bits ^ 1 << bit).unwrap();
        assert!(forged.remove().is_err() && forged.take().is_err());
        assert_eq!(handle.get().unwrap().0, 9);
    }
    handle.delete();
}

#[test]
fn s2_every_handle_is_positive_and_negative_integers_are_errors() {
    struct Value(#[expect(dead_code, reason = "its place alone is looked at")] u8);
    let registry = Registry::new();
    let handles: Vec<_> = (0..10_000).map(|number| registry.insert(Value(number as u8))).collect();
    let handles = handles.into_iter().chain([Handle::new(Value(1))]);
    for handle in handles {
        let bits = handle.to_bits();
        assert!(bits as i64 > 0, "{handle}");
        let negative = bits | 1 << 63;
        let forged = Handle::<Value>::from_bits(negative).unwrap();
        for error in [
            forged.get().err(),
            forged.remove().err(),
            forged.take().err(),
            registry.get(forged).err(),
            registry.remove(forged).err(),
            registry.take(forged).err(),
            AnyHandle::from(forged).remove().err(),
            AnyHandle::from(forged).type_name().err(),
            AnyHandle::from(forged).downcast::<Value>().err(),
        ] {
            assert_eq!(error.expect("it is no handle").kind(), ErrorKind::Malformed);
        }
        assert!(!forged.is_live() && !registry.contains(forged) && !AnyHandle::from(forged).is_live());
        drop(handle.get().unwrap());
        let text = "negative";
        check(lookup::<Value>(negative), ErrorKind::Malformed, &["malformed", text, "bit 63", "flags"]);
        handle.delete();
    }
    for number in [-1, -3, i64::MIN + 1, i64::MIN, -4095] {
        check(lookup::<Value>(number as u64), ErrorKind::Malformed, &["malformed"]);
    }
    let code = ["negative", "code of an error"];
    check(lookup::<Value>(-1_i64 as u64), ErrorKind::Malformed, &code);
}

#[test]
fn s13_the_next_generation_was_never_issued_and_the_one_before_is_stale() {
    struct Value;
    let registry = Registry::new();
    let first = registry.insert(Value);
    registry.remove(first).unwrap();
    let second = again(&registry, first, || Value);
    assert_eq!(second.to_bits(), first.to_bits() + (1 << 33), "the next generation");
    check(lookup::<Value>(second.to_bits() + (1 << 33)), ErrorKind::Unissued, &["never issued"]);
    check(lookup::<Value>(first.to_bits()), ErrorKind::Stale, &["is stale"]);
    // Generations begin at one or later. (The one before the first may be a dropped registry's, of another test.)
    check(lookup::<Value>(first.to_bits() & ((1 << 33) - 1)), ErrorKind::Unissued, &["never issued"]);
}

#[test]
fn s13_another_type_names_both() {
    struct Wanted;
    struct Found;
    let line = line!() + 1;
    let handle = Handle::new(Found);
    let error = lookup::<Wanted>(handle.to_bits());
    check(error, ErrorKind::WrongType, &["errors::", "Wanted", "holds a ", "Found", "its own type"]);
    assert!(error.expected_type().unwrap().ends_with("Wanted"));
    assert!(error.found_type().unwrap().ends_with("Found"));
    assert_eq!(error.created_at().unwrap().line(), line);
    assert!(AnyHandle::from(handle).downcast::<Wanted>().is_err());
    assert!(AnyHandle::from(handle).type_name().unwrap().ends_with("Found"));
    handle.delete();
}

#[test]
fn s13_another_registry_is_told_and_nothing_changes() {
    let (one, two) = (Registry::new(), Registry::new());
    let handle = one.insert(1_i32);
    check(two.get(handle).err().unwrap(), ErrorKind::WrongRegistry, &["another registry", "issued it"]);
    assert_eq!(two.remove(handle).unwrap_err().kind(), ErrorKind::WrongRegistry);
    assert_eq!(two.take(handle).unwrap_err().kind(), ErrorKind::WrongRegistry);
    assert!(!two.contains(handle));
    // A registry that never had a handle knows as well.
    assert_eq!(Registry::<i32>::new().get(handle).err().unwrap().kind(), ErrorKind::WrongRegistry);
    let default = Handle::new(2_i32);
    assert_eq!(one.get(default).err().unwrap().kind(), ErrorKind::WrongRegistry);
    assert_eq!((*one.get(handle).unwrap(), *default.get().unwrap()), (1, 2));
    default.delete();
}

#[test]
fn s13_a_dropped_registry_leaves_stale_handles() {
    struct Value;
    let registry = Registry::new();
    let handle = registry.insert(Value);
    drop(registry);
    let created = concat!("created at ", file!());
    check(lookup::<Value>(handle.to_bits()), ErrorKind::Stale, &["stale", created]);
    assert_eq!(AnyHandle::from(handle).remove().unwrap_err().kind(), ErrorKind::Stale);
}

#[test]
fn s13_a_free_slot_names_the_lines_that_created_and_removed() {
    struct Value;
    let created = line!() + 1;
    let handle = Handle::new(Value);
    let removed = line!() + 1;
    handle.delete();
    let error = lookup::<Value>(handle.to_bits());
    let (created, removed) =
        (format!("created at {}:{created}:", file!()), format!("removed at {}:{removed}:", file!()));
    check(error, ErrorKind::Stale, &["is stale", &created, &removed, "second removal"]);
    assert_eq!(handle.remove().unwrap_err().to_string(), error.to_string());
}

#[test]
fn s13_a_value_in_use_names_both_lines_too() {
    struct Value;
    let handle = Handle::new(Value);
    let guard = handle.get();
    let removed = line!() + 1;
    handle.delete();
    let error = lookup::<Value>(handle.to_bits());
    check(error, ErrorKind::Stale, &["is stale"]);
    assert_eq!(error.removed_at().unwrap().line(), removed);
    drop(guard);
}

#[test]
fn s13_a_slot_in_use_again_says_that_the_lines_are_gone() {
    struct Value;
    let registry = Registry::new();
    let handle = registry.insert(Value);
    registry.remove(handle).unwrap();
    let _again = again(&registry, handle, || Value);
    let error = registry.get(handle).err().unwrap();
    check(error, ErrorKind::Stale, &["is stale", "in use again"]);
    assert_eq!((error.created_at(), error.removed_at()), (None, None));
}

#[test]
fn s13_a_handle_without_its_value_yet_is_unissued() {
    struct Value;
    let registry = Registry::new();
    let handle = registry.insert_with(|me| {
        check(registry.get(me).err().unwrap(), ErrorKind::Unissued, &["no value yet", "insert_with"]);
        assert_eq!(registry.remove(me).unwrap_err().kind(), ErrorKind::Unissued);
        assert_eq!(me.get().err().unwrap().kind(), ErrorKind::Unissued);
        Value
    });
    assert!(registry.contains(handle));
}

#[test]
fn s13_panics_carry_the_whole_explanation() {
    struct Value;
    let handle = Handle::new(Value);
    handle.delete();
    let expected = handle.get().err().unwrap().to_string();
    for payload in [
        catch_unwind(AssertUnwindSafe(|| drop(handle.value()))).unwrap_err(),
        catch_unwind(AssertUnwindSafe(|| handle.delete())).unwrap_err(),
    ] {
        assert_eq!(payload.downcast_ref::<String>(), Some(&expected));
    }
    let full = Registry::with_limit(0);
    let payload = catch_unwind(AssertUnwindSafe(|| full.insert(Value))).unwrap_err();
    assert!(payload.downcast_ref::<String>().unwrap().contains("limit of 0 live handles"));
    assert!(full.try_insert(Value).unwrap_err().to_string().contains("limit"));
}

#[test]
fn errors_are_small_plain_values() {
    fn check<T: Copy + Send + Sync + std::error::Error + PartialEq + 'static>() {}
    check::<Error>();
    assert!(size_of::<Error>() <= 72, "{}", size_of::<Error>());
    assert_eq!(size_of::<Option<Handle<u8>>>(), 8);
}
