//! Keeps the structure of the sources: who may name what, and what every unsafe block and ordering says.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// Each file's path from `src`, and its text.
fn all() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    sources(&root)
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
            (name, fs::read_to_string(path).unwrap())
        })
        .collect()
}

/// The code of a line, without its comment.
fn code(line: &str) -> &str {
    line.split("//").next().unwrap_or_default()
}

/// Lines that name what only the facade may.
fn foreign_atomics(text: &str) -> Vec<&str> {
    let forbidden = [
        "std::sync::atomic",
        "core::sync::atomic",
        "std::cell::UnsafeCell",
        "std::thread_local",
        "loom::sync",
    ];
    text.lines().filter(|line| forbidden.iter().any(|name| code(line).contains(name))).collect()
}

/// Unsafe code without a comment before it that names an invariant or edge.
fn unexplained_unsafe<'a>(text: &'a str, names: &HashSet<String>) -> Vec<&'a str> {
    let lines: Vec<&str> = text.lines().collect();
    let starts = |line: &str| {
        let code = code(line);
        code.contains("unsafe {") || code.trim_start().starts_with("unsafe impl")
    };
    (0..lines.len())
        .filter(|&index| starts(lines[index]))
        .filter(|&index| {
            let before = lines[index.saturating_sub(6)..=index].join("\n");
            let Some(reason) = before.rsplit("SAFETY(").next().filter(|_| before.contains("SAFETY(")) else {
                return true;
            };
            let named = reason.split(')').next().unwrap();
            !named.split(", ").all(|name| names.contains(name))
        })
        .map(|index| lines[index])
        .collect()
}

/// Orderings that synchronise without a comment nearby that says why.
fn unexplained_orderings(text: &str) -> Vec<&str> {
    let lines: Vec<&str> = text.lines().collect();
    let strong = ["Ordering::Acquire", "Ordering::Release", "Ordering::AcqRel", "Ordering::SeqCst"];
    let words = ["Acquire", "Release", "SeqCst", "(E"];
    (0..lines.len())
        .filter(|&index| strong.iter().any(|name| code(lines[index]).contains(name)))
        .filter(|&index| {
            let before = &lines[index.saturating_sub(16)..=index];
            !before.iter().any(|line| {
                let comment = line.split_once("//").map_or("", |(_, comment)| comment);
                words.iter().any(|word| comment.contains(word))
            })
        })
        .map(|index| lines[index])
        .collect()
}

/// The names that the architecture page lists.
fn names() -> HashSet<String> {
    let page = include_str!("../src/docs/architecture.md");
    let names = page.lines().filter_map(|line| line.strip_prefix("| **")?.split("**").next());
    names.map(str::to_owned).collect()
}

/// From leaf to root. A module imports only those before it, but for the pairs below.
const ORDER: [&str; 23] = [
    "bits", "unwind", "past", "site", "barrier", "exit", "slot", "space", "cells", "token", "layout", "page",
    "shard", "remove", "set", "lookup", "create", "thread", "explain", "survey", "held", "registry", "mod",
];

/// Types that point at each other: the left one holds no more than a pointer to the right one, or its size.
const MUTUAL: [(&str, &str); 10] = [
    ("space", "cells"),
    ("space", "page"),
    ("space", "set"),
    ("layout", "page"),
    ("page", "shard"),
    ("shard", "set"),
    ("remove", "set"),
    ("explain", "lookup"),
    ("cells", "space"),
    ("survey", "set"),
];

#[test]
fn only_the_facade_names_atomics_thread_locals_and_loom() {
    for (name, text) in all() {
        // Models count drops outside the model.
        if name != "sync.rs" && !name.starts_with("raw/models") {
            assert_eq!(foreign_atomics(&text), [""; 0], "{name}");
        }
        if name != "sync.rs" && !name.starts_with("raw/models") && !name.starts_with("raw/") {
            assert!(!text.lines().any(|line| code(line).contains("loom::")), "{name}");
        }
    }
}

#[test]
fn unsafe_code_is_in_raw_and_capi_alone() {
    for (name, text) in all() {
        let allowed = name.starts_with("raw/") || name.starts_with("capi/");
        let found = text.lines().find(|line| code(line).split_whitespace().any(|word| word == "unsafe"));
        assert!(allowed || found.is_none(), "{name}: {found:?}");
    }
}

