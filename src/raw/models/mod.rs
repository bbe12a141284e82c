//! Models of the protocol: the production code on a small space, every interleaving explored by loom.
//!
//! `RUSTFLAGS="--cfg haft_loom" cargo test --release --lib models`; `LOOM_MAX_PREEMPTIONS` bounds the preemptions (4 by default, 2 with three threads).
//! A value is tracked: a read that no edge orders before its drop fails the model, and so does a second drop.
//! Each test is named after the edges (E1 ...) and rules (S1 ...) that it is about.

mod bias;
mod claims;
mod conversion;
mod copied;
mod ending;
mod growth;
mod hooks;
mod lifetime;
mod lookup;
mod modes;
mod pages;
mod removal;
#[cfg(haft_shuttle)]
mod scenarios;
mod taking;
mod unfenced;
mod walks;

use super::bits;
use super::cells::Record;
use super::create;
use super::lookup::{self as raw_lookup, Hold, Want};
use super::page::Popped;
use super::remove::Closed;
use super::seed::first_generation;
use super::set::Set;
use super::shard::Shard;
use super::slot::Slot;
use super::space::{Size, Space};
use crate::sync::model::thread;
use crate::sync::{ASYMMETRIC, Asymmetric};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

/// As [`explore`], for models of three threads, which have many more interleavings: two preemptions at most.
fn explore_three(model: impl Fn(Order) + Sync + Send + Copy + 'static) {
    explore_bounded(2, &[Asymmetric::Works, Asymmetric::Missing], model);
}

/// Explores a model four times: with either of its racing sides on the thread that starts (see [`Order::race`]), with the system's
/// barrier and without.
fn explore(model: impl Fn(Order) + Sync + Send + Copy + 'static) {
    explore_bounded(4, &[Asymmetric::Works, Asymmetric::Missing], model);
}

/// As [`explore`], for models that begin in mode `PLAIN`.
fn explore_plain(model: impl Fn(Order) + Sync + Send + Copy + 'static) {
    explore_bounded(4, &[Asymmetric::Works], model);
}

fn explore_bounded(
    preemptions: usize,
    barriers: &[Asymmetric],
    model: impl Fn(Order) + Sync + Send + Copy + 'static,
) {
    for &barrier in barriers {
        for order in [Order::Straight, Order::Swapped] {
            let explored = Arc::new(AtomicUsize::new(0));
            let counted = explored.clone();
            check(preemptions, move || {
                counted.fetch_add(1, SeqCst);
                ASYMMETRIC.set(barrier);
                model(order);
            });
            println!("explored {} executions", explored.load(SeqCst));
        }
    }
}

/// Every interleaving with so many preemptions.
#[cfg(not(haft_shuttle))]
fn check(preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    if builder.preemption_bound.is_none() {
        builder.preemption_bound = Some(preemptions);
    }
    builder.check(model);
}

/// Some interleavings at random, with any number of preemptions.
#[cfg(haft_shuttle)]
fn check(_preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    shuttle::check_random(model, scenarios::iterations(200));
}

/// Which side of a race begins.
///
/// loom finds what to reorder by each object's last access alone. A thread that loads before it exchanges hides
/// the other side's earlier load behind its own, and the other order is never tried, unless that thread begins.
#[derive(Clone, Copy)]
enum Order {
    Straight,
    Swapped,
}

impl Order {
    /// Runs both sides at once. What they return.
    fn race<A: Send + 'static, B: Send + 'static>(
        self,
        one: impl FnOnce() -> A + Send + 'static,
        two: impl FnOnce() -> B + Send + 'static,
    ) -> (A, B) {
        match self {
            Self::Straight => {
                let two = thread::spawn(two);
                (one(), two.join().unwrap())
            }
            Self::Swapped => {
                let one = thread::spawn(one);
                let two = two();
                (one.join().unwrap(), two)
            }
        }
    }
}

/// A small space with one set of [`Probe`]s.
#[derive(Clone, Copy)]
struct World {
    space: &'static Space,
    set: NonNull<Set>,
}

// SAFETY(I2): the set is shared between the model's threads as registries are.
unsafe impl Send for World {}
unsafe impl Sync for World {}

/// A value that counts its drops.
struct Probe(Arc<AtomicUsize>);

impl Drop for Probe {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
    }
}

/// Counts drops, outside the model: the count is looked at when all threads are joined, or on the thread that drops.
#[derive(Clone, Default)]
struct Drops(Arc<AtomicUsize>);

impl Drops {
    fn probe(&self) -> Probe {
        Probe(self.0.clone())
    }

