//! The values of a registry, one after the other, while other threads go on.

use crate::handle::Handle;
use crate::raw::unwind::discard;
use crate::registry::Registry;
use std::iter::FusedIterator;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::vec;

/// What became of values that [`Registry::retain`] removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Removals {
    /// Values that were dropped.
    pub dropped: usize,
    /// Values that somebody holds: their last holders drop them.
    pub deferred: usize,
}

impl<T: Send + Sync + 'static> Registry<T> {
    /// Calls `each` with every live handle and its value, in no particular order. The closure may do anything,
    /// also create and remove handles here.
    ///
    /// A handle that is live all the time is shown exactly once; one that comes or goes meanwhile, at most
    /// once. A lookup for each; lock-free, apart from taking the list of pages.
    ///
    /// ```
    /// # use haft::Registry;
    /// let registry = Registry::new();
    /// let handles = [1, 2, 3].map(|number| registry.insert(number));
    /// let mut sum = 0;
    /// registry.for_each(|handle, number| {
    ///     assert!(handles.contains(&handle));
    ///     sum += number;
    /// });
    /// assert_eq!(sum, 6);
    /// ```
    pub fn for_each(&self, mut each: impl FnMut(Handle<T>, &T)) {
        self.owner.survey(|_, _, seen| {
            // One that has gone by now is nobody's mistake.
            if let Some(value) = (!seen.held).then(|| self.owner.get(seen.handle)).flatten() {
                each(Handle::from_issued(seen.handle), &value);
            }
        });
    }

    /// Removes the handles for whose values `keep` says `false`. Which handles are shown, and what the closure
    /// may do, is as for [`for_each`](Self::for_each).
    ///
    /// A handle that another thread removes first is not in the result.
    ///
    /// # Panics
    ///
    /// Where the closure or a value's drop does; handles that were not shown yet stay then.
    ///
    /// ```
    /// # use haft::Registry;
    /// let registry = Registry::new();
    /// let handles = [1, 2, 3].map(|number| registry.insert(number));
    /// let removed = registry.retain(|_, number| number % 2 == 1);
    /// assert_eq!((removed.dropped, removed.deferred), (1, 0));
    /// assert!(registry.get(handles[1]).is_err() && registry.len() == 2);
    /// ```
    #[track_caller]
    pub fn retain(&self, mut keep: impl FnMut(Handle<T>, &T) -> bool) -> Removals {
        let (site, mut removals) = (Location::caller(), Removals::default());
        self.owner.survey(|_, _, seen| {
            let value = (!seen.held).then(|| self.owner.get(seen.handle)).flatten();
            if value.is_none_or(|value| keep(Handle::from_issued(seen.handle), &value)) {
                return;
            }
            match self.owner.remove(seen.handle, site) {
                Some(true) => removals.dropped += 1,
                Some(false) => removals.deferred += 1,
                None => {}
            }
        });
        removals
    }

    /// Removes every handle that is live when the call begins, and gives the values out that nobody holds. Held
    /// ones are left to their holders.
    ///
    /// A handle is removed when the iterator comes to it, those that are left when it is dropped; what another
    /// thread removes first is that one's. Makes a list of the handles, with 8 bytes for each. Each step as
    /// [`take`](Self::take).
    ///
    /// # Panics
    ///
    /// Dropping the iterator does where a value's drop does, after the last one.
    ///
    /// ```
    /// # use haft::Registry;
    /// let registry = Registry::new();
    /// let handles = ["one", "two"].map(|text| registry.insert(text.to_owned()));
    /// let held = registry.get(handles[0]).unwrap();
    /// assert_eq!(registry.drain().collect::<Vec<String>>(), ["two"]);
    /// assert!(registry.is_empty() && *held == "one");
    /// ```
    #[track_caller]
    pub fn drain(&self) -> Drain<'_, T> {
        let mut handles = Vec::with_capacity(self.len());
        self.owner.survey(|_, _, seen| {
            if !seen.held {
                handles.push(seen.handle);
            }
        });
        Drain { registry: self, handles: handles.into_iter(), site: Location::caller() }
    }
}

/// The values of a registry on their way out: see [`Registry::drain`].
#[derive(Debug)]
#[must_use = "the handles are removed where the iterator comes to them"]
pub struct Drain<'r, T: Send + Sync + 'static> {
    registry: &'r Registry<T>,
    handles: vec::IntoIter<u64>,
    site: &'static Location<'static>,
}

impl<T: Send + Sync + 'static> Iterator for Drain<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        let (owner, site) = (&self.registry.owner, self.site);
        self.handles.find_map(|handle| owner.take(handle, site).flatten())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.handles.len()))
    }
}

impl<T: Send + Sync + 'static> FusedIterator for Drain<'_, T> {}

impl<T: Send + Sync + 'static> Drop for Drain<'_, T> {
    fn drop(&mut self) {
        let (owner, site) = (&self.registry.owner, self.site);
        let mut first = None;
        for handle in self.handles.by_ref() {
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| owner.remove(handle, site))) {
                match first {
                    None => first = Some(payload),
                    Some(_) => discard(payload),
                }
            }
        }
        if let Some(payload) = first {
            if !std::thread::panicking() {
                resume_unwind(payload);
            }
        }
    }
}
