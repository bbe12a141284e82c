//! The account of all values. Each has an entry in a ledger as long as it is there, and knows the entry; whatever does not fit aborts the program.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Ends the program where a promise was broken: at once, since nothing can be relied upon any more.
macro_rules! broken {
    ($($text:tt)*) => {{
        eprintln!("\nBROKEN: {}", format_args!($($text)*));
        std::process::abort()
    }};
}
pub(crate) use broken;

const ENTRIES: usize = 1 << 18;
const KEY: u64 = 0xA11C_E0FF_EE5E_ED00;
const DEAD: u64 = 0xDEAD_DEAD_DEAD_DEAD;

/// The number of the value that is there, 0 for none.
static LEDGER: [AtomicU64; ENTRIES] = [const { AtomicU64::new(0) }; ENTRIES];
static NEXT: AtomicU64 = AtomicU64::new(1);
static CREATED: AtomicU64 = AtomicU64::new(0);
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// The state of a value. Everything is relaxed: it must not order what haft has to order.
pub struct Account {
    number: u64,
    canary: AtomicU64,
    /// Plain memory, written once: what is visible to whoever gets the value, haft alone decides.
    copy: u64,
}

impl Account {
    /// A new value's.
    pub fn open() -> Self {
        // A number whose entry is free; with an entry in use the next.
        let number = (0..ENTRIES).find_map(|_| {
            let number = NEXT.fetch_add(1, Relaxed);
            let entry = &LEDGER[number as usize % ENTRIES];
            entry.compare_exchange(0, number, Relaxed, Relaxed).is_ok().then_some(number)
        });
        let Some(number) = number else { broken!("{ENTRIES} values are there at once: something leaks") };
        CREATED.fetch_add(1, Relaxed);
        Self { number, canary: AtomicU64::new(number ^ KEY), copy: !number }
    }

    /// The number. Aborts where the value is not there.
    pub fn check(&self) -> u64 {
        let (number, canary) = (self.number, self.canary.load(Relaxed));
        match canary ^ KEY {
            sane if sane == number && self.copy == !number => {}
            _ if canary == DEAD => broken!("value {number} was used after its drop"),
            _ => broken!("value {number:#x} has the canary {canary:#x}: this is no value"),
        }
        let entry = LEDGER[number as usize % ENTRIES].load(Relaxed);
        if entry != number {
            broken!("value {number} was used, and its entry has {entry}");
        }
        number
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        let number = self.number;
        match self.canary.swap(DEAD, Relaxed) {
            DEAD => broken!("value {number} was dropped twice"),
            canary if canary ^ KEY != number || self.copy != !number => {
                broken!("{number:#x} was dropped, with the canary {canary:#x}: this is no value")
            }
            _ => {}
        }
        let entry = &LEDGER[number as usize % ENTRIES];
        if let Err(found) = entry.compare_exchange(number, 0, Relaxed, Relaxed) {
            broken!("value {number} was dropped, and its entry has {found}");
        }
        self.copy = 0;
        DROPPED.fetch_add(1, Relaxed);
    }
}

/// Values created, dropped, and found in the ledger.
pub fn totals() -> (u64, u64, u64) {
    let live = LEDGER.iter().filter(|entry| entry.load(Relaxed) != 0).count() as u64;
    (CREATED.load(Relaxed), DROPPED.load(Relaxed), live)
}
