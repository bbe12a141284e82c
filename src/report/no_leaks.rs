//! [`assert_no_leaks!`](crate::assert_no_leaks): a test fails where its handles outlive it.

use super::gather::Groups;
use super::leaks::LeakReport;
use crate::raw::survey::{self, Seen};
use crate::raw::thread;
use crate::registry::Registry;
use std::fmt;
use std::panic::Location;

/// A guard that panics when it is dropped, with the leak report, where handles created since it was made are still alive.
///
/// | | whose handles | for |
/// |---|---|---|
/// | `assert_no_leaks!()` | those that this thread creates | tests that run beside others in one process |
/// | `assert_no_leaks!(registry)` | those of one registry, whichever thread creates them | tests with a registry of their own, and any number of threads |
/// | `assert_no_leaks!(process)` | all | a test that is alone in its process, with any number of threads |
///
/// Handles are never reused, so those that were there before are told from new ones exactly: each is noted, in eight bytes. A removed handle whose value a guard still
/// holds counts as alive. What other threads create does not matter to the first form, whether they are other tests or started by this one. (A thread that
/// cannot have a shard of its own, because it is in its thread-local destructors or there are more than 15,360, sees those of the whole process.)
///
/// While the thread is panicking already, nothing is checked. The guard must be dropped last, so create it first.
///
/// ```
/// use haft::Handle;
///
/// let _guard = haft::assert_no_leaks!();
/// let handle = Handle::new("used and removed");
/// handle.delete();
/// ```
///
/// ```should_panic
/// let _guard = haft::assert_no_leaks!();
/// let _forgotten = haft::Handle::new("forgotten");
/// ```
#[macro_export]
macro_rules! assert_no_leaks {
    () => {
        $crate::NoLeaks::on_this_thread()
    };
    (process) => {
        $crate::NoLeaks::in_process()
    };
    ($registry:expr) => {
        $crate::NoLeaks::in_registry(&$registry)
    };
}

/// What is called for each handle: the type's name and size, and the handle.
type Each<'a> = &'a mut dyn FnMut(&'static str, usize, Seen);

/// The guard of [`assert_no_leaks!`](crate::assert_no_leaks), which says what it does.
#[must_use = "it checks when it is dropped: bind it to a name, such as `_guard`"]
pub struct NoLeaks<'a> {
    /// Walks over the handles that matter. (It also keeps the guard on its thread.)
    survey: Box<dyn Fn(Each<'_>) + 'a>,
    /// The handles that were there before, in order.
    before: Vec<u64>,
    made: &'static Location<'static>,
}

impl NoLeaks<'static> {
    /// Minds the handles that this thread creates.
    #[track_caller]
    pub fn on_this_thread() -> Self {
        // The pages of its shards are this thread's until it ends, so what is created in them is its own.
        match thread::has_shards() {
            true => Self::new(|each| survey::of_this_thread(each)),
            false => Self::in_process(),
        }
    }

    /// Minds all handles.
    #[track_caller]
    pub fn in_process() -> Self {
        Self::new(|each| survey::of_process(each))
    }
}

impl<'a> NoLeaks<'a> {
    /// Minds the handles of a registry.
    #[track_caller]
    pub fn in_registry<T: Send + Sync + 'static>(registry: &'a Registry<T>) -> Self {
        Self::new(|each| registry.survey(each))
    }

    #[track_caller]
    fn new(survey: impl Fn(Each<'_>) + 'a) -> Self {
        let mut before = Vec::new();
        survey(&mut |_, _, seen| before.push(seen.handle));
        before.sort_unstable();
        Self { survey: Box::new(survey), before, made: Location::caller() }
    }

    /// What was created since the guard was made and is still alive.
    pub fn leaks(&self) -> LeakReport {
        let mut groups = Groups::default();
        (self.survey)(&mut |type_name, size, seen| {
            if self.before.binary_search(&seen.handle).is_err() {
                groups.add(type_name, size, seen);
            }
        });
        groups.report()
    }
}

impl Drop for NoLeaks<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let leaks = self.leaks();
        assert!(leaks.is_empty(), "handles created after {} are still alive: {leaks}", self.made);
    }
}

impl fmt::Debug for NoLeaks<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NoLeaks").field("made", &self.made).finish_non_exhaustive()
    }
}
