//! Compiles the C side.

fn main() {
    println!("cargo::rerun-if-changed=src/callbacks.c");
    cc::Build::new()
        .file("src/callbacks.c")
        .std("c11")
        .warnings(true)
        .extra_warnings(true)
        .warnings_into_errors(true)
        .compile("callbacks");
    println!("cargo::rustc-link-lib=pthread");
}
