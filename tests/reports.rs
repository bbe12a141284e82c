//! What is alive and who made it (S14): the report in all its forms, the difference of two, and what a test asserts.
//!
//! `HAFT_LIVE=5000000` has so many handles alive while reports are made.

use haft::{Handle, Leak, LeakReport, Ref, Registry, Site};
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

/// The groups of a type: other tests run in the same process.
fn of<'a>(report: &'a LeakReport, name: &str) -> Vec<&'a Leak> {
    report.iter().filter(|leak| leak.type_name.ends_with(name)).collect()
}

fn line(leak: &Leak) -> u32 {
    leak.created_at.expect("it is created").line()
}

#[test]
fn s14_groups_are_by_type_and_line_most_numerous_first() {
    struct One(#[expect(dead_code, reason = "for its size")] u64);
    struct Two(#[expect(dead_code, reason = "for its size")] [u64; 4]);
    let registry = Registry::new();
    let few: Vec<_> = (0..3).map(|number| registry.insert(One(number))).collect();
    let few_line = line!() - 1;
    let many: Vec<_> = (0..9).map(|number| registry.insert(One(number))).collect();
    let many_line = line!() - 1;
    let other = Handle::new(Two([0; 4]));

    let report = registry.leaks();
    let groups: Vec<_> = report.iter().map(|leak| (leak.count, line(leak), leak.bytes)).collect();
    assert_eq!(groups, [(9, many_line, 72), (3, few_line, 24)]);
    assert_eq!((report.count(), report.deferred(), report.bytes()), (12, 0, 96));
    let shares: Vec<_> = report.iter().map(|leak| leak.share).collect();
    assert_eq!(shares, [0.75, 0.25]);

    let whole = haft::leaks();
    assert_eq!(of(&whole, "::One").len(), 2);
    let two = of(&whole, "::Two")[0];
    assert_eq!((two.count, two.bytes, two.example), (1, 32, other.to_bits()));
    assert!(whole.iter().map(Leak::total).is_sorted_by(|left, right| left >= right));
    other.delete();
    few.iter().chain(&many).for_each(|handle| handle.delete());
    assert!(registry.leaks().is_empty());
    assert_eq!(registry.leaks().to_string(), "no live handles\n");
}

#[test]
fn s14_examples_are_handles_of_the_group_each_once_and_four_at_most() {
    let registry = Registry::new();
    let mut all = HashSet::new();
    for count in 1..10_usize {
        all.insert(registry.insert(count).to_bits());
        let report = registry.leaks();
        let leak = report.iter().next().unwrap();
        let examples: Vec<_> = leak.examples().collect();
        assert_eq!(examples.len(), count.min(4));
        assert_eq!(examples.iter().collect::<HashSet<_>>().len(), examples.len());
        assert!(examples.iter().all(|example| all.contains(example)));
        assert_eq!(examples[0], leak.example);
    }
}

#[test]
fn s14_handles_of_two_registries_and_lines_in_generic_code_are_one_group() {
    fn make<T: Send + Sync + 'static>(registry: &Registry<Vec<T>>) {
        let _ = registry.insert(Vec::new());
    }
    let (one, two) = (Registry::new(), Registry::new());
    make::<char>(&one);
    make::<char>(&two);
    let report = haft::leaks();
    let group = of(&report, "Vec<char>");
    assert_eq!(group.iter().map(|leak| leak.count).collect::<Vec<_>>(), [2]);
    assert_eq!((one.leaks().count(), two.leaks().count()), (1, 1));
}

#[test]
fn s14_what_is_removed_and_still_held_is_told_with_its_holders_and_the_line_that_removed() {
    struct Held;
    let registry = Registry::new();
    let handle = registry.insert(Held);
    let (one, two) = (registry.get(handle).unwrap(), Ref::into_shared(handle.get().unwrap()));
    registry.remove(handle).unwrap();
    let removed = line!() - 1;
    let live = registry.insert(Held);

    let report = registry.leaks();
    let held: Vec<_> = report.iter().filter(|leak| leak.deferred > 0).collect();
    assert_eq!(held.len(), 1);
    assert_eq!((held[0].count, held[0].deferred, held[0].holders), (0, 1, 2));
    assert_eq!(held[0].removed_at.unwrap().line(), removed);
    assert_eq!((report.count(), report.deferred(), report.holders()), (1, 1, 2));
    let text = report.to_string();
    for piece in
        ["1 live handle, 1 removed and still held", &format!("rs:{removed}:"), "still held by 2 guards"]
    {
        assert!(text.contains(piece), "{piece:?} is not in: {text}");
    }

    let deferred: Vec<_> = registry.deferred().collect();
    assert_eq!(deferred.iter().map(|held| (held.handle, held.holders)).collect::<Vec<_>>(), [(handle, 2)]);
    assert_eq!(deferred[0].removed_at.unwrap().line(), removed);
    assert_eq!(registry.live().map(|live| live.handle).collect::<Vec<_>>(), [live]);
    drop(one);
    assert_eq!(registry.deferred().next().unwrap().holders, 1);
    drop(two);
    assert_eq!(registry.deferred().len(), 0);
    assert_eq!(registry.leaks().deferred(), 0);
}

#[test]
fn s14_a_leaked_guard_is_told_when_its_registry_is_gone_without_the_line_that_removed() {
    struct Kept;
    let registry = Registry::new();
    std::mem::forget(registry.get(registry.insert(Kept)).unwrap());
    let created = line!() - 1;
    drop(registry);
    let report = haft::leaks();
    let leak = of(&report, "::Kept")[0];
    assert_eq!((leak.count, leak.deferred, leak.holders, line(leak)), (0, 1, 1, created));
    assert_eq!((leak.removed_at, leak.held_for), (None, None));
}

#[test]
fn s14_the_difference_of_two_reports_is_what_grew_most_grown_first() {
    let registry = Registry::new();
    let staying: Vec<_> = (0..5).map(|number| registry.insert(number)).collect();
    let leaving: Vec<_> = (0..4).map(|number| registry.insert(number)).collect();
    let slow = |count: i32| (0..count).map(|number| registry.insert(number)).collect::<Vec<_>>();
    let slow_line = line!() - 1;
    drop(slow(2));
    let before = registry.leaks();
    let same = registry.leaks().since(&before);
    assert!(same.is_empty() && same.shrunk() == 0, "{same}");
    assert!(same.to_string().starts_with("no group of handles grew in "), "{same}");

    drop(slow(3));
    let fast: Vec<_> = (0..7).map(|number| registry.insert(number)).collect();
    let fast_line = line!() - 1;
    leaving.iter().for_each(|handle| handle.delete());
    let growth = registry.leaks().since(&before);
    let grown: Vec<_> =
        growth.iter().map(|one| (one.grown, one.before, one.leak.count, line(&one.leak))).collect();
    assert_eq!(grown, [(7, 0, 7, fast_line), (3, 2, 5, slow_line)]);
    assert_eq!((growth.grown(), growth.shrunk()), (10, 4));
    assert!(growth.elapsed().is_some());
    let text = growth.to_string();
    assert!(text.starts_with("10 handles more in ") && text.contains("; 4 fewer in other groups"), "{text}");
    assert!(text.contains("+7") && text.contains("+3"), "{text}");

    // Since the beginning of time.
    let all = registry.leaks().since(&LeakReport::default());
    assert_eq!((all.grown(), all.elapsed()), (17, None));
    drop((staying, fast));
}

#[test]
fn s14_handles_in_the_name_of_other_places_are_told_apart_by_them() {
    struct Scripted;
    let (one, two) = (Site::named("script.lua:1"), Site::named("script.lua:2"));
    assert_eq!((one, one.line(), one.column()), (Site::named("script.lua:1"), 0, None));
    assert_ne!(one, two);
    let registry = Registry::new();
    let create = |site: Site| [Handle::new_at(Scripted, site), registry.insert_at(Scripted, site)];
    let handles: Vec<_> = [one, two, two].into_iter().flat_map(create).collect();
    let groups: Vec<_> =
        of(&haft::leaks(), "::Scripted").iter().map(|leak| (leak.created_at, leak.count)).collect();
    assert_eq!(groups, [(Some(two), 4), (Some(one), 2)]);
    assert!(haft::leaks().to_string().contains("script.lua:2"));
    for (number, handle) in handles.iter().enumerate() {
        handle.delete();
        let error = handle.get().err().unwrap();
        assert_eq!(error.created_at(), Some(if number < 2 { one } else { two }));
        assert!(
            error.to_string().contains(if number < 2 { "script.lua:1" } else { "script.lua:2" }),
            "{error}"
        );
    }
    // A line of Rust is a place like any other.
    let again = Handle::new_at(Scripted, handles[0].get().err().unwrap().removed_at().unwrap());
    assert_eq!(of(&haft::leaks(), "::Scripted")[0].created_at.unwrap().file(), file!());
    again.delete();
}

#[test]
fn s14_handles_that_are_live_all_the_time_are_counted_exactly_while_others_come_and_go() {
    struct Staying;
    struct Passing;
    let stop = AtomicBool::new(false);
    let live = std::env::var("HAFT_LIVE").map_or(20_000, |count| count.parse().unwrap());
    let staying: Vec<_> = (0..live).map(|_| Handle::new(Staying)).collect();
    let passing = || Handle::new(Passing);
    let passing_line = line!() - 1;
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(SeqCst) {
                    let passing: Vec<_> = (0..100).map(|_| passing()).collect();
                    passing.iter().for_each(|handle| handle.delete());
                }
            });
        }
        // (The check comes after the threads have been told to end, so that a failure does not hang.)
        let reports: Vec<_> = (0..20).map(|_| haft::leaks()).collect();
        stop.store(true, SeqCst);
        for report in reports {
            let counts: Vec<_> = of(&report, "::Staying").iter().map(|leak| leak.count).collect();
            assert_eq!(counts, [live]);
            // Of the others any number may be seen, and a line may be missing that is being written. None has another
            // one's line.
            assert!(
                of(&report, "::Passing")
                    .iter()
                    .all(|leak| leak.created_at.is_none_or(|at| at.line() == passing_line))
            );
        }
    });
    staying.iter().for_each(|handle| handle.delete());
    assert!(of(&haft::leaks(), "::Staying").is_empty());
}

