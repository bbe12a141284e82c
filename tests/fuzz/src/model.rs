//! Random operations beside a model that knows each result in advance: values, counts, kinds of errors, drops.
//!
//! The first byte of an operation says what it does and on which of two threads, those that follow which handles it is about. Threads take turns, so all is known.
//! The second one ends now and then, and another takes its place. An input is run several times over, in one world, each time from another byte on.

use crate::past::{Numbers, Past};
use crate::values::{self, Act, Holds, Value, Wide};
use crate::{Bytes, count, may_panic};
use haft::{AnyHandle, Error, ErrorKind, Handle, Ref, Registry, Removal, SharedRef};
use std::cell::RefCell;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

/// How often an input is run.
const ROUNDS: usize = 10;

/// Handles that are created in a row, now and then.
const BURST: u32 = 40;

/// One operation in so many may be the second thread's: waking it takes as long as a hundred others.
const HELPED: u32 = 16;

/// Homes of handles: two registries of values, of which the second is limited, one of wide values, and the default ones.
const LIMIT: usize = 5;
const LIMITED: usize = 1;
const WIDES: usize = 2;
const DEFAULT: usize = 3;
const DEFAULT_WIDE: usize = 4;
const GONE: usize = 5;

enum Guard {
    Plain(Ref<'static, Value>),
    Shared(SharedRef<'static, Value>),
    Wide(Ref<'static, Wide>),
    SharedWide(SharedRef<'static, Wide>),
}

impl Guard {
    fn number(&self) -> usize {
        match self {
            Self::Plain(guard) => guard.number(),
            Self::Shared(guard) => guard.number(),
            Self::Wide(guard) => guard.value().number(),
            Self::SharedWide(guard) => guard.value().number(),
        }
    }
}

thread_local! {
    /// The guards of each thread: what is left in here goes when the thread ends.
    static GUARDS: RefCell<Vec<Guard>> = const { RefCell::new(Vec::new()) };
}

fn with_guards<R>(work: impl FnOnce(&mut Vec<Guard>) -> R) -> R {
    GUARDS.with_borrow_mut(work)
}

type Order = Box<dyn FnOnce() + Send>;

/// The second thread.
struct Helper {
    work: mpsc::Sender<Order>,
    thread: thread::JoinHandle<()>,
}

impl Helper {
    fn start() -> Self {
        let (work, orders) = mpsc::channel::<Order>();
        let thread = thread::spawn(move || orders.iter().for_each(|order| order()));
        Self { work, thread }
    }

    fn run<R: Send + 'static>(&self, order: impl FnOnce() -> R + Send + 'static) -> R {
        let (tell, result) = mpsc::channel();
        self.work.send(Box::new(move || tell.send(order()).unwrap())).unwrap();
        result.recv().expect("the helper panicked")
    }

    fn end(self) {
        drop(self.work);
        self.thread.join().unwrap();
    }
}

/// It outlives the inputs: a thread for each would be most of the work.
static HELPER: Mutex<Option<Helper>> = Mutex::new(None);

static PAST: Mutex<Option<Past>> = Mutex::new(None);

#[derive(Clone)]
enum Set {
    Of(Arc<Registry<Value>>),
    Wide(Arc<Registry<Wide>>),
}

/// Through what an operation goes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Door {
    Handle { wide: bool },
    Registry(usize),
    Any { wide: bool },
}

impl Door {
    fn is_wide(self) -> bool {
        match self {
            Self::Handle { wide } | Self::Any { wide } => wide,
            Self::Registry(home) => home == WIDES,
        }
    }
}

/// What is known of one handle.
struct Known {
    bits: u64,
    home: usize,
    wide: bool,
    live: bool,
    /// Guards of either thread.
    holds: [u32; 2],
    /// Whether there ever was a value: not where `insert_with` panicked.
    real: bool,
    dropped: bool,
    act: Act,
}

impl Known {
    fn is_held(&self) -> bool {
        self.holds != [0, 0]
    }
}

struct Machine {
    sets: [Set; 3],
    live: [usize; 5],
    created: [u64; 3],
    /// By number.
    known: Vec<Known>,
    index: Numbers<usize>,
    /// Per thread, the numbers of its guards, in its order, and whether they are shared.
    held: [Vec<(usize, bool)>; 2],
    drops: usize,
    operations: u64,
    /// What the second thread may still cost.
    budget: u32,
    past: Past,
    helper: Option<Helper>,
}

/// Runs one input.
pub fn run(bytes: &[u8]) {
    let mut machine = Machine::begin();
    for round in 0..ROUNDS.min(bytes.len()) {
        let mut bytes = Bytes(&bytes[round..]);
        while machine.step(&mut bytes).is_some() {
            machine.operations += 1;
            machine.settle();
        }
    }
    count(machine.operations);
    machine.end();
}

impl Machine {
    fn begin() -> Self {
        values::reset();
        Self {
            sets: [
                Set::Of(Arc::new(Registry::new())),
                Set::Of(Arc::new(Registry::with_limit(LIMIT))),
                Set::Wide(Arc::new(Registry::new())),
            ],
            live: [0; 5],
            created: [0; 3],
            known: Vec::new(),
            index: Numbers::default(),
            held: [Vec::new(), Vec::new()],
            drops: 0,
            operations: 0,
            budget: 4 * HELPED,
            past: PAST.lock().unwrap().take().unwrap_or_default(),
            helper: Some(HELPER.lock().unwrap().take().unwrap_or_else(Helper::start)),
        }
    }

    /// Nothing is left behind, also not for the next input.
    fn end(mut self) {
        for who in [0, 1] {
            while !self.held[who].is_empty() {
                self.let_go(who, 0);
                self.settle();
            }
        }
        for home in 0..DEFAULT {
            self.renew(0, home);
            self.settle();
        }
        for number in 0.. {
            // Drops may make more.
            match self.known.get(number) {
                Some(known) if known.live => {
                    let (bits, wide) = (known.bits, known.wide);
                    self.remove(0, bits, Door::Any { wide }, false);
                    self.settle();
                }
                Some(_) => {}
                None => break,
            }
        }
        assert!(self.known.iter().all(|known| known.dropped == known.real && !known.is_held()));
        assert_eq!(self.live, [0; 5]);
        *PAST.lock().unwrap() = Some(self.past);
        *HELPER.lock().unwrap() = self.helper;
    }

    fn on<R: Send + 'static>(&self, who: usize, work: impl FnOnce() -> R + Send + 'static) -> R {
        match (who, &self.helper) {
            (1, Some(helper)) => helper.run(work),
            _ => work(),
        }
    }

    fn afford(&mut self, cost: u32) -> bool {
        let affordable = self.budget >= cost;
        self.budget -= if affordable { cost } else { 0 };
        affordable
    }

    // ---- what the input says ----

    fn step(&mut self, bytes: &mut Bytes<'_>) -> Option<()> {
        let first = bytes.byte()?;
        self.budget = self.budget.saturating_add(1);
        let who = usize::from(first >> 5 == 7 && self.afford(HELPED));
        match first & 31 {
            0..=3 => {
                let home = usize::from(bytes.byte()? % 5);
                let act = self.act(bytes)?;
                self.insert(who, home, act);
            }
            4 => {
                let home = usize::from(bytes.byte()?);
                self.insert_with(who, home % 3, home & 8 != 0);
            }
            5..=9 => {
                let (bits, door) = (self.bits(bytes)?, self.door(bytes)?);
                self.get(who, bits, door);
            }
            10..=12 => {
                let (bits, door) = (self.bits(bytes)?, self.door(bytes)?);
                self.remove(who, bits, door, false);
            }
            13 | 14 => {
                let (bits, door) = (self.bits(bytes)?, self.door(bytes)?);
                self.remove(who, bits, door, true);
            }
            15..=18 => {
                let (bits, wide) = (self.bits(bytes)?, bytes.byte()? & 1 == 1);
                self.hold(who, bits, wide);
            }
            19 => drop(self.guard(who, bytes)?.map(|guard| self.share(who, guard))),
            20 => drop(self.guard(who, bytes)?.map(|guard| self.hand_over(who, guard))),
            21..=24 => drop(self.guard(who, bytes)?.map(|guard| self.let_go(who, guard))),
            25 => self.look(who),
            26 => {
                // The Go pair panics, and says what `get` and `remove` say.
                let (bits, delete) = (self.bits(bytes)?, bytes.byte()? & 1 == 1);
                self.go(who, bits, delete);
            }
            27 => {
                let home = usize::from(bytes.byte()?);
                match home & 8 {
                    0 => self.clear(who, home % 3),
                    _ => self.renew(who, home % 3),
                }
            }
            28 => {
                if bytes.byte()? < 64 && self.afford(2 * HELPED) {
                    self.full_check();
                }
            }
            29 => {
                if bytes.byte()? < 32 && self.afford(8 * HELPED) {
                    self.end_helper();
                }
            }
            30 => {
                let bits = self.bits(bytes)?;
                if self.afford(HELPED) {
                    self.two_at_once(bits);
                }
            }
            _ => {
                // A burst: pages fill up.
                let home = usize::from(bytes.byte()? % 5);
                let who = usize::from(who == 1 && self.afford(BURST * HELPED));
                (0..BURST).for_each(|_| self.insert(who, home, Act::Nothing));
                self.operations += u64::from(BURST) - 1;
            }
        }
        Some(())
    }

    fn act(&self, bytes: &mut Bytes<'_>) -> Option<Act> {
        Some(match bytes.byte()? {
            byte @ 0..=15 if byte & 1 == 0 => Act::Panics,
            0..=15 => Act::Creates,
            byte @ 16..=31 => match self.known.len() {
                0 => Act::Nothing,
                length => Act::Removes(self.known[usize::from(byte) % length].bits),
            },
            _ => Act::Nothing,
        })
    }

    /// The bits of a known handle, mostly a late one, or some derived from them. Never zero.
    fn bits(&self, bytes: &mut Bytes<'_>) -> Option<u64> {
        let (which, how) = (usize::from(bytes.byte()?), bytes.byte()?);
        let of = |which: usize| match self.known.len() {
            0 => 1,
            length if which < 192 => self.known[length - 1 - which % length].bits,
            length => self.known[which * 37 % length].bits,
        };
        let bits = match how {
            0..=191 => of(which),
            192..=223 => of(which) ^ (1 << ((u32::from(how) * 2 + which as u32) % 64)),
            224..=231 => of(which).wrapping_add(1 << [0, 1, 13, 19, 33, 34, 40, 63][usize::from(how & 7)]),
            232..=239 => of(which).wrapping_sub(1 << [0, 1, 13, 19, 33, 34, 40, 63][usize::from(how & 7)]),
            240..=247 => of(which) << 31 >> 31 | of(usize::from(how)) >> 33 << 33,
            _ => of(which).wrapping_mul(u64::from(how) * 2 + 1),
        };
        Some(bits.max(1))
    }

    fn door(&self, bytes: &mut Bytes<'_>) -> Option<Door> {
        let byte = bytes.byte()?;
        let wide = byte & 1 == 1;
        Some(match byte >> 1 & 7 {
            0..=2 => Door::Handle { wide },
            3 => Door::Any { wide },
            _ => Door::Registry(usize::from(byte >> 4) % 3),
        })
    }

    fn guard(&self, who: usize, bytes: &mut Bytes<'_>) -> Option<Option<usize>> {
        let byte = usize::from(bytes.byte()?);
        Some((!self.held[who].is_empty()).then(|| byte % self.held[who].len()))
    }

    // ---- what is known ----

    /// What these bits lead to: a number, or an error of this kind.
    fn judge(&self, bits: u64, door: Door) -> Result<usize, ErrorKind> {
        let known = self.index.get(&bits).map(|number| (*number, &self.known[*number]));
        match known {
            _ if bits & 1 == 0 || bits >> 63 == 1 => Err(ErrorKind::Malformed),
            Some((_, known)) if !known.live => Err(ErrorKind::Stale),
            Some((_, known)) if known.wide != door.is_wide() => Err(ErrorKind::WrongType),
            Some((_, known)) if matches!(door, Door::Registry(home) if home != known.home) => {
                Err(ErrorKind::WrongRegistry)
            }
            Some((number, _)) => Ok(number),
            None if self.past.knows(bits) => Err(ErrorKind::Stale),
            None => Err(ErrorKind::Unissued),
        }
    }

    /// Where a page's memory was given back, what it never issued may be told as stale.
    fn agree(&self, bits: u64, result: Result<usize, Error>, expected: Result<usize, ErrorKind>) {
        let expected = match (&result, expected) {
            (Err(error), Err(ErrorKind::Unissued))
                if error.kind() == ErrorKind::Stale && self.past.may_be_stale(bits) =>
            {
                Err(ErrorKind::Stale)
            }
            (_, expected) => expected,
        };
        agree(bits, result, expected);
    }

    fn learn(&mut self, number: usize, bits: u64, home: usize, act: Option<Act>) {
        self.past.learn(bits);
        self.index.insert(bits, number);
        assert_eq!(number, self.known.len(), "numbers come in order");
        self.known.push(Known {
            bits,
            home,
            wide: home == WIDES || home == DEFAULT_WIDE,
            live: act.is_some(),
            holds: [0, 0],
            real: act.is_some(),
            dropped: false,
            act: act.unwrap_or(Act::Nothing),
        });
        self.live[home] += usize::from(act.is_some());
        if let Some(created) = self.created.get_mut(home) {
            *created += 1;
        }
    }

    /// A handle is removed: `true` where its value goes at once.
    fn close(&mut self, number: usize) -> bool {
        let known = &mut self.known[number];
        assert!(std::mem::take(&mut known.live));
        if let Some(live) = self.live.get_mut(known.home) {
            *live -= 1;
        }
        let alone = !known.is_held();
        if alone {
            self.dropped(number);
        }
        alone
    }

    /// A value is dropped, and does what it does.
    fn dropped(&mut self, number: usize) {
        let known = &mut self.known[number];
        assert!(known.real && !std::mem::replace(&mut known.dropped, true));
        self.drops += 1;
        if let Act::Removes(bits) = known.act
            && let Some(&other) = self.index.get(&bits)
            && self.known[other].live
        {
            self.close(other);
        }
    }

    fn panics(&self, number: usize) -> bool {
        self.known[number].act == Act::Panics
    }

    /// After each operation: what drops made is learnt, and nothing was dropped but what had to be.
    fn settle(&mut self) {
        for (number, bits) in values::born() {
            self.learn(number, bits, DEFAULT, Some(Act::Nothing));
        }
        assert_eq!(values::drops(), self.drops, "S5, S6");
    }

    // ---- operations ----

    fn insert(&mut self, who: usize, home: usize, act: Act) {
        let Some(value) = Value::new(act) else { return };
        let number = value.number();
        let set = self.sets.get(home).cloned();
        let result = self.on(who, move || match set {
            None if home == DEFAULT => Ok(Handle::new(value).to_bits()),
            None => Ok(Handle::new(Wide::of(value)).to_bits()),
            Some(Set::Of(set)) => set.try_insert(value).map(Handle::to_bits).map_err(|full| full.0),
            Some(Set::Wide(set)) => Ok(set.insert(Wide::of(value)).to_bits()),
        });
        let full = home == LIMITED && self.live[LIMITED] == LIMIT;
        assert_eq!(result.is_err(), full, "the limit");
        match result {
            Ok(bits) => self.learn(number, bits, home, Some(act)),
            Err(value) => value.undo(),
        }
    }

    fn insert_with(&mut self, who: usize, home: usize, panics: bool) {
        if home == LIMITED && self.live[LIMITED] == LIMIT {
            return;
        }
        let Some(value) = Value::new(Act::Nothing) else { return };
        let number = value.number();
        let set = self.sets[home].clone();
        let (made, told) = self.on(who, move || {
            let mut told = 0;
            let mut value = Some(value);
            let mut make = |bits: u64, taken: bool, removed: bool| {
                assert!(!taken && !removed, "there is no value yet");
                told = bits;
                if panics {
                    panic!("no value");
                }
                value.take()
            };
            let made = may_panic(|| match &set {
                Set::Of(set) => set
                    .insert_with(|me| {
                        let value = make(me.to_bits(), me.get().is_ok(), set.remove(me).is_ok());
                        value.unwrap()
                    })
                    .to_bits(),
                Set::Wide(set) => set
                    .insert_with(|me| {
                        let value =
                            make(me.to_bits(), set.contains(me), AnyHandle::from(me).remove().is_ok());
                        Wide::of(value.unwrap())
                    })
                    .to_bits(),
            });
            (made, (told, value))
        });
        let (bits, left) = told;
        assert_eq!(made, (!panics).then_some(bits));
        assert_eq!(left.is_some(), panics);
        self.learn(number, bits, home, (!panics).then_some(Act::Nothing));
        if let Some(value) = left {
            // Its number stays with the handle that was disclosed.
            value.drop_quietly();
            self.drops += 1;
        }
    }

    fn get(&mut self, who: usize, bits: u64, door: Door) {
        let set = self.set(door);
        let result = self.on(who, move || -> Result<usize, Error> {
            match set {
                Some(Set::Of(set)) => through(&set, bits),
                Some(Set::Wide(set)) => through(&set, bits),
                None if door.is_wide() => plainly::<Wide>(bits, matches!(door, Door::Any { .. })),
                None => plainly::<Value>(bits, matches!(door, Door::Any { .. })),
            }
        });
        self.agree(bits, result, self.judge(bits, door));
    }

    fn set(&self, door: Door) -> Option<Set> {
        match door {
            Door::Registry(home) => Some(self.sets[home].clone()),
            _ => None,
        }
    }

    /// `remove`, or `take`, which also gives the value's number.
    fn remove(&mut self, who: usize, bits: u64, door: Door, take: bool) {
        let set = self.set(door);
        let take = take && !matches!(door, Door::Any { .. });
        let result = self.on(who, move || {
            may_panic(|| match set {
                Some(Set::Of(set)) => remove_from(&set, bits, take),
                Some(Set::Wide(set)) => remove_from(&set, bits, take),
                None if matches!(door, Door::Any { .. }) => {
                    let any = AnyHandle::from_bits(bits).unwrap();
                    any.remove().map(|removal| (removal, None))
                }
                None if door.is_wide() => remove_plainly::<Wide>(bits, take),
                None => remove_plainly::<Value>(bits, take),
            })
        });
        // Whoever removes by `AnyHandle` does not ask for the type.
        let expected = match (self.judge(bits, door), door) {
            (Err(ErrorKind::WrongType), Door::Any { wide }) => self.judge(bits, Door::Any { wide: !wide }),
            (expected, _) => expected,
        };
        let Ok(number) = expected else {
            let error = result.expect("no panic").map(|_| usize::MAX);
            return self.agree(bits, error, expected);
        };
        let panics = self.panics(number) && !take;
        let alone = self.close(number);
        match result {
            None => assert!(panics && alone, "only its own drop may panic"),
            Some(Err(error)) => panic!("{bits:#x} is live, and not: {error}"),
            Some(Ok((removal, taken))) => {
                assert!(!(panics && alone), "the panic was lost");
                assert_eq!(removal, if alone { Removal::Dropped } else { Removal::Deferred });
                assert_eq!(taken, (take && alone).then_some(number));
            }
        }
    }

    fn go(&mut self, who: usize, bits: u64, delete: bool) {
        let door = Door::Handle { wide: false };
        let result = self.on(who, move || {
            may_panic(|| {
                let handle = Handle::<Value>::from_bits(bits).unwrap();
                if delete {
                    handle.delete();
                    return None;
                }
                Some(handle.value().number())
            })
        });
        match self.judge(bits, door) {
            Err(_) => assert_eq!(result, None, "misuse panics"),
            Ok(number) if delete => {
                let panics = self.panics(number);
                let alone = self.close(number);
                assert_eq!(result, (!(panics && alone)).then_some(None));
            }
            Ok(number) => assert_eq!(result, Some(Some(number))),
        }
    }

    fn hold(&mut self, who: usize, bits: u64, wide: bool) {
        if self.held[who].len() >= 24 {
            return;
        }
        let result = self.on(who, move || -> Result<usize, Error> {
            let guard = match wide {
                false => Guard::Plain(Handle::<Value>::from_bits(bits).unwrap().get()?),
                true => Guard::Wide(Handle::<Wide>::from_bits(bits).unwrap().get()?),
            };
            let number = guard.number();
            with_guards(|guards| guards.push(guard));
            Ok(number)
        });
        let expected = self.judge(bits, Door::Handle { wide });
        self.agree(bits, result, expected);
        if let Ok(number) = expected {
            self.known[number].holds[who] += 1;
            self.held[who].push((number, false));
        }
    }

    /// Turns a guard into a shared one, or clones one that is.
    fn share(&mut self, who: usize, guard: usize) {
        let (number, shared) = self.held[who][guard];
        if shared && self.held[who].len() >= 24 {
            return;
        }
        self.on(who, move || {
            with_guards(|guards| {
                let shared = match guards.swap_remove(guard) {
                    Guard::Plain(guard) => Guard::Shared(Ref::into_shared(guard)),
                    Guard::Wide(guard) => Guard::SharedWide(Ref::into_shared(guard)),
                    Guard::Shared(guard) => {
                        guards.push(Guard::Shared(guard.clone()));
                        Guard::Shared(guard)
                    }
                    Guard::SharedWide(guard) => {
                        guards.push(Guard::SharedWide(guard.clone()));
                        Guard::SharedWide(guard)
                    }
                };
                assert_eq!(shared.number(), number);
                guards.push(shared);
            });
        });
        self.held[who].swap_remove(guard);
        self.held[who].extend(std::iter::repeat_n((number, true), 1 + usize::from(shared)));
        self.known[number].holds[who] += u32::from(shared);
    }

    /// Gives a shared guard to the other thread.
    fn hand_over(&mut self, who: usize, guard: usize) {
        let (number, shared) = self.held[who][guard];
        if !shared {
            return;
        }
        let moved = self.on(who, move || with_guards(|guards| guards.swap_remove(guard)).into_shared());
        self.on(1 - who, move || with_guards(|guards| guards.push(moved.into_guard())));
        self.held[who].swap_remove(guard);
        self.held[1 - who].push((number, true));
        self.known[number].holds[who] -= 1;
        self.known[number].holds[1 - who] += 1;
    }

    fn let_go(&mut self, who: usize, guard: usize) {
        let (number, _) = self.held[who].swap_remove(guard);
        self.known[number].holds[who] -= 1;
        let last = !self.known[number].live && !self.known[number].is_held();
        let panics = last && self.panics(number);
        if last {
            self.dropped(number);
        }
        let passed = self.on(who, move || {
            // Outside of the borrow: the drop may use haft, and panic.
            let guard = with_guards(|guards| guards.swap_remove(guard));
            assert_eq!(guard.number(), number);
            may_panic(|| drop(guard)).is_some()
        });
        assert_eq!(passed, !panics);
    }

    /// All guards of a thread still lead to their values.
    fn look(&mut self, who: usize) {
        let seen =
            self.on(who, || with_guards(|guards| guards.iter().map(Guard::number).collect::<Vec<_>>()));
        assert!(seen.iter().eq(self.held[who].iter().map(|(number, _)| number)));
    }

    fn clear(&mut self, who: usize, home: usize) {
        let set = self.sets[home].clone();
        let passed = self.on(who, move || {
            may_panic(|| match &set {
                Set::Of(set) => set.clear(),
                Set::Wide(set) => set.clear(),
            })
            .is_some()
        });
        self.emptied(home, passed);
    }

    /// Drops a registry and makes another in its place.
    fn renew(&mut self, who: usize, home: usize) {
        let new = match home {
            WIDES => Set::Wide(Arc::new(Registry::new())),
            LIMITED => Set::Of(Arc::new(Registry::with_limit(LIMIT))),
            _ => Set::Of(Arc::new(Registry::new())),
        };
        let old = std::mem::replace(&mut self.sets[home], new);
        let passed = self.on(who, move || may_panic(|| drop(old)).is_some());
        self.emptied(home, passed);
        self.created[home] = 0;
        for known in self.known.iter_mut().filter(|known| known.home == home) {
            known.home = GONE;
        }
    }

    fn emptied(&mut self, home: usize, passed: bool) {
        let mut panics = false;
        for number in 0..self.known.len() {
            // (A drop may have removed others meanwhile.)
            if self.known[number].home == home && self.known[number].live {
                panics |= self.panics(number) & self.close(number);
            }
        }
        // A value that another one's drop removed panics there, not here.
        assert!(passed || self.known.iter().any(|known| known.act == Act::Panics), "a panic from nowhere");
        let removers = self.known.iter().any(|known| matches!(known.act, Act::Removes(_)));
        assert!(passed != panics || removers, "the panic was lost");
    }

    /// The second thread ends, and another takes its place. What does not panic is left to the end of the thread.
    fn end_helper(&mut self) {
        while let Some(guard) = self.held[1].iter().position(|(number, _)| self.panics(*number)) {
            self.let_go(1, guard);
            self.settle();
        }
        for (number, _) in std::mem::take(&mut self.held[1]) {
            let known = &mut self.known[number];
            known.holds[1] -= 1;
            if !known.live && !known.is_held() {
                self.dropped(number);
            }
        }
        self.helper.take().unwrap().end();
        self.helper = Some(Helper::start());
    }

    /// Both threads remove the same handle at the same time: S4.
    fn two_at_once(&mut self, bits: u64) {
        let expected = self.judge(bits, Door::Handle { wide: false });
        let any = AnyHandle::from_bits(bits).unwrap();
        let (tell, told) = mpsc::channel();
        let helper = self.helper.as_ref().unwrap();
        let there = move || {
            tell.send(may_panic(|| any.remove().is_ok()).unwrap_or(true)).unwrap();
        };
        helper.work.send(Box::new(there)).unwrap();
        let here = may_panic(|| any.remove().is_ok()).unwrap_or(true);
        let there = told.recv().unwrap();
        let live = !matches!(expected, Err(kind) if kind != ErrorKind::WrongType);
        assert_eq!(u8::from(here) + u8::from(there), u8::from(live), "S4: {bits:#x}");
        if live {
            self.close(self.index[&bits]);
        }
        // Until the helper is done with what the drop made.
        self.on(1, || ());
    }

    /// Everything that can be asked about all.
    fn full_check(&mut self) {
        for (home, set) in self.sets.iter().enumerate() {
            let (mut live, stats, length): (Vec<u64>, _, _) = match set {
                Set::Of(set) => {
                    (set.live().map(|live| live.handle.to_bits()).collect(), set.stats(), set.len())
                }
                Set::Wide(set) => {
                    (set.live().map(|live| live.handle.to_bits()).collect(), set.stats(), set.len())
                }
            };
            let own = |known: &&Known| known.home == home;
            let mut expected: Vec<u64> =
                self.known.iter().filter(own).filter(|known| known.live).map(|known| known.bits).collect();
            live.sort_unstable();
            expected.sort_unstable();
            assert_eq!((live, length), (expected, self.live[home]));
            let deferred = self.known.iter().filter(own).filter(|known| !known.live && known.is_held());
            assert_eq!((stats.created, stats.deferred), (self.created[home], deferred.count()));
            assert_eq!(stats.created - stats.removed, stats.live as u64);
        }
        for (number, known) in self.known.iter().enumerate() {
            assert!(!known.real || known.dropped == values::is_dropped(number), "{number}");
        }
        // The process has nothing but these.
        let leaks = haft::leaks();
        let deferred = self.known.iter().filter(|known| known.real && !known.live && known.is_held()).count();
        assert_eq!(leaks.count(), self.live.iter().sum());
        assert_eq!(leaks.iter().map(|leak| leak.deferred).sum::<usize>(), deferred);
        let stats = haft::stats();
        assert_eq!((stats.live, stats.deferred), (leaks.count(), deferred));
    }
}

/// A guard that may go to another thread.
enum Moved {
    Value(SharedRef<'static, Value>),
    Wide(SharedRef<'static, Wide>),
}

impl Guard {
    fn into_shared(self) -> Moved {
        match self {
            Self::Shared(guard) => Moved::Value(guard),
            Self::SharedWide(guard) => Moved::Wide(guard),
            _ => unreachable!("only shared guards move"),
        }
    }
}

impl Moved {
    fn into_guard(self) -> Guard {
        match self {
            Self::Value(guard) => Guard::Shared(guard),
            Self::Wide(guard) => Guard::SharedWide(guard),
        }
    }
}

fn through<T: Holds>(set: &Registry<T>, bits: u64) -> Result<usize, Error> {
    let handle = Handle::<T>::from_bits(bits).unwrap();
    let result = set.get(handle).map(|guard| {
        assert_eq!(Ref::handle(&guard), handle);
        guard.value().number()
    });
    assert_eq!(set.contains(handle), result.is_ok());
    result
}

fn plainly<T: Holds>(bits: u64, any: bool) -> Result<usize, Error> {
    let handle = Handle::<T>::from_bits(bits).unwrap();
    let any_handle = AnyHandle::from(handle);
    let result = match any {
        true => any_handle.downcast::<T>().and_then(Handle::get).map(|guard| guard.value().number()),
        false => handle.get().map(|guard| guard.value().number()),
    };
    assert_eq!(handle.is_live(), result.is_ok());
    if result.is_ok() {
        assert_eq!(any_handle.type_name().unwrap(), std::any::type_name::<T>());
    }
    result
}

type Removed = Result<(Removal, Option<usize>), Error>;

fn taken<T: Holds>(value: Option<T>) -> (Removal, Option<usize>) {
    match value {
        None => (Removal::Deferred, None),
        Some(value) => {
            let number = value.value().number();
            // It is ours; its own panic would be, too.
            may_panic(|| drop(value));
            (Removal::Dropped, Some(number))
        }
    }
}

fn remove_from<T: Holds>(set: &Registry<T>, bits: u64, take: bool) -> Removed {
    let handle = Handle::<T>::from_bits(bits).unwrap();
    match take {
        true => set.take(handle).map(taken),
        false => set.remove(handle).map(|removal| (removal, None)),
    }
}

fn remove_plainly<T: Holds>(bits: u64, take: bool) -> Removed {
    let handle = Handle::<T>::from_bits(bits).unwrap();
    match take {
        true => handle.take().map(taken),
        false => handle.remove().map(|removal| (removal, None)),
    }
}

#[track_caller]
fn agree(bits: u64, result: Result<usize, Error>, expected: Result<usize, ErrorKind>) {
    match (result, expected) {
        (Ok(number), Ok(known)) => assert_eq!(number, known, "{bits:#x} leads to another value"),
        (Err(error), Err(kind)) => assert_eq!(error.kind(), kind, "{error:?}"),
        (result, expected) => panic!("{bits:#x}: {result:?}, and not {expected:?}"),
    }
}
