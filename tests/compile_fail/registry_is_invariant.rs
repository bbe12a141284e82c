//! A registry of functions for all lifetimes is not one of functions for one lifetime: nothing asks for the type again at a lookup.

use haft::Registry;

fn narrow(registry: &Registry<for<'a> fn(&'a str)>) -> &Registry<fn(&'static str)> {
    registry
}

fn main() {
    let registry = Registry::new();
    let _ = narrow(&registry);
}