/// The report and what a reader of its JSON finds say the same.
fn check_group(group: &Value, leak: &Leak) {
    assert_eq!(group["type"], leak.type_name);
    let created = leak.created_at.unwrap();
    assert_eq!(group["created_at"]["file"], created.file());
    assert_eq!(group["created_at"]["line"], created.line());
    assert_eq!(group["created_at"]["column"], created.column().unwrap());
    assert_eq!((&group["live"], &group["deferred"]), (&leak.count.into(), &leak.deferred.into()));
    assert_eq!((&group["holders"], &group["bytes"]), (&leak.holders.into(), &leak.bytes.into()));
    assert_eq!(group["share"].as_f64(), Some(leak.share));
    assert_eq!(group["removed_at"]["line"].as_u64(), leak.removed_at.map(|site| site.line().into()));
    for (name, age) in [("held", leak.held_for), ("oldest", leak.oldest), ("newest", leak.newest)] {
        assert_eq!(group[format!("{name}_seconds")].as_u64(), age.map(|age| age.as_secs()), "{name}");
    }
    let examples: Vec<_> = leak.examples().map(|handle| Value::from(format!("{handle:#018x}"))).collect();
    assert_eq!(group["examples"], Value::from(examples));
}

#[test]
fn s14_json_says_what_the_structure_does() {
    // A type whose name has what must be escaped.
    type Odd = (&'static str, fn(&'static str) -> [u8; 2]);
    fn odd(text: &'static str) -> [u8; 2] {
        [text.len() as u8, 0]
    }
    let registry = Registry::<Odd>::new();
    let handle = registry.insert(("a", odd));
    let held = handle.get().unwrap();
    let before = registry.leaks();
    handle.delete();
    let more: Vec<_> = (0..6).map(|_| registry.insert(("b", odd))).collect();

    let report = registry.leaks();
    let json: Value = serde_json::from_str(&report.to_json()).unwrap();
    assert_eq!((&json["live"], &json["deferred"], &json["holders"]), (&6.into(), &1.into(), &1.into()));
    assert_eq!(json["bytes"], report.bytes());
    let groups = json["groups"].as_array().unwrap();
    assert_eq!(groups.len(), 2);
    report.iter().zip(groups).for_each(|(leak, group)| check_group(group, leak));

    let growth = registry.leaks().since(&before);
    let json: Value = serde_json::from_str(&growth.to_json()).unwrap();
    assert_eq!((&json["grown"], &json["shrunk"]), (&6.into(), &0.into()));
    assert_eq!(json["elapsed_seconds"].as_f64(), growth.elapsed().map(|elapsed| elapsed.as_secs_f64()));
    let groups = json["groups"].as_array().unwrap();
    assert_eq!(groups.len(), growth.iter().len());
    for (one, group) in growth.iter().zip(groups) {
        assert_eq!((&group["before"], &group["grown"]), (&one.before.into(), &one.grown.into()));
        check_group(group, &one.leak);
    }
    let nothing: Value = serde_json::from_str(&LeakReport::default().to_json()).unwrap();
    assert_eq!((&nothing["live"], nothing["groups"].as_array().unwrap().len()), (&0.into(), 0));
    drop((held, more));
}

