//! A guard's cell belongs to the thread that made the lookup.

use haft::Handle;

fn main() {
    let handle = Handle::new(1);
    let guard = handle.get().unwrap();
    std::thread::spawn(move || println!("{}", *guard));
}