#[test]
fn every_unsafe_block_names_what_it_rests_on() {
    let names = names();
    assert!(names.contains("I1") && names.contains("E1"), "the page lists them: {names:?}");
    for (name, text) in all() {
        if !name.starts_with("raw/models") && name != "raw/exhaustion.rs" {
            assert_eq!(unexplained_unsafe(&text, &names), [""; 0], "{name}");
        }
    }
}

#[test]
fn every_ordering_says_why() {
    for (name, text) in all() {
        if !name.starts_with("raw/models") {
            let text = text.split("#[cfg(all(test").next().unwrap();
            assert_eq!(unexplained_orderings(text), [""; 0], "{name}");
        }
    }
}

#[test]
fn every_edge_and_invariant_of_the_page_is_named_in_the_code_and_in_a_model() {
    let all = all();
    for name in names() {
        let used = |text: &str| {
            text.contains(&format!("({name}"))
                || text.contains(&format!(", {name}"))
                || text.contains(&format!("_{}_", name.to_lowercase()))
                || text.contains(&format!(" {}_", name.to_lowercase()))
        };
        assert!(
            all.iter().any(|(file, text)| file.starts_with("raw/") && used(text)),
            "{name} is used nowhere"
        );
        if name.starts_with('E') {
            let test = format!("{}_", name.to_lowercase());
            let modelled =
                all.iter().any(|(file, text)| file.starts_with("raw/models") && text.contains(&test));
            assert!(modelled, "{name} has no model");
        }
    }
}

#[test]
fn raw_modules_import_from_leaf_to_root() {
    let place = |module: &str| ORDER.iter().position(|name| *name == module);
    for (name, text) in all() {
        let Some(module) = name.strip_prefix("raw/").and_then(|name| name.strip_suffix(".rs")) else {
            continue;
        };
        let Some(own) = place(module) else {
            assert!(
                module.starts_with("models") || module == "exhaustion",
                "{name} has no place in the order"
            );
            continue;
        };
        let code = text.split("#[cfg(all(test").next().unwrap();
        for line in code.lines().filter_map(|line| line.trim().strip_prefix("use super::")) {
            let imported = line.split([':', ';', '{']).next().unwrap();
            let Some(theirs) = place(imported) else { continue };
            let mutual = MUTUAL.contains(&(module, imported));
            assert!(
                theirs < own || mutual,
                "raw/{module}.rs imports {imported}, which is nearer to the root"
            );
        }
    }
}

#[test]
fn the_safe_shell_does_not_reach_around_its_doors() {
    for (name, text) in all() {
        let inner = [
            "raw::page",
            "raw::slot",
            "raw::cells",
            "raw::space",
            "raw::remove",
            "raw::create",
            "raw::token",
        ];
        let reached = text.lines().find(|line| inner.iter().any(|module| code(line).contains(module)));
        assert!(name.starts_with("raw/") || reached.is_none(), "{name}: {reached:?}");
        assert!(
            name.starts_with("capi/") || name == "lib.rs" || !text.contains("crate::capi"),
            "{name} imports capi"
        );
    }
}

#[test]
fn files_stay_small() {
    for (name, text) in all() {
        let lines = text.lines().filter(|line| !code(line).trim().is_empty()).count();
        assert!(lines <= 400, "{name} has {lines} lines of code");
    }
}

#[test]
fn the_checks_can_fail() {
    assert_eq!(foreign_atomics("use std::sync::atomic::AtomicU8;").len(), 1);
    assert_eq!(foreign_atomics("// std::sync::atomic").len(), 0);
    let names = HashSet::from(["I1".to_string()]);
    assert_eq!(unexplained_unsafe("let x = unsafe { y };", &names).len(), 1);
    assert_eq!(unexplained_unsafe("// SAFETY(I1): so.\nlet x = unsafe { y };", &names).len(), 0);
    assert_eq!(unexplained_unsafe("// SAFETY(I9): so.\nunsafe impl Send for X {}", &names).len(), 1);
    assert_eq!(unexplained_orderings("x.load(Ordering::Acquire);").len(), 1);
    assert_eq!(unexplained_orderings("// Acquire (E1): so.\nx.load(Ordering::Acquire);").len(), 0);
}
