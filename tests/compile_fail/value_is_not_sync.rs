//! Any thread may look a value up.

use haft::Handle;
use std::cell::Cell;

fn main() {
    let _ = Handle::new(Cell::new(1));
}
