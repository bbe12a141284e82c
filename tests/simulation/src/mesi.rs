//! Who has which cache line, by the MESI protocol, and how often lines move.
//!
//! Caches are as large as need be, so a line leaves one only because another core wants it. A line is 64 bytes.

use haft::simulation::{Access, Kind};
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

/// Cores at most.
pub const CORES: usize = 256;

const LINE: usize = 64;

/// Cores that have a line.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Sharers([u64; CORES / 64]);

impl Sharers {
    fn only(core: usize) -> Self {
        let mut only = Self::default();
        only.add(core);
        only
    }

    fn add(&mut self, core: usize) {
        self.0[core / 64] |= 1 << (core % 64);
    }

    fn has(&self, core: usize) -> bool {
        self.0[core / 64] & 1 << (core % 64) != 0
    }
}

#[derive(Default)]
struct Line {
    sharers: Sharers,
    /// The one sharer may write without asking: the line is modified or exclusive.
    owned: bool,
    transfers: u64,
    /// Which lines of code made it move.
    places: BTreeMap<(&'static str, u32), u64>,
}

impl Line {
    /// One access: whether the core had to wait for another one's cache.
    fn moves(&mut self, core: usize, writes: bool) -> bool {
        let mine = Sharers::only(core);
        let has = self.sharers.has(core);
        let alone = self.sharers == mine;
        let anybody = self.sharers != Sharers::default();
        if writes {
            self.sharers = mine;
            self.owned = true;
            anybody && !alone
        } else {
            self.owned = if has { self.owned } else { !anybody };
            self.sharers.add(core);
            anybody && !has
        }
    }
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub accesses: u64,
    /// Accesses that waited for another core's cache: to hand the line over, or to give it up.
    pub transfers: u64,
    /// Locked instructions: exchanges and full fences.
    pub locked: u64,
    /// Barriers that all threads were made to pass.
    pub barriers: u64,
}

/// All caches together.
#[derive(Default)]
pub struct Caches {
    lines: HashMap<usize, Line>,
    counts: Counts,
    counting: bool,
}

impl Caches {
    /// Counts from now on, or not; lines move either way.
    pub fn count(&mut self, counting: bool) {
        self.counting = counting;
    }

    pub fn access(&mut self, core: usize, access: Access) {
        let Access { kind, address, place } = access;
        let counted = u64::from(self.counting);
        self.counts.locked += counted * u64::from(matches!(kind, Kind::Exchange | Kind::Fence));
        self.counts.barriers += counted * u64::from(kind == Kind::Barrier);
        if matches!(kind, Kind::Fence | Kind::Barrier) {
            return;
        }
        let line = self.lines.entry(address / LINE).or_default();
        let moved = counted * u64::from(line.moves(core, kind != Kind::Load));
        self.counts.accesses += counted;
        self.counts.transfers += moved;
        line.transfers += moved;
        if moved > 0 {
            *line.places.entry((place.file(), place.line())).or_default() += 1;
        }
    }

    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Transfers of the line that moved most.
    pub fn busiest(&self) -> u64 {
        self.lines.values().map(|line| line.transfers).max().unwrap_or(0)
    }

    /// The lines that moved most, and the lines of code that made lines move most.
    pub fn movers(&self) -> Vec<String> {
        let mut lines: Vec<_> = self.lines.iter().filter(|(_, line)| line.transfers > 0).collect();
        lines.sort_by_key(|(number, line)| (Reverse(line.transfers), **number));
        let say = |(number, line): &(&usize, &Line)| {
            let places = line.places.iter().map(|((file, at), count)| format!("{count} at {file}:{at}"));
            let places: Vec<_> = places.collect();
            format!("line {number:#x} moved {} times: {}", line.transfers, places.join(", "))
        };
        let mut sums = BTreeMap::new();
        for (place, count) in lines.iter().flat_map(|(_, line)| &line.places) {
            *sums.entry(place).or_insert(0) += count;
        }
        let mut sums: Vec<_> = sums.into_iter().collect();
        sums.sort_by_key(|(_, count)| Reverse(*count));
        let places = sums.iter().map(|((file, at), count)| format!("{count} moves in all at {file}:{at}"));
        lines.iter().take(8).map(say).chain(places).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs accesses of (core, kind, address) and gives which of them waited.
    fn waits(accesses: &[(usize, Kind, usize)]) -> Vec<bool> {
        let mut caches = Caches::default();
        caches.count(true);
        let wait = |(core, kind, address): &(usize, Kind, usize)| {
            let before = caches.counts().transfers;
            let place = std::panic::Location::caller();
            caches.access(*core, Access { kind: *kind, address: *address, place });
            caches.counts().transfers > before
        };
        accesses.iter().map(wait).collect()
    }

    use Kind::{Exchange, Load, Store};

    #[test]
    fn a_core_alone_never_waits() {
        assert_eq!(waits(&[(0, Load, 0), (0, Store, 8), (0, Exchange, 63), (0, Load, 64)]), [false; 4]);
    }

    #[test]
    fn readers_share_a_line_and_fetch_it_once_each() {
        let reads = [(0, Load, 0), (1, Load, 0), (255, Load, 0), (0, Load, 0), (1, Load, 0), (255, Load, 0)];
        assert_eq!(waits(&reads), [false, true, true, false, false, false]);
    }

    #[test]
    fn a_write_takes_the_line_from_all_others() {
        let accesses = [
            (0, Store, 0),
            (1, Load, 0),
            (0, Store, 0), // invalidates core 1
            (0, Store, 0), // modified
            (1, Load, 0),  // fetches it anew
            (1, Store, 0), // invalidates core 0
            (0, Exchange, 0),
        ];
        assert_eq!(waits(&accesses), [false, true, true, false, true, true, true]);
    }

    #[test]
    fn two_words_of_one_line_are_shared_falsely_and_of_two_lines_are_not() {
        let two = |other| {
            let rounds = [(0, Exchange, 0), (1, Exchange, other)];
            waits(&rounds.repeat(3)).into_iter().filter(|waits| *waits).count()
        };
        assert_eq!(two(8), 5);
        assert_eq!(two(64), 0);
    }

    #[test]
    fn fences_and_barriers_are_counted_and_move_nothing() {
        let mut caches = Caches::default();
        let place = std::panic::Location::caller();
        let all = |caches: &mut Caches| {
            for kind in [Kind::Fence, Kind::Barrier, Kind::Exchange, Kind::Load] {
                caches.access(0, Access { kind, address: 0, place });
            }
        };
        all(&mut caches);
        assert_eq!(caches.counts(), Counts::default(), "not yet");
        caches.count(true);
        all(&mut caches);
        assert_eq!(caches.counts(), Counts { accesses: 2, transfers: 0, locked: 2, barriers: 1 });
    }
}
