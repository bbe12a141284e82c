//! Models of the protocol: the production code on a small space, every interleaving explored by loom.
//!
//! `RUSTFLAGS="--cfg haft_loom" cargo test --release --lib models`; `LOOM_MAX_PREEMPTIONS` bounds the
//! preemptions (3 by default, 2 with three threads).
//! A value is tracked: a read that no edge orders before its drop fails the model, and so does a second drop.
//! Each test is named after the edges (E1 ...) and rules (S1 ...) that it is about.

mod announced;
mod claims;
mod conversion;
mod ending;
mod growth;
mod hooks;
mod inert;
mod lifetime;
mod lookup;
mod modes;
mod overdue;
mod pages;
mod removal;
#[cfg(haft_shuttle)]
mod scenarios;
#[cfg(not(haft_shuttle))]
mod schedules;
mod taking;
mod unfenced;
mod vacancy;
mod waits;
mod walks;

use super::bits;
use super::create;
use super::find::Typed;
use super::find::Want;
use super::layout::TypeInfo;
use super::link::Link;
use super::lookup::{self as raw_lookup, Hold};
use super::page::Popped;
use super::record::Record;
use super::remove::{self, Closed};
use super::set::{Set, UNLIMITED};
use super::shard::Shard;
use super::slot::{Reader, Slot};
use super::space::{Size, Space};
use crate::sync::model::thread::{self, ThreadId};
use crate::sync::{ASYMMETRIC, Asymmetric};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

/// As [`explore`], for models of three threads, which have many more interleavings: two preemptions at most.
fn explore_three(model: impl Fn(Order) + Sync + Send + Copy + 'static) {
    explore_bounded(2, &[Asymmetric::Works, Asymmetric::Missing], model);
}

/// Explores a model of three threads that free slots: one preemption at most. There are no barriers in it.
fn explore_crowd(model: impl Fn(Order) + Sync + Send + Copy + 'static) {
    explore_bounded(1, &[Asymmetric::Works], model);
}

/// Explores a model of two threads that free slots: two preemptions at most. There are no barriers in it.
fn explore_lists(model: impl Fn(Order) + Sync + Send + Copy + 'static) {
    explore_bounded(2, &[Asymmetric::Works], model);
}

/// Explores a model of two threads that do much: two preemptions at most. See [`explore`].
fn explore_long(model: impl Fn(Order) + Sync + Send + Copy + 'static) {
    explore_bounded(2, &[Asymmetric::Works, Asymmetric::Missing], model);
}

/// Explores a model four times: with either of its racing sides on the thread that starts (see
/// [`Order::race`]), with the system's barrier and without. Three preemptions at most.
fn explore(model: impl Fn(Order) + Sync + Send + Copy + 'static) {
    explore_bounded(3, &[Asymmetric::Works, Asymmetric::Missing], model);
}

/// As [`explore`], for models that begin in mode `PLAIN`.
fn explore_plain(model: impl Fn(Order) + Sync + Send + Copy + 'static) {
    explore_bounded(3, &[Asymmetric::Works], model);
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
    // What a word's loads are found by is on the path as well.
    builder.max_branches = builder.max_branches.max(10_000);
    builder.check(move || {
        crate::sync::schedules::begin();
        model();
    });
}

/// Some interleavings at random, with any number of preemptions.
#[cfg(haft_shuttle)]
fn check(_preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    shuttle::check_random(model, scenarios::iterations(200));
}

/// Which side of a race begins.
///
/// The search finds every order of the two, but one that preempts the thread which begins takes a
/// preemption more than one that does not. So each side begins once.
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
    set: &'static Set,
}

/// A value that tells of its drop.
struct Probe {
    number: usize,
    told: Drops,
}

impl Probe {
    fn is_there(&self) -> bool {
        self.told.0.lock().unwrap().dropped.iter().all(|(number, _)| *number != self.number)
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.told.0.lock().unwrap().dropped.push((self.number, thread::current().id()));
    }
}

/// Counts the drops of its probes, outside the model: the count is looked at when all threads are joined,
/// or on the thread that drops.
#[derive(Clone, Default)]
struct Drops(Arc<Mutex<Told>>);

