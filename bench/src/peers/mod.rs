//! Every peer behind one interface, each used as its documentation recommends.
//!
//! A key is always the integer that C would hold, so that all pay for the same conversions, and `black_box` costs all the same. What is here is inlined in
//! every peer, so that each pays for its own calls and for none of this program's.

mod counted;
mod locked;
mod nothing;
mod ours;
mod pointers;
mod sharded;

pub use counted::{DashMap, GoModel, Papaya, SccIndex, SccMap};
pub use locked::{AloneSlab, AloneSlotMap, LockedSlab, LockedSlotMap, MutexSlotMap, SharedSlab};
pub use nothing::Nothing;
pub use ours::{BareHaft, BareRegistry, Haft, HaftRegistry};
pub use pointers::{RawArc, RawBox};
pub use sharded::{ConcurrentSlotMap, FfiSupport, IdrEbr, ShardedSlab};

/// What a peer may be asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any integer, on any thread.
    Checked,
    /// Right keys only: a wrong one is undefined behaviour.
    Unchecked,
    /// One thread only.
    Alone,
    /// No peer: what the harness itself costs.
    Harness,
}

/// A table of `u64` values that gives out integers.
pub trait Peer: Sync + Sized + 'static {
    const NAME: &'static str;
    const KIND: Kind = Kind::Checked;
    fn new() -> Self;
    fn create(&self, value: u64) -> u64;
    /// The value, or `None` where the key was removed.
    fn find(&self, key: u64) -> Option<u64>;
    #[inline(always)]
    fn read(&self, key: u64) -> u64 {
        self.find(key).unwrap()
    }
    fn remove(&self, key: u64);
}

/// The kind of a row, by its name.
pub fn kind(name: &str) -> Kind {
    KINDS.iter().find(|(known, _)| *known == name).map_or(Kind::Checked, |(_, kind)| *kind)
}

macro_rules! peers {
    ($($peer:ident),* $(,)?) => {
        const KINDS: &[(&str, Kind)] = &[$(($peer::NAME, $peer::KIND)),*];

        /// Calls a generic function for all peers: pairs of the name and what it gives.
        macro_rules! for_all {
            ($function:ident($argument:expr)) => {
                vec![$((
                    <$crate::peers::$peer as $crate::peers::Peer>::NAME,
                    $function::<$crate::peers::$peer>($argument),
                )),*]
            };
        }
    };
}

// Those that are compared most stand beside each other, so that they are measured within milliseconds.
peers![
    Nothing,
    Haft,
    ShardedSlab,
    HaftRegistry,
    IdrEbr,
    RawBox,
    RawArc,
    ConcurrentSlotMap,
    FfiSupport,
    GoModel,
    LockedSlab,
    SharedSlab,
    MutexSlotMap,
    LockedSlotMap,
    DashMap,
    Papaya,
    SccMap,
    SccIndex,
    AloneSlab,
    AloneSlotMap,
];

/// The same for chosen peers.
macro_rules! for_some {
    ($function:ident($argument:expr); $($peer:ident),* $(,)?) => {
        vec![$((
            <$crate::peers::$peer as $crate::peers::Peer>::NAME,
            $function::<$crate::peers::$peer>($argument),
        )),*]
    };
}
