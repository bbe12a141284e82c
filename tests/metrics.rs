//! The figures of the feature `metrics`: every one arrives, with the value that `stats` says.
#![cfg(feature = "metrics")]

use haft::{ErrorKind, Handle};
use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

#[derive(Clone, Default)]
struct Keeper {
    values: Arc<Mutex<BTreeMap<String, f64>>>,
    described: Arc<Mutex<BTreeMap<String, Option<Unit>>>>,
}

struct One(Keeper, String);

impl CounterFn for One {
    fn increment(&self, _: u64) {
        panic!("counters are told as they are, so that no call can be missed");
    }
    fn absolute(&self, value: u64) {
        self.0.values.lock().unwrap().insert(self.1.clone(), value as f64);
    }
}

impl GaugeFn for One {
    fn increment(&self, _: f64) {
        panic!("as above");
    }
    fn decrement(&self, _: f64) {
        panic!("as above");
    }
    fn set(&self, value: f64) {
        self.0.values.lock().unwrap().insert(self.1.clone(), value);
    }
}

impl Keeper {
    fn one(&self, key: &Key) -> Arc<One> {
        let labels: String =
            key.labels().map(|label| format!("{{{}={}}}", label.key(), label.value())).collect();
        Arc::new(One(self.clone(), format!("{}{labels}", key.name())))
    }
    fn describe(&self, name: KeyName, unit: Option<Unit>) {
        self.described.lock().unwrap().insert(name.as_str().to_owned(), unit);
    }
}

impl Recorder for Keeper {
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, _: SharedString) {
        self.describe(name, unit);
    }
    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, _: SharedString) {
        self.describe(name, unit);
    }
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.one(key))
    }
    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.one(key))
    }
    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

#[test]
fn every_figure_arrives_as_stats_says() {
    let keeper = Keeper::default();
    let kept: Vec<_> = (0..50_u64).map(Handle::new).collect();
    let guard = kept[0].get().unwrap();
    kept[0].delete();
    assert!(kept[0].get().is_err() && kept[0].remove().is_err());
    metrics::with_local_recorder(&keeper, haft::publish_metrics);
    let stats = haft::stats();
    let mut expected: BTreeMap<String, f64> = [
        ("haft_created_total", stats.created as f64),
        ("haft_removed_total", stats.removed as f64),
        ("haft_live", stats.live as f64),
        ("haft_deferred", stats.deferred as f64),
        ("haft_retired", stats.retired as f64),
        ("haft_returned", stats.returned as f64),
        ("haft_pages", stats.pages as f64),
        ("haft_bytes", stats.bytes as f64),
        ("haft_shards", stats.shards as f64),
        ("haft_records", stats.records as f64),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    for (kind, count) in stats.errors.iter() {
        expected.insert(format!("haft_errors_total{{kind={kind:?}}}"), count as f64);
    }
    let found = keeper.values.lock().unwrap().clone();
    assert_eq!(found, expected);
    assert_eq!(
        (found["haft_created_total"], found["haft_removed_total"], found["haft_live"]),
        (50.0, 1.0, 49.0)
    );
    assert_eq!((found["haft_deferred"], found["haft_errors_total{kind=Stale}"]), (1.0, 2.0));
    assert_eq!(stats.errors.get(ErrorKind::Stale), 2);
    let described = keeper.described.lock().unwrap().clone();
    assert_eq!(described["haft_bytes"], Some(Unit::Bytes));
    for name in expected.keys().map(|name| name.split('{').next().unwrap()) {
        assert!(described.contains_key(name), "{name} has no description");
    }
    // The figures follow.
    kept[1..].iter().for_each(|handle| handle.delete());
    metrics::with_local_recorder(&keeper, haft::publish_metrics);
    assert_eq!(keeper.values.lock().unwrap()["haft_live"], 0.0);
    drop(guard);
}
