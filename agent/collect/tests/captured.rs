//! Replays whole machines: each folder below `captured/` is collected and compared with the facts stored next to it.
//!
//! `cargo run -p tram-an-agent --example capture` makes a new one. Changed facts are reviewed and accepted with `cargo insta`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::path::Path;
use std::sync::Arc;

use collect::Collector;
use collect::linux::Machine;
use os::recorded::Recorded;
use policies::fact::{Facts, Section};

fn collected(name: &str) -> Facts {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captured").join(name);
    let machine = Recorded::load(&folder).unwrap();
    Collector::new(Arc::new(Machine::new(Arc::new(machine))))
        .collect(Section::ALL, "2025-02-21T00:00:00Z".parse().unwrap())
}

macro_rules! machines {
    ($($test:ident = $name:literal;)+) => {
        $(#[test]
        fn $test() {
            insta::assert_json_snapshot!($name, collected($name));
        })+

        #[test]
        fn every_captured_machine_is_tried() {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captured");
            let mut found: Vec<String> = std::fs::read_dir(folder)
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            found.sort_unstable();
            assert_eq!(found, [$($name),+]);
        }
    };
}

machines! {
    a_small_server_with_dnf = "almalinux-9-server";
    a_laptop_asked_by_somebody_who_is_no_administrator = "debian-11-without-root";
    an_officials_desktop = "ubuntu-24.04-desktop";
}
