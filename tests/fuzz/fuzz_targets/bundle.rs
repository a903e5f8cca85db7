//! A policy bundle: any bytes from a fuzzer are read or refused.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| drop(harness::fuzz::bundle(bytes)));
