//! Sites: the places in the source where handles are created and removed, as 32-bit numbers.
//!
//! A slot has eight bytes for two of them; a pointer each would not fit. Numbers are given out once per place in the source, of which
//! a program has a bounded number, and are never taken back.

use crate::sync::Mutex;
use std::collections::HashMap;
use std::panic::Location;

/// The place in the source.
pub(crate) type Site = &'static Location<'static>;

/// The number of no site.
pub(crate) const NO_SITE: u32 = 0;

struct Numbers {
    by_site: Option<HashMap<Site, u32>>,
    by_number: Vec<Site>,
}

static NUMBERS: Mutex<Numbers> = Mutex::new(Numbers { by_site: None, by_number: Vec::new() });

/// The number of a site; the same number for the same place. Takes a lock: callers keep what they got.
#[cold]
pub(crate) fn number(site: Site) -> u32 {
    let mut numbers = NUMBERS.lock();
    let numbers = &mut *numbers;
    let by_site = numbers.by_site.get_or_insert_with(HashMap::new);
    *by_site.entry(site).or_insert_with(|| {
        numbers.by_number.push(site);
        // Past four billion places in the source, which no program has, sites go unnamed.
        u32::try_from(numbers.by_number.len()).unwrap_or(0)
    })
}

/// The site with a number; `None` for 0.
pub(crate) fn site(number: u32) -> Option<Site> {
    let index = (number as usize).checked_sub(1)?;
    NUMBERS.lock().by_number.get(index).copied()
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
}
