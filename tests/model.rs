//! Random operations of simulated threads against a model that is a map from bits to what is known of them.
//!
//! Three real threads take turns, one operation at a time, so that every result is known in advance, also which values are dropped by
//! it and on which thread. A thread may end and be replaced, and a registry dropped and made anew. `PROPTEST_CASES` is how many
//! sequences are tried.

use haft::{AnyHandle, Error, ErrorKind, Handle, Ref, Registry, Removal, SharedRef};
use proptest::prelude::*;
use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, MutexGuard, mpsc};
use std::thread::{self, ThreadId};

const THREADS: usize = 3;
/// Registries with these limits, and then the default one.
const LIMITS: [usize; 2] = [usize::MAX, 4];
const DEFAULT: usize = LIMITS.len();

type Drops = Arc<Mutex<Vec<(usize, ThreadId)>>>;

/// Each drop tells its number and its thread.
struct Value {
    number: usize,
    drops: Drops,
}

impl Drop for Value {
    fn drop(&mut self) {
        self.drops.lock().unwrap().push((self.number, thread::current().id()));
    }
}

/// Which bits to use: those of a known handle, or some derived from them.
#[derive(Clone, Copy, Debug)]
enum Bits {
    Of(usize),
    Flipped(usize, u32),
    Plus(usize, i64),
    /// The place of one, the generation of another.
    Mixed(usize, usize),
}

/// Through what to use them.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Door {
    Handle,
    Registry(usize),
    Any,
    OtherType,
}

#[derive(Clone, Debug)]
enum Step {
    Insert(usize),
    InsertWith(usize),
    InsertPanics(usize),
    Get(Bits, Door),
    Remove(Bits, Door),
    Take(Bits, Door),
    Hold(Bits),
    /// Turns a guard into a shared one, or clones one that is.
    Share(usize),
    /// Gives a shared guard to another thread.
    Move(usize, usize),
    LetGo(usize),
    Clear(usize),
    Recreate(usize),
    EndThread,
}

fn step() -> impl Strategy<Value = (usize, Step)> {
    let any = 0..64_usize;
    let bits = prop_oneof![
        9 => any.clone().prop_map(Bits::Of),
        2 => (any.clone(), 0..64_u32).prop_map(|(of, bit)| Bits::Flipped(of, bit)),
        // A neighbouring integer, slot, place or generation.
        1 => (any.clone(), prop::sample::select(vec![0, 1, 13, 19, 33]), prop::bool::ANY)
            .prop_map(|(of, shift, up)| Bits::Plus(of, if up { 1 << shift } else { -(1 << shift) })),
        1 => (any.clone(), any.clone()).prop_map(|(place, generation)| Bits::Mixed(place, generation)),
    ];
    let door = prop_oneof![
        5 => Just(Door::Handle),
        2 => (0..DEFAULT).prop_map(Door::Registry),
        2 => Just(Door::Any),
        1 => Just(Door::OtherType),
    ];
    let step = prop_oneof![
        12 => (0..=DEFAULT).prop_map(Step::Insert),
        2 => (0..DEFAULT).prop_map(Step::InsertWith),
        1 => (0..DEFAULT).prop_map(Step::InsertPanics),
        10 => (bits.clone(), door.clone()).prop_map(|(bits, door)| Step::Get(bits, door)),
        6 => (bits.clone(), door.clone()).prop_map(|(bits, door)| Step::Remove(bits, door)),
        4 => (bits.clone(), door).prop_map(|(bits, door)| Step::Take(bits, door)),
        10 => bits.prop_map(Step::Hold),
        4 => any.clone().prop_map(Step::Share),
        2 => (any.clone(), 0..THREADS).prop_map(|(guard, to)| Step::Move(guard, to)),
        7 => any.prop_map(Step::LetGo),
        1 => (0..DEFAULT).prop_map(Step::Clear),
        1 => (0..DEFAULT).prop_map(Step::Recreate),
        1 => Just(Step::EndThread),
    ];
    (0..THREADS, step)
}

