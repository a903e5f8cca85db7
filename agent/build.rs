//! Gives the agent the instant it was built, one of the three things it believes about time (`src/clock.rs`).

fn main() {
    println!("cargo:rerun-if-changed=src");
    println!("cargo:rerun-if-env-changed=SOURCE_DATE_EPOCH");
    let stated = std::env::var("SOURCE_DATE_EPOCH").ok().and_then(|text| text.parse::<u64>().ok());
    let seconds = stated.unwrap_or_else(|| {
        #[expect(clippy::disallowed_methods, reason = "the instant of the build is what this script is for")]
        let now = std::time::SystemTime::now();
        now.duration_since(std::time::UNIX_EPOCH).map(|since| since.as_secs()).unwrap_or(0)
    });
    println!("cargo:rustc-env=TRAM_AN_BUILT_S={seconds}");
}
