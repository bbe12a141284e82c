//! Compiles what is measured from C.

fn main() {
    println!("cargo::rerun-if-changed=c/cycle.c");
    println!("cargo::rerun-if-changed=../include/haft.h");
    cc::Build::new()
        .file("c/cycle.c")
        .include("../include")
        .opt_level(3)
        .warnings_into_errors(true)
        .compile("cycle");
}