enum Guard {
    Plain(Ref<'static, Value>),
    Shared(SharedRef<'static, Value>),
}

impl Guard {
    fn number(&self) -> usize {
        match self {
            Self::Plain(guard) => guard.number,
            Self::Shared(guard) => guard.number,
        }
    }
}

type Order = Box<dyn FnOnce(&mut Vec<Guard>) + Send>;

/// A thread that runs what it is given, with guards of its own.
struct Worker {
    work: mpsc::Sender<Order>,
    thread: thread::JoinHandle<()>,
}

impl Worker {
    fn start() -> Self {
        let (work, orders) = mpsc::channel::<Order>();
        let thread = thread::spawn(move || {
            let mut guards = Vec::new();
            orders.iter().for_each(|order| order(&mut guards));
        });
        Self { work, thread }
    }

    fn run<R: Send + 'static>(&self, order: impl FnOnce(&mut Vec<Guard>) -> R + Send + 'static) -> R {
        let (tell, result) = mpsc::channel();
        self.work.send(Box::new(move |guards| tell.send(order(guards)).unwrap())).unwrap();
        result.recv().expect("the worker panicked")
    }

    fn end(self) -> thread::Result<()> {
        drop(self.work);
        self.thread.join()
    }
}

/// What all cases of this process have issued. Locked while a case runs: others would change what forged bits lead to.
static PAST: Mutex<Option<HashSet<u64>>> = Mutex::new(None);

/// What is known of one handle.
struct Known {
    bits: u64,
    home: usize,
    live: bool,
    holds: usize,
    /// Whether there ever was a value: not where `insert_with` panicked.
    real: bool,
    dropped: bool,
}

struct Machine {
    past: MutexGuard<'static, Option<HashSet<u64>>>,
    drops: Drops,
    registries: [Arc<Registry<Value>>; DEFAULT],
    created: [u64; DEFAULT],
    workers: Vec<Worker>,
    /// Per worker, whose guards it has, in its order, and which are shared.
    held: Vec<Vec<(usize, bool)>>,
    known: Vec<Known>,
    index: HashMap<u64, usize>,
}

impl Machine {
    fn new() -> Self {
        let mut past = PAST.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        past.get_or_insert_default();
        Self {
            past,
            drops: Drops::default(),
            registries: LIMITS.map(|limit| Arc::new(Registry::with_limit(limit))),
            created: [0; DEFAULT],
            workers: (0..THREADS).map(|_| Worker::start()).collect(),
            held: vec![Vec::new(); THREADS],
            known: Vec::new(),
            index: HashMap::new(),
        }
    }

    fn bits(&self, bits: Bits) -> Option<u64> {
        let of = |index: usize| self.known.get(index % self.known.len().max(1)).map(|known| known.bits);
        let bits = match bits {
            Bits::Of(index) => of(index)?,
            Bits::Flipped(index, bit) => of(index)? ^ 1 << bit,
            Bits::Plus(index, by) => of(index)?.wrapping_add_signed(by),
            Bits::Mixed(place, generation) => of(place)? << 31 >> 31 | of(generation)? >> 33 << 33,
        };
        (bits != 0).then_some(bits)
    }

    /// What these bits lead to: a value, or an error of this kind.
    fn judge(&self, bits: u64, door: Door) -> Result<usize, ErrorKind> {
        use ErrorKind::*;
        let past = self.past.as_ref().unwrap();
        match self.index.get(&bits).map(|&index| (index, &self.known[index])) {
            _ if bits & 1 == 0 || bits >> 63 == 1 => Err(Malformed),
            Some((_, known)) if !known.live => Err(Stale),
            Some(_) if door == Door::OtherType => Err(WrongType),
            Some((_, known)) if matches!(door, Door::Registry(own) if own != known.home) => {
                Err(WrongRegistry)
            }
            Some((index, _)) => Ok(index),
            None if past.contains(&bits) => Err(Stale),
            None => Err(Unissued),
        }
    }

    fn set(&self, door: Door) -> Option<Arc<Registry<Value>>> {
        match door {
            Door::Registry(home) => Some(self.registries[home].clone()),
            _ => None,
        }
    }

    fn live_in(&self, home: usize) -> impl Iterator<Item = &Known> {
        self.known.iter().filter(move |known| known.live && known.home == home)
    }

