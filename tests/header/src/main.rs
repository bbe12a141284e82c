//! `cargo run -p haft-header` writes `include/haft.h`; `cargo test -p haft-header` fails where it is stale.

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn header() -> Vec<u8> {
    let config = cbindgen::Config::from_file(root().join("include/cbindgen.toml"))
        .expect("the configuration is readable");
    let builder = cbindgen::Builder::new().with_config(config);
    let sources = ["status", "kind", "desk", "handles", "report", "misuse", "confine"];
    let builder = sources
        .iter()
        .fold(builder, |builder, name| builder.with_src(root().join(format!("src/capi/{name}.rs"))));
    let mut text = Vec::new();
    builder.generate().expect("the sources can be parsed").write(&mut text);
    text
}

fn main() -> std::io::Result<()> {
    std::fs::write(root().join("include/haft.h"), header())
}

#[test]
fn the_committed_header_is_fresh() {
    let committed = std::fs::read(root().join("include/haft.h")).expect("the header is committed");
    let fresh = header();
    assert!(committed == fresh, "include/haft.h is stale: `cargo run -p haft-header` renews it");
}
