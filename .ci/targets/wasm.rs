//! haft where there is no system: handles, errors, reports and the hook, without a clock, threads
//! or a place to write to. A failure is a trap, which the program that runs this sees.

use haft::{AnyHandle, ErrorKind, Handle, Registry, Removal};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

static TOLD: AtomicUsize = AtomicUsize::new(0);

fn main() {
    let handle = Handle::new(String::from("text"));
    let guard = handle.get().unwrap();
    assert_eq!((&**guard, handle.remove().unwrap()), ("text", Removal::Deferred));
    drop(guard);
    let error = handle.get().err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Stale);
    assert!(error.to_string().contains("removed at wasm.rs:"), "{error}");

    let registry = Registry::new();
    let handles: Vec<_> = (0..10_000_u64).map(|value| registry.insert(value)).collect();
    assert!(handles.iter().zip(0..).all(|(handle, value)| *registry.get(*handle).unwrap() == value));
    let report = registry.leaks();
    let group = report.iter().next().unwrap();
    assert_eq!((group.count, group.oldest, group.newest), (10_000, None, None));
    assert!(report.to_string().contains("10,000 live handles"));
    assert!(handles.iter().all(|handle| registry.take(*handle).unwrap().is_some()));

    // Where there is no clock, a flood is not cut.
    haft::on_misuse(|_| {
        TOLD.fetch_add(1, SeqCst);
    });
    for _ in 0..100 {
        assert!(AnyHandle::from_bits(0x10_0000).unwrap().remove().is_err());
    }
    assert_eq!(TOLD.load(SeqCst), 100);
    let address = AnyHandle::from_bits(0x10_0000).unwrap().remove().unwrap_err().to_string();
    assert!(address.contains("and this is an address, or damaged"), "{address}");
    haft::report_at_exit();
}
