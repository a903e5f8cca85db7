//! Points: integers in millionths, so that a score and its ledger add up exactly. Owns how they are shown: rounded down.

use std::iter::Sum;
use std::ops::{Add, Sub};

use serde::{Deserialize, Serialize};

use crate::text::Language;

/// Points in millionths: 100 points are 100,000,000. Negative only as a difference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Points(pub i64);

impl Points {
    /// Millionths in a point.
    pub const ONE: Self = Self(1_000_000);
    /// The most an office can have.
    pub const FULL: Self = Self(100 * Self::ONE.0);
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// A number of whole points.
    pub const fn whole(points: u32) -> Self {
        Self(points as i64 * Self::ONE.0)
    }

    /// As a screen shows it, with `decimals` (0 to 6) places, rounded down: 89.999 never reads as 90. A negative
    /// difference is rounded towards zero, so that no change looks larger than it is. Vietnamese writes a comma.
    pub fn show(self, decimals: u8, language: Language) -> String {
        let decimals = decimals.min(6);
        let unit = 10_u64.pow(6 - u32::from(decimals));
        let shown = self.0.unsigned_abs() / unit;
        let sign = if self.0 < 0 && shown > 0 { "-" } else { "" };
        if decimals == 0 {
            return format!("{sign}{shown}");
        }
        let whole = 10_u64.pow(u32::from(decimals));
        let mark = language.text(",", ".");
        format!("{sign}{}{mark}{:0width$}", shown / whole, shown % whole, width = usize::from(decimals))
    }
}

impl Add for Points {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Sub for Points {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl Sum for Points {
    fn sum<I: Iterator<Item = Self>>(points: I) -> Self {
        points.fold(Self::ZERO, Add::add)
    }
}

#[cfg(test)]
mod tests {
    use super::Points;
    use crate::text::Language;

    #[test]
    fn screens_round_down() {
        assert_eq!(Points(89_999_999).show(2, Language::Vi), "89,99");
        assert_eq!(Points(89_999_999).show(0, Language::En), "89");
        assert_eq!(Points(5_000_000).show(1, Language::En), "5.0");
        assert_eq!(Points(1).show(6, Language::Vi), "0,000001");
        assert_eq!(Points(-1_259_999).show(2, Language::Vi), "-1,25");
        assert_eq!(Points(-9_999).show(2, Language::En), "0.00");
    }
}
