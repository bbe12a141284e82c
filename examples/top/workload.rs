//! A server in small: some threads take requests, one keeps sessions, one a cache, and somebody forgets something now and then.

use haft::{Handle, Ref, Registry};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

struct Session(u64);

struct Request {
    session: Handle<Session>,
    body: [u8; 64],
}

struct CacheEntry(Vec<u8>);

/// What a request that was cancelled leaves behind: the leak.
struct Completion(#[expect(dead_code, reason = "it only waits")] u64);

static CACHE: Registry<CacheEntry> = Registry::new();

/// Starts all threads; they run until the process ends.
pub(crate) fn start() {
    let (moved, answered) = channel();
    for seed in 1..=2 {
        let moved = moved.clone();
        thread::spawn(move || requests(seed, &moved));
    }
    thread::spawn(move || answers(&answered));
    thread::spawn(sessions);
    thread::spawn(cache);
}

fn pause(milliseconds: u64) {
    thread::sleep(Duration::from_millis(milliseconds));
}

/// A number that looks random (xorshift, Marsaglia 2003).
fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

/// Creates and uses requests in bursts; another thread removes them.
fn requests(mut seed: u64, moved: &Sender<Handle<Request>>) {
    let session = Handle::new(Session(seed));
    let mut round = 0_u64;
    loop {
        // Traffic rises and falls.
        let burst = 10 + 4 * (round % 64).abs_diff(32) + random(&mut seed) % 20;
        for _ in 0..burst {
            let request = Handle::new(Request { session, body: [1; 64] });
            let sum: u32 = match request.get() {
                Ok(request) => request.body.iter().map(|byte| u32::from(*byte)).sum(),
                Err(error) => panic!("{error}"),
            };
            if sum != 64 || moved.send(request).is_err() {
                return;
            }
        }
        round += 1;
        if round % 4 == 0 {
            // Cancelled: nobody will ever remove it.
            let _ = Handle::new(Completion(round));
        }
        pause(20);
    }
}

/// Looks requests up and removes them, at its own pace.
fn answers(answered: &Receiver<Handle<Request>>) {
    loop {
        for request in answered.try_iter() {
            let number = |request: Ref<'_, Request>| request.session.get().map(|session| session.0);
            match request.get().and_then(number) {
                Ok(number) if number > 0 => request.delete(),
                other => panic!("a request without its session: {other:?}"),
            }
        }
        pause(35);
    }
}

/// Logs users in and out; a few values stay in use for a while after their removal.
fn sessions() {
    let (mut seed, mut live, mut held) = (99, Vec::new(), Vec::new());
    loop {
        for _ in 0..random(&mut seed) % 30 {
            live.push(Handle::new(Session(random(&mut seed))));
        }
        while live.len() > 300 + (random(&mut seed) % 200) as usize {
            let session = live.swap_remove(random(&mut seed) as usize % live.len());
            if random(&mut seed) % 50 == 0 {
                held.extend(session.get().map(Ref::into_shared));
            }
            session.delete();
        }
        if held.len() > 5 {
            held.clear();
        }
        pause(25);
    }
}

/// Fills a cache to its limit, and empties it now and then.
fn cache() {
    loop {
        for size in 0..400 {
            let entry = CACHE.insert(CacheEntry(vec![0; size]));
            assert!(CACHE.get(entry).is_ok_and(|entry| entry.0.len() == size));
            pause(4);
        }
        CACHE.clear();
    }
}
