//! The corpus of the fuzz targets as ordinary tests: each input is read or refused, with the reason kept in a snapshot.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::fmt::Write;

use harness::{checkout, fuzz};

/// Every input of one target. New files left by a fuzzer are run too, but not listed.
fn outcomes(target: &str, run: fn(&[u8]) -> anyhow::Result<()>) -> String {
    let folder = checkout::root().unwrap().join("tests/fuzz/corpus").join(target);
    let mut inputs: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    inputs.sort();
    let mut list = String::new();
    let (mut read, mut refused) = (0, 0);
    for input in inputs {
        let name = input.file_name().unwrap().to_string_lossy().into_owned();
        let outcome = run(&std::fs::read(&input).unwrap());
        if name.len() == 40 && name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            continue;
        }
        match outcome {
            Ok(()) => {
                read += 1;
                writeln!(list, "{name}: read").unwrap();
            }
            Err(error) => {
                refused += 1;
                // Some errors already include their cause; for a policy with many errors the first is enough.
                let mut reason = String::new();
                for said in error.chain().filter_map(|cause| Some(cause.to_string().lines().next()?.to_owned())) {
                    if !reason.contains(&said) {
                        write!(reason, ": {said}").unwrap();
                    }
                }
                writeln!(list, "{name}: refused{reason}").unwrap();
            }
        }
    }
    assert!(read > 0 && refused > 0, "{target}: {read} inputs are read, {refused} are refused");
    list
}

#[test]
fn header() {
    insta::assert_snapshot!(outcomes("header", fuzz::header));
}

#[test]
fn report() {
    insta::assert_snapshot!(outcomes("report", fuzz::report));
}

#[test]
fn bundle() {
    insta::assert_snapshot!(outcomes("bundle", fuzz::bundle));
}
