//! What is put under handles: values of several shapes, all with an account.

use crate::account::{Account, broken};
use crate::work;
use haft::Handle;
use std::panic::resume_unwind;

/// A small one, which may know its handle.
pub struct Small {
    account: Account,
    me: Option<Handle<Small>>,
}

impl Small {
    pub fn new() -> Self {
        Self { account: Account::open(), me: None }
    }

    pub fn knowing(me: Handle<Self>) -> Self {
        Self { account: Account::open(), me: Some(me) }
    }

    /// Looks at it, as whoever used this handle.
    pub fn check(&self, handle: Handle<Self>) {
        self.account.check();
        if self.me.is_some_and(|me| me != handle) {
            broken!("{handle} led to the value of {:?}", self.me);
        }
    }
}

/// Large, and aligned to more than usual.
#[repr(align(128))]
pub struct Wide {
    account: Account,
    all: [u64; 40],
}

impl Wide {
    pub fn new() -> Self {
        let account = Account::open();
        let all = [account.check(); 40];
        Self { account, all }
    }

    pub fn check(&self) {
        let number = self.account.check();
        if self.all.iter().any(|copy| *copy != number) {
            broken!("value {number} is damaged");
        }
    }
}

/// Uses haft when it is dropped.
pub struct Busy(pub Account);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.check();
        work::in_a_drop();
    }
}

/// Panics when it is dropped.
pub struct Panics(pub Account);

impl Drop for Panics {
    fn drop(&mut self) {
        self.0.check();
        resume_unwind(Box::new(()));
    }
}
