//! Whether haft makes only those system calls that any Rust program makes.
//!
//! For sandboxes that end a process at a call that they do not know. haft's own are a help and no need: the
//! barrier (`barrier`), names of threads (`name`), what an address is (`memory`).

use crate::sync::{AtomicU32, Ordering};

const UNKNOWN: u32 = 0;
const FREE: u32 = 1;
const CONFINED: u32 = 2;

static STATE: AtomicU32 = AtomicU32::new(UNKNOWN);

/// Whether it does. The first one who asks looks at the environment. Relaxed: it may be asked twice.
pub(crate) fn is_confined() -> bool {
    match STATE.load(Ordering::Relaxed) {
        UNKNOWN => {
            let wanted =
                std::env::var_os("HAFT_CONFINED").is_some_and(|value| !value.is_empty() && value != "0");
            let state = if wanted { CONFINED } else { FREE };
            // Who was told to do so meanwhile goes first.
            let _ = STATE.compare_exchange(UNKNOWN, state, Ordering::Relaxed, Ordering::Relaxed);
            STATE.load(Ordering::Relaxed) == CONFINED
        }
        state => state == CONFINED,
    }
}

/// From now on it does.
pub(crate) fn confine() {
    STATE.store(CONFINED, Ordering::Relaxed);
}