    fn learn(&mut self, bits: u64, home: usize, real: bool) {
        assert!(self.past.as_mut().unwrap().insert(bits), "{bits:#x} was issued twice");
        assert!(bits & 1 == 1 && bits as i64 > 0, "S2");
        self.index.insert(bits, self.known.len());
        self.known.push(Known { bits, home, live: real, holds: 0, real, dropped: false });
        if let Some(created) = self.created.get_mut(home) {
            *created += 1;
        }
    }

    fn insert(&mut self, who: usize, home: usize) {
        let value = Value { number: self.known.len(), drops: self.drops.clone() };
        let Some(set) = self.registries.get(home).cloned() else {
            let handle = self.workers[who].run(move |_| Handle::new(value));
            return self.learn(handle.to_bits(), home, true);
        };
        let result = self.workers[who].run(move |_| {
            set.try_insert(value).map_err(|full| {
                let number = full.0.number;
                std::mem::forget(full);
                number
            })
        });
        let room = self.live_in(home).count() < LIMITS[home];
        assert_eq!(
            result.map_err(|number| (number, room)).err(),
            (!room).then_some((self.known.len(), false))
        );
        if let Ok(handle) = result {
            self.learn(handle.to_bits(), home, true);
        }
    }

    fn insert_with(&mut self, who: usize, home: usize, panics: bool) {
        if self.live_in(home).count() == LIMITS[home] {
            return;
        }
        let value = Value { number: self.known.len(), drops: self.drops.clone() };
        let set = self.registries[home].clone();
        let (handle, told) = self.workers[who].run(move |_| {
            let mut told = None;
            let made = catch_unwind(AssertUnwindSafe(|| {
                set.insert_with(|me| {
                    assert_eq!(me.get().err().map(|error| error.kind()), Some(ErrorKind::Unissued));
                    assert_eq!(set.remove(me).err().map(|error| error.kind()), Some(ErrorKind::Unissued));
                    told = Some(me);
                    if panics {
                        std::mem::forget(value);
                        resume_unwind(Box::new(()));
                    }
                    value
                })
            }));
            (made.ok(), told.unwrap())
        });
        assert_eq!(handle, (!panics).then_some(told));
        self.learn(told.to_bits(), home, !panics);
    }

    fn get(&self, who: usize, bits: u64, door: Door) {
        let set = self.set(door);
        let result = self.workers[who].run(move |_| -> Result<usize, Error> {
            let handle = Handle::<Value>::from_bits(bits).unwrap();
            let any = AnyHandle::from(handle);
            let result = match (door, set) {
                (Door::Registry(_), Some(set)) => {
                    let result = set.get(handle).map(|value| value.number);
                    assert_eq!(set.contains(handle), result.is_ok());
                    result
                }
                (Door::Any, _) => any.downcast::<Value>().and_then(Handle::get).map(|value| value.number),
                (Door::OtherType, _) => Handle::<u8>::from_bits(bits).unwrap().get().map(|_| unreachable!()),
                _ => handle.get().map(|value| value.number),
            };
            if matches!(door, Door::Handle | Door::Any) {
                assert_eq!((handle.is_live(), any.is_live()), (result.is_ok(), result.is_ok()));
                assert_eq!(any.type_name().is_ok(), result.is_ok());
            }
            result
        });
        agree(result, self.judge(bits, door));
    }

    /// `remove`, or `take`, which also gives the value's number.
    fn remove(&mut self, who: usize, bits: u64, door: Door, take: bool) {
        let set = self.set(door);
        let result = self.workers[who].run(move |_| -> Result<(Removal, Option<usize>), Error> {
            let handle = Handle::<Value>::from_bits(bits).unwrap();
            let taken = |value: Option<Value>| match value {
                Some(value) => (Removal::Dropped, Some(value.number)),
                None => (Removal::Deferred, None),
            };
            match (door, set) {
                (Door::Registry(_), Some(set)) if take => set.take(handle).map(taken),
                (Door::Registry(_), Some(set)) => set.remove(handle).map(|removal| (removal, None)),
                (Door::Any, _) => AnyHandle::from(handle).remove().map(|removal| (removal, None)),
                (Door::OtherType, _) if take => {
                    Handle::<u8>::from_bits(bits).unwrap().take().map(|_| unreachable!())
                }
                (Door::OtherType, _) => {
                    Handle::<u8>::from_bits(bits).unwrap().remove().map(|_| unreachable!())
                }
                _ if take => handle.take().map(taken),
                _ => handle.remove().map(|removal| (removal, None)),
            }
        });
        let expected = self.judge(bits, door);
        agree(result.map(|_| expected.unwrap_or(usize::MAX)), expected);
        if let (Ok((removal, taken)), Ok(index)) = (result, expected) {
            let known = &mut self.known[index];
            known.live = false;
            let alone = known.holds == 0;
            assert_eq!(removal, if alone { Removal::Dropped } else { Removal::Deferred });
            assert_eq!(taken, (take && alone && door != Door::Any).then_some(index));
        }
    }

