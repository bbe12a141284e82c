//! What Go asserts of its `runtime/cgo.Handle`, where it needs no C; the rest is in the C tests.

use haft::{Handle, Registry};
use std::panic::catch_unwind;

#[test]
fn two_handles_of_one_value_differ_and_each_gives_it_back() {
    let values = Registry::new();
    for value in ["a", "", "a"] {
        let (one, two) = (values.insert(value), values.insert(value));
        assert!(one.to_bits() != 0 && two.to_bits() != 0 && one != two);
        assert_eq!((*values.get(one).unwrap(), *values.get(two).unwrap()), (value, value));
        values.remove(one).unwrap();
        values.remove(two).unwrap();
    }
    assert!(values.is_empty());
    assert_eq!(values.live().count(), 0);
}

#[test]
fn an_absent_value_is_a_value() {
    let none: Handle<Option<String>> = Handle::new(None);
    let unit = Handle::new(());
    assert_eq!(*none.value(), None);
    assert_eq!(*unit.value(), ());
    none.delete();
    unit.delete();
}

#[test]
fn the_neighbour_of_a_handle_cannot_be_deleted_and_the_handle_still_works() {
    struct Value(i32);
    let handle = Handle::new(Value(42));
    assert!(Handle::<Value>::from_bits(0).is_none());
    let next = Handle::<Value>::from_bits(handle.to_bits() + 1).unwrap();
    assert!(catch_unwind(|| next.delete()).is_err());
    assert_eq!(handle.value().0, 42);
    handle.delete();
    assert!(catch_unwind(|| handle.value().0).is_err());
    assert!(catch_unwind(|| handle.delete()).is_err());
}

#[test]
fn the_cap_is_reachable_and_one_more_fails() {
    let capped = Registry::with_limit(100);
    let handles: Vec<_> = (0..100).map(|value| capped.try_insert(value).unwrap()).collect();
    assert_eq!(capped.try_insert(100).unwrap_err().0, 100);
    capped.remove(handles[50]).unwrap();
    assert!(capped.try_insert(101).is_ok());
    assert!(capped.try_insert(102).is_err());
    assert_eq!(capped.len(), 100);
}

#[test]
fn forty_two_rounds_through_another_thread() {
    let (sender, receiver) = std::sync::mpsc::channel();
    let channel = std::sync::Arc::new(std::sync::Mutex::new(sender));
    for _ in 0..42 {
        let handle = Handle::new(channel.clone());
        let bits = handle.to_bits();
        std::thread::spawn(move || {
            let handle =
                Handle::<std::sync::Arc<std::sync::Mutex<std::sync::mpsc::Sender<i32>>>>::from_bits(bits);
            handle.unwrap().value().lock().unwrap().send(42).unwrap();
        })
        .join()
        .unwrap();
        assert_eq!(receiver.recv(), Ok(42));
        handle.delete();
    }
}
