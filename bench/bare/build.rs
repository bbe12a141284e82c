//! Says that this is the build without the record.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-cfg=haft_bare");
}