    fn hold(&mut self, who: usize, bits: u64) {
        let result = self.workers[who].run(move |guards| {
            let guard = Handle::<Value>::from_bits(bits).unwrap().get()?;
            assert_eq!(Ref::handle(&guard).to_bits(), bits);
            let number = guard.number;
            guards.push(Guard::Plain(guard));
            Ok(number)
        });
        let expected = self.judge(bits, Door::Handle);
        agree(result, expected);
        if let Ok(index) = expected {
            self.known[index].holds += 1;
            self.held[who].push((index, false));
        }
    }

    fn share(&mut self, who: usize, guard: usize) {
        let (index, shared) = self.held[who][guard];
        let number = self.workers[who].run(move |guards| {
            let shared = match guards.swap_remove(guard) {
                Guard::Plain(guard) => Ref::into_shared(guard),
                Guard::Shared(guard) => {
                    guards.push(Guard::Shared(guard.clone()));
                    guard
                }
            };
            let number = shared.number;
            guards.push(Guard::Shared(shared));
            number
        });
        assert_eq!(number, index);
        self.held[who].swap_remove(guard);
        self.held[who].extend(std::iter::repeat_n((index, true), 1 + usize::from(shared)));
        self.known[index].holds += usize::from(shared);
    }

    fn hand_over(&mut self, who: usize, guard: usize, to: usize) {
        let (index, _) = self.held[who].swap_remove(guard);
        let shared = self.workers[who].run(move |guards| match guards.swap_remove(guard) {
            Guard::Shared(shared) => shared,
            Guard::Plain(_) => unreachable!("only shared guards move"),
        });
        self.workers[to].run(move |guards| guards.push(Guard::Shared(shared)));
        self.held[to].push((index, true));
    }

    fn let_go(&mut self, who: usize, guard: usize) {
        let (index, _) = self.held[who].swap_remove(guard);
        let number = self.workers[who].run(move |guards| guards.swap_remove(guard).number());
        assert_eq!(number, index);
        self.known[index].holds -= 1;
    }

    fn empty(&mut self, who: usize, home: usize, recreate: bool) {
        if recreate {
            let new = Arc::new(Registry::with_limit(LIMITS[home]));
            let old = Arc::into_inner(std::mem::replace(&mut self.registries[home], new)).unwrap();
            self.workers[who].run(move |_| drop(old));
            self.created[home] = 0;
        } else {
            let set = self.registries[home].clone();
            self.workers[who].run(move |_| set.clear());
        }
        for known in self.known.iter_mut().filter(|known| known.home == home) {
            known.live = false;
            if recreate {
                known.home = usize::MAX;
            }
        }
    }

    fn step(&mut self, who: usize, step: &Step) {
        let mut thread = self.workers[who].thread.thread().id();
        let guard = |index: usize, held: &[(usize, bool)]| (!held.is_empty()).then(|| index % held.len());
        match *step {
            Step::Insert(home) => self.insert(who, home),
            Step::InsertWith(home) => self.insert_with(who, home, false),
            Step::InsertPanics(home) => self.insert_with(who, home, true),
            Step::Get(bits, door) => drop(self.bits(bits).map(|bits| self.get(who, bits, door))),
            Step::Remove(bits, door) => drop(self.bits(bits).map(|bits| self.remove(who, bits, door, false))),
            Step::Take(bits, door) => drop(self.bits(bits).map(|bits| self.remove(who, bits, door, true))),
            Step::Hold(bits) => drop(self.bits(bits).map(|bits| self.hold(who, bits))),
            Step::Share(index) => drop(guard(index, &self.held[who]).map(|guard| self.share(who, guard))),
            Step::Move(index, to) => match guard(index, &self.held[who]) {
                Some(guard) if self.held[who][guard].1 => self.hand_over(who, guard, to),
                _ => {}
            },
            Step::LetGo(index) => drop(guard(index, &self.held[who]).map(|guard| self.let_go(who, guard))),
            Step::Clear(home) => self.empty(who, home, false),
            Step::Recreate(home) => self.empty(who, home, true),
            Step::EndThread => {
                let ended = std::mem::replace(&mut self.workers[who], Worker::start());
                thread = ended.thread.thread().id();
                ended.end().unwrap();
                self.held[who].drain(..).for_each(|(index, _)| self.known[index].holds -= 1);
            }
        }
        self.check(thread);
    }

