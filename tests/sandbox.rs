//! Sandboxes (S20): the system forbids calls after haft has begun to use them, and refuses them or ends the
//! process. Each test is a process of its own.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod started;

use haft::{Handle, Registry, Removal};
use std::os::unix::process::ExitStatusExt;
use std::process::Output;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Barrier, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// Has the kernel answer these calls so, to this thread and those that it starts.
fn forbid(calls: &[i64], answer: u32) {
    const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    const JUMP_IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    let step = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    // The number of the call is the first word of what the filter is shown.
    let mut filter = vec![step(LOAD, 0, 0, 0)];
    for call in calls {
        filter.push(step(JUMP_IF_EQUAL, 0, 1, *call as u32));
        filter.push(step(RETURN, 0, 0, answer));
    }
    filter.push(step(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW));
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: the arguments are as the manual of `prctl` has them, and the program outlives the call.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        assert_eq!(libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program), 0);
    }
}

/// What haft relies on, or once did.
const BARRIERS: [i64; 3] = [libc::SYS_membarrier, libc::SYS_sched_setaffinity, libc::SYS_sched_getaffinity];

fn refuse_barriers() {
    forbid(&BARRIERS, libc::SECCOMP_RET_ERRNO | libc::EPERM as u32);
    // SAFETY: it takes numbers.
    assert_eq!(unsafe { libc::syscall(libc::SYS_membarrier, 1 << 3, 0, 0) }, -1, "the filter works");
}

/// Runs a part of this file in a process of its own, with these variables.
fn alone(part: &str, variables: &[(&str, &str)]) -> Output {
    let mut command = started::this_program();
    command.args(["--exact", part, "--ignored", "--nocapture"]).envs(variables.iter().copied());
    command.output().unwrap()
}

