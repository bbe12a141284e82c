//! Any integer into every entry point (S3), beside handles that must go on working.
//!
//! The input is a list of a byte and an integer: what to do, and with which bits, alone or mixed into those of a handle that is or was live.

use crate::past::{Numbers, Past};
use crate::{Bytes, count, may_panic};
use haft::{AnyHandle, Error, ErrorKind, Handle, Registry};
use std::sync::{LazyLock, Mutex};

static WORDS: Registry<String> = Registry::new();
static NUMBERS: Registry<u64> = Registry::with_limit(100);

const EACH: usize = 24;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    /// A word in `WORDS`.
    Word,
    /// A number in `NUMBERS`.
    Number,
    /// A number in its default registry.
    Default,
    /// Of size zero, in its default registry.
    Nothing,
}

const KINDS: [Kind; 4] = [Kind::Word, Kind::Number, Kind::Default, Kind::Nothing];

/// What the process has, from one input to the next.
struct World {
    live: Vec<(u64, Kind)>,
    index: Numbers<Kind>,
    /// Some that are removed.
    stale: Vec<u64>,
    past: Past,
}

static WORLD: LazyLock<Mutex<World>> = LazyLock::new(|| {
    let mut world =
        World { live: Vec::new(), index: Numbers::default(), stale: Vec::new(), past: Past::default() };
    for kind in KINDS {
        (0..EACH).for_each(|_| world.create(kind));
    }
    Mutex::new(world)
});

/// Runs one input.
pub fn run(bytes: &[u8]) {
    let mut world = WORLD.lock().unwrap();
    let mut bytes = Bytes(bytes);
    let mut operations = 0;
    while let (Some(what), Some(raw)) = (bytes.byte(), bytes.integer()) {
        let bits = world.mix(what, raw);
        operations += world.try_all(bits);
        // One that is live still is.
        let (bits, kind) = world.live[raw as usize % world.live.len()];
        world.works(bits, kind);
    }
    world.check();
    count(operations);
}

impl World {
    fn create(&mut self, kind: Kind) {
        let bits = match kind {
            Kind::Word => WORDS.insert(String::from("a word")).to_bits(),
            Kind::Number => NUMBERS.insert(7).to_bits(),
            Kind::Default => Handle::new(8_u64).to_bits(),
            Kind::Nothing => Handle::new(()).to_bits(),
        };
        self.past.learn(bits);
        self.index.insert(bits, kind);
        self.live.push((bits, kind));
    }

    /// Something removed a handle as it should; another takes its place.
    fn removed(&mut self, bits: u64) {
        let kind = self.index.remove(&bits).unwrap();
        self.live.retain(|(live, _)| *live != bits);
        match self.stale.len() {
            64 => self.stale[(bits >> 5) as usize % 64] = bits,
            _ => self.stale.push(bits),
        }
        self.create(kind);
    }

    fn mix(&self, what: u8, raw: u64) -> u64 {
        let known = match what & 1 {
            1 if !self.stale.is_empty() => self.stale[usize::from(what >> 4) % self.stale.len()],
            _ => self.live[usize::from(what) * 7 % self.live.len()].0,
        };
        match what >> 1 & 7 {
            0..=1 => raw,
            2 => known ^ raw,
            3 => known ^ 1 << (raw % 64),
            4 => known.wrapping_add(raw % 9).wrapping_sub(4),
            // Another generation, another slot, another place.
            5 => known ^ raw << 33,
            6 => known ^ (raw & 0x7FFF) << 1,
            _ => known ^ (raw & 0xFFFFF) << 13,
        }
    }

    fn kind_of_error(&self, bits: u64) -> ErrorKind {
        match bits {
            0 => ErrorKind::Null,
            bits if bits & 1 == 0 || bits >> 63 == 1 => ErrorKind::Malformed,
            bits if self.past.knows(bits) => ErrorKind::Stale,
            _ => ErrorKind::Unissued,
        }
    }

