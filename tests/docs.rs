//! The guide to finding leaks shows what really comes out.

use std::collections::HashMap;
use std::process::Command;
use std::{env, fs};

/// The blocks of a page, in order: what kind each is, and its text.
fn blocks(page: &str) -> Vec<(&str, &str)> {
    let fenced = page.split("```").skip(1).step_by(2);
    fenced.filter_map(|block| block.split_once('\n')).collect()
}

/// What does not matter: handles, process numbers, seconds, the thread's number, and how far things are apart.
fn shape(text: &str) -> String {
    let digits =
        |word: &str| !word.is_empty() && word.chars().all(|next| next.is_ascii_digit() || next == '.');
    let mut words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    for index in 0..words.len() {
        let is =
            |at: Option<usize>, what: &str| at.and_then(|at| words.get(at)).is_some_and(|word| word == what);
        let number = digits(words[index].trim_end_matches(':'));
        if words[index].starts_with("0x") {
            words[index] = "HANDLE".into();
        } else if number && (is(index.checked_sub(1), "process") || is(Some(index + 1), "s")) {
            words[index] = "NUMBER".into();
        }
    }
    words.join(" ")
}

/// Runs what a line of the page says, with the example built from today's source: what it writes.
fn run(line: &str) -> String {
    let (variables, arguments): (Vec<_>, Vec<_>) =
        line.split_whitespace().filter(|word| *word != "cargo").partition(|word| word.contains('='));
    let mut command = Command::new(env::var("CARGO").unwrap_or_else(|_| "cargo".into()));
    command.args(["--quiet"]).args(arguments).env_remove("HAFT_REPORT").env("RUST_BACKTRACE", "0");
    command.envs(variables.iter().filter_map(|variable| variable.split_once('=')).collect::<HashMap<_, _>>());
    let output = command.output().expect("cargo runs");
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn every_output_of_the_guide_to_leaks_is_real() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/docs/leaks.md");
    let page = fs::read_to_string(path).unwrap();
    let blocks = blocks(&page);
    let mut compared = 0;
    for pair in blocks.windows(2).filter(|pair| pair[0].0 == "sh") {
        assert_eq!(pair[1].0, "text", "an output follows a command");
        let real = run(pair[0].1.trim());
        assert!(
            shape(&real).contains(&shape(pair[1].1)),
            "the page has\n{}\nfor {}and the program says\n{real}",
            pair[1].1,
            pair[0].1
        );
        compared += 1;
    }
    assert_eq!((compared, blocks.iter().filter(|block| block.0 == "text").count()), (4, 4));
}

#[test]
fn every_line_of_the_program_in_the_guide_to_leaks_is_in_it() {
    let (page, program) = (include_str!("../src/docs/leaks.md"), include_str!("../examples/leaky.rs"));
    let lines = |text: &str| text.lines().map(str::trim).collect::<Vec<_>>().join("\n");
    let shown: Vec<_> = blocks(page).into_iter().filter(|block| block.0 == "rust,ignore").collect();
    assert_eq!(shown.len(), 7);
    for (_, code) in shown {
        assert!(lines(program).contains(lines(code).trim()), "not in the program: {code}");
    }
}

/// The links of a text that are defined apart from it, as `[words]: target` at the beginning of a line, and their targets.
fn definitions(text: &str) -> Vec<(&str, &str)> {
    let lines = text.lines().filter_map(|line| line.trim_start_matches("//! ").strip_prefix('['));
    lines.filter_map(|line| line.split_once("]: ")).collect()
}

/// Whether a file is published: `include` of Cargo.toml has it, or a folder that it is in.
fn is_published(manifest: &str, file: &str) -> bool {
    let list = manifest.split("\ninclude = [").nth(1).and_then(|rest| rest.split(']').next()).unwrap();
    let mut patterns = list.split('"').filter(|pattern| pattern.starts_with('/'));
    patterns.any(|pattern| {
        let rest = file.strip_prefix(&pattern[1..]);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

#[test]
fn links_of_the_readme_lead_to_files_and_in_the_documentation_to_items() {
    let (readme, manifest) = (include_str!("../README.md"), include_str!("../Cargo.toml"));
    let (files, items) = (definitions(readme), definitions(include_str!("../src/lib.rs")));
    assert!(files.len() > 9, "{files:?}");
    let words =
        |links: &[(&'static str, &'static str)]| links.iter().map(|(words, _)| *words).collect::<Vec<_>>();
    let picture = include_str!("../src/docs/overview.md");
    let items = [items, definitions(picture)].concat();
    assert_eq!(words(&files), words(&items), "rustdoc takes the definitions of lib.rs, which come first");
    for (words, target) in files {
        assert!(fs::exists(format!("{}/{target}", env!("CARGO_MANIFEST_DIR"))).unwrap(), "{target}");
        assert!(is_published(manifest, target), "{target}");
        assert_eq!(readme.matches(&format!("[{words}]")).count(), 2, "{words}: the link and its definition");
    }
    // Nothing else is a link.
    assert_eq!(readme.matches("](").count(), 0);
    assert!(!is_published(manifest, "benches/charts/cycle.svg") && !is_published(manifest, "srcs/lib.rs"));
}

/// A picture that needs no file beside the page.
fn address(picture: &str) -> String {
    let mut address = String::from("data:image/svg+xml,");
    for byte in picture.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'/' | b':' => {
                address.push(byte.into())
            }
            _ => address += &format!("%{byte:02X}"),
        }
    }
    address
}

#[test]
fn the_documentation_has_the_readmes_picture_in_it() {
    let folder = env!("CARGO_MANIFEST_DIR");
    let chart = fs::read_to_string(format!("{folder}/benches/charts/overview.svg")).unwrap();
    let (page, text) =
        (format!("{folder}/src/docs/overview.md"), format!("[overview]: {}\n", address(&chart)));
    if env::var_os("HAFT_BLESS").is_some() {
        fs::write(&page, &text).unwrap();
    }
    assert!(fs::read_to_string(page).unwrap() == text, "the chart is another: HAFT_BLESS=1 writes it anew");
}

#[test]
fn a_shape_is_all_but_the_numbers_that_differ_each_time() {
    let one = "at the end of process 12: 3 live handles\n  3   0 s  leaky.rs:69:23, 0x12ab\n";
    let two = "at the end of process 7: 3 live handles\n 3 12 s leaky.rs:69:23, 0x77";
    assert_eq!(shape(one), shape(two));
    assert_ne!(shape("3 live"), shape("4 live"));
    assert_ne!(shape("leaky.rs:69:23"), shape("leaky.rs:70:23"));
}