fn passes_alone(part: &str) {
    let output = alone(part, &[]);
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[test]
fn e12_e13_threads_that_may_not_call_membarrier_look_up_and_remove_all_the_same() {
    passes_alone("part_refused");
}

#[test]
fn s20_what_could_not_be_dropped_is_dropped_when_the_thread_lets_go_or_ends() {
    passes_alone("part_overdue");
}

#[test]
fn s20_two_threads_that_wait_do_not_wait_for_each_other() {
    passes_alone("part_mutual");
}

#[test]
#[ignore = "a part of another test"]
fn part_mutual() {
    // Both have looked both up, and hold neither.
    let handles = [Handle::new(1_u8), Handle::new(2_u8)];
    let (barrier, (tell, told)) = (Arc::new(Barrier::new(2)), mpsc::channel());
    for handle in handles {
        let (barrier, tell) = (barrier.clone(), tell.clone());
        thread::spawn(move || {
            handles.iter().for_each(|handle| assert!(handle.get().is_ok()));
            refuse_barriers();
            barrier.wait();
            handle.remove_and_wait().unwrap();
            tell.send(()).unwrap();
        });
    }
    // The thread that created them goes on, and so answers.
    let (other, start, mut ended) = (Handle::new(3_u8), Instant::now(), 0);
    while ended < 2 {
        assert!(other.get().is_ok());
        ended += told.try_iter().count();
        assert!(start.elapsed() < Duration::from_secs(60), "they wait for each other");
    }
}

/// How many of these were dropped.
static DROPPED: AtomicUsize = AtomicUsize::new(0);

struct Counted;

impl Drop for Counted {
    fn drop(&mut self) {
        DROPPED.fetch_add(1, SeqCst);
    }
}

/// Removes all, and says how many were dropped. Each answer is true when it comes.
fn remove_all(handles: &[Handle<Counted>]) -> usize {
    let removed = handles.iter().filter(|handle| {
        let before = DROPPED.load(SeqCst);
        let removal = handle.remove().expect("it is live");
        assert_eq!(DROPPED.load(SeqCst) - before, usize::from(removal == Removal::Dropped));
        removal == Removal::Dropped
    });
    removed.count()
}

#[test]
#[ignore = "a part of another test"]
fn part_overdue() {
    static REGISTRY: Registry<Counted> = Registry::new();
    let other = Handle::new('x');
    let create = || (0..100).map(|_| REGISTRY.insert(Counted)).collect::<Vec<_>>();
    let (handles, cleared) = (create(), create());
    // This thread has looked them up, without a barrier of its own, and holds some.
    for handle in handles.iter().chain(&cleared) {
        assert!(handle.get().is_ok());
    }
    let (first, second) = (handles[0].get().unwrap(), handles[1].get().unwrap());

    // So has one that ends, and one that waits.
    let of_the_ended = create();
    let (looked, go) = (&of_the_ended, mpsc::channel::<()>());
    thread::scope(|scope| {
        let (begun, wait) = mpsc::channel();
        let (end, ended) = go;
        let reader = scope.spawn(move || {
            looked.iter().for_each(|handle| assert!(handle.get().is_ok()));
            begun.send(()).unwrap();
            let _ = ended.recv();
        });
        wait.recv().unwrap();
        let confined = scope.spawn(|| {
            refuse_barriers();
            let so_far = remove_all(&handles) + remove_all(&of_the_ended);
            assert_eq!(DROPPED.load(SeqCst), so_far);
            // What is live is not told as anything else.
            assert!(cleared.iter().all(|handle| handle.get().is_ok()));
            REGISTRY.clear();
            assert!(REGISTRY.is_empty());
            for handle in handles.iter().chain(&cleared) {
                let text = handle.get().err().expect("it is removed").to_string();
                assert!(text.contains("stale"), "{text}");
            }
        });
        let done = confined.join();
        drop(end);
        reader.join().unwrap();
        done.unwrap();
    });
    // The ended thread has answered. This one, which has created them all, has not.
    assert!(REGISTRY.is_empty() && DROPPED.load(SeqCst) < 300);
    // This one still holds two, and answers when it lets any guard go.
    drop(other.get().unwrap());
    assert_eq!(DROPPED.load(SeqCst), 300 - 2);
    drop(first);
    assert_eq!(DROPPED.load(SeqCst), 300 - 1);
    drop(second);
    assert_eq!(DROPPED.load(SeqCst), 300);
    assert_eq!(REGISTRY.stats().deferred, 0);
}

#[test]
#[ignore = "a part of another test"]
fn part_refused() {
    let registry = Registry::new();
    // Made, looked up and removed plainly by this thread.
    let handles: Vec<Handle<String>> = (0..100).map(|value| registry.insert(value.to_string())).collect();
    assert_eq!(registry.get(handles[0]).unwrap().len(), 1);
    assert_eq!(registry.remove(handles[0]).unwrap(), Removal::Dropped);
    let held = registry.get(handles[1]).unwrap();
    thread::scope(|scope| {
        let confined = scope.spawn(|| {
            refuse_barriers();
            assert_eq!(registry.get(handles[2]).unwrap().len(), 1);
            // The thread that has created it may hold it, for all that this one can tell.
            assert_eq!(registry.remove(handles[2]).unwrap(), Removal::Deferred);
            // Held by the other thread, in a cell that it wrote without a barrier.
            assert_eq!(registry.remove(handles[1]).unwrap(), Removal::Deferred);
        });
        confined.join().unwrap();
    });
    assert_eq!(*held, "1");
    assert_eq!(registry.stats().deferred, 2);
    drop(held);
    assert_eq!(registry.stats().deferred, 0);
    for handle in &handles[3..] {
        assert_eq!(registry.remove(*handle).unwrap(), Removal::Dropped);
    }
    assert_eq!(registry.stats().deferred, 0);
    assert!(registry.is_empty());
}

/// What haft calls for comfort. A filter that ends the process at these is one for which haft has a switch.
const COMFORTS: [i64; 6] = [
    libc::SYS_membarrier,
    libc::SYS_prctl,
    libc::SYS_open,
    libc::SYS_openat,
    libc::SYS_gettid,
    libc::SYS_sched_setaffinity,
];

/// A thread under such a filter does everything that it can do with handles.
fn work_under_a_filter_that_kills() {
    let registry = Registry::new();
    thread::scope(|scope| {
        let (give, take) = mpsc::channel::<Handle<String>>();
        let worker = scope.spawn(|| {
            forbid(&COMFORTS, libc::SECCOMP_RET_KILL_PROCESS);
            let own: Vec<_> = (0..1000).map(|value: u32| registry.insert(value.to_string())).collect();
            assert!(own.iter().all(|handle| registry.get(*handle).is_ok()));
            let wrong = Handle::<String>::from_bits((&raw const own).addr() as u64 | 1).unwrap();
            assert!(wrong.get().is_err_and(|error| error.to_string().len() > 10));
            for handle in take {
                assert!(handle.get().is_ok() && handle.remove().is_ok());
                assert!(handle.get().is_err_and(|error| error.to_string().contains("stale")));
            }
            registry.clear();
            assert!(haft::leaks().to_string().len() > 10);
        });
        for value in 0..100 {
            let handle = Handle::new(value.to_string());
            assert!(handle.get().is_ok());
            give.send(handle).unwrap();
        }
        drop(give);
        worker.join().unwrap();
    });
}

#[test]
#[ignore = "a part of another test"]
fn part_killed() {
    if std::env::var_os("CALL_CONFINE").is_some() {
        haft::confine();
    }
    work_under_a_filter_that_kills();
}

#[test]
fn s20_a_filter_that_kills_leaves_a_confined_process_alone() {
    for variable in ["HAFT_CONFINED", "CALL_CONFINE"] {
        let output = alone("part_killed", &[(variable, "1")]);
        let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() && text.contains("1 passed"),
            "{variable}: {:?}: {text}",
            output.status
        );
    }
    // Without it the filter kills, so there was something to leave out.
    for value in ["", "0"] {
        let output = alone("part_killed", &[("HAFT_CONFINED", value)]);
        assert_eq!(output.status.signal(), Some(libc::SIGSYS), "{:?}", output.status);
    }
}
