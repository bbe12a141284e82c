//! What was tried for a bar that is missed, and what is in the way: words, to stand beside the figures of today.

/// The text for a bar, known by its number and what it is compared with.
pub fn text(name: &str, what: &str) -> Option<&'static str> {
    let found = ALL.iter().find(|(bar, part, _)| *bar == name && what.contains(part));
    found.map(|(_, _, text)| *text)
}

const ALL: [(&str, &str, &str); 5] = [
    (
        "B1",
        "`Box`",
        "A `Box` cycle is the fast path of the allocator's cache and hardly more; a haft cycle also checks generation and type, and stores lines, thread and \
         time. It has no locked instruction any more: what is left are stores, and loads that wait for them. Tried, and kept: cells without a barrier; two \
         lists of free slots instead of one, on which each creation waits for the removal before it; removals by one store; a line's number, and the time, by \
         one load each. Tried, and not taken: counting in the slot, which was a little better here and worse at each lookup; two cells, which has a thread's \
         third guard count; page and list on one cache line, which gained nothing; values dropped late, which breaks a promise. `docs::architecture` has the \
         figures.",
    ),
    (
        "B1",
        "Go",
        "A fifteenth of the newest Go's cycle is about what a `Box` cycle takes on this processor: it is the bar above once more.",
    ),
    (
        "B5",
        "sharded-slab",
        "Rounds differ much: look at the quartiles. What is in the way are cache lines that go from one processor to the other: \
         the slot's, its history's, the list's, and the cells that the remover looks at. Tried, and kept: three parts of the page's header with lines of their \
         own; a list of returned slots that the creator takes as a whole; a table's entry that tells a lookup all but the slot. Tried, and not taken: counting \
         in the slot, where the remover looks at no cells, which is better here and worse at each lookup; page and list on one cache line, which is worse, \
         since creator and remover both write to it.",
    ),
    (
        "B7",
        "`slab`",
        "`slab` knows where its one array is, and misses the caches once in each lookup. A handle that any thread can look up, of any type and registry, leads \
         through a table: two misses, and the second waits for the first. A throw-away program that does these two loads and two comparisons, and has no cells, \
         took 19.5 ns among ten million where `slab` took 8.8 and haft 31.1 (25 November 2026, rustc 1.95.0, AMD EPYC; the middle one of three runs, medians of \
         25 rounds): the table alone is beyond the bar. Tried, and kept: a table without stages; all that a lookup asks about the page in the table's entry, so \
         that the page's header is no third miss. Tried, and not taken: the system's large pages for the slots, which did not help.",
    ),
    (
        "B10",
        "from C",
        "The Rust cycle is inlined into its caller as a whole; from C it is four calls, which cannot be. And C may copy a reference, release it twice or on \
         another thread, so haft keeps the guard itself, under a number that is good for one release, which Rust's guards do without. Tried, and kept: the kind \
         found by its descriptor's address, in the thread's own memory; no catching of panics where nobody else's code runs; what was closed is not passed on \
         through memory. Left alone: functions in the header that C could inline, since they would make the layout of haft's tables a part of its C interface.",
    ),
];