    /// What this step was to drop is dropped, once and on its thread; and each registry has what it should.
    fn check(&mut self, thread: ThreadId) {
        let mut drops = std::mem::take(&mut *self.drops.lock().unwrap());
        drops.sort_by_key(|(number, _)| *number);
        let mut expected = Vec::new();
        for (index, known) in self.known.iter_mut().enumerate() {
            if known.real && !known.dropped && !known.live && known.holds == 0 {
                known.dropped = true;
                expected.push((index, thread));
            }
        }
        assert_eq!(drops, expected, "S5, S6");
        for (home, registry) in self.registries.iter().enumerate() {
            let live: Vec<u64> = registry.live().map(|live| live.handle.to_bits()).collect();
            let expected: HashSet<u64> = self.live_in(home).map(|known| known.bits).collect();
            assert_eq!((registry.len(), live.len()), (expected.len(), expected.len()));
            assert_eq!(live.into_iter().collect::<HashSet<_>>(), expected);
            let deferred =
                self.known.iter().filter(|known| known.home == home && !known.live && known.holds > 0);
            let stats = registry.stats();
            assert_eq!((stats.created, stats.deferred), (self.created[home], deferred.count()));
            assert_eq!(stats.created - stats.removed, stats.live as u64);
        }
    }
}

impl Drop for Machine {
    /// Leaves nothing behind, also where the case failed: the next one forges handles in the same space.
    fn drop(&mut self) {
        let ended: Vec<_> = self.workers.drain(..).map(Worker::end).collect();
        for known in &self.known {
            if known.home == DEFAULT {
                let _ = Handle::<Value>::from_bits(known.bits).unwrap().remove();
            }
        }
        self.registries = LIMITS.map(|limit| Arc::new(Registry::with_limit(limit)));
        if !thread::panicking() {
            assert!(ended.iter().all(Result::is_ok));
            let before = self.known.iter().filter(|known| known.dropped).count();
            let real = self.known.iter().filter(|known| known.real).count();
            assert_eq!(before + self.drops.lock().unwrap().len(), real, "everything is dropped once");
            let leaks = haft::leaks();
            assert!(leaks.iter().all(|leak| leak.type_name != std::any::type_name::<Value>()), "{leaks}");
        }
    }
}

#[track_caller]
fn agree(result: Result<usize, Error>, expected: Result<usize, ErrorKind>) {
    match (result, expected) {
        (Ok(number), Ok(index)) => assert_eq!(number, index, "another value"),
        (Err(error), Err(kind)) => assert_eq!(error.kind(), kind, "{error:?}"),
        (result, expected) => panic!("{result:?}, and not {expected:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn s1_to_s7_random_operations_agree_with_the_model(steps in prop::collection::vec(step(), 1..200)) {
        let mut machine = Machine::new();
        steps.iter().for_each(|(who, step)| machine.step(*who, step));
    }
}

#[test]
fn s13_what_a_dropped_registry_never_issued_is_unissued() {
    let mut machine = Machine::new();
    machine.step(0, &Step::Insert(0));
    for index in 1..=10 {
        machine.step(0, &Step::Insert(0));
        machine.step(0, &Step::Remove(Bits::Of(index), Door::Handle));
    }
    // Ten were issued in the second slot, one in the first.
    let never = Handle::<Value>::from_bits(machine.known[0].bits + (5 << 33)).unwrap();
    assert_eq!(never.get().err().map(|error| error.kind()), Some(ErrorKind::Unissued), "before");
    machine.step(0, &Step::Recreate(0));
    assert_eq!(never.get().err().map(|error| error.kind()), Some(ErrorKind::Unissued), "after");
}
