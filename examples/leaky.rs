//! A server that leaks in two ways, for the guide `haft::docs::leaks`.
//!
//! `leaky` serves, `leaky watch` says what grew meanwhile, `leaky check` asserts that nothing stays, `leaky fixed` does it right.

use haft::{Handle, Ref, SharedRef};

struct Session {
    user: String,
}

struct Request {
    session: Handle<Session>,
    path: String,
}

/// Stands for a C library: all that it knows of a request is an integer, which it gives back when the request is answered.
#[derive(Default)]
struct Library {
    waiting: Vec<u64>,
}

impl Library {
    fn submit(&mut self, user_data: u64) {
        self.waiting.push(user_data);
    }

    /// Forgets a request; nobody is called.
    fn cancel(&mut self, user_data: u64) {
        self.waiting.retain(|waiting| *waiting != user_data);
    }

    fn poll(&mut self, answered: fn(u64) -> Result<(), haft::Error>) -> Result<(), haft::Error> {
        self.waiting.drain(..).try_for_each(answered)
    }
}

#[derive(Default)]
struct Server {
    library: Library,
    recent: Vec<SharedRef<'static, Session>>,
    fixed: bool,
}

/// The library calls this when a request is answered.
fn answered(user_data: u64) -> Result<(), haft::Error> {
    let request = Handle::<Request>::try_from(user_data)?;
    {
        let request = request.get()?;
        assert!(!request.session.get()?.user.is_empty() && request.path.starts_with('/'));
    }
    request.remove().map(drop)
}

impl Server {
    fn log_in(&mut self, number: usize) -> Result<Handle<Session>, haft::Error> {
        let session = Handle::new(Session { user: format!("user {number}") });
        self.recent.push(Ref::into_shared(session.get()?));
        Ok(session)
    }

    fn log_out(&mut self, session: Handle<Session>) -> Result<(), haft::Error> {
        if self.fixed {
            self.recent.retain(|recent| SharedRef::handle(recent) != session);
        }
        session.remove().map(drop)
    }

    fn serve(&mut self, session: Handle<Session>, number: usize) -> Result<(), haft::Error> {
        let request = Handle::new(Request { session, path: format!("/page/{number}") });
        self.library.submit(request.to_bits());
        // One in ten is cancelled.
        if number % 10 == 0 {
            self.library.cancel(request.to_bits());
            if self.fixed {
                request.delete();
            }
        }
        self.library.poll(answered)
    }
}

fn main() -> Result<(), haft::Error> {
    let role = std::env::args().nth(1).unwrap_or_default();
    let mut server = Server { fixed: role == "fixed", ..Server::default() };
    let sessions = (0..20).map(|number| server.log_in(number)).collect::<Result<Vec<_>, _>>()?;
    let serve = |server: &mut Server, requests: std::ops::Range<usize>| {
        requests.into_iter().try_for_each(|number| server.serve(sessions[number % 20], number))
    };
    match role.as_str() {
        "watch" => {
            serve(&mut server, 0..500)?;
            let before = haft::leaks();
            serve(&mut server, 500..1_000)?;
            print!("{}", haft::leaks().since(&before));
        }
        "check" => {
            let _guard = haft::assert_no_leaks!();
            serve(&mut server, 0..1_000)?;
        }
        _ => {
            serve(&mut server, 0..1_000)?;
            sessions[..5].iter().try_for_each(|session| server.log_out(*session))?;
        }
    }
    if server.fixed {
        sessions[5..].iter().try_for_each(|session| server.log_out(*session))?;
    }
    // The process ends here; what the server has is not dropped, as it is not in many a program.
    std::mem::forget(server);
    Ok(())
}
