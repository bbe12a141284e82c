#![no_main]

libfuzzer_sys::fuzz_target!(init: haft_fuzz::begin(), |bytes: &[u8]| haft_fuzz::references::run(bytes));