#[derive(Default)]
struct Told {
    probes: usize,
    /// Which ones were dropped, and by which threads.
    dropped: Vec<(usize, ThreadId)>,
}

impl Drops {
    fn probe(&self) -> Probe {
        let mut told = self.0.lock().unwrap();
        told.probes += 1;
        Probe { number: told.probes, told: self.clone() }
    }

    fn count(&self) -> usize {
        self.0.lock().unwrap().dropped.len()
    }

    /// Returns `true` if the calling thread has dropped a value.
    fn by_this_thread(&self) -> bool {
        let me = thread::current().id();
        self.0.lock().unwrap().dropped.iter().any(|(_, by)| *by == me)
    }
}

impl World {
    fn new(slots: u32) -> Self {
        let size = Size { places: 4, slots, last_generation: 1 << 20 };
        let space: &'static Space = Box::leak(Box::new(Space::new(size)));
        Self { space, set: Set::of(TypeInfo::of::<Probe>(), space, UNLIMITED) }
    }

    /// Another registry in the same space: with the set of one that was dropped, if it is vacant.
    fn another(&self) -> Self {
        Self { set: Set::of(TypeInfo::of::<Probe>(), self.space, UNLIMITED), ..*self }
    }

    /// Drops the registry.
    fn retire(&self, me: &'static Record) {
        self.set.retire(3, &|lend: &mut dyn FnMut(&'static Record)| lend(me));
    }

    /// A claimed record, as a thread has.
    fn record(&self) -> &'static Record {
        let record = self.space.add_record();
        assert!(record.claim());
        record
    }

    /// A record with its shard of the set, as a thread that creates has.
    fn owner(&self) -> Owner {
        self.owner_with(self.record())
    }

    /// The shard of a record that is there already.
    fn owner_with(&self, record: &'static Record) -> Owner {
        Owner { world: *self, record, shard: self.set.new_shard(record) }
    }

    /// A lookup by a thread with this record.
    fn get(&self, me: &'static Record, handle: u64) -> Option<Hold<Probe>> {
        raw_lookup::get::<Probe>(self.space, me, handle, Want::Type)
    }

    /// The end of a hold: the value is read once more, then let go.
    fn release(&self, me: Option<&'static Record>, hold: &Hold<Probe>) {
        assert!(hold.value().is_there(), "the value of a holder was dropped");
        self.slot(hold.token.handle()).value.read();
        // SAFETY(I4): each model releases each hold once.
        unsafe { hold.token.release(self.space, || me) };
    }

    /// A lookup and its end, by a thread with this record. Whether it succeeded.
    fn visit(&self, me: &'static Record, handle: u64) -> bool {
        let hold = self.get(me, handle);
        hold.inspect(|hold| self.release(Some(me), hold)).is_some()
    }

    /// A removal as a thread does it: the quick way first. `None` lost, `Some(true)` dropped,
    /// `Some(false)` deferred.
    fn remove(&self, me: &'static Record, handle: u64) -> Option<bool> {
        let end = |alone: remove::Alone| alone.drop_value(Some(me));
        if remove::remove_own::<Typed<Probe>>(self.space, me, handle, Want::Type, 2, end) {
            return Some(true);
        }
        self.remove_slowly(me, handle)
    }

    /// The common way of a removal alone.
    fn remove_slowly(&self, me: &'static Record, handle: u64) -> Option<bool> {
        Some(match self.close(me, handle)? {
            Closed::Held => false,
            Closed::Alone(alone) => {
                alone.drop_value(Some(me));
                true
            }
        })
    }

    /// As `take` does: `None` lost, `Some(None)` held by somebody.
    fn take(&self, me: &'static Record, handle: u64) -> Option<Option<Probe>> {
        // SAFETY(I3): the page holds probes.
        Some(self.close(me, handle)?.end(|alone| unsafe { alone.take_value::<Probe>(Some(me)) }))
    }

    fn close(&self, me: &'static Record, handle: u64) -> Option<Closed> {
        remove::close::<Typed<Probe>>(self.space, me, handle, Want::Type, 2)
    }

    /// The first handle that a slot will have, known before it is there.
    fn first_handle(&self, place: u32, slot: u32) -> u64 {
        bits::pack(self.space.first_generation(place, slot), place, slot)
    }

    /// The slot of a handle that was issued.
    fn slot(&self, handle: u64) -> &'static Slot {
        // SAFETY(I2): the handle was issued, so its page is installed and has the slot.
        unsafe { self.space.page(handle).any_slot(Link::of(handle)) }
    }