#[test]
fn s14_text_is_a_table_whose_columns_are_aligned() {
    struct Session(#[expect(dead_code, reason = "for its size")] u32);
    let registry = Registry::new();
    let many: Vec<_> = (0..1_234).map(|number| registry.insert(Session(number))).collect();
    let few = registry.insert(Session(0));
    let text = registry.leaks().to_string();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 4, "{text}");
    assert_eq!(lines[0], "1,235 live handles; 4.8 KiB");
    for (heading, cells) in
        [("live", ["1,234", "1"]), ("share", ["99.9%", "0.1%"]), ("bytes", ["4.8 KiB", "4 B"])]
    {
        let end = lines[1].find(heading).unwrap() + heading.len();
        assert!(lines[2][..end].ends_with(cells[0]) && lines[3][..end].ends_with(cells[1]), "{text}");
    }
    let start = lines[1].find("type,").unwrap();
    assert!(lines[2][start..].contains(concat!("Session, ", file!(), ":")), "{text}");
    assert!(lines[3].ends_with(&format!(", {few:#018x}")), "{text}");
    drop(many);
}

#[test]
fn s14_no_leaks_is_silent_where_all_is_removed_and_names_what_is_not() {
    struct Kept;
    let earlier = Handle::new(Kept);
    let guard = haft::assert_no_leaks!();
    let made = line!() - 1;
    Handle::new(Kept).delete();
    assert!(guard.leaks().is_empty());
    // Removing what was there before does not make up for what was created since.
    earlier.delete();
    let forgotten = Handle::new(Kept);
    assert_eq!(guard.leaks().iter().map(|leak| leak.example).collect::<Vec<_>>(), [forgotten.to_bits()]);
    let panic = catch_unwind(AssertUnwindSafe(|| drop(guard))).unwrap_err();
    let text = panic.downcast_ref::<String>().unwrap();
    for piece in [&format!("{}:{made}:", file!()), "are still alive: 1 live handle", "Kept"] {
        assert!(text.contains(piece), "{piece:?} is not in: {text}");
    }
    forgotten.delete();
}

