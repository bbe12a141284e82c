//! Traps of concurrent handle tables that have no other test: the verification page lists them all, each with its own.

use haft::{Handle, Registry};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::{fs, thread};

#[test]
fn s2_no_handle_is_zero_or_an_aligned_address() {
    let registry = Registry::new();
    for value in 0..10_000_u64 {
        let bits = registry.insert(value).to_bits();
        assert_eq!(bits & 1, 1);
        assert_ne!(bits, 0);
    }
    assert!(Handle::<u64>::from_bits(0).is_none());
}

/// Statics are never dropped: what they still hold is told by a call.
#[test]
fn t13_a_report_is_a_call_and_sees_what_statics_hold() {
    struct Forgotten;
    static KEPT: Registry<Forgotten> = Registry::new();
    let handle = KEPT.insert(Forgotten);
    assert_eq!(haft::leaks().iter().filter(|leak| leak.type_name.ends_with("Forgotten")).count(), 1);
    KEPT.remove(handle).unwrap();
    assert_eq!(haft::leaks().iter().filter(|leak| leak.type_name.ends_with("Forgotten")).count(), 0);
}

/// From the lookup to the last use a guard is there, so that nothing that others do comes between.
#[test]
fn t14_a_value_stays_from_its_lookup_to_the_end_of_its_use() {
    static DROPS: AtomicUsize = AtomicUsize::new(0);
    struct Session(u64);
    impl Drop for Session {
        fn drop(&mut self) {
            self.0 = 0;
            DROPS.fetch_add(1, SeqCst);
        }
    }
    for round in 1..=200 {
        let handle = Handle::new(Session(round));
        let guard = handle.get().unwrap();
        thread::spawn(move || handle.remove().unwrap()).join().unwrap();
        assert!(handle.get().is_err());
        assert_eq!((guard.0, DROPS.load(SeqCst) as u64), (round, round - 1));
        drop(guard);
        assert_eq!(DROPS.load(SeqCst) as u64, round);
    }
}

#[test]
fn t15_panics_in_destructors_on_all_paths_leave_nothing_locked() {
    struct Fails;
    impl Drop for Fails {
        fn drop(&mut self) {
            panic!("a drop that fails");
        }
    }
    thread::spawn(|| {
        let registry = Registry::with_limit(8);
        for _ in 0..3 {
            let handles: Vec<_> = (0..8).map(|_| registry.insert(Fails)).collect();
            let Err(full) = registry.try_insert(Fails) else { panic!("the limit is reached") };
            assert!(catch_unwind(AssertUnwindSafe(|| drop(full))).is_err());
            assert!(catch_unwind(AssertUnwindSafe(|| registry.remove(handles[0]))).is_err());
            let guard = registry.get(handles[1]).unwrap();
            registry.remove(handles[1]).unwrap();
            assert!(catch_unwind(AssertUnwindSafe(|| drop(guard))).is_err());
            assert!(catch_unwind(AssertUnwindSafe(|| registry.clear())).is_err());
            assert!(registry.is_empty());
        }
        assert!(catch_unwind(AssertUnwindSafe(|| drop(registry))).is_ok());
    })
    .join()
    .unwrap();
    // Everybody goes on.
    let handle = Handle::new(7_u8);
    assert_eq!(*thread::spawn(move || *handle.get().unwrap()).join().as_ref().unwrap(), 7);
    handle.delete();
    let _ = (haft::stats(), haft::leaks());
}

fn sources(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push((path.display().to_string(), fs::read_to_string(&path).unwrap()));
        }
    }
    found
}

/// A program that models itself builds all its crates with `--cfg loom`.
#[test]
fn t17_another_crates_model_does_not_turn_this_one_into_a_model() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let gates = |name: &str, text: &str| {
        let alone = |line: &&str| line.contains("cfg") && line.replace("haft_loom", "").contains("loom");
        text.lines().filter(alone).map(|line| format!("{name}: {line}")).collect::<Vec<_>>()
    };
    assert_eq!(gates("", "#[cfg(loom)]").len(), 1, "the check can fail");
    assert_eq!(gates("", "#[cfg(all(loom, haft_loom))]").len(), 1, "the check can fail");
    let attributes = |text: &str| {
        let lines =
            text.lines().filter(|line| line.trim_start().starts_with("#[") || line.contains("target."));
        lines.collect::<Vec<_>>().join("\n")
    };
    for (name, text) in sources(&root.join("src")) {
        assert_eq!(gates(&name, &attributes(&text)), [""; 0]);
    }
    let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    assert_eq!(gates("Cargo.toml", &attributes(&manifest)), [""; 0]);
}

/// C may pass any bits, so what it passes by value is an integer or a pointer, never what has forbidden values.
#[test]
fn t18_functions_for_c_take_integers_and_pointers_alone() {
    let header = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("include/haft.h")).unwrap();
    let parameters = parameters(&header);
    assert!(parameters.len() > 20, "{parameters:?}");
    let strange = parameters.iter().filter(|parameter| !is_harmless(&header, parameter)).collect::<Vec<_>>();
    assert_eq!(strange, [""; 0]);
    for parameter in ["bool force", "enum haft_kind kind", "struct haft_ref guard"] {
        assert!(!is_harmless(&header, parameter), "{parameter}");
    }
}

fn is_harmless(header: &str, parameter: &str) -> bool {
    let integers = ["void", "int", "uint32_t", "int32_t", "uint64_t", "size_t", "haft_handle", "haft_status"];
    let name = parameter.split(' ').next().unwrap();
    // Some are pointers to functions, by name.
    parameter.contains('*') || integers.contains(&name) || header.contains(&format!("(*{name})("))
}

/// The parameters of all functions of a header, which begin at the start of a line and end with `);`.
fn parameters(header: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut declaration = String::new();
    for line in header.lines() {
        let begins = line.starts_with(|letter: char| letter.is_ascii_lowercase())
            && (line.contains(" haft_") || line.contains("*haft_"));
        let continues = line.starts_with("     ") && !declaration.is_empty();
        if !continues {
            declaration.clear();
        }
        if begins && !line.starts_with("typedef") || continues {
            declaration.push_str(line.trim());
        }
        if line.ends_with(");") {
            let split = declaration.trim_end_matches(");").split_once('(');
            if let Some((_, list)) = split.filter(|(name, _)| !name.is_empty()) {
                found.extend(list.split(',').map(|parameter| parameter.trim().to_owned()));
            }
        }
    }
    found
}
