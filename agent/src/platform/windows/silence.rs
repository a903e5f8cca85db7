//! Access control lists of services, in the security descriptor definition language (SDDL).

/// Rights that allow silencing a service: stop, pause, change, delete, take ownership, and the rights that include these.
const SILENCING: [&str; 8] = ["WP", "DT", "DC", "SD", "WD", "WO", "GA", "GW"];
/// The same as bits, for lists that write rights as a number.
const SILENCING_BITS: u32 =
    0x0002 | 0x0020 | 0x0040 | 0x0001_0000 | 0x0004_0000 | 0x0008_0000 | 0x1000_0000 | 0x4000_0000;

/// True when only SYSTEM and administrators may silence the service with this list (`D:(A;;CCLC...;;;SY)...`). A missing list means
/// everybody.
pub(super) fn only_administrators_silence(list: &str) -> bool {
    let Some(list) = list.split_once("D:").map(|(_, list)| list.split("S:").next().unwrap_or_default()) else {
        return false;
    };
    list.contains('(')
        && list.split('(').skip(1).all(|entry| {
            let fields: Vec<&str> = entry.split(')').next().unwrap_or_default().split(';').collect();
            let [kind, _, rights, _, _, who] = fields[..] else { return false };
            // Entries that deny access do no harm here.
            kind == "D" || matches!(who, "SY" | "BA") || kind == "A" && !silences(rights)
        })
}

fn silences(rights: &str) -> bool {
    if let Some(digits) = rights.strip_prefix("0x") {
        return u32::from_str_radix(digits, 16).map_or(true, |bits| bits & SILENCING_BITS != 0);
    }
    let pairs = rights.as_bytes().chunks(2);
    !rights.len().is_multiple_of(2)
        || pairs.into_iter().any(|pair| SILENCING.iter().any(|right| right.as_bytes() == pair))
}

#[cfg(test)]
mod tests {
    use super::only_administrators_silence;

    #[test]
    fn the_list_that_windows_gives_new_services_is_closed() {
        // As printed by `sc sdshow` on Windows 7 to 11.
        let usual = "D:(A;;CCLCSWRPWPDTLOCRRC;;;SY)(A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;BA)(A;;CCLCSWLOCRRC;;;IU)(A;;CCLCSWLOCRRC;;;SU)";
        assert!(only_administrators_silence(usual));
        assert!(only_administrators_silence(&format!("{usual}S:(AU;FA;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;WD)")));
    }

    #[test]
    fn whoever_else_may_stop_or_change_it_is_seen() {
        for list in [
            "",
            "D:",
            "D:NO_ACCESS_CONTROL",
            "D:(A;;CCLCSWRPWPDTLOCRRC;;;SY)(A;;CCLCSWRPWPLOCRRC;;;IU)",
            "D:(A;;GA;;;WD)",
            "D:(A;;0x20;;;BU)",
            "D:(A;;CCDC;;;AU)",
            "D:(A;;RPX;;;BU)",
            "D:(XA;;WP;;;BU;(x))",
        ] {
            assert!(!only_administrators_silence(list), "{list}");
        }
        assert!(only_administrators_silence("D:(A;;0x2009d;;;BU)(D;;WP;;;BG)"));
    }
}
