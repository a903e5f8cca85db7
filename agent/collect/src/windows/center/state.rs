//! The number in which Windows Security Center summarises a product: `productState` of WMI, `STATE` of the registry.
//!
//! Bits 12 to 15 are the protection state (0 off, 1 on, 2 snoozed, 3 expired), bits 8 to 11 the maker (1 Microsoft), bits 4 to 7
//! the age of definitions (0 current, 1 out of date), bits 16 to 23 the kind of provider. Microsoft documents none of it; rows of
//! real machines confirm it. The public interface (`iwscapi.h`) numbers the same things the other way round: never mix the two.
//! The middle byte must not be read as a whole, because it contains Microsoft's own bit.

/// The protection state that a product reported to Security Center.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::windows) enum ProductStatus {
    /// It protects.
    On,
    /// It is switched off for a while.
    Snoozed,
    /// Its licence has ended.
    Expired,
    /// It does not protect.
    Off,
    /// A value of unknown meaning.
    Odd(i64),
}

/// The decoded number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::windows) struct State {
    /// Whether it protects.
    pub(in crate::windows) product_status: ProductStatus,
    /// Whether its definitions are current; `None` when the number does not say.
    pub(in crate::windows) current: Option<bool>,
    /// Made by Microsoft.
    pub(in crate::windows) microsoft: bool,
}

/// Reads the number.
pub(in crate::windows) fn decode(number: i64) -> State {
    // The meaning of a fourth byte and of negative numbers is unknown.
    if !(0..=0xFF_FFFF).contains(&number) {
        return State { product_status: ProductStatus::Odd(number), current: None, microsoft: false };
    }
    State {
        product_status: match number >> 12 & 0xF {
            0 => ProductStatus::Off,
            1 => ProductStatus::On,
            2 => ProductStatus::Snoozed,
            3 => ProductStatus::Expired,
            _ => ProductStatus::Odd(number),
        },
        current: match number >> 4 & 0xF {
            0 => Some(true),
            1 => Some(false),
            _ => None,
        },
        microsoft: number >> 8 & 0xF == 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows that people published from their machines, and makers in their tables: product, number, meaning.
    const SEEN: &[(&str, i64, ProductStatus, bool)] = &[
        ("Windows Defender", 397_568, ProductStatus::On, true),
        ("Windows Defender, definitions old", 397_584, ProductStatus::On, false),
        ("Windows Defender beside Avast", 393_472, ProductStatus::Off, true),
        ("Windows Defender, old definitions, off", 393_488, ProductStatus::Off, false),
        ("Windows Defender, switched off for a while", 401_664, ProductStatus::Snoozed, true),
        ("Huorong", 266_240, ProductStatus::On, true),
        ("Bitdefender Antivirus", 266_240, ProductStatus::On, true),
        ("SentinelOne", 266_240, ProductStatus::On, true),
        ("Trend Micro Antivirus+", 266_240, ProductStatus::On, true),
        ("Sophos Intercept X", 266_240, ProductStatus::On, true),
        ("Kaspersky Endpoint Security", 266_240, ProductStatus::On, true),
        ("AVG Antivirus", 266_240, ProductStatus::On, true),
        ("Avast Antivirus, switched off by its user", 270_336, ProductStatus::Snoozed, true),
        ("CylancePROTECT", 397_312, ProductStatus::On, true),
        ("Malwarebytes Premium, not registered", 393_216, ProductStatus::Off, true),
        ("McAfee, on-access scan off", 393_216, ProductStatus::Off, true),
        ("Norton Security, definitions old", 266_256, ProductStatus::On, false),
        ("seen on one of 10,000 machines", 262_160, ProductStatus::Off, false),
        ("seen on one of 10,000 machines, with firewall", 327_696, ProductStatus::Off, false),
        ("Norton's firewall", 331_776, ProductStatus::On, true),
    ];

    #[test]
    fn what_real_machines_were_seen_to_answer_is_understood() {
        for &(product, number, product_status, current) in SEEN {
            let state = decode(number);
            assert_eq!((state.product_status, state.current), (product_status, Some(current)), "{product}");
            assert_eq!(state.microsoft, product.starts_with("Windows Defender"), "{product}");
        }
    }

    #[test]
    fn an_expired_licence_is_neither_on_nor_off() {
        assert_eq!(decode(0x04_3000).product_status, ProductStatus::Expired);
        assert_eq!(decode(0x04_3010).current, Some(false));
    }

    #[test]
    fn what_nobody_explained_stays_unexplained() {
        // 344064 was seen on a real machine.
        for odd in [344_064, 0x06_F100, -1, i64::MAX, 1 << 24] {
            assert_eq!(decode(odd).product_status, ProductStatus::Odd(odd));
        }
        assert_eq!(decode(0x06_1120).current, None);
        assert_eq!(decode(-1).current, None);
        assert_eq!(decode(0), State { product_status: ProductStatus::Off, current: Some(true), microsoft: false });
    }
}
