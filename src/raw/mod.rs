//! The machinery: all unsafe code and every ordering, from leaf to root.
//!
//! `bits` and `site` know nothing of the others; then `slot`, `word`, `history`, `layout`, `cells`, `bias`, `token`, `page`, `entry`, `shard`, `space` and `set`; then
//! the operations `lookup`, `copied`, `remove`, `create`; then `thread`, which finds what they need for the
//! calling thread; then `explain`, `near`, `survey` and `count`, which only read. The invariants (I1 ...) and happens-before edges (E1 ...)
//! that the comments name are listed in the crate's architecture page.

#![allow(unsafe_code)]

pub(crate) mod barrier;
pub(crate) mod bias;
pub(crate) mod bits;
pub(crate) mod cells;
pub(crate) mod copied;
pub(crate) mod create;
pub(crate) mod entry;
pub(crate) mod history;
pub(crate) mod hook;
pub(crate) mod layout;
pub(crate) mod link;
pub(crate) mod lookup;
pub(crate) mod page;
pub(crate) mod past;
pub(crate) mod remove;
pub(crate) mod roster;
pub(crate) mod seed;
pub(crate) mod set;
pub(crate) mod shard;
pub(crate) mod slot;
pub(crate) mod space;
pub(crate) mod token;
pub(crate) mod unwind;
pub(crate) mod word;

#[cfg(not(haft_loom))]
pub(crate) mod at_exit;
#[cfg(not(haft_loom))]
pub(crate) mod clock;
#[cfg(not(haft_loom))]
pub(crate) mod count;
#[cfg(not(haft_loom))]
pub(crate) mod defaults;
#[cfg(not(haft_loom))]
pub(crate) mod exit;
#[cfg(not(haft_loom))]
pub(crate) mod explain;
#[cfg(not(haft_loom))]
pub(crate) mod held;
#[cfg(not(haft_loom))]
pub(crate) mod name;
#[cfg(not(haft_loom))]
pub(crate) mod near;
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
