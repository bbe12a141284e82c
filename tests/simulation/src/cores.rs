//! Simulated cores: real threads that take turns, so that what a thread has of its own is the production one, and every run is the same.

use crate::mesi::{CORES, Caches};
use haft::simulation::{Access, observe};
use std::cell::{Cell, OnceCell};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, MutexGuard};
use std::thread;

/// When the turn passes to another core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grain {
    /// After a step of the program: each exchange succeeds at once, which favours protocols that retry.
    Step,
    /// Before each access, to a core that a fixed sequence of random numbers chooses.
    Access,
}

/// What a core does, step by step, round after round. It lives on the core's thread.
pub trait Program {
    /// Does one step of a round.
    fn step(&mut self, step: usize);
}

enum Message {
    /// The step is done.
    Done,
    /// The next access waits for its turn.
    Waiting,
}

enum Order {
    Step(usize),
    Go,
}

/// What a core's thread needs to take part.
struct Desk {
    core: usize,
    grain: Grain,
    orders: Receiver<Order>,
    messages: Sender<Message>,
}

static CACHES: Mutex<Option<Caches>> = Mutex::new(None);

thread_local! {
    static DESK: OnceCell<&'static Desk> = const { OnceCell::new() };
    /// Only what happens within a step is simulated.
    static IN_STEP: Cell<bool> = const { Cell::new(false) };
}

fn caches() -> MutexGuard<'static, Option<Caches>> {
    CACHES.lock().expect("nothing panics with it")
}

/// Tells the caches of an access of this thread, when its turn comes.
pub fn access(access: Access) {
    if !IN_STEP.get() {
        return;
    }
    let Some(desk) = DESK.with(|desk| desk.get().copied()) else {
        return;
    };
    if desk.grain == Grain::Access {
        desk.messages.send(Message::Waiting).expect("the scheduler waits");
        assert!(matches!(desk.orders.recv(), Ok(Order::Go)), "it is in the middle of a step");
    }
    caches().get_or_insert_default().access(desk.core, access);
}

struct Core {
    orders: Sender<Order>,
    messages: Receiver<Message>,
}

impl Core {
    fn new<P: Program>(core: usize, grain: Grain, program: impl FnOnce(usize) -> P + Send + 'static) -> Self {
        let (orders, their_orders) = channel();
        let (their_messages, messages) = channel();
        thread::spawn(move || {
            let desk = Desk { core, grain, orders: their_orders, messages: their_messages };
            let desk: &'static Desk = Box::leak(Box::new(desk));
            DESK.with(|own| assert!(own.set(desk).is_ok()));
            let mut program = program(core);
            while let Ok(Order::Step(step)) = desk.orders.recv() {
                IN_STEP.set(true);
                program.step(step);
                IN_STEP.set(false);
                desk.messages.send(Message::Done).expect("the scheduler waits");
            }
        });
        Self { orders, messages }
    }

    fn order(&self, order: Order) {
        self.orders.send(order).expect("the core runs");
    }

    fn message(&self) -> Message {
        self.messages.recv().expect("the core runs: it says above why it does not")
    }
}

/// Marsaglia's xorshift: always the same numbers.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}

/// Runs the programs of so many cores. The caches as they are after the last round.
///
/// Steps that `measured` accepts are counted, after some rounds that warm up.
pub fn run<P: Program>(
    cores: usize,
    grain: Grain,
    steps: usize,
    rounds: (usize, usize),
    measured: impl Fn(usize) -> bool,
    program: impl Fn(usize) -> P + Clone + Send + 'static,
) -> Caches {
    assert!(cores <= CORES, "no more than {CORES} cores");
    observe(access);
    *caches() = None;
    let all: Vec<_> = (0..cores).map(|core| Core::new(core, grain, program.clone())).collect();
    let mut random = Random(1);
    let (warming, counting) = rounds;
    for round in 0..warming + counting {
        for step in 0..steps {
            caches().get_or_insert_default().count(round >= warming && measured(step));
            match grain {
                Grain::Step => {
                    for core in &all {
                        core.order(Order::Step(step));
                        assert!(matches!(core.message(), Message::Done), "it does not wait");
                    }
                }
                Grain::Access => step_by_access(&all, step, &mut random),
            }
        }
    }
    caches().take().expect("something was done")
}

fn step_by_access(all: &[Core], step: usize, random: &mut Random) {
    // All of them stop at their first access, one after the other.
    let mut waiting: Vec<_> = all
        .iter()
        .filter(|core| {
            core.order(Order::Step(step));
            matches!(core.message(), Message::Waiting)
        })
        .collect();
    while !waiting.is_empty() {
        let chosen = random.below(waiting.len());
        waiting[chosen].order(Order::Go);
        if matches!(waiting[chosen].message(), Message::Done) {
            waiting.swap_remove(chosen);
        }
    }
}
