//! Sites: the places in the source where handles are created and removed, as numbers of sixteen bits.
//!
//! A slot has eight bytes for two of them; a pointer each would not fit. A number is the index, from 1, in one table that is hashed by
//! what identifies the place, filled and never emptied: lock-free, and without allocation. (The compiler may have several
//! `Location`s for one line; whoever groups by line compares what they say.)
//!
//! A place in Rust is the address of its `Location`. Other languages have a file's name and a line; those are copied when they are first
//! seen, since nobody can make a `Location`. The lowest bit of an entry, which is an address, tells the two apart.

use super::history::{NO_SITE, NOWHERE, SITE};
#[cfg(feature = "capi")]
use crate::sync::AtomicU32;
use crate::sync::{AtomicPtr, Ordering};
use std::panic::Location;
use std::ptr::{self, NonNull};

/// Places in the table; the first and the last are never used, so that a site's number is its place. Those that come when it is full go without a number.
pub(crate) const SITES: usize = 1 << 16;

const _: () = assert!(SITES as u64 == SITE + 1);

/// Places that are looked at for one site. If others are in all of them it goes without a number, so that a
/// program with more lines than there are places does not search the whole table each time.
const PROBES: usize = 64;

/// Marks the address of a [`Foreign`] one.
const FOREIGN: usize = 1;

static TABLE: [AtomicPtr<()>; SITES] = [const { AtomicPtr::new(ptr::null_mut()) }; SITES];

/// A place in another language.
#[cfg_attr(not(feature = "capi"), expect(dead_code, reason = "only C makes some"))]
#[derive(Debug)]
struct Foreign {
    /// The address of the file's name, as the caller gave it: what it is known by, together with the line.
    key: usize,
    file: Box<str>,
    line: u32,
}

/// A place in the source, as it was recorded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Site(NonNull<()>);

// SAFETY(F6): it points to what is constant and never freed.
unsafe impl Send for Site {}
// SAFETY(F6): as above.
unsafe impl Sync for Site {}

impl Site {
    /// The `Location`, where it is a place in Rust.
    pub(crate) fn location(self) -> Option<&'static Location<'static>> {
        // SAFETY(F6): an entry without the mark is a `Location`'s address.
        (self.0.addr().get() & FOREIGN == 0).then(|| unsafe { self.0.cast().as_ref() })
    }

    /// File and line; and the column, where that is known.
    pub(crate) fn parts(self) -> (&'static str, u32, Option<u32>) {
        if let Some(location) = self.location() {
            return (location.file(), location.line(), Some(location.column()));
        }
        let foreign = self.0.as_ptr().map_addr(|address| address & !FOREIGN).cast::<Foreign>();
        // SAFETY(F6): an entry with the mark is the address of one that was leaked.
        let foreign: &'static Foreign = unsafe { &*foreign };
        (&foreign.file, foreign.line, None)
    }
}

/// What a site is found by.
pub(crate) trait Spot: Copy {
    /// Its number, always the same. One load, where it is known and alone in its place. Lock-free.
    fn number(self) -> u32;

    /// Its number, where that takes no more than one load.
    fn known(self) -> Option<u32>;
}

/// Where a `Location` is looked for first. They lie side by side, so that neighbours have places of their own without any hashing.
#[inline(always)]
fn start(location: &'static Location<'static>) -> usize {
    ptr::from_ref(location).addr() / align_of::<Location<'static>>() % SITES
}

impl Spot for &'static Location<'static> {
    #[inline]
    fn number(self) -> u32 {
        self.known().unwrap_or_else(|| {
            let same = |known: NonNull<()>| ptr::eq(known.as_ptr().cast(), self);
            search(start(self), same, || NonNull::from(self).cast(), |_| ())
        })
    }

    #[inline(always)]
    fn known(self) -> Option<u32> {
        // Nothing is remembered (see `history`).
        if cfg!(haft_bare) {
            return Some(NO_SITE);
        }
        let start = start(self);
        // Relaxed: a `Location` is constant, and only its address is compared.
        ptr::eq(TABLE[start].load(Ordering::Relaxed).cast(), self).then_some(start as u32)
    }
}

/// A line of a file in another language.
#[cfg(feature = "capi")]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line<'a> {
    /// The file's name, whose address is the same each time.
    pub(crate) file: &'a std::ffi::CStr,
    /// The line.
    pub(crate) line: u32,
}

#[cfg(feature = "capi")]
impl Line<'_> {
    fn key(self) -> usize {
        self.file.as_ptr().addr()
    }

    /// Where it is looked for first. Lines of one file are neighbours, and so are addresses of names: both are spread.
    fn start(self) -> usize {
        index(self.key() ^ (self.line as usize) << 16)
    }

    fn is(self, known: NonNull<()>) -> bool {
        let is_foreign = known.addr().get() & FOREIGN != 0;
        let foreign = known.as_ptr().map_addr(|address| address & !FOREIGN).cast::<Foreign>();
        // SAFETY(F6): an entry with the mark is the address of one that was leaked.
        is_foreign && unsafe { ((*foreign).key, (*foreign).line) == (self.key(), self.line) }
    }
}

