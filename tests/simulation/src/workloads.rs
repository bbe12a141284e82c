//! What the cores do, the same with each protocol.

use crate::cores::{Grain, Program, run};
use crate::mesi::Caches;
use crate::protocols::{CountInSlot, Haft, HaftLimited, Protocol, SharedArc};
use std::marker::PhantomData;
use std::sync::Mutex;

/// Handles that a core makes in one go.
const BATCH: usize = 32;

/// Rounds that warm up, and rounds that are counted.
const ROUNDS: (usize, usize) = (6, 8);

/// A program for each core, and what of it is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    CreateRemove,
    Batch,
    Cycle,
    Hot,
    Busy,
    Cold,
    Moved,
}

impl Workload {
    pub const ALL: [Self; 7] =
        [Self::CreateRemove, Self::Batch, Self::Cycle, Self::Hot, Self::Busy, Self::Cold, Self::Moved];

    /// In the committed file.
    pub fn name(self) -> &'static str {
        match self {
            Self::CreateRemove => "create_remove",
            Self::Batch => "batch",
            Self::Cycle => "cycle",
            Self::Hot => "hot_lookup",
            Self::Busy => "busy_lookup",
            Self::Cold => "cold_lookup",
            Self::Moved => "moved",
        }
    }

    /// What one operation is.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::CreateRemove => "create and remove, each core its own",
            Self::Batch => "the same, 32 created and then 32 removed",
            Self::Cycle => "create, look up, read, let go, remove, each core its own",
            Self::Hot => "look up, read, let go: one handle for all cores",
            Self::Busy => "the same, and its creator creates and removes 32 others for each lookup",
            Self::Cold => "look up, read, let go: the core's first time with that handle",
            Self::Moved => "create 32; look up, read, let go and remove each on the next core",
        }
    }

    /// Cores at the least.
    pub fn from(self) -> usize {
        match self {
            Self::Busy | Self::Cold | Self::Moved => 2,
            _ => 1,
        }
    }

    fn steps(self) -> usize {
        match self {
            Self::CreateRemove | Self::Batch => 2,
            Self::Hot => 3,
            Self::Cycle | Self::Busy => 4,
            Self::Cold | Self::Moved => 1 + BATCH,
        }
    }

    /// Operations that are counted in all.
    pub fn operations(self, cores: usize) -> usize {
        let a_round = match self {
            Self::CreateRemove | Self::Cycle | Self::Hot => cores,
            Self::Batch | Self::Moved => cores * BATCH,
            Self::Busy => cores - 1,
            Self::Cold => (cores - 1) * BATCH,
        };
        a_round * ROUNDS.1
    }

    /// Runs it, and gives the caches afterwards.
    pub fn run(self, protocol: &str, cores: usize, grain: Grain) -> Caches {
        match protocol {
            "haft" => self.run_with::<Haft>(cores, grain),
            "haft_limited" => self.run_with::<HaftLimited>(cores, grain),
            "count_in_slot" => self.run_with::<CountInSlot>(cores, grain),
            "arc" => self.run_with::<SharedArc>(cores, grain),
            other => panic!("no protocol is called {other}"),
        }
    }

    fn run_with<P: Protocol>(self, cores: usize, grain: Grain) -> Caches {
        // What makes a lookup possible is not a part of it.
        let first = match self {
            Self::Hot | Self::Cold => 1,
            Self::Busy => 2,
            _ => 0,
        };
        let measured = |step| step >= first;
        run(cores, grain, self.steps(), ROUNDS, measured, move |core| Worker::<P> {
            workload: self,
            core,
            cores,
            handles: Vec::new(),
            guard: None,
            _protocol: PhantomData,
        })
    }
}

struct Worker<P: Protocol> {
    workload: Workload,
    core: usize,
    cores: usize,
    handles: Vec<u64>,
    guard: Option<P::Guard>,
    _protocol: PhantomData<P>,
}

impl<P: Protocol> Worker<P> {
    fn create(&mut self, count: usize) {
        self.handles.extend((0..count).map(|_| P::create(self.core)));
    }

    fn remove_all(&mut self) {
        self.handles.drain(..).for_each(|handle| P::remove(self.core, handle));
    }
}

impl<P: Protocol> Program for Worker<P> {
    fn step(&mut self, step: usize) {
        match (self.workload, step) {
            (Workload::CreateRemove | Workload::Cycle, 0) => self.create(1),
            (Workload::CreateRemove, _) => self.remove_all(),

            (Workload::Batch, 0) => self.create(BATCH),
            (Workload::Batch, _) => self.remove_all(),

            (Workload::Cycle, 1) => self.guard = Some(P::get(self.handles[0])),
            (Workload::Cycle, 2) => self.guard = None,
            (Workload::Cycle, _) => self.remove_all(),

            (Workload::Hot | Workload::Busy, 0) => {
                if self.core == 0 && self.handles.is_empty() {
                    self.create(1);
                    hand(0, self.handles.clone());
                }
            }
            (Workload::Hot, 1) => self.guard = Some(P::get(handed(0)[0])),
            (Workload::Hot, _) => self.guard = None,

            (Workload::Busy, 1) if self.core == 0 => {
                for _ in 0..BATCH {
                    let other = P::create(0);
                    P::remove(0, other);
                }
            }
            (Workload::Busy, 2) if self.core != 0 => self.guard = Some(P::get(handed(0)[0])),
            (Workload::Busy, 3) => self.guard = None,
            (Workload::Busy, _) => {}

            // The first core only makes what the others look up.
            (Workload::Cold, 0) => {
                if self.core == 0 {
                    self.create(BATCH);
                    hand(0, std::mem::take(&mut self.handles));
                }
            }
            (Workload::Cold, _) if self.core == 0 => {}
            (Workload::Cold, _) => drop(P::get(handed(0)[step - 1])),

            (Workload::Moved, 0) => {
                self.create(BATCH);
                hand(self.core, std::mem::take(&mut self.handles));
            }
            (Workload::Moved, _) => {
                let handle = handed((self.core + 1) % self.cores)[step - 1];
                drop(P::get(handle));
                P::remove(self.core, handle);
            }
        }
    }
}

/// What goes from core to core.
static HANDED: Mutex<Vec<Vec<u64>>> = Mutex::new(Vec::new());

fn hand(core: usize, handles: Vec<u64>) {
    let mut handed = HANDED.lock().expect("nothing panics with it");
    let length = handed.len().max(core + 1);
    handed.resize(length, Vec::new());
    handed[core] = handles;
}

fn handed(core: usize) -> Vec<u64> {
    HANDED.lock().expect("nothing panics with it")[core].clone()
}
