//! Sites have numbers, and come back by them.

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
    search(place, |known| ptr::eq(known.as_ptr().cast(), location), || NonNull::from(location).cast(), |_| ())
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

#[test]
fn s14_a_place_in_words_is_known_by_its_text() {
    let first = Site::named("main.lua:12").unwrap();
    let again = Site::named(&["main", ".lua:12"].concat()).unwrap();
    let other = Site::named("main.lua:13").unwrap();
    assert_eq!((first.0, first.parts()), (again.0, ("main.lua:12", 0, None)));
    assert_ne!(first.0, other.0);
    assert!(first.location().is_none());
    for named in [first, other] {
        assert_eq!(site(named.number()).unwrap().0, named.0);
        assert_eq!(
            named.known(),
            Some(named.number()).filter(|number| *number as usize == named.foreign().unwrap().start)
        );
    }
    let rust = Site::named("").unwrap();
    assert_eq!(rust.parts(), ("", 0, None));
}

#[test]
fn s14_a_site_of_rust_has_its_locations_number() {
    let here = Location::caller();
    let known = site(here.number()).unwrap();
    assert_eq!((known.number(), known.known()), (here.number(), here.known()));
}

#[test]
fn s11_of_a_long_text_the_beginning_is_kept_in_whole_characters() {
    let long = "ä".repeat(LONGEST);
    assert_eq!(Site::named(&long).unwrap().parts().0, "ä".repeat(LONGEST / 2));
    let odd = format!("x{long}");
    assert_eq!(Site::named(&odd).unwrap().parts().0.len(), LONGEST - 1);
    assert_eq!(Site::named(&odd).unwrap().0, Site::named(&odd[..LONGEST - 1]).unwrap().0);
}

#[test]
fn s11_a_text_that_finds_no_place_is_none() {
    let start = Site::named("the first").unwrap().foreign().unwrap().start;
    let leaked = || NonNull::from(Box::leak(Box::new(*Location::caller()))).cast::<()>();
    while search(start, |_| false, leaked, |_| ()) != NOWHERE {}
    // Another text of the same place.
    let other = (0..).map(|number| format!("other {number}")).find(|text| {
        let mut hasher = DefaultHasher::new();
        hasher.write(text.as_bytes());
        hasher.finish() as usize % SITES == start
    });
    assert!(Site::named(&other.unwrap()).is_none());
    assert_eq!(Site::named("the first").unwrap().parts().0, "the first");
}

#[cfg(feature = "capi")]
#[test]
fn s14_a_line_of_another_language_is_named_again_by_its_site() {
    let line = Line { file: c"lib/again.c", line: 7 };
    assert_eq!(site(line.number()).unwrap().number(), line.number());
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
    let places: std::collections::HashSet<_> = (0..1000).map(|line| Line { file, line }.start()).collect();
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