    /// Every entry point, with bits that are live or not. The number of calls.
    fn try_all(&mut self, bits: u64) -> u64 {
        let kind = self.index.get(&bits).copied();
        let error = self.kind_of_error(bits);
        assert_eq!(
            Handle::<u64>::try_from(bits).err().map(|error| error.kind()),
            (bits == 0).then_some(ErrorKind::Null)
        );
        assert_eq!(
            AnyHandle::try_from(bits).err().map(|error| error.kind()),
            (bits == 0).then_some(ErrorKind::Null)
        );
        assert_eq!(haft::ffi::destroy(0), haft::ffi::HAFT_OK);
        let (Some(word), Some(number), Some(nothing), Some(any)) = (
            Handle::<String>::from_bits(bits),
            Handle::<u64>::from_bits(bits),
            Handle::<()>::from_bits(bits),
            AnyHandle::from_bits(bits),
        ) else {
            assert_eq!(bits, 0);
            return 3;
        };
        assert_eq!((word.to_bits(), number.to_ptr().addr() as u64), (bits, bits));
        assert_eq!(Handle::from_ptr(word.to_ptr()), Some(word));

        let wrong_type = |right: bool| if kind.is_some() && !right { ErrorKind::WrongType } else { error };
        let is = |kinds: &[Kind]| kind.is_some_and(|kind| kinds.contains(&kind));
        let numeric = is(&[Kind::Number, Kind::Default]);
        told(word.get(), is(&[Kind::Word]), wrong_type(is(&[Kind::Word])));
        told(number.get(), numeric, wrong_type(numeric));
        told(nothing.get(), is(&[Kind::Nothing]), wrong_type(is(&[Kind::Nothing])));
        told(WORDS.get(word), is(&[Kind::Word]), wrong_type(is(&[Kind::Word])));
        let elsewhere =
            if kind == Some(Kind::Default) { ErrorKind::WrongRegistry } else { wrong_type(numeric) };
        told(NUMBERS.get(number), is(&[Kind::Number]), elsewhere);
        assert_eq!(WORDS.contains(word), is(&[Kind::Word]));
        assert_eq!(NUMBERS.contains(number), is(&[Kind::Number]));
        assert_eq!((word.is_live(), number.is_live()), (is(&[Kind::Word]), numeric));
        assert_eq!(any.is_live(), kind.is_some());
        told(any.type_name(), kind.is_some(), error);
        told(any.downcast::<String>(), is(&[Kind::Word]), wrong_type(is(&[Kind::Word])));
        told(any.downcast::<()>(), is(&[Kind::Nothing]), wrong_type(is(&[Kind::Nothing])));
        assert_eq!(may_panic(|| word.value().len()).is_some(), is(&[Kind::Word]));
        // What would succeed is not tried on the live ones, but for some.
        let spare = bits >> 33 & 3 == 0;
        if !is(&[Kind::Word]) {
            told(word.remove(), false, wrong_type(false));
            told(word.take(), false, wrong_type(false));
            told(WORDS.remove(word), false, wrong_type(false));
            told(WORDS.take(word), false, wrong_type(false));
            assert!(may_panic(|| word.delete()).is_none());
        } else if spare {
            assert_eq!(WORDS.take(word).unwrap().as_deref(), Some("a word"));
            self.removed(bits);
            return 24;
        }
        if !is(&[Kind::Number]) {
            told(NUMBERS.remove(number), false, elsewhere);
            told(NUMBERS.take(number), false, elsewhere);
        } else if spare {
            drop(number.remove().unwrap());
            self.removed(bits);
            return 24;
        }
        if !is(&[Kind::Nothing]) {
            told(nothing.remove(), false, wrong_type(false));
            told(nothing.take(), false, wrong_type(false));
        }
        if kind.is_none() {
            told(any.remove(), false, error);
            assert_ne!(haft::ffi::destroy(bits), haft::ffi::HAFT_OK);
        } else if spare && is(&[Kind::Default, Kind::Nothing]) {
            drop(any.remove().unwrap());
            self.removed(bits);
            return 24;
        }
        28
    }

    fn works(&self, bits: u64, kind: Kind) {
        let right = match kind {
            Kind::Word => {
                Handle::from_bits(bits).is_some_and(|handle| *WORDS.get(handle).unwrap() == "a word")
            }
            Kind::Number => Handle::from_bits(bits).is_some_and(|handle| *NUMBERS.get(handle).unwrap() == 7),
            Kind::Default => Handle::<u64>::from_bits(bits).is_some_and(|handle| *handle.get().unwrap() == 8),
            Kind::Nothing => Handle::<()>::from_bits(bits).is_some_and(|handle| handle.get().is_ok()),
        };
        assert!(right, "{bits:#x} does not work any more");
    }

    fn check(&self) {
        self.live.iter().for_each(|(bits, kind)| self.works(*bits, *kind));
        let stats = haft::stats();
        assert_eq!((stats.live, stats.deferred), (self.live.len(), 0));
        assert_eq!((WORDS.len(), NUMBERS.len(), self.live.len()), (EACH, EACH, 4 * EACH));
    }
}

/// A result is as it should be, and an error can be told.
#[track_caller]
fn told<R>(result: Result<R, Error>, succeeds: bool, kind: ErrorKind) {
    match result {
        Ok(_) => assert!(succeeds, "a success that should not be"),
        Err(error) => {
            assert!(!succeeds, "{error}");
            assert_eq!(error.kind(), kind, "{error}");
            // Each bit of it, now and then: it is long.
            if error.bits() % 64 == 33 {
                assert!(error.to_string().starts_with(&format!("handle {:#018x}", error.bits())));
            }
        }
    }
}