    /// Who is announced in a slot.
    fn reader(&self, handle: u64) -> Reader {
        self.slot(handle).state().reader()
    }

    /// What is live in the set.
    fn live(&self) -> usize {
        self.set.totals().live()
    }
}

/// How most models begin: a world of pages with one slot, an owner in it, and its one live handle, of a
/// value that counts its drops.
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

    /// Reserves a slot that comes back as another thread returns it, as soon as this is dropped: what is
    /// left of a foreign removal when the value is gone.
    fn lend(&self) -> create::Reservation<'static> {
        // SAFETY(I8): just popped, in this set.
        unsafe { create::Reservation::new(self.pop(), self.world.set, None, 1) }
    }

    /// A removal by the owner.
    fn remove(&self, handle: u64) -> Option<bool> {
        self.world.remove(self.record, handle)
    }

    /// A removal by the owner, the common way.
    fn remove_slowly(&self, handle: u64) -> Option<bool> {
        self.world.remove_slowly(self.record, handle)
    }

    /// The same thread in another registry: with the shard it has if that has the same set, and a new one if not.
    fn moves_to(self, world: World) -> Self {
        let same = std::ptr::eq(world.set, self.world.set);
        let shard = if same { self.shard } else { world.set.new_shard(self.record) };
        Self { world, shard, ..self }
    }

    fn take(&self, handle: u64) -> Option<Option<Probe>> {
        self.world.take(self.record, handle)
    }

    fn insert(&self, value: Probe) -> u64 {
        // SAFETY(I3): just popped, in a set of probes.
        unsafe { create::fill(self.pop(), value, 1) }.get()
    }
}

/// That no handle is there twice.
fn all_differ(handles: &[u64]) {
    let mut sorted = handles.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(sorted.len(), handles.len(), "a handle was issued twice: {handles:x?}");
}

/// Values without a drop, whose removal is one exchange.
mod plain {
    use super::*;

    pub(super) fn world() -> (World, Owner) {
        let size = Size { places: 4, slots: 1, last_generation: 1 << 20 };
        let space: &'static Space = Box::leak(Box::new(Space::new(size)));
        let world = World { space, set: Set::of(TypeInfo::of::<u64>(), space, UNLIMITED) };
        (world, world.owner())
    }

    pub(super) fn insert(owner: &Owner, value: u64) -> u64 {
        // SAFETY(I6): the models use an owner on one thread at a time.
        let popped = unsafe { create::pop::<u64>(owner.shard) }.expect("room");
        // SAFETY(I3): just popped, in a set of integers.
        unsafe { create::fill(popped, value, 1) }.get()
    }

    pub(super) fn remove(world: &World, me: &'static Record, handle: u64) -> bool {
        let (space, want) = (world.space, Want::Set(world.set.id()));
        // SAFETY(I3): the page holds integers.
        let end = |alone: remove::Alone| unsafe { alone.drop_value_as::<u64>(Some(me)) };
        remove::remove_own::<Typed<u64>>(space, me, handle, want, 2, end)
            || remove::close::<Typed<u64>>(space, me, handle, want, 2).map(|closed| closed.end(end)).is_some()
    }

    pub(super) fn visit(world: &World, me: &'static Record, handle: u64, value: u64) -> bool {
        let Some(hold) = raw_lookup::get::<u64>(world.space, me, handle, Want::Type) else {
            return false;
        };
        assert_eq!(*hold.value(), value);
        world.slot(handle).value.read();
        // SAFETY(I4): released once.
        unsafe { hold.token.release(world.space, || Some(me)) };
        true
    }
}
