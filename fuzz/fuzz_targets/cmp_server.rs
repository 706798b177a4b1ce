//! Foreign bytes as messages to the servers of `tls::cmp`: see `src/cmp/fuzzing.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tls::fuzzing::cmp_server(bytes));
