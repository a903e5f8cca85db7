//! Numbers and dates as a reader of the page's language expects them: `12,34` and `22/11/2026 14:05`, or `12.34` and
//! `22 Nov 2026 14:05`. Owns no units of the store: those are named in each function.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use policies::text::Language;

/// Formats numbers and dates for one reader.
#[derive(Clone, Debug)]
pub(crate) struct Numbers {
    language: Language,
    zone: TimeZone,
}

impl Numbers {
    /// For `language`, with times in `zone`.
    pub(crate) fn new(language: Language, zone: TimeZone) -> Self {
        Self { language, zone }
    }

    /// Millionths with two decimals, rounded down so that no score looks higher than it is.
    pub(crate) fn hundredths_of(&self, millionths: i64) -> String {
        self.hundredths(millionths.div_euclid(10_000))
    }

    /// A number given in hundredths, with two decimals.
    pub(crate) fn hundredths(&self, hundredths: i64) -> String {
        let sign = if hundredths < 0 { "-" } else { "" };
        let size = hundredths.unsigned_abs();
        format!("{sign}{}{}{:02}", self.count(size / 100), self.language.text(",", "."), size % 100)
    }

    /// A whole number with thousands separators.
    pub(crate) fn count(&self, number: impl TryInto<i128>) -> String {
        let Ok(number) = number.try_into() else { return "?".to_owned() };
        let digits = number.unsigned_abs().to_string();
        let mut grouped = if number < 0 { "-".to_owned() } else { String::new() };
        for (place, digit) in digits.chars().enumerate() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                grouped.push_str(self.language.text(".", ","));
            }
            grouped.push(digit);
        }
        grouped
    }

    /// A share of `part` in `whole` as whole percent, rounded down; `100 %` only when nothing is missing.
    pub(crate) fn percent(&self, part: u64, whole: u64) -> String {
        let percent = if whole == 0 { 0 } else { u128::from(part) * 100 / u128::from(whole) };
        format!("{percent} %")
    }

    /// Date and time of an instant in milliseconds UTC.
    pub(crate) fn moment(&self, at: i64) -> String {
        self.format(at, "%d/%m/%Y %H:%M", "%-d %b %Y %H:%M")
    }

    /// Date and time to the second.
    pub(crate) fn second(&self, at: i64) -> String {
        self.format(at, "%d/%m/%Y %H:%M:%S", "%-d %b %Y %H:%M:%S")
    }

    /// Only the date.
    pub(crate) fn date(&self, at: i64) -> String {
        self.format(at, "%d/%m/%Y", "%-d %b %Y")
    }

    fn format(&self, at: i64, vi: &str, en: &str) -> String {
        let Ok(instant) = Timestamp::from_millisecond(at) else { return "?".to_owned() };
        instant.to_zoned(self.zone.clone()).strftime(self.language.text(vi, en)).to_string()
    }
}

/// Distributes `total` hundredths over `parts` (millionths) so that what is shown adds up to what is shown as the
/// total: each part is rounded down, and the hundredths left over go to the largest remainders.
pub(crate) fn share_out(parts: &[i64], total: i64) -> Vec<i64> {
    let mut shown: Vec<i64> = parts.iter().map(|part| part.div_euclid(10_000)).collect();
    let mut order: Vec<usize> = (0..parts.len()).collect();
    order.sort_by_key(|&index| std::cmp::Reverse(parts[index].rem_euclid(10_000)));
    let left: i64 = total - shown.iter().sum::<i64>();
    for &index in order.iter().take(usize::try_from(left).unwrap_or(0)) {
        shown[index] += 1;
    }
    shown
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn vi() -> Numbers {
        Numbers::new(Language::Vi, TimeZone::get("Asia/Ho_Chi_Minh").unwrap())
    }

    #[test]
    fn numbers_and_dates_are_written_the_vietnamese_way() {
        assert_eq!(vi().hundredths_of(12_349_999), "12,34");
        assert_eq!(vi().hundredths_of(89_999_999), "89,99");
        assert_eq!(vi().count(1_234_567_u64), "1.234.567");
        assert_eq!(vi().count(-1000_i64), "-1.000");
        assert_eq!(vi().percent(199, 200), "99 %");
        assert_eq!(vi().percent(0, 0), "0 %");
        assert_eq!(vi().moment(1_795_331_100_000), "22/11/2026 14:05");
        assert_eq!(vi().moment(i64::MAX), "?");
    }

    #[test]
    fn english_has_its_own_way() {
        let en = Numbers::new(Language::En, TimeZone::UTC);
        assert_eq!(en.hundredths_of(12_340_000), "12.34");
        assert_eq!(en.count(1_234_567_u64), "1,234,567");
        assert_eq!(en.moment(1_795_331_100_000), "22 Nov 2026 07:05");
    }

    proptest! {
        #[test]
        fn what_is_shown_adds_up(cuts in prop::collection::vec(0_i64..100_000_000, 0..40)) {
            let mut cuts = cuts;
            cuts.sort_unstable();
            let mut parts = Vec::new();
            let mut last = 0;
            for cut in cuts {
                parts.push(cut - last);
                last = cut;
            }
            let score = 100_000_000 - parts.iter().sum::<i64>();
            let shown = share_out(&parts, 10_000 - score / 10_000);
            prop_assert_eq!(shown.iter().sum::<i64>() + score / 10_000, 10_000);
        }
    }
}
