//! The parts of an operation in which nothing else of haft may run on the same thread.
//!
//! A signal handler may come in the middle of one, and so may an allocator that uses haft. Such a call would
//! find a page half changed: two handles might be given out for one slot. It is not allowed, and haft does
//! not pay for noticing it. Built with debug assertions, it does notice it: it says so, and ends the process.

#[cfg(all(debug_assertions, not(haft_loom)))]
mod noticed {
    use crate::sync::thread_local;
    use std::cell::Cell;

    thread_local! {
        /// Whether this thread is in such a part. Without a destructor, so it is always there.
        static ENTERED: Cell<bool> = const { Cell::new(false) };
    }

    /// Such a part, until this is dropped.
    #[derive(Debug)]
    pub(crate) struct Section(());

    impl Section {
        #[inline]
        pub(crate) fn enter() -> Self {
            if ENTERED.replace(true) {
                end();
            }
            Self(())
        }
    }

    impl Drop for Section {
        #[inline]
        fn drop(&mut self) {
            ENTERED.set(false);
        }
    }

    const TEXT: &str = "haft was called in the middle of one of its own operations on the same thread: by a signal handler, or by \
                        an allocator that uses haft. Neither is allowed: a slot might be given out twice. Set a flag in the \
                        handler, or write to a pipe.\n";

    /// What a signal handler may do: no lock, and no memory.
    #[cold]
    fn end() -> ! {
        #[cfg(all(unix, not(miri)))]
        // SAFETY(F4): it reads the text, which is constant.
        unsafe {
            libc::write(2, TEXT.as_ptr().cast(), TEXT.len());
        }
        #[cfg(not(all(unix, not(miri))))]
        eprint!("{TEXT}");
        std::process::abort()
    }
}

#[cfg(not(all(debug_assertions, not(haft_loom))))]
mod noticed {
    /// Nothing.
    #[derive(Debug)]
    pub(crate) struct Section;

    impl Section {
        #[inline(always)]
        pub(crate) fn enter() -> Self {
            Self
        }
    }
}

pub(crate) use noticed::Section;
