//! Values with an account: each knows whether it is there, and what its drop does beside.

use crate::may_panic;
use haft::{AnyHandle, Handle};
use std::panic::resume_unwind;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering::SeqCst};

/// Values that one input can make.
pub const VALUES: usize = 1 << 14;

const NEVER: u8 = 0;
const THERE: u8 = 1;
const DROPPED: u8 = 2;

static STATES: [AtomicU8; VALUES] = [const { AtomicU8::new(NEVER) }; VALUES];
static NEXT: AtomicUsize = AtomicUsize::new(0);
static DROPS: AtomicUsize = AtomicUsize::new(0);
static BORN: Mutex<Vec<(usize, u64)>> = Mutex::new(Vec::new());
static ANY_BORN: AtomicBool = AtomicBool::new(false);

/// What a drop does beside.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Act {
    /// Nothing.
    Nothing,
    /// Panics.
    Panics,
    /// Removes another handle.
    Removes(u64),
    /// Creates a handle in the default registry.
    Creates,
}

/// A value with a number.
pub struct Value {
    number: usize,
    canary: usize,
    act: Act,
}

/// As a value, of another type and shape.
#[repr(align(64))]
pub struct Wide(Value);

/// What has a [`Value`] in it.
pub trait Holds: Send + Sync + 'static {
    /// Puts it in.
    fn of(value: Value) -> Self;
    /// Looks at it.
    fn value(&self) -> &Value;
}

impl Holds for Value {
    fn of(value: Value) -> Self {
        value
    }
    fn value(&self) -> &Value {
        self
    }
}

impl Holds for Wide {
    fn of(value: Value) -> Self {
        Self(value)
    }
    fn value(&self) -> &Value {
        &self.0
    }
}

impl Value {
    /// The next one; `None` where this input has made as many as it may.
    pub fn new(act: Act) -> Option<Self> {
        let number = NEXT.load(SeqCst);
        // (Only one thread works at a time.) Some are left for drops that create.
        (number < VALUES - 64).then(|| Self::numbered(number, act))
    }

    fn numbered(number: usize, act: Act) -> Self {
        NEXT.store(number + 1, SeqCst);
        assert_eq!(STATES[number].swap(THERE, SeqCst), NEVER);
        Self { number, canary: !number, act }
    }

    /// Its number, checked: S5. Aborts, since panics may be expected where it is called.
    pub fn number(&self) -> usize {
        if self.canary != !self.number || STATES[self.number].load(SeqCst) != THERE {
            eprintln!("value {} was used after its drop, or never was one", self.number);
            std::process::abort();
        }
        self.number
    }

    /// Takes it out of the account: its number may go to another.
    pub fn undo(self) {
        let number = self.number();
        assert_eq!(NEXT.compare_exchange(number + 1, number, SeqCst, SeqCst), Ok(number + 1));
        STATES[number].store(NEVER, SeqCst);
        std::mem::forget(self);
    }

    /// Drops it, and does nothing beside.
    pub fn drop_quietly(mut self) {
        self.act = Act::Nothing;
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        self.number();
        STATES[self.number].store(DROPPED, SeqCst);
        self.canary = 0;
        DROPS.fetch_add(1, SeqCst);
        match self.act {
            Act::Nothing => {}
            Act::Panics => resume_unwind(Box::new(())),
            Act::Removes(bits) => {
                may_panic(|| AnyHandle::from_bits(bits).map(AnyHandle::remove));
            }
            Act::Creates => {
                let number = NEXT.load(SeqCst);
                if number < VALUES {
                    let handle = Handle::new(Self::numbered(number, Act::Nothing));
                    BORN.lock().unwrap().push((number, handle.to_bits()));
                    ANY_BORN.store(true, SeqCst);
                }
            }
        }
    }
}

/// Whether a value was dropped.
pub fn is_dropped(number: usize) -> bool {
    STATES[number].load(SeqCst) == DROPPED
}

/// Values dropped so far.
pub fn drops() -> usize {
    DROPS.load(SeqCst)
}

/// Numbers and handles that drops have made since the last call.
pub fn born() -> Vec<(usize, u64)> {
    if !ANY_BORN.swap(false, SeqCst) {
        return Vec::new();
    }
    std::mem::take(&mut *BORN.lock().unwrap())
}

/// A new account.
pub fn reset() {
    let made = NEXT.swap(0, SeqCst);
    STATES[..made].iter().for_each(|state| state.store(NEVER, SeqCst));
    DROPS.store(0, SeqCst);
}
