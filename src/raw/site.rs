//! Sites: the places in the source where handles are created and removed, as numbers of sixteen bits.
//!
//! A slot has eight bytes for two of them; a pointer each would not fit. A number is the index, from 1, in one table that is hashed by
//! what identifies the place, filled and never emptied: lock-free, and without allocation. (The compiler may have several
//! `Location`s for one line; whoever groups by line compares what they say.)
//!
//! A place in Rust is the address of its `Location`. Other languages have a file's name and a line, or say where they are in words; those are
//! copied when they are first seen, since nobody can make a `Location`. The lowest bit of an entry, which is an address, tells the two apart.

use super::history::{NO_SITE, NOWHERE, SITE};
#[cfg(feature = "capi")]
use crate::sync::AtomicU32;
use crate::sync::{AtomicPtr, Ordering};
use std::hash::{DefaultHasher, Hasher};
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
#[derive(Debug)]
struct Foreign {
    /// The address of the file's name, as the caller gave it: what it is known by, together with the line. Or [`BY_TEXT`].
    key: usize,
    /// The file's name, or all that is said.
    file: Box<str>,
    line: u32,
    /// Where it is looked for first.
    start: usize,
}

/// The key of what is known by its text.
const BY_TEXT: usize = 0;

/// The entry of a place in another language, made for the table.
fn foreign(key: usize, file: Box<str>, line: u32, start: usize) -> NonNull<()> {
    let new = Box::leak(Box::new(Foreign { key, file, line, start }));
    NonNull::from(new).cast::<()>().map_addr(|address| address | FOREIGN)
}

/// Frees an entry that the table did not get.
fn free_foreign(unused: NonNull<()>) {
    let foreign = unused.as_ptr().map_addr(|address| address & !FOREIGN).cast::<Foreign>();
    // SAFETY(F6): it was just made by `foreign`, and no entry has it.
    drop(unsafe { Box::from_raw(foreign) });
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

    /// What is known of it, where it is not a place in Rust.
    #[inline(always)]
    fn foreign(self) -> Option<&'static Foreign> {
        let address = self.0.as_ptr().map_addr(|address| address & !FOREIGN).cast::<Foreign>();
        // SAFETY(F6): an entry with the mark is the address of one that was leaked.
        (self.0.addr().get() & FOREIGN != 0).then(|| unsafe { &*address })
    }

    /// File and line; and the column, where that is known.
    pub(crate) fn parts(self) -> (&'static str, u32, Option<u32>) {
        match (self.location(), self.foreign()) {
            (Some(location), _) => (location.file(), location.line(), Some(location.column())),
            (None, Some(foreign)) => (&foreign.file, foreign.line, None),
            (None, None) => unreachable!("an entry is one of the two"),
        }
    }

    /// A place in Rust, in the table or not.
    pub(crate) fn of(location: &'static Location<'static>) -> Self {
        Self(NonNull::from(location).cast())
    }

    /// A place in words, put into the table; `None` where no room is left for one more. Lock-free, but for the copy.
    pub(crate) fn named(text: &str) -> Option<Self> {
        let text = Named { text };
        let mut hasher = DefaultHasher::new();
        hasher.write(text.kept().as_bytes());
        let start = hasher.finish() as usize % SITES;
        let copy = || foreign(BY_TEXT, text.kept().into(), 0, start);
        site(search(start, |known| text.is(known), copy, free_foreign))
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
        Site(known).foreign().is_some_and(|known| (known.key, known.line) == (self.key(), self.line))
    }
}

#[cfg(feature = "capi")]
impl Spot for Line<'_> {
    #[inline]
    fn number(self) -> u32 {
        let copy = || foreign(self.key(), self.file.to_string_lossy().into(), self.line, self.start());
        self.known().unwrap_or_else(|| search(self.start(), |known| self.is(known), copy, free_foreign))
    }

    #[inline]
    fn known(self) -> Option<u32> {
        let start = self.start();
        // Acquire (E2): what it points to is visible.
        let known = NonNull::new(TABLE[start].load(Ordering::Acquire))?;
        self.is(known).then_some(start as u32)
    }
}

/// A site whose number is at hand.
#[cfg(feature = "capi")]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Numbered(pub(crate) u32);

#[cfg(feature = "capi")]
impl Spot for Numbered {
    fn number(self) -> u32 {
        self.0
    }

    fn known(self) -> Option<u32> {
        Some(self.0)
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

/// A place in words: a script's line, a method of Java's.
#[derive(Clone, Copy)]
struct Named<'a> {
    /// What is said. Of a longer text the first [`LONGEST`] bytes are kept.
    text: &'a str,
}

/// The bytes that are kept of a text, so that a full table is bounded.
const LONGEST: usize = 256;

impl<'a> Named<'a> {
    fn kept(self) -> &'a str {
        let end = (0..=self.text.len().min(LONGEST)).rev().find(|end| self.text.is_char_boundary(*end));
        &self.text[..end.unwrap_or(0)]
    }

    fn is(self, known: NonNull<()>) -> bool {
        Site(known).foreign().is_some_and(|known| known.key == BY_TEXT && *known.file == *self.kept())
    }
}

/// One that is in the table already.
impl Spot for Site {
    #[inline]
    fn number(self) -> u32 {
        match (self.location(), self.foreign()) {
            (Some(location), _) => location.number(),
            (None, Some(foreign)) => self
                .known()
                .unwrap_or_else(|| search(foreign.start, |known| known == self.0, || self.0, |_| ())),
            (None, None) => NOWHERE,
        }
    }

    #[inline]
    fn known(self) -> Option<u32> {
        match (self.location(), self.foreign()) {
            (Some(location), _) => location.known(),
            // Relaxed: only the address is compared, and what it points to is constant.
            (None, Some(foreign)) => (TABLE[foreign.start].load(Ordering::Relaxed) == self.0.as_ptr())
                .then_some(foreign.start as u32),
            (None, None) => None,
        }
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
mod tests;
