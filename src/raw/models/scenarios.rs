//! Larger scenarios with random schedules, by shuttle:
//! `RUSTFLAGS="--cfg haft_loom --cfg haft_shuttle" cargo test --release --lib models`.
//!
//! Five threads do everything at random to the same few handles. shuttle runs what the processor could do
//! if it never reordered anything: it finds wrong protocols, not missing orderings; those are loom's.
//! `HAFT_SHUTTLE` is how many times as many schedules are tried.

use super::*;
use shuttle::rand::{Rng, thread_rng};
use std::sync::Mutex;

const THREADS: usize = 5;
const STEPS: usize = 12;

/// Schedules to try.
pub(super) fn iterations(base: usize) -> usize {
    base * std::env::var("HAFT_SHUTTLE").map_or(1, |factor| factor.parse().expect("HAFT_SHUTTLE is a number"))
}

/// What one handle's value went through, and who removed it.
struct Entry {
    handle: u64,
    drops: Drops,
    removals: AtomicUsize,
}

/// What the threads tell each other, outside of what is modelled.
#[derive(Default)]
struct Board {
    entries: Mutex<Vec<Arc<Entry>>>,
    /// Shared guards on their way from thread to thread.
    post: Mutex<Vec<Carried>>,
}

impl Board {
    fn enter(&self, handle: u64, drops: Drops) {
        let mut entries = self.entries.lock().unwrap();
        assert!(entries.iter().all(|entry| entry.handle != handle), "{handle:#x} was issued twice");
        entries.push(Arc::new(Entry { handle, drops, removals: AtomicUsize::new(0) }));
    }

    fn any(&self) -> Option<Arc<Entry>> {
        let entries = self.entries.lock().unwrap();
        let recent = entries.len().min(6);
        (recent > 0).then(|| entries[entries.len() - 1 - thread_rng().gen_range(0..recent)].clone())
    }
}

/// One thread and what it has.
struct Worker {
    owner: Owner,
    board: Arc<Board>,
    holds: Vec<Hold<Probe>>,
}

impl Worker {
    fn create(&self, owner: Owner) {
        // SAFETY(I6): this thread has claimed the record.
        let Ok(popped) = (unsafe { create::pop::<Probe>(owner.shard) }) else { return };
        let drops = Drops::default();
        // SAFETY(I3): just popped, in a set of probes.
        let handle = unsafe { create::fill(popped, drops.probe(), 1) }.get();
        self.board.enter(handle, drops);
    }

    fn look_up(&mut self) {
        let Some(entry) = self.board.any() else { return };
        // The handle, or a guess near it.
        let guess = entry.handle + [0, 0, 0, 0, 0, 2, 1 << 33][thread_rng().gen_range(0..7)];
        if let Some(hold) = self.owner.world.get(self.owner.record, guess) {
            assert_eq!(hold.token.handle(), guess);
            self.holds.push(hold);
        }
    }

    fn let_go(&mut self, hold: Hold<Probe>) {
        self.owner.world.release(Some(self.owner.record), &hold);
    }

    fn let_one_go(&mut self) {
        if !self.holds.is_empty() {
            let hold = self.holds.swap_remove(thread_rng().gen_range(0..self.holds.len()));
            self.let_go(hold);
        }
    }

    fn remove(&self) {
        let Some(entry) = self.board.any() else { return };
        let me = self.owner.record;
        if thread_rng().gen_bool(0.3) {
            // The quick way first, as threads do it.
            if self.owner.remove(entry.handle).is_some() {
                assert_eq!(entry.removals.fetch_add(1, SeqCst), 0, "removed twice");
            }
            return;
        }
        match self.owner.world.close(me, entry.handle) {
            None => return,
            Some(Closed::Held) => {}
            Some(Closed::Alone(alone)) if thread_rng().gen_bool(0.5) => alone.drop_value(Some(me)),
            // SAFETY(I3): the page holds probes.
            Some(Closed::Alone(alone)) => drop(unsafe { alone.take_value::<Probe>(Some(me)) }),
        }
        assert_eq!(entry.removals.fetch_add(1, SeqCst), 0, "removed twice");
    }

    fn share(&mut self) {
        let Some(mut hold) = self.holds.pop() else { return };
        assert!(hold.token.count(self.owner.world.space, Some(self.owner.record)));
        self.board.post.lock().unwrap().push(Carried(hold));
    }

    fn receive(&mut self) {
        let received = self.board.post.lock().unwrap().pop();
        if let Some(Carried(hold)) = received {
            self.let_go(hold);
        }
    }

    /// The thread ends with guards in its cells, and the next one with its number goes on.
    fn end(&mut self) {
        raw_lookup::disclaim(self.owner.world.space, self.owner.record);
        let left = std::mem::take(&mut self.holds);
        let claimed = self.owner.record.claim();
        assert!(claimed, "nobody else has this number");
        for hold in left {
            self.owner.world.release(None, &hold);
        }
    }

    /// A registry comes and goes.
    fn visit_another_registry(&self) {
        let another = self.owner.world.another();
        self.create(another.owner_with(self.owner.record));
        thread::yield_now();
        another.retire(self.owner.record);
    }

    fn run(mut self) {
        for _ in 0..STEPS {
            match thread_rng().gen_range(0..16) {
                0..3 => self.create(self.owner),
                3..7 => self.look_up(),
                7..9 => self.let_one_go(),
                9..12 => self.remove(),
                12 => self.share(),
                13 => self.receive(),
                14 => self.end(),
                _ => self.visit_another_registry(),
            }
        }
        while let Some(hold) = self.holds.pop() {
            self.let_go(hold);
        }
    }
}

fn everything_at_once(barrier: Asymmetric) {
    ASYMMETRIC.set(barrier);
    let world = World::new(2);
    let board = Arc::new(Board::default());
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let (owner, board) = (world.owner(), board.clone());
            thread::spawn(move || Worker { owner, board, holds: Vec::new() }.run())
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let me = world.record();
    for Carried(hold) in board.post.lock().unwrap().drain(..) {
        world.release(Some(me), &hold);
    }
    for entry in board.entries.lock().unwrap().iter() {
        world.remove(me, entry.handle);
        assert_eq!(entry.drops.count(), 1, "{:#x} was dropped so many times", entry.handle);
    }
    assert_eq!(world.live(), 0);
}

#[test]
fn s1_to_s7_five_threads_do_everything_at_once() {
    let schedules = iterations(10_000);
    shuttle::check_random(|| everything_at_once(Asymmetric::Works), schedules);
    println!("explored {schedules} executions");
}

#[test]
fn s1_to_s7_five_threads_do_everything_at_once_without_the_systems_barrier() {
    let schedules = iterations(10_000);
    shuttle::check_random(|| everything_at_once(Asymmetric::Missing), schedules);
    println!("explored {schedules} executions");
}

/// Few preemptions at unlikely moments, where the ones before are many at likely ones.
#[test]
fn s1_to_s7_five_threads_with_three_preemptions() {
    let schedules = iterations(10_000);
    shuttle::check_pct(|| everything_at_once(Asymmetric::Works), schedules, 3);
    println!("explored {schedules} executions");
}
