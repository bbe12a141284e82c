//! Random operations of simulated threads against a model that is a `HashMap`.
//!
//! Three real threads take turns, one operation at a time, so that every result is known in advance. A thread may end and be replaced; its
//! guards go with it.

use haft::{AnyHandle, ErrorKind, Handle, Ref, Registry, Removal, SharedRef};
use proptest::prelude::*;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

const THREADS: usize = 3;
const REGISTRIES: usize = 2;

/// Each drop tells its number.
struct Value {
    number: u64,
    dropped: Arc<Mutex<HashSet<u64>>>,
}

impl Drop for Value {
    fn drop(&mut self) {
        assert!(self.dropped.lock().unwrap().insert(self.number), "dropped twice");
    }
}

#[derive(Clone, Debug)]
enum Step {
    /// Into registry 0 or 1, or the default one (2).
    Insert(usize),
    InsertWith(usize),
    Get(usize),
    GetIn(usize, usize),
    Hold(usize),
    HoldShared(usize),
    LetGo(usize),
    Remove(usize),
    RemoveIn(usize, usize),
    RemoveAny(usize),
    Take(usize),
    Forged(usize, u32),
    Clear(usize),
    EndThread,
}

fn step() -> impl Strategy<Value = (usize, Step)> {
    let any = 0..64_usize;
    let step = prop_oneof![
        6 => (0..=REGISTRIES).prop_map(Step::Insert),
        1 => (0..REGISTRIES).prop_map(Step::InsertWith),
        4 => any.clone().prop_map(Step::Get),
        2 => (any.clone(), 0..REGISTRIES).prop_map(|(index, registry)| Step::GetIn(index, registry)),
        4 => any.clone().prop_map(Step::Hold),
        2 => any.clone().prop_map(Step::HoldShared),
        4 => any.clone().prop_map(Step::LetGo),
        3 => any.clone().prop_map(Step::Remove),
        1 => (any.clone(), 0..REGISTRIES).prop_map(|(index, registry)| Step::RemoveIn(index, registry)),
        1 => any.clone().prop_map(Step::RemoveAny),
        2 => any.clone().prop_map(Step::Take),
        3 => (any, 1..64_u32).prop_map(|(index, bit)| Step::Forged(index, bit)),
        1 => (0..REGISTRIES).prop_map(Step::Clear),
        1 => Just(Step::EndThread),
    ];
    (0..THREADS, step)
}

type Order = Box<dyn FnOnce(&mut Guards) + Send>;

/// A thread that runs what it is given, with guards of its own.
struct Worker {
    work: mpsc::Sender<Order>,
    thread: thread::JoinHandle<()>,
}

#[derive(Default)]
struct Guards {
    refs: Vec<Ref<'static, Value>>,
    shared: Vec<SharedRef<'static, Value>>,
}

impl Worker {
    fn start() -> Self {
        let (work, orders) = mpsc::channel::<Order>();
        let thread = thread::spawn(move || {
            let mut guards = Guards::default();
            orders.iter().for_each(|order| order(&mut guards));
        });
        Self { work, thread }
    }

    fn run<R: Send + 'static>(&self, order: impl FnOnce(&mut Guards) -> R + Send + 'static) -> R {
        let (tell, result) = mpsc::channel();
        self.work.send(Box::new(move |guards| tell.send(order(guards)).unwrap())).unwrap();
        result.recv().expect("the worker panicked")
    }

    fn end(self) {
        drop(self.work);
        self.thread.join().unwrap();
    }
}

/// What is known of one handle.
struct Known {
    handle: Handle<Value>,
    registry: usize,
    live: bool,
    /// How many guards hold it.
    holds: usize,
}

