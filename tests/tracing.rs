//! The events of the feature `tracing`: all of them, what they say, and that a subscriber may do anything.
#![cfg(feature = "tracing")]

use haft::{Handle, Registry};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

#[derive(Clone, Debug, Default)]
struct Seen {
    level: String,
    fields: BTreeMap<String, String>,
}

impl Visit for Seen {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.fields.insert(field.name().to_owned(), format!("{value:?}"));
    }
}

impl Seen {
    fn get(&self, field: &str) -> &str {
        self.fields.get(field).map_or("", String::as_str)
    }
}

/// Keeps what haft says; does what it is told to do at each event.
#[derive(Clone, Default)]
struct Listener {
    seen: Arc<Mutex<Vec<Seen>>>,
    at_each: Option<fn()>,
}

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "haft"
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        let mut seen = Seen { level: event.metadata().level().to_string(), ..Seen::default() };
        event.record(&mut seen);
        self.seen.lock().unwrap().push(seen);
        if let Some(work) = self.at_each {
            work();
        }
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

impl Listener {
    fn listen(&self, work: impl FnOnce()) -> Vec<Seen> {
        tracing::subscriber::with_default(self.clone(), work);
        std::mem::take(&mut *self.seen.lock().unwrap())
    }
}

// Each test has a type of its own, since a registry takes over what another one of its type has left.
struct Session(#[expect(dead_code)] u64);
struct Call(#[expect(dead_code)] u64);

fn what(seen: &[Seen]) -> Vec<(&str, &str)> {
    seen.iter().map(|seen| (seen.level.as_str(), seen.get("message"))).collect()
}

#[test]
fn every_rare_event_is_told_and_nothing_else() {
    let listener = Listener::default();
    let seen = listener.listen(|| {
        let registry = Registry::with_limit(40);
        let handles: Vec<_> = (0..40).map(|value| registry.insert(Session(value))).collect();
        // Ordinary work is silent.
        for handle in &handles {
            assert!(registry.get(*handle).is_ok() && registry.contains(*handle));
        }
        assert!(registry.try_insert(Session(0)).is_err());
        registry.remove(handles[0]).unwrap();
        assert!(registry.remove(handles[0]).is_err());
        drop(registry);
    });
    let (debug, warn) = (Level::DEBUG.to_string(), Level::WARN.to_string());
    let expected = [
        (debug.as_str(), "a new page"),
        (&debug, "a new page"),
        (&debug, "a registry's limit is reached"),
        (&warn, "misuse of a handle"),
        (&debug, "a registry was dropped"),
    ];
    assert_eq!(what(&seen), expected);
    let session = format!("{:?}", std::any::type_name::<Session>());
    for index in [0, 1, 2, 4] {
        assert_eq!(seen[index].get("type_name"), session, "{:?}", seen[index]);
    }
    assert_eq!((seen[0].get("slots"), seen[1].get("slots")), ("16", "128"));
    assert!(seen[0].get("bytes").parse::<usize>().unwrap() >= 16 * 24);
    assert_eq!(seen[2].get("limit"), "40");
    assert_eq!(seen[3].get("kind"), "Stale");
    assert!(seen[3].get("handle").starts_with("0x") && seen[3].get("error").contains("second removal"));
    assert_eq!((seen[4].get("live"), seen[4].get("held"), seen[4].get("created")), ("39", "0", "40"));
}

#[test]
fn s10_a_subscriber_may_use_haft_and_may_panic() {
    static PANICS: AtomicBool = AtomicBool::new(false);
    fn work() {
        // New pages, mistakes, a dropped registry: all of which are silent here, or this would never end.
        let registry = Registry::new();
        let handle = registry.insert(Call(1));
        assert!(registry.get(handle).is_ok());
        registry.remove(handle).unwrap();
        assert!(registry.remove(handle).is_err());
        assert!(haft::stats().created > 0);
        assert!(!PANICS.load(SeqCst), "the subscriber panics, on purpose");
    }
    let listener = Listener { at_each: Some(work), ..Listener::default() };
    for panics in [false, true] {
        PANICS.store(panics, SeqCst);
        let registry = Registry::new();
        let seen = listener.listen(|| {
            let handle = registry.insert(Call(7));
            assert_eq!(registry.get(handle).map(drop), Ok(()));
            let other = Handle::<u8>::from_bits(handle.to_bits()).unwrap();
            assert!(other.get().is_err());
            assert!(registry.take(handle).is_ok_and(|value| value.is_some()));
        });
        let debug_and_warn = what(&seen);
        // The second registry takes over what the first has left.
        let expected = [("DEBUG", "a new page"), ("WARN", "misuse of a handle")];
        assert_eq!(debug_and_warn, expected[usize::from(panics)..], "{panics}");
        assert_eq!((registry.len(), registry.stats().created), (0, 1));
    }
}
