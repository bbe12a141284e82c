//! What must not compile, beside what must.

#[test]
fn guards_and_values_keep_their_bounds() {
    let tests = trybuild::TestCases::new();
    tests.pass("tests/compile_pass/*.rs");
    tests.compile_fail("tests/compile_fail/*.rs");
}
