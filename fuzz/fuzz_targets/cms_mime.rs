//! Foreign bytes through the readers of `tls::cms`: see `src/cms/fuzzing.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tls::fuzzing::cms_mime(bytes));