#[test]
fn s14_no_leaks_counts_what_is_removed_and_still_held() {
    let guard = haft::assert_no_leaks!();
    let handle = Handle::new('x');
    let held = handle.get().unwrap();
    handle.delete();
    assert_eq!((guard.leaks().count(), guard.leaks().deferred()), (0, 1));
    drop(held);
    drop(guard);
}

#[test]
fn s14_no_leaks_minds_its_own_thread_and_nothing_of_one_that_ended() {
    struct Foreign;
    // The ended thread's shard may be adopted by the next one, together with what it left.
    let left = thread::spawn(|| Handle::new(Foreign)).join().unwrap();
    let others = thread::spawn(|| {
        let guard = haft::assert_no_leaks!();
        let other = thread::spawn(|| Handle::new(Foreign)).join().unwrap();
        drop(guard);
        other
    });
    let other = others.join().expect("what others create does not matter");
    left.delete();
    other.delete();
}

#[test]
fn s14_no_leaks_of_a_registry_minds_all_threads() {
    static REGISTRY: Registry<u8> = Registry::new();
    let elsewhere = Registry::new();
    let guard = haft::assert_no_leaks!(REGISTRY);
    let ignored = elsewhere.insert(1_u8);
    let handle = thread::spawn(|| REGISTRY.insert(2)).join().unwrap();
    assert_eq!(guard.leaks().iter().map(|leak| leak.example).collect::<Vec<_>>(), [handle.to_bits()]);
    handle.delete();
    drop(guard);
    ignored.delete();
    // An owned one, by reference or by name.
    drop(haft::assert_no_leaks!(&elsewhere));
    drop(haft::assert_no_leaks!(elsewhere));
}

#[test]
fn s14_no_leaks_of_the_process_minds_every_thread() {
    struct Anywhere;
    let guard = haft::NoLeaks::in_process();
    let handle = thread::spawn(|| Handle::new(Anywhere)).join().unwrap();
    assert_eq!(of(&guard.leaks(), "::Anywhere").len(), 1);
    handle.delete();
    assert!(of(&guard.leaks(), "::Anywhere").is_empty());
    // Other tests are running: what they have at the moment is none of this one's.
    std::mem::forget(guard);
}

#[test]
fn s14_no_leaks_adds_nothing_to_a_panic() {
    let panic = catch_unwind(|| {
        let _guard = haft::assert_no_leaks!();
        let _forgotten = Handle::new("left by the panic");
        panic!("the first");
    });
    assert_eq!(*panic.unwrap_err().downcast_ref::<&str>().unwrap(), "the first");
}

