//! A fact's value in words: units, dates as a person in Viet Nam reads them, and text from the machine made safe to show.
//! Owns no sentence about controls.

use jiff::civil::Date;
use jiff::tz::Offset;

use crate::fact::{Field, Instant, Kind, Record, Unit, Value};
use crate::text;
use crate::text::{Text, visible};

/// The most characters of one text from a machine inside a sentence.
const LONGEST_TEXT: usize = 80;
/// The most items of a list that a sentence names.
pub(crate) const MOST_NAMED: usize = 3;
const DAY: i64 = 24 * 60 * 60 * 1000;
/// The clock by which dates and hours are written: Viet Nam has one zone and no summer time.
pub const VIET_NAM: Offset = Offset::constant(7);

/// Numbers shown as a word, by the name of the fact or field.
const WORDS_FOR_NUMBERS: &[(&str, i64, &str, &str)] = &[
    ("lockout_tries", 0, "không khoá", "never locks"),
    ("lockout_time", 0, "đến khi quản trị viên mở khoá", "until an administrator unlocks"),
    ("password_max_age", 99_999, "không hết hạn", "never expires"),
    ("shell_timeout", 0, "không tự kết thúc", "never ends"),
    ("screen_lock", 0, "không tự khoá", "never locks"),
    ("ssh_idle", 0, "không tự ngắt", "never cut"),
];

/// The value of `field` in words, as of `now`.
pub fn field_value(field: &Field, value: &Value<'_>, now: Instant) -> Text {
    if let Value::Integer(number) = value
        && let Some(word) = word_for_number(field, *number)
    {
        return word;
    }
    plain_value(field.kind, value, now)
}

/// The word that `number` stands for in `field`, such as `không khoá` for 0 tries.
pub(crate) fn word_for_number(field: &Field, number: i64) -> Option<Text> {
    let entry = WORDS_FOR_NUMBERS.iter().find(|(name, at, ..)| *at == number && *name == field.name);
    entry.map(|(.., vi, en)| Text::new(*vi, *en))
}

/// A value of `kind` in words, as of `now`.
pub fn plain_value(kind: Kind, value: &Value<'_>, now: Instant) -> Text {
    match value {
        Value::Unknown(unknown) => {
            let reason = unknown.reason.text();
            Text::new(format!("chưa xác định ({})", reason.vi), format!("unknown ({})", reason.en))
        }
        Value::Bool(value) => boolean(*value),
        Value::Integer(number) => match kind {
            Kind::Integer(unit) => quantity(unit, *number),
            _ => quantity(Unit::Count, *number),
        },
        Value::Text("") => Text::new("(trống)", "(empty)"),
        Value::Text(text) => {
            let text = visible(text, LONGEST_TEXT);
            Text::new(text.clone(), text)
        }
        Value::Instant(at) => instant(*at, now),
        Value::Choice(choice) => Text::new(choice.vi, choice.en),
        Value::List(items, left_out) => list(kind, items, *left_out, now),
        Value::Record(record) => identity(*record, now),
    }
}

