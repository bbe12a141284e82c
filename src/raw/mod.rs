//! The machinery: all unsafe code and every ordering, from leaf to root.
//!
//! `bits` and `site` know nothing of the others. Then come `slot`, `history`, `layout`, `memory`,
//! `record`, `records`, `token`, `page`, `vacancy`, `shard`, `space` and `set`; then the operations
//! `lookup`, `remove` and `create`; then `thread`, which finds what they need for the calling thread; then
//! `explain`, `near`, `survey` and `count`, which only read. The invariants (I1 ...) and happens-before
//! edges (E1 ...) that the comments name are listed in the crate's architecture page.

#![allow(unsafe_code)]

pub(crate) mod barrier;
pub(crate) mod bits;
pub(crate) mod claim;
pub(crate) mod create;
pub(crate) mod exhausted;
pub(crate) mod find;
pub(crate) mod history;
pub(crate) mod hook;
pub(crate) mod layout;
pub(crate) mod link;
pub(crate) mod lists;
pub(crate) mod lookup;
pub(crate) mod memory;
pub(crate) mod overdue;
pub(crate) mod page;
pub(crate) mod record;
pub(crate) mod records;
pub(crate) mod remove;
pub(crate) mod section;
pub(crate) mod seed;
pub(crate) mod set;
pub(crate) mod shard;
pub(crate) mod slot;
pub(crate) mod space;
pub(crate) mod token;
pub(crate) mod unwind;
pub(crate) mod vacancy;
pub(crate) mod waits;
#[cfg(all(windows, not(miri)))]
pub(crate) mod windows;

#[cfg(not(haft_loom))]
pub(crate) mod at_exit;
#[cfg(not(haft_loom))]
pub(crate) mod clock;
#[cfg(not(haft_loom))]
pub(crate) mod confine;
#[cfg(not(haft_loom))]
pub(crate) mod count;
#[cfg(not(haft_loom))]
pub(crate) mod defaults;
#[cfg(not(haft_loom))]
pub(crate) mod exit;
#[cfg(not(haft_loom))]
pub(crate) mod explain;
#[cfg(not(haft_loom))]
pub(crate) mod fork;
#[cfg(not(haft_loom))]
pub(crate) mod held;
#[cfg(not(haft_loom))]
pub(crate) mod name;
#[cfg(not(haft_loom))]
pub(crate) mod near;
#[cfg(not(haft_loom))]
pub(crate) mod operation;
#[cfg(not(haft_loom))]
pub(crate) mod pin;
#[cfg(not(haft_loom))]
pub(crate) mod registry;
#[cfg(not(haft_loom))]
pub(crate) mod site;
#[cfg(not(haft_loom))]
pub(crate) mod survey;
#[cfg(not(haft_loom))]
pub(crate) mod thread;
#[cfg(all(feature = "tracing", not(haft_loom)))]
pub(crate) mod trace;

#[cfg(all(test, not(haft_loom)))]
mod exhaustion;
#[cfg(all(test, haft_loom))]
mod models;
