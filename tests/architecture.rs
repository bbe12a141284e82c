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

/// The text without the items that are built for tests only; their lines are left empty.
fn production(text: &str) -> String {
    let mut lines = text.lines();
    let mut kept = String::new();
    while let Some(line) = lines.next() {
        let gate = line.trim_start();
        if gate.starts_with("#[cfg(test)]") || gate.starts_with("#[cfg(all(test") {
            // rustfmt closes an item where it opened it; one without a body ends with its line.
            let end = format!("{}}}", &line[..line.len() - gate.len()]);
            kept.push('\n');
            for line in lines.by_ref() {
                kept.push('\n');
                let same = line.len() - line.trim_start().len() == end.len() - 1;
                if line == end || same && line.ends_with(';') {
                    break;
                }
            }
        } else {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

/// Lines that name what only the facade may.
fn foreign_atomics(text: &str) -> Vec<&str> {
    let forbidden = [
        "sync::atomic",
        "atomic::",
        "UnsafeCell",
        "std::thread_local",
        "loom::",
        "Ordering::{",
        "Ordering::*",
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

/// From leaf to root. A module names only those before it, but for the pairs below.
const ORDER: [&str; 47] = [
    "windows",
    "pin",
    "at_exit",
    "bits",
    "link",
    "seed",
    "section",
    "unwind",
    "hook",
    "clock",
    "confine",
    "name",
    "slot",
    "history",
    "site",
    "barrier",
    "exit",
    "fork",
    "layout",
    "memory",
    "exhausted",
    "claim",
    "record",
    "records",
    "overdue",
    "waits",
    "token",
    "page",
    "lists",
    "vacancy",
    "shard",
    "space",
    "find",
    "remove",
    "trace",
    "set",
    "lookup",
    "create",
    "defaults",
    "thread",
    "operation",
    "explain",
    "near",
    "survey",
    "count",
    "held",
    "registry",
];

/// Modules that know each other, with the reason why the left one names the right one.
const MUTUAL: [(&str, &str, &str); 3] = [
    ("page", "shard", "a page points at the shard that fills it"),
    ("shard", "set", "a shard points at its set"),
    ("space", "set", "what dropped registries leave behind are lists of sets"),
];

/// What a raw module names that is not nearer to the leaf: another module, or all of them at once; or
/// something of the crate outside the core, other than the facade of atomics.
fn upward(module: &str, text: &str) -> Vec<String> {
    let place = |module: &str| ORDER.iter().position(|name| *name == module);
    let own = place(module).unwrap_or_else(|| panic!("raw/{module}.rs has no place in the order"));
    let named = |rest: &str| {
        rest.split(|next: char| next != '_' && !next.is_alphanumeric()).next().unwrap().to_owned()
    };
    let mut found = Vec::new();
    for code in text.lines().map(code) {
        for (at, path) in ["super::", "crate::raw::"].iter().flat_map(|path| code.match_indices(path)) {
            let name = named(&code[at + path.len()..]);
            // An item of the file itself, named by a module inside it.
            let inner = code.starts_with(' ') && name.starts_with(char::is_uppercase);
            if !inner && place(&name).is_none_or(|theirs| theirs >= own) {
                found.push(name);
            }
        }
        for (at, path) in code.match_indices("crate::") {
            let name = named(&code[at + path.len()..]);
            if name != "raw" && name != "sync" {
                found.push(format!("crate::{name}"));
            }
        }
    }
    found
}

/// How many lines of code there are, without comments and empty ones.
fn size(text: &str) -> usize {
    text.lines().filter(|line| !code(line).trim().is_empty()).count()
}

#[test]
fn only_the_facade_names_atomics_thread_locals_and_loom() {
    for (name, text) in all() {
        // The facade's twins for checkers are a part of it. Models are loom's threads, and count drops outside the model.
        if name != "sync.rs" && !name.starts_with("sync/") && !name.starts_with("raw/models") {
            assert_eq!(foreign_atomics(&text), [""; 0], "{name}");
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
        if !name.starts_with("raw/models") && !name.ends_with("/tests.rs") {
            assert_eq!(unexplained_orderings(&production(&text)), [""; 0], "{name}");
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
            all.iter()
                .any(|(file, text)| (file.starts_with("raw/") || file.starts_with("capi/")) && used(text)),
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
fn raw_modules_know_those_nearer_to_the_leaf_and_the_pairs_with_a_reason() {
    let mut pairs = HashSet::new();
    for (name, text) in all() {
        let Some(module) = name.strip_prefix("raw/").and_then(|name| name.strip_suffix(".rs")) else {
            continue;
        };
        // The root of the tree, and what is built for tests only.
        if module.starts_with("models/")
            || module.ends_with("/tests")
            || ["mod", "exhaustion"].contains(&module)
        {
            continue;
        }
        // A file in a module's folder stands where the module does, and `super` is the module.
        let (module, inside) = module.split_once('/').map_or((module, false), |(module, _)| (module, true));
        let text = if inside { production(&text).replace("super::", "") } else { production(&text) };
        for named in upward(module, &text) {
            pairs.insert((module.to_owned(), named));
        }
    }
    let allowed = MUTUAL.iter().map(|(left, right, _)| ((*left).to_owned(), (*right).to_owned())).collect();
    let (new, unused) = (pairs.difference(&allowed), allowed.difference(&pairs));
    assert_eq!((new.collect::<Vec<_>>(), unused.collect::<Vec<_>>()), (vec![], vec![]), "new, unused");
}

#[test]
fn the_safe_shell_does_not_reach_around_its_doors() {
    for (name, text) in all() {
        let inner = [
            "raw::page",
            "raw::slot",
            "raw::record",
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
fn every_test_is_run_with_the_oldest_compiler_or_left_out_with_a_reason() {
    let manifest = include_str!("oldest/Cargo.toml");
    let comments: Vec<&str> = manifest.lines().filter(|line| line.starts_with("# ")).collect();
    let comments = comments.join(" ");
    let left_out = comments.split("Left out:").nth(1).unwrap();
    let left_out = |name: &str| {
        left_out.split(|next: char| next != '_' && !next.is_alphanumeric()).any(|word| word == name)
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut count = 0;
    for path in sources(&folder).iter().filter(|path| path.parent() == Some(&folder)) {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let is_run = manifest.contains(&format!("\nname = \"{name}\"\npath = \"../{name}.rs\""));
        assert!(is_run != left_out(name), "{name}");
        count += 1;
    }
    assert!(count > 24, "{count}");
}

#[test]
fn files_stay_small() {
    for (name, text) in all() {
        let code = size(&text);
        assert!(code <= 400, "{name} has {code} lines of code");
    }
}

#[test]
fn the_checks_can_fail() {
    assert_eq!(foreign_atomics("use std::sync::atomic::AtomicU8;").len(), 1);
    assert_eq!(foreign_atomics("use std::sync::{atomic::AtomicU8, Arc};").len(), 1);
    assert_eq!(foreign_atomics("loom::model(|| ());").len(), 1);
    assert_eq!(foreign_atomics("use crate::sync::Ordering::*;").len(), 1, "orderings are to be spelt out");
    assert_eq!(foreign_atomics("// std::sync::atomic").len(), 0);

    let names = HashSet::from(["I1".to_string(), "E2".to_string()]);
    assert_eq!(unexplained_unsafe("let x = unsafe { y };", &names).len(), 1);
    assert_eq!(unexplained_unsafe("// SAFETY: so.\nlet x = unsafe { y };", &names).len(), 1);
    assert_eq!(unexplained_unsafe("// SAFETY(I1): so.\nlet x = unsafe { y };", &names).len(), 0);
    assert_eq!(unexplained_unsafe("// SAFETY(I1, E2): so.\nlet x = unsafe { y };", &names).len(), 0);
    assert_eq!(unexplained_unsafe("// SAFETY(I1, E9): so.\nlet x = unsafe { y };", &names).len(), 1);
    assert_eq!(unexplained_unsafe("// SAFETY(I9): so.\nunsafe impl Send for X {}", &names).len(), 1);
    let far = format!("// SAFETY(I1): so.\n{}let x = unsafe {{ y }};", "step();\n".repeat(9));
    assert_eq!(unexplained_unsafe(&far, &names).len(), 1);

    assert_eq!(unexplained_orderings("x.load(Ordering::Acquire);").len(), 1);
    assert_eq!(unexplained_orderings("// Why.\nx.load(Ordering::SeqCst);").len(), 1);
    assert_eq!(unexplained_orderings("// Acquire (E1): so.\nx.load(Ordering::Acquire);").len(), 0);
    assert_eq!(unexplained_orderings("x.load(Ordering::Relaxed);").len(), 0);

    assert_eq!(upward("slot", "use super::bits;"), [""; 0]);
    assert_eq!(upward("slot", "use super::page::PagePtr;"), ["page"]);
    assert_eq!(upward("slot", "    let x = super::set::limit();"), ["set"]);
    assert_eq!(upward("slot", "use crate::raw::thread;"), ["thread"]);
    assert_eq!(upward("slot", "    crate::report::at_exit::ask();"), ["crate::report"]);
    assert_eq!(upward("slot", "use crate::sync::Ordering;"), [""; 0]);
    assert_eq!(upward("slot", "use super::{bits, page};"), [""], "braces hide what they name");
    assert_eq!(upward("slot", "    use super::Slot;"), [""; 0], "its own");

    assert_eq!(size("// One.\n\nlet two = 2; // Three."), 1);
}

#[test]
fn what_is_built_for_tests_alone_is_left_out_and_what_follows_is_not() {
    let text = "a;\n    #[cfg(all(test, x))]\n    fn b() {\n        if c {\n        }\n        d;\n    }\n    e;\n\
                #[cfg(test)]\nmod f;\ng;\n#[cfg(not(test))]\nh;\n#[cfg(test)]\nmod i {\n    j;\n}\n";
    let kept = production(text);
    assert_eq!(kept.lines().count(), text.lines().count(), "lines keep their numbers");
    let kept: Vec<_> = kept.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    assert_eq!(kept, ["a;", "e;", "g;", "#[cfg(not(test))]", "h;"]);
}