fn list(kind: Kind, items: &[Value<'_>], left_out: u32, now: Instant) -> Text {
    let item_kind = match kind {
        Kind::List(item) => *item,
        other => other,
    };
    if items.is_empty() && left_out == 0 {
        return Text::new("không có", "none");
    }
    let mut text = Text::default();
    for (index, item) in items.iter().take(MOST_NAMED).enumerate() {
        if index > 0 {
            text.push(", ", ", ");
        }
        text.append(&plain_value(item_kind, item, now));
    }
    let more = items.len().saturating_sub(MOST_NAMED) + left_out as usize;
    if more > 0 {
        text.append(&and_more(more));
    }
    text
}

/// ` và 4 mục khác`.
pub(crate) fn and_more(more: usize) -> Text {
    text!(" và {more} mục khác", " and {more} more")
}

/// What distinguishes one record of a list from another: its name, or its leading choices with the number after them; a socket also
/// by the program that holds it. An address of an office is followed by the machines that use it.
pub fn identity(record: &dyn Record, now: Instant) -> Text {
    let mut text = Text::default();
    let program = record.fields().iter().position(|field| field.name == "program");
    let known = program.filter(|index| !matches!(record.value(*index), Value::Unknown(_)));
    for index in identity_fields(record.fields()).into_iter().chain(known) {
        let field = &record.fields()[index];
        if !text.vi.is_empty() {
            text.push(" ", " ");
        }
        text.append(&field_value(field, &record.value(index), now));
    }
    if let Some(index) = record.fields().iter().position(|field| field.name == "machines") {
        text.push(" (", " (");
        text.append(&field_value(&record.fields()[index], &record.value(index), now));
        text.push(")", ")");
    }
    text
}

/// The positions of the fields that make up [`identity`].
pub(crate) fn identity_fields(fields: &[Field]) -> Vec<usize> {
    if let Some(name) = fields.iter().position(|field| field.name == "name") {
        return vec![name];
    }
    let choices = fields.iter().take_while(|field| matches!(field.kind, Kind::Choice(_))).count();
    let mut leading: Vec<usize> = (0..choices).collect();
    if choices == 0 || matches!(fields.get(choices).map(|field| field.kind), Some(Kind::Integer(_))) {
        leading.push(choices);
    }
    leading.retain(|index| *index < fields.len());
    leading
}

/// Yes or no.
pub fn boolean(value: bool) -> Text {
    if value { Text::new("có", "yes") } else { Text::new("không", "no") }
}

/// A number with its unit; seconds and mebibytes in the largest unit that stays whole.
pub fn quantity(unit: Unit, number: i64) -> Text {
    match unit {
        Unit::Count => {
            let number = number.to_string();
            Text::new(number.clone(), number)
        }
        Unit::Seconds if number != 0 && number % 86_400 == 0 => counted(number / 86_400, "ngày", "day"),
        Unit::Seconds if number != 0 && number % 3600 == 0 => counted(number / 3600, "giờ", "hour"),
        Unit::Seconds if number != 0 && number % 60 == 0 => counted(number / 60, "phút", "minute"),
        Unit::Seconds => counted(number, "giây", "second"),
        Unit::Days => counted(number, "ngày", "day"),
        Unit::Mebibytes if number >= 1024 => {
            let (whole, tenth) = (number / 1024, number % 1024 * 10 / 1024);
            text!("{whole},{tenth} GiB", "{whole}.{tenth} GiB")
        }
        Unit::Mebibytes => text!("{number} MiB", "{number} MiB"),
        Unit::Milliseconds => counted(number, "mili giây", "millisecond"),
    }
}

fn counted(number: i64, vi: &str, en: &str) -> Text {
    let plural = if number == 1 || number == -1 { "" } else { "s" };
    text!("{number} {vi}", "{number} {en}{plural}")
}

/// Whole days from `at` to `now`, rounded towards the past; negative when `at` is ahead.
pub(crate) fn days_ago(at: Instant, now: Instant) -> i64 {
    now.as_millisecond().saturating_sub(at.as_millisecond()).div_euclid(DAY)
}

/// The day of an instant by Viet Nam's clock.
pub fn day(at: Instant) -> Date {
    VIET_NAM.to_datetime(at).date()
}

/// The day of an instant: `10/11/2026`, `2026-11-10`.
pub fn date(at: Instant) -> Text {
    let day = day(at);
    Text::new(format!("{:02}/{:02}/{}", day.day(), day.month(), day.year()), day.to_string())
}

/// An instant seen from `now`: `12 ngày trước (10/11/2026)`, `còn 30 ngày (22/12/2026)`.
pub fn instant(at: Instant, now: Instant) -> Text {
    let date = date(at);
    let days = days_ago(at, now);
    let distance = if at > now {
        match days_ago(now, at) {
            0 => Text::new("trong 24 giờ tới", "within 24 hours"),
            days => {
                let days = counted(days, "ngày", "day");
                Text::new(format!("còn {}", days.vi), format!("{} ahead", days.en))
            }
        }
    } else if days == 0 {
        Text::new("trong 24 giờ qua", "within the last 24 hours")
    } else {
        let days = counted(days, "ngày", "day");
        Text::new(format!("{} trước", days.vi), format!("{} ago", days.en))
    };
    Text::new(format!("{} ({})", distance.vi, date.vi), format!("{} ({})", distance.en, date.en))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Instant {
        text.parse().unwrap()
    }

    #[test]
    fn instants_are_told_from_now_with_the_day_in_viet_nam() {
        let now = at("2026-11-22T03:00:00Z");
        assert_eq!(
            instant(at("2026-11-10T01:00:00Z"), now),
            Text::new("12 ngày trước (10/11/2026)", "12 days ago (2026-11-10)")
        );
        assert_eq!(instant(at("2026-11-21T18:00:00Z"), now).vi, "trong 24 giờ qua (22/11/2026)");
        assert_eq!(
            instant(at("2026-12-22T03:00:00Z"), now),
            Text::new("còn 30 ngày (22/12/2026)", "30 days ahead (2026-12-22)")
        );
        assert_eq!(instant(at("2026-11-20T03:00:00Z"), now).en, "2 days ago (2026-11-20)");
        // The ends of the time line neither panic nor overflow.
        assert!(instant(Instant::MIN, Instant::MAX).vi.contains("ngày trước"));
        assert!(instant(Instant::MAX, Instant::MIN).vi.contains("còn"));
    }

    #[test]
    fn numbers_carry_their_unit() {
        assert_eq!(quantity(Unit::Seconds, 900), Text::new("15 phút", "15 minutes"));
        assert_eq!(quantity(Unit::Seconds, 43_200), Text::new("12 giờ", "12 hours"));
        assert_eq!(quantity(Unit::Seconds, 61), Text::new("61 giây", "61 seconds"));
        assert_eq!(quantity(Unit::Days, 1), Text::new("1 ngày", "1 day"));
        assert_eq!(quantity(Unit::Mebibytes, 7_900), Text::new("7,7 GiB", "7.7 GiB"));
        assert_eq!(quantity(Unit::Count, -3), Text::new("-3", "-3"));
    }

    #[test]
    fn every_record_of_a_list_has_an_identity() {
        for section in crate::fact::Section::ALL {
            for field in section.fields() {
                if let Kind::List(Kind::Record(fields)) = field.kind {
                    assert!(!identity_fields(fields).is_empty(), "{}.{}", section.name(), field.name);
                }
            }
        }
    }

    #[test]
    fn text_from_a_machine_is_short_and_visible() {
        let text = "x".repeat(200) + "\u{202e}";
        let shown = plain_value(Kind::Text, &Value::Text(&text), Instant::UNIX_EPOCH).vi;
        assert_eq!(shown.chars().count(), LONGEST_TEXT);
        assert!(shown.ends_with('…'));
    }
}