#[test]
fn e11_a_handle_in_a_report_never_has_the_line_of_another_one() {
    fn odd(registry: &Registry<u8>) -> Handle<u8> {
        registry.insert(1)
    }
    fn even(registry: &Registry<u8>) -> Handle<u8> {
        registry.insert(0)
    }
    // One slot, used in turn by the handles of two lines; who made which is noted.
    let (registry, done) = (Registry::new(), AtomicBool::new(false));
    let line_of = |make: fn(&Registry<u8>) -> Handle<u8>| {
        let handle = make(&registry);
        let line = line(registry.leaks().iter().next().unwrap());
        handle.delete();
        line
    };
    let lines = [line_of(even), line_of(odd)];
    let mut seen = Vec::new();
    let made = thread::scope(|scope| {
        let maker = scope.spawn(|| {
            // (Nothing but the handles takes time.)
            let mut made = Vec::with_capacity(1_000_000);
            for index in 0..made.capacity() {
                let handle = [even, odd][index % 2](&registry);
                made.push((handle.to_bits(), lines[index % 2]));
                handle.delete();
            }
            done.store(true, SeqCst);
            made.into_iter().collect::<HashMap<_, _>>()
        });
        while !done.load(SeqCst) {
            seen.extend(registry.live().map(|live| (live.handle.to_bits(), live.created_at)));
        }
        maker.join().unwrap()
    });
    let told: Vec<_> =
        seen.iter().filter_map(|(bits, site)| Some((made[bits], site.as_ref()?.line()))).collect();
    let wrong = told.iter().filter(|(right, line)| right != line).count();
    assert_eq!(wrong, 0, "of {}", told.len());
    assert!(told.len() > 100, "{}", told.len());
}

#[test]
fn s14_ages_are_upper_bounds_and_those_of_the_oldest_and_the_newest() {
    let registry = Registry::new();
    let begun = Instant::now();
    let old = registry.insert('o');
    let guard = old.get().unwrap();
    thread::sleep(Duration::from_millis(1_100));
    // A report asks the clock, so that what comes after it is known to be young.
    assert!(registry.leaks().iter().next().unwrap().newest.unwrap() >= Duration::from_millis(1_100));
    let young = Instant::now();
    let new: Vec<_> = (0..2).map(|_| registry.insert('n')).collect();

    let report = registry.leaks();
    let ages: Vec<_> = report.iter().map(|leak| (leak.newest.unwrap(), leak.oldest.unwrap())).collect();
    let (real_young, real_old) = (young.elapsed(), begun.elapsed());
    assert_eq!(ages.len(), 2);
    assert!(ages.iter().all(|(newest, oldest)| newest == oldest), "{ages:?}");
    // The coarse clock may be a few milliseconds behind the fine one.
    let late = Duration::from_millis(50);
    assert!(ages[0].0 <= real_young + Duration::from_secs(2), "{ages:?}");
    assert!(ages[1].0 + late >= real_old, "{ages:?}");
    let live: Vec<_> = registry.live().map(|live| live.age.unwrap()).collect();
    assert_eq!(live, [ages[1].0, ages[0].0, ages[0].0]);

    old.delete();
    let held = registry.deferred().next().unwrap();
    assert!(held.removed_for.unwrap() <= Duration::from_secs(2), "the removal is young: {held:?}");
    let report = registry.leaks();
    let leak = report.iter().find(|leak| leak.deferred > 0).unwrap();
    assert_eq!((leak.oldest, leak.held_for), (None, held.removed_for));
    assert!(report.to_string().contains(" s ago, still held by 1 guard"), "{report}");
    drop((guard, new));
}

#[test]
fn s14_handles_know_the_thread_that_created_and_the_one_that_removed_them() {
    let registry = Registry::new();
    let on = |name: &str, work: &(dyn Fn() + Sync)| {
        thread::scope(|scope| {
            thread::Builder::new().name(name.into()).spawn_scoped(scope, work).unwrap().join().unwrap();
        });
    };
    on("creator", &|| assert!(registry.insert('x').get().is_ok()));
    let live = registry.live().next().unwrap();
    let creator = live.thread.unwrap();
    let guard = registry.get(live.handle).unwrap();
    on("remover", &|| assert_eq!(registry.remove(live.handle), Ok(haft::Removal::Deferred)));
    let remover = registry.deferred().next().unwrap().thread.unwrap();
    assert_ne!(creator, remover);
    if cfg!(target_os = "linux") {
        assert_eq!(creator.to_string(), format!("thread {} (creator)", creator.number()));
        assert_eq!(remover.to_string(), format!("thread {} (remover)", remover.number()));
    }
    drop(guard);
}
