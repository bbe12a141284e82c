//! A handle may outlive every scope.

use haft::Handle;

fn main() {
    let local = String::from("local");
    let _ = Handle::new(&local);
}
