//! A policy bundle: whatever a fuzzer makes up is read or refused.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| drop(harness::fuzz::bundle(bytes)));