    fn count(&self) -> usize {
        self.0.load(SeqCst)
    }
}

impl World {
    fn new(slots: u32) -> Self {
        Self::with(slots, false)
    }

    /// One whose set is never dropped.
    fn perpetual(slots: u32) -> Self {
        Self::with(slots, true)
    }

    fn with(slots: u32, perpetual: bool) -> Self {
        let size = Size { places: 4, slots, last_generation: 1 << 20 };
        let space: &'static Space = Box::leak(Box::new(Space::new(size)));
        let set = Box::new(Set::new::<Probe>(space, usize::MAX, perpetual));
        Self { space, set: NonNull::from(Box::leak(set)) }
    }

    fn set(&self) -> &Set {
        // SAFETY(I2): leaked, or retired by a model that does not use it afterwards.
        unsafe { self.set.as_ref() }
    }

    /// A claimed record, as a thread has.
    fn record(&self) -> &'static Record {
        let record = self.space.add_record();
        assert!(record.claim());
        record
    }

    /// A record with its shard of the set, as a thread that creates has.
    fn owner(&self) -> Owner {
        let record = self.record();
        Owner { world: *self, record, shard: Box::leak(Box::new(Shard::new(self.set, record))) }
    }

    /// A lookup by a thread with this record.
    fn get(&self, me: &'static Record, handle: u64) -> Option<Hold<Probe>> {
        raw_lookup::get::<Probe>(self.space, me, handle, Want::Type)
    }

    /// The end of a hold: the value is read once more, then let go.
    fn release(&self, me: Option<&'static Record>, hold: &Hold<Probe>) {
        assert_eq!(hold.value().0.load(SeqCst), 0, "the value of a holder was dropped");
        self.slot(hold.token.handle()).value.read();
        // SAFETY(I4): each model releases each hold once.
        unsafe { hold.token.release(self.space, || me) };
    }

    /// A lookup and its end, by a thread with this record. Whether it succeeded.
    fn visit(&self, me: &'static Record, handle: u64) -> bool {
        let hold = raw_lookup::get::<Probe>(self.space, me, handle, Want::Type);
        hold.inspect(|hold| self.release(Some(me), hold)).is_some()
    }

    /// A removal: `None` lost, `Some(true)` dropped, `Some(false)` deferred.
    fn remove(&self, me: &'static Record, handle: u64) -> Option<bool> {
        Some(match self.close(me, handle)? {
            Closed::Held => false,
            Closed::Alone(alone) => {
                alone.drop_value(Some(me));
                true
            }
        })
    }

    fn close(&self, me: &'static Record, handle: u64) -> Option<Closed> {
        // SAFETY(I2): no set is named.
        unsafe { raw_lookup::close::<Probe>(self.space, me, handle, Want::Type, 2) }
    }

    /// The first handle that a slot will have, known before it is there.
    fn first_handle(&self, place: u32, slot: u32) -> u64 {
        let generation =
            first_generation(self.space.place_seed(place), slot, self.space.size().last_generation);
        bits::pack(generation, place, slot)
    }

    /// The slot of a handle that the caller holds or has created.
    fn slot(&self, handle: u64) -> &'static Slot {
        let page = self.space.page(handle).expect("the page is held");
        // SAFETY(I2): the caller holds the handle, so its page stays.
        unsafe { page.any_slot(super::link::Link::of(handle)) }
    }
}

/// How most models begin: a world of pages with one slot, an owner in it, and its one live handle, of a value that counts its drops.
fn one_live() -> (World, Owner, Drops, u64) {
    let world = World::new(1);
    let (owner, drops) = (world.owner(), Drops::default());
    let handle = owner.insert(drops.probe());
    (world, owner, drops, handle)
}

/// A hold that moves to another thread, as its record does in a model.
struct Carried(Hold<Probe>);

// SAFETY(I4): counted, or moved together with the use of its record.
unsafe impl Send for Carried {}

/// What a creating thread has.
#[derive(Clone, Copy)]
struct Owner {
    world: World,
    record: &'static Record,
    shard: &'static Shard,
}

impl Owner {
    fn pop(&self) -> Popped {
        // SAFETY(I6): each model uses an owner on one thread at a time, as the claim demands.
        unsafe { create::pop::<Probe>(self.shard) }.expect("room")
    }

    /// A removal by the owner.
    fn remove(&self, handle: u64) -> Option<bool> {
        self.world.remove(self.record, handle)
    }

    fn insert(&self, value: Probe) -> u64 {
        // SAFETY(I3): just popped, in a set of probes.
        unsafe { create::fill(self.pop(), value, 1) }.get()
    }
}
