//! Registry keys of every user: expands `HKU\*\...` to the keys it stands for right now. Pure.

/// The start of a key that stands for the same key of every user whose hive is loaded.
const EVERY_USER: &str = r"HKU\*\";

/// The key itself, or that key for every loaded user among `hives` (the names under `HKU`).
pub(super) fn expanded(key: &str, hives: &[String]) -> Vec<String> {
    let Some(below) = key.strip_prefix(EVERY_USER) else { return vec![key.to_owned()] };
    // Accounts of people only: not the system's own, and not the second hive of each user, which holds file types.
    let people = hives.iter().filter(|hive| {
        let hive = hive.to_ascii_uppercase();
        (hive.starts_with("S-1-5-21-") || hive.starts_with("S-1-12-1-")) && !hive.ends_with("_CLASSES")
    });
    people.map(|hive| format!(r"HKU\{hive}\{below}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_loaded_user_is_meant_and_nobody_else() {
        let hives = [".DEFAULT", "S-1-5-18", "S-1-5-21-1-2-3-1001", "S-1-5-21-1-2-3-1001_Classes", "S-1-12-1-7-8-9-10"]
            .map(str::to_owned);
        assert_eq!(
            expanded(r"HKU\*\Control Panel\Desktop", &hives),
            [r"HKU\S-1-5-21-1-2-3-1001\Control Panel\Desktop", r"HKU\S-1-12-1-7-8-9-10\Control Panel\Desktop"]
        );
        assert_eq!(expanded(r"HKLM\SOFTWARE", &hives), [r"HKLM\SOFTWARE"]);
        assert!(expanded(r"HKU\*\A", &[]).is_empty());
    }
}
