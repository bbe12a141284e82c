//! A sandbox that forbids `membarrier` after haft has begun to use it.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

use haft::{Handle, Registry, Removal};

/// Has the kernel refuse `membarrier` to this thread and those that it starts.
fn forbid_membarrier() {
    const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    const JUMP_IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    let step = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let mut filter = [
        // The number of the call is the first word of what the filter is shown.
        step(LOAD, 0, 0, 0),
        step(JUMP_IF_EQUAL, 0, 1, libc::SYS_membarrier as u32),
        step(RETURN, 0, 0, libc::SECCOMP_RET_ERRNO | libc::EPERM as u32),
        step(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: the arguments are as the manual of `prctl` has them, and the program outlives the call.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        assert_eq!(libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program), 0);
        let refused = libc::syscall(libc::SYS_membarrier, 1 << 3, 0, 0);
        assert_eq!(refused, -1, "the filter works");
    }
}

#[test]
fn e12_e13_threads_that_may_not_call_membarrier_look_up_and_remove_all_the_same() {
    let registry = Registry::new();
    // Made, looked up and removed plainly by this thread.
    let handles: Vec<Handle<String>> = (0..100).map(|value| registry.insert(value.to_string())).collect();
    assert_eq!(registry.get(handles[0]).unwrap().len(), 1);
    assert_eq!(registry.remove(handles[0]).unwrap(), Removal::Dropped);
    let held = registry.get(handles[1]).unwrap();
    std::thread::scope(|scope| {
        let confined = scope.spawn(|| {
            forbid_membarrier();
            assert_eq!(registry.get(handles[2]).unwrap().len(), 1);
            assert_eq!(registry.remove(handles[2]).unwrap(), Removal::Dropped);
            // Held by the other thread, in a cell that it wrote without a barrier.
            assert_eq!(registry.remove(handles[1]).unwrap(), Removal::Deferred);
        });
        confined.join().unwrap();
    });
    assert_eq!(*held, "1");
    drop(held);
    for handle in &handles[3..] {
        assert_eq!(registry.remove(*handle).unwrap(), Removal::Dropped);
    }
    assert_eq!(registry.stats().deferred, 0);
    assert!(registry.is_empty());
}