fn run(steps: Vec<(usize, Step)>) {
    let registries: [Arc<Registry<Value>>; REGISTRIES] = std::array::from_fn(|_| Arc::new(Registry::new()));
    let dropped = Arc::new(Mutex::new(HashSet::new()));
    let mut workers: Vec<Worker> = (0..THREADS).map(|_| Worker::start()).collect();
    // Per worker, which handles its guards hold, in their order: plain ones, then shared ones.
    let mut held: Vec<(Vec<usize>, Vec<usize>)> = vec![Default::default(); THREADS];
    let mut known: Vec<Known> = Vec::new();
    let mut issued: HashMap<u64, usize> = HashMap::new();

    for (who, step) in steps {
        let worker = &workers[who];
        let pick = |index: usize| (!known.is_empty()).then(|| index % known.len().max(1));
        let gone = |known: &Known| !known.live && known.holds == 0;
        match step {
            Step::Insert(registry) | Step::InsertWith(registry) => {
                let value = Value { number: known.len() as u64, dropped: dropped.clone() };
                let set = registries.get(registry).cloned();
                let with = matches!(step, Step::InsertWith(_));
                let handle = worker.run(move |_| match set {
                    Some(set) if with => set.insert_with(|_| value),
                    Some(set) => set.insert(value),
                    None => Handle::new(value),
                });
                assert_eq!(issued.insert(handle.to_bits(), known.len()), None, "a handle twice");
                known.push(Known { handle, registry, live: true, holds: 0 });
            }
            Step::Get(index) => {
                let Some(index) = pick(index) else { continue };
                let handle = known[index].handle;
                let result =
                    worker.run(move |_| handle.get().map(|value| value.number).map_err(|error| error.kind()));
                let expected = if known[index].live { Ok(index as u64) } else { Err(ErrorKind::Stale) };
                assert_eq!(result, expected);
            }
            Step::GetIn(index, registry) => {
                let Some(index) = pick(index) else { continue };
                let (handle, set) = (known[index].handle, registries[registry].clone());
                let result = worker
                    .run(move |_| set.get(handle).map(|value| value.number).map_err(|error| error.kind()));
                let expected = match (known[index].live, known[index].registry == registry) {
                    (true, true) => Ok(index as u64),
                    (true, false) => Err(ErrorKind::WrongRegistry),
                    (false, _) => Err(ErrorKind::Stale),
                };
                assert_eq!(result, expected);
            }
            Step::Hold(index) | Step::HoldShared(index) => {
                let Some(index) = pick(index) else { continue };
                let (handle, shared) = (known[index].handle, matches!(step, Step::HoldShared(_)));
                let got = worker.run(move |guards| match handle.get() {
                    Ok(guard) if shared => {
                        let guard = Ref::into_shared(guard);
                        guards.shared.push(guard.clone());
                        true
                    }
                    Ok(guard) => {
                        guards.refs.push(guard);
                        true
                    }
                    Err(_) => false,
                });
                assert_eq!(got, known[index].live);
                if got {
                    known[index].holds += 1;
                    if shared { held[who].1.push(index) } else { held[who].0.push(index) }
                }
            }
            Step::LetGo(index) => {
                let (plain, shared) = &mut held[who];
                let count = plain.len() + shared.len();
                if count == 0 {
                    continue;
                }
                let index = index % count;
                let of = if index < plain.len() {
                    plain.remove(index)
                } else {
                    shared.remove(index - plain.len())
                };
                let number = worker.run(move |guards| {
                    if index < guards.refs.len() {
                        let guard = guards.refs.remove(index);
                        guard.number
                    } else {
                        let guard = guards.shared.remove(index - guards.refs.len());
                        guard.number
                    }
                });
                assert_eq!(number, of as u64);
                known[of].holds -= 1;
            }
            Step::Remove(index) | Step::RemoveAny(index) | Step::RemoveIn(index, _) | Step::Take(index) => {
                let Some(index) = pick(index) else { continue };
                let handle = known[index].handle;
                let set = match step {
                    Step::RemoveIn(_, registry) => Some((registry, registries[registry].clone())),
                    _ => None,
                };
                let right = set.as_ref().is_none_or(|(registry, _)| *registry == known[index].registry);
                let (take, any) = (matches!(step, Step::Take(_)), matches!(step, Step::RemoveAny(_)));
                let result = worker.run(move |_| {
                    let result = match set {
                        Some((_, set)) => set.remove(handle),
                        None if any => AnyHandle::from(handle).remove(),
                        None if take => handle.take().map(|value| match value {
                            Some(_) => Removal::Dropped,
                            None => Removal::Deferred,
                        }),
                        None => handle.remove(),
                    };
                    result.map_err(|error| error.kind())
                });
                let expected = match (known[index].live, right, known[index].holds) {
                    (true, true, 0) => Ok(Removal::Dropped),
                    (true, true, _) => Ok(Removal::Deferred),
                    (true, false, _) => Err(ErrorKind::WrongRegistry),
                    (false, ..) => Err(ErrorKind::Stale),
                };
                assert_eq!(result, expected);
                known[index].live &= result.is_err();
            }
            Step::Forged(index, bit) => {
                let Some(index) = pick(index) else { continue };
                let forged = Handle::<Value>::from_bits(known[index].handle.to_bits() ^ 1 << bit).unwrap();
                let result = worker.run(move |_| forged.get().map(|value| value.number).ok());
                let expected =
                    issued.get(&forged.to_bits()).filter(|of| known[**of].live).map(|of| *of as u64);
                assert_eq!(result, expected);
            }
            Step::Clear(registry) => {
                let set = registries[registry].clone();
                worker.run(move |_| set.clear());
                known
                    .iter_mut()
                    .filter(|known| known.registry == registry)
                    .for_each(|known| known.live = false);
            }
            Step::EndThread => {
                let ended = std::mem::replace(&mut workers[who], Worker::start());
                ended.end();
                let (plain, shared) = std::mem::take(&mut held[who]);
                plain.into_iter().chain(shared).for_each(|of| known[of].holds -= 1);
            }
        }
        // Exactly what is neither live nor held is dropped: not more, and not later.
        let expected: HashSet<u64> = known
            .iter()
            .enumerate()
            .filter(|(_, known)| gone(known))
            .map(|(index, _)| index as u64)
            .collect();
        assert_eq!(*dropped.lock().unwrap(), expected);
        for (index, registry) in registries.iter().enumerate() {
            let live: HashSet<_> = registry.live().map(|live| live.handle).collect();
            let expected: HashSet<_> = known
                .iter()
                .filter(|known| known.live && known.registry == index)
                .map(|known| known.handle)
                .collect();
            assert_eq!(registry.len(), expected.len());
            assert_eq!(live, expected);
        }
    }
    workers.into_iter().for_each(Worker::end);
    drop(registries);
    for known in known.iter().filter(|known| known.live && known.registry == REGISTRIES) {
        known.handle.delete();
    }
    assert_eq!(dropped.lock().unwrap().len(), known.len());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn s1_to_s7_random_operations_agree_with_the_model(steps in prop::collection::vec(step(), 1..200)) {
        run(steps);
    }
}