#[cfg(feature = "capi")]
impl Spot for Line<'_> {
    #[inline]
    fn number(self) -> u32 {
        let copy = || {
            let file = self.file.to_string_lossy().into_owned().into_boxed_str();
            let foreign = Box::leak(Box::new(Foreign { key: self.key(), file, line: self.line }));
            NonNull::from(foreign).cast::<()>().map_addr(|address| address | FOREIGN)
        };
        let free = |unused: NonNull<()>| {
            let foreign = unused.as_ptr().map_addr(|address| address & !FOREIGN).cast::<Foreign>();
            // SAFETY(F6): the copy that was just made, which no entry has.
            drop(unsafe { Box::from_raw(foreign) });
        };
        self.known().unwrap_or_else(|| search(self.start(), |known| self.is(known), copy, free))
    }

    #[inline]
    fn known(self) -> Option<u32> {
        let start = self.start();
        // Acquire (E2): what it points to is visible.
        let known = NonNull::new(TABLE[start].load(Ordering::Acquire))?;
        self.is(known).then_some(start as u32)
    }
}

/// A call from another language that does not say where it is.
#[cfg(feature = "capi")]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Nowhere;

#[cfg(feature = "capi")]
impl Spot for Nowhere {
    #[inline]
    fn number(self) -> u32 {
        static NUMBER: AtomicU32 = AtomicU32::new(NO_SITE);
        #[cold]
        fn find() -> u32 {
            let number = Line { file: c"(a call from C without a place)", line: 0 }.number();
            // Relaxed: it is the same each time; the table has what it stands for.
            NUMBER.store(number, Ordering::Relaxed);
            number
        }
        match NUMBER.load(Ordering::Relaxed) {
            NO_SITE => find(),
            number => number,
        }
    }

    #[inline]
    fn known(self) -> Option<u32> {
        Some(self.number())
    }
}

/// Multiplicative hashing (Knuth): the high bits of the product.
#[cfg(feature = "capi")]
#[inline]
fn index(key: usize) -> usize {
    ((key as u64 >> 3).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - SITES.trailing_zeros())) as usize
}

/// The number of the entry that is the `same`. Where there is none one is made and put in; and freed, where another thread came first, or no place was left.
///
/// Acquire, and Release where it is put in (E2): what an entry points to is visible.
#[cold]
#[inline(never)]
fn search(
    start: usize,
    same: impl Fn(NonNull<()>) -> bool,
    make: impl Fn() -> NonNull<()>,
    free: impl FnOnce(NonNull<()>),
) -> u32 {
    let mut made = None;
    let mut found = NOWHERE;
    let places = (0..PROBES).map(|step| (start + step) % SITES);
    for place in places.filter(|place| ![NO_SITE, NOWHERE].contains(&(*place as u32))) {
        let entry = &TABLE[place];
        let known = match NonNull::new(entry.load(Ordering::Acquire)) {
            Some(known) => known,
            None => {
                // AcqRel, and Acquire (E2) where another thread was first: what an entry points to is visible.
                let new = *made.get_or_insert_with(&make);
                match entry.compare_exchange(
                    ptr::null_mut(),
                    new.as_ptr(),
                    Ordering::AcqRel,
                    Ordering::Acquire,
                ) {
                    Ok(_) => {
                        return place as u32;
                    }
                    Err(first) => NonNull::new(first).expect("an exchange that failed has found an entry"),
                }
            }
        };
        if same(known) {
            found = place as u32;
            break;
        }
    }
    if let Some(unused) = made {
        free(unused);
    }
    found
}

