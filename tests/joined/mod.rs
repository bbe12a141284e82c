//! Scoped threads that are joined one by one: a thread sanitizer sees a join, but not the end of `std::thread::scope`, which it was not compiled for.

use std::cell::RefCell;
use std::thread::{self, ScopedJoinHandle};

/// As [`thread::Scope`].
pub(crate) struct Scope<'scope, 'env> {
    scope: &'scope thread::Scope<'scope, 'env>,
    threads: RefCell<Vec<ScopedJoinHandle<'scope, ()>>>,
}

impl<'scope> Scope<'scope, '_> {
    pub(crate) fn spawn(&self, work: impl FnOnce() + Send + 'scope) {
        self.threads.borrow_mut().push(self.scope.spawn(work));
    }
}

/// As [`thread::scope`].
pub(crate) fn scope<'env>(work: impl for<'scope> FnOnce(&Scope<'scope, 'env>)) {
    thread::scope(|scope| {
        let joined = Scope { scope, threads: RefCell::default() };
        work(&joined);
        for thread in joined.threads.into_inner() {
            if let Err(panic) = thread.join() {
                std::panic::resume_unwind(panic);
            }
        }
    });
}
