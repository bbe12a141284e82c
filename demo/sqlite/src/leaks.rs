//! Three handles that nobody removes, and the report that names them.

use crate::checks::Checks;
use haft::Handle;

struct ForgottenSession;
struct ForgottenCursor;

pub fn run(checks: &mut Checks) {
    checks.check("nothing is alive before", haft::leaks().is_empty());

    // Forgotten on purpose.
    let forgotten: Vec<u64> = (0..2).map(|_| Handle::new(ForgottenSession).to_bits()).collect();
    let sessions_line = line!() - 1;
    let cursor = Handle::new(ForgottenCursor).to_bits();
    let cursor_line = line!() - 1;

    let report = haft::leaks();
    println!("{report}");
    let found: Vec<_> = report
        .iter()
        .map(|leak| (leak.type_name, leak.count, leak.created_at.map_or(0, |site| site.line())))
        .collect();
    let expected = vec![
        (std::any::type_name::<ForgottenSession>(), 2, sessions_line),
        (std::any::type_name::<ForgottenCursor>(), 1, cursor_line),
    ];
    checks.equal("the report names the three, by type and line", found, expected);
    checks.check(
        "its examples are handles",
        report.iter().all(|leak| leak.example == cursor || forgotten.contains(&leak.example)),
    );
}
