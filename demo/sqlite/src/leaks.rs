//! What grew while SQLite worked, three handles that nobody removes, and the report that names them.

use crate::checks::Checks;
use haft::{Handle, LeakReport};
use std::io::stdout;

struct ForgottenSession;
struct ForgottenCursor;

/// What grew since an earlier report: nothing that SQLite had.
pub fn compare(before: &LeakReport, checks: &mut Checks) {
    let growth = haft::leaks().since(before);
    print!("  {growth}");
    checks.check("nothing grew while SQLite worked", growth.is_empty() && growth.shrunk() == 0);
}

pub fn run(checks: &mut Checks) {
    let before = haft::leaks();
    checks.check("nothing is alive before", before.is_empty());

    // Forgotten on purpose.
    let forgotten: Vec<u64> = (0..2).map(|_| Handle::new(ForgottenSession).to_bits()).collect();
    let sessions_line = line!() - 1;
    let between = haft::leaks();
    let cursor = Handle::new(ForgottenCursor).to_bits();
    let cursor_line = line!() - 1;

    let report = haft::leaks();
    println!("{}", report.table(&stdout()));
    let found: Vec<_> = report
        .iter()
        .map(|leak| (leak.type_name, leak.count, leak.created_at.map_or(0, |site| site.line())))
        .collect();
    let session = (std::any::type_name::<ForgottenSession>(), 2, sessions_line);
    let one_cursor = (std::any::type_name::<ForgottenCursor>(), 1, cursor_line);
    checks.equal("the report names the three, by type and line", found, vec![session, one_cursor]);
    checks.check(
        "its examples are handles",
        report.iter().all(|leak| leak.example == cursor || forgotten.contains(&leak.example)),
    );

    println!("What grew since the first two were forgotten:");
    let growth = report.since(&between);
    println!("{}", growth.table(&stdout()));
    let grown: Vec<_> = growth
        .iter()
        .map(|one| (one.leak.type_name, one.grown, one.leak.created_at.map_or(0, |site| site.line())))
        .collect();
    checks.equal("the difference names the last one alone", grown, vec![one_cursor]);
    checks.equal("the first difference names all three", report.since(&before).grown(), 3);
}
