//! A request with reports: whatever a fuzzer makes up is read or refused.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| drop(harness::fuzz::report(bytes)));