/// The site with a number; `None` for those that no line has.
pub(crate) fn site(number: u32) -> Option<Site> {
    // Not by `get`, for which Miri would look at the whole table.
    let entry = if (number as usize) < SITES { &TABLE[number as usize] } else { return None };
    // Acquire (E2): what it points to is visible.
    NonNull::new(entry.load(Ordering::Acquire)).map(Site)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s11_a_line_that_finds_no_place_is_looked_for_in_a_few_places_only() {
        let start = SITES / 2;
        let leaked = || NonNull::from(Box::leak(Box::new(*Location::caller()))).cast::<()>();
        let free = |unused: NonNull<()>| {
            // SAFETY(F6): the copy that was just made, which no entry has.
            drop(unsafe { Box::from_raw(unused.as_ptr().cast::<Location<'static>>()) });
        };
        let looks = std::cell::Cell::new(0);
        let other = |_| {
            looks.set(looks.get() + 1);
            false
        };
        let numbers: Vec<_> = (0..=PROBES).map(|_| search(start, other, leaked, free)).collect();
        assert!(numbers.iter().all(|number| *number == NOWHERE || site(*number).is_some()));
        assert_eq!(numbers[PROBES], NOWHERE, "other lines are in all its places");
        looks.set(0);
        assert_eq!((search(start, other, leaked, free), looks.get()), (NOWHERE, PROBES));
    }

    #[test]
    fn s14_the_place_that_stands_for_no_site_is_never_used() {
        assert_ne!(search_for(0, Location::caller()), NO_SITE);
        assert_ne!(search_for(SITES - 1, Location::caller()), NO_SITE);
        assert_ne!(search_for(SITES - 1, Location::caller()), NO_SITE);
        assert!(TABLE[NO_SITE as usize].load(Ordering::Relaxed).is_null());
    }

    fn search_for(place: usize, location: &'static Location<'static>) -> u32 {
        search(
            place,
            |known| ptr::eq(known.as_ptr().cast(), location),
            || NonNull::from(location).cast(),
            |_| (),
        )
    }

    #[test]
    fn s11_what_was_made_for_a_site_that_another_thread_put_in_first_is_freed() {
        // `make` runs after the look at the empty place and before the exchange: whatever it does, another thread could.
        let here = Location::caller();
        let address = NonNull::from(here).cast::<()>();
        let place = SITES / 5;
        let same = |known: NonNull<()>| known == address;
        let freed = std::cell::Cell::new(None);
        let first = std::cell::Cell::new(NO_SITE);
        let overtaken = || {
            first.set(search_for(place, here));
            address
        };
        assert_eq!(search(place, same, overtaken, |unused| freed.set(Some(unused))), first.get());
        assert_eq!(freed.get(), Some(address));
        // Whoever puts it in keeps it, and whoever finds it makes none.
        let there = NonNull::from(Location::caller()).cast::<()>();
        search(place, |known| known == there, || there, |_| unreachable!("it was put in"));
        search(
            place,
            |known| known == there,
            || unreachable!("it is there"),
            |_| unreachable!("nothing was made"),
        );
    }

    #[test]
    fn s14_a_site_has_one_number_and_comes_back() {
        let here = Location::caller();
        let there = Location::caller();
        assert_eq!(here.number(), here.number());
        assert_ne!(here.number(), there.number());
        assert_eq!(site(here.number()).unwrap().location(), Some(here));
        assert!(site(0).is_none());
        assert!(site(u32::MAX).is_none());
    }

    #[test]
    fn s14_sites_that_fall_on_the_same_place_have_numbers_of_their_own() {
        let (here, there) = (Location::caller(), Location::caller());
        let place = SITES / 3;
        assert_ne!(search_for(place, here), search_for(place, there));
        assert_eq!(search_for(place, there), search_for(place, there));
    }

    #[cfg(feature = "capi")]
    #[test]
    fn s14_lines_of_other_languages_have_numbers_and_come_back() {
        let file = c"lib/session.c";
        let first = Line { file, line: 7 };
        let second = Line { file, line: 8 };
        assert_eq!(first.number(), first.number());
        assert_ne!(first.number(), second.number());
        assert_eq!(site(first.number()).unwrap().parts(), ("lib/session.c", 7, None));
        assert_eq!(site(second.number()).unwrap().parts(), ("lib/session.c", 8, None));
        assert!(site(first.number()).unwrap().location().is_none());
    }

    #[cfg(feature = "capi")]
    #[test]
    fn s14_a_line_of_another_language_is_itself_and_nothing_beside_it() {
        let (file, other) = (c"lib/near.c", c"lib/far.c");
        let line = Line { file, line: 7 };
        let known = |line: Line<'_>| site(line.number()).unwrap().0;
        assert!(line.is(known(line)));
        assert!(!line.is(known(Line { file, line: 8 })));
        assert!(!line.is(known(Line { file: other, line: 7 })));
        assert!(!line.is(NonNull::from(Location::caller()).cast()));
        assert_eq!(line.known(), Some(line.number()).filter(|number| *number as usize == line.start()));
    }

    #[cfg(feature = "capi")]
    #[test]
    fn s14_lines_of_one_file_are_spread_over_the_table() {
        let file = c"lib/spread.c";
        let places: std::collections::HashSet<_> =
            (0..1000).map(|line| Line { file, line }.start()).collect();
        assert!(places.len() > 900, "{} of a thousand", places.len());
        assert!(places.iter().all(|place| *place < SITES));
        assert!(places.iter().max().unwrap() - places.iter().min().unwrap() > SITES / 2);
    }

    #[cfg(feature = "capi")]
    #[test]
    fn s14_a_call_without_a_place_has_a_number_of_its_own() {
        let number = Nowhere.number();
        assert_eq!((Nowhere.number(), Nowhere.known()), (number, Some(number)));
        assert!(site(number).unwrap().parts().0.contains("without a place"));
    }
}
