//! Sites: the places in the source where handles are created and removed, as 32-bit numbers.
//!
//! A slot has eight bytes for two of them; a pointer each would not fit. A number is the index, from 1, in one table that is hashed by the
//! address of the `Location`, filled and never emptied: lock-free, and without allocation. (The compiler may have several
//! `Location`s for one line; whoever groups by line compares what they say.)

use crate::sync::{AtomicPtr, Ordering};
use std::panic::Location;
use std::ptr;

/// The place in the source.
pub(crate) type Site = &'static Location<'static>;

/// The number of no site.
pub(crate) const NO_SITE: u32 = 0;

/// Sites that can be told apart; those that come later go without a number.
const SITES: usize = 1 << 16;

static TABLE: [AtomicPtr<Location<'static>>; SITES] = [const { AtomicPtr::new(ptr::null_mut()) }; SITES];

/// The number of a site, always the same. One load, where it is known and alone in its place. Lock-free.
#[inline]
pub(crate) fn number(site: Site) -> u32 {
    let start = index(site);
    // Relaxed: a `Location` is constant, and only its address is compared.
    if ptr::eq(TABLE[start].load(Ordering::Relaxed), site) {
        return start as u32 + 1;
    }
    search(start, site)
}

/// Multiplicative hashing (Knuth): the high bits of the product.
#[inline]
fn index(site: Site) -> usize {
    let address = ptr::from_ref(site).addr() as u64 >> 3;
    (address.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - SITES.trailing_zeros())) as usize
}

#[cold]
#[inline(never)]
fn search(start: usize, site: Site) -> u32 {
    for step in 0..SITES {
        let place = (start + step) % SITES;
        let entry = &TABLE[place];
        let new = ptr::from_ref(site).cast_mut();
        let known = entry.load(Ordering::Relaxed);
        let mine = ptr::eq(known, site)
            || known.is_null()
                && entry
                    .compare_exchange(ptr::null_mut(), new, Ordering::Relaxed, Ordering::Relaxed)
                    .map_or_else(|now| ptr::eq(now, site), |_| true);
        if mine {
            return place as u32 + 1;
        }
    }
    NO_SITE
}

/// The site with a number; `None` for 0.
pub(crate) fn site(number: u32) -> Option<Site> {
    let entry = TABLE.get((number as usize).checked_sub(1)?)?;
    // SAFETY(I7): null, or from a `Location` that is never freed; sites are never taken back.
    unsafe { entry.load(Ordering::Relaxed).as_ref() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s14_a_site_has_one_number_and_comes_back() {
        let here = Location::caller();
        let there = Location::caller();
        assert_eq!(number(here), number(here));
        assert_ne!(number(here), number(there));
        assert_eq!(site(number(here)), Some(here));
        assert_eq!(site(0), None);
        assert_eq!(site(u32::MAX), None);
    }

    #[test]
    fn s14_sites_that_fall_on_the_same_place_have_numbers_of_their_own() {
        let (here, there) = (Location::caller(), Location::caller());
        let place = SITES / 3;
        assert_ne!(search(place, here), search(place, there));
        assert_eq!(search(place, there), search(place, there));
    }
}
