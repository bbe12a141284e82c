//! Rust closures through C: as the user data of `qsort_r`, and of `pthread_create`.

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod linux {
    use haft::Handle;
    use std::cmp::Ordering;
    use std::ffi::{c_int, c_void};
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::ptr;

    unsafe extern "C" {
        /// As in glibc's `stdlib.h`.
        fn qsort_r(
            base: *mut c_void,
            count: usize,
            size: usize,
            compare: unsafe extern "C" fn(*const c_void, *const c_void, *mut c_void) -> c_int,
            user: *mut c_void,
        );
    }

    type Compare = Box<dyn Fn(&i32, &i32) -> Ordering + Send + Sync>;

    /// Called by C for two elements, with the handle of the closure.
    unsafe extern "C" fn compare(left: *const c_void, right: *const c_void, user: *mut c_void) -> c_int {
        let order = || {
            let compare = Handle::<Compare>::try_from(user)?.get()?;
            // SAFETY: `qsort_r` passes pointers to two elements of the array that it was given.
            Ok::<_, haft::Error>(unsafe { compare(&*left.cast(), &*right.cast()) })
        };
        // A panic must not cross C, and `qsort_r` knows no errors: equal is the harmless answer.
        catch_unwind(AssertUnwindSafe(order)).map_or(0, |order| order.map_or(0, |order| order as c_int))
    }

    /// Sorts by a closure that C calls.
    fn sort_by(numbers: &mut [i32], by: impl Fn(&i32, &i32) -> Ordering + Send + Sync + 'static) {
        let handle = Handle::new(Box::new(by) as Compare);
        // SAFETY: the array with its length and element size; the user data is a number to C.
        unsafe {
            qsort_r(numbers.as_mut_ptr().cast(), numbers.len(), size_of::<i32>(), compare, handle.to_ptr());
        }
        handle.delete();
    }

    type Work = Box<dyn Fn() + Send + Sync>;

    /// Called by C on a new thread, with the handle of the closure, which it takes.
    extern "C" fn start(user: *mut c_void) -> *mut c_void {
        let work = || {
            let work = Handle::<Work>::try_from(user)?.take()?;
            work.iter().for_each(|work| work());
            Ok::<_, haft::Error>(())
        };
        match catch_unwind(AssertUnwindSafe(work)) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => eprintln!("{error}"),
            Err(_) => eprintln!("the closure panicked"),
        }
        ptr::null_mut()
    }

    pub(crate) fn main() {
        let mut numbers = [3, 1, 4, 1, 5, 9, 2, 6];
        let middle = 4;
        sort_by(&mut numbers, move |left, right| (left - middle).abs().cmp(&(right - middle).abs()));
        println!("by their distance from {middle}: {numbers:?}");
        assert!(numbers.is_sorted_by_key(|number| (number - middle).abs()));

        let greeting = String::from("hello from a thread that C started");
        let handle = Handle::new(Box::new(move || println!("{greeting}")) as Work);
        // SAFETY: a valid thread function, whose argument is a number to C; the thread is joined.
        unsafe {
            let mut thread = std::mem::zeroed();
            assert_eq!(libc::pthread_create(&mut thread, ptr::null(), start, handle.to_ptr()), 0);
            assert_eq!(libc::pthread_join(thread, ptr::null_mut()), 0);
        }
        assert!(handle.get().is_err(), "the thread took the closure");
        assert!(haft::leaks().is_empty());
    }
}

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
fn main() {
    linux::main();
}

#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
fn main() {
    println!("this example uses glibc's qsort_r");
}
