//! Every rule, invariant, edge and trap has a test, and the pages name only tests that there are.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const ARCHITECTURE: &str = include_str!("../src/docs/architecture.md");
const VERIFICATION: &str = include_str!("../src/docs/verification.md");

/// The names of all functions below a folder that are tests.
fn tests(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tests(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.extend(tests_of(&fs::read_to_string(path).unwrap()));
        }
    }
}

/// The functions of a text that are run as tests.
fn tests_of(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut lines = text.lines().map(str::trim).peekable();
    while let Some(line) = lines.next() {
        if line != "#[test]" {
            continue;
        }
        let mut ignored = false;
        for line in lines.by_ref() {
            ignored |= line.starts_with("#[ignore");
            if let Some(name) = line.strip_prefix("fn ") {
                if !ignored {
                    found.push(name.split('(').next().unwrap().to_owned());
                }
                break;
            }
        }
    }
    found
}

fn all() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = BTreeSet::new();
    tests(&root.join("src"), &mut found);
    tests(&root.join("tests"), &mut found);
    found
}

/// Whether a test's name begins with what it is about: `s4_s5_...` is about S4 and S5.
fn is_about(test: &str, name: &str) -> bool {
    let subject = |part: &&str| {
        part.len() > 1
            && part.starts_with(['s', 'i', 'e', 't', 'f'])
            && part[1..].bytes().all(|byte| byte.is_ascii_digit())
    };
    test.split('_').take_while(subject).any(|part| part.eq_ignore_ascii_case(name))
}

/// The first column of a page's tables, where it is a name like **E3**.
fn named(page: &str, letter: char) -> BTreeSet<String> {
    let rows = page.lines().filter_map(|line| line.strip_prefix("| **")?.split("**").next());
    rows.filter(|name| name.starts_with(letter)).map(str::to_owned).collect()
}

#[test]
fn every_invariant_edge_and_rule_has_a_test_of_its_name() {
    let tests = all();
    let mut names: Vec<String> = (1..=15).map(|number| format!("S{number}")).collect();
    names.extend(named(ARCHITECTURE, 'I'));
    names.extend(named(ARCHITECTURE, 'E'));
    assert!(names.len() >= 15 + 8 + 12, "the page lists them: {names:?}");
    let missing = names.iter().filter(|name| !tests.iter().any(|test| is_about(test, name)));
    assert_eq!(missing.collect::<Vec<_>>(), [""; 0], "no test is named after these");
}

#[test]
fn every_trap_names_its_tests_and_they_are_there() {
    let (tests, traps) = (all(), named(VERIFICATION, 'T'));
    assert_eq!(traps.len(), 18);
    for line in VERIFICATION.lines().filter(|line| line.starts_with("| **T")) {
        let row: Vec<_> = line.trim_matches('|').split('|').collect();
        assert_eq!(row.len(), 3, "a name, the trap, its tests: {line}");
        let named: Vec<_> = row[2].split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty(), "{line}");
        for test in named {
            assert!(tests.contains(test), "there is no test {test}");
        }
    }
}

#[test]
fn the_checks_can_fail() {
    assert_eq!(tests_of("#[test]\nfn s1_a() {\n}\nfn s2_b() {\n}\n"), ["s1_a"]);
    assert_eq!(tests_of("#[test]\n#[ignore = \"slow\"]\nfn s1_a() {\n}\n"), [""; 0]);
    assert!(is_about("s4_s5_two", "S5") && is_about("e12_x", "E12"));
    assert!(!is_about("e12_x", "E1") && !is_about("a_s5_two", "S5"));
    assert_eq!(named("| **E3** | x |\n| **I1** | y |", 'E').len(), 1);
}
