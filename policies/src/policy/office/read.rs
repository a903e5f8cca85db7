//! Reads `level-2.toml`: the keys of the office's numbers and their bounds.

use jiff::civil::{Date, Weekday};
use toml::de::{DeTable, DeValue};

use super::{
    CalendarDays, Caps, ControlFiles, CoverageCap, CriticalCap, Evidence, Letter, Letters, Office, Roster, Shares,
    StartUp, WaivedCap, Waivers, Weights, WidespreadCap,
};
use crate::policy::control::read::{format, identifier};
use crate::policy::error::PolicyErrors;
use crate::policy::source::{Source, Span, read_file};
use crate::policy::table::{Node, Table, text, unknown_value, wrong_type};
use crate::text;
use crate::text::{Text, visible};

/// The longest any deadline in days may be.
const MOST_DAYS: u32 = 3_660;

/// Reads an office file.
pub(super) fn office(file: &str, bytes: &[u8]) -> Result<Office, PolicyErrors> {
    read_file(file, bytes, document)
}

fn document<'s>(source: &'s Source<'s>, entries: &'s DeTable<'s>, span: Span) -> Option<Office> {
    let table = Table::new(source, entries, span.start..span.start);
    format(&table);
    let id = identifier(&table, "id");
    let title = table.sentence("title", 200);
    let controls = part(&table, "controls", |table| {
        let (workstation, server) = (file_name(table, "workstation"), file_name(table, "server"));
        Some(ControlFiles { workstation: workstation?, server: server? })
    });
    let weights = part(&table, "weights", weights);
    let shares = part(&table, "shares", shares);
    let letters = part(&table, "letters", letters);
    let caps = part(&table, "caps", caps);
    let evidence = part(&table, "evidence", |table| {
        let stale = small(table, "stale_after_working_days", 1, MOST_DAYS);
        let unknown = small(table, "critical_unknown_after_days", 1, MOST_DAYS);
        Some(Evidence { stale_after_working_days: stale?, critical_unknown_after_days: unknown? })
    });
    let waivers = part(&table, "waivers", |table| {
        let critical = small(table, "critical_at_most_days", 1, MOST_DAYS);
        let other = small(table, "other_at_most_days", 1, MOST_DAYS);
        Some(Waivers { critical_at_most_days: critical?, other_at_most_days: other? })
    });
    let roster = part(&table, "roster", |table| {
        Some(Roster { away_at_most_days: small(table, "away_at_most_days", 1, MOST_DAYS)? })
    });
    let start_up = part(&table, "start_up", |table| Some(StartUp { days: small(table, "days", 0, MOST_DAYS)? }));
    let calendar = part(&table, "calendar", calendar);
    table.end();
    Some(Office {
        id: id?,
        title: title?,
        controls: controls?,
        weights: weights?,
        shares: shares?,
        letters: letters?,
        caps: caps?,
        evidence: evidence?,
        waivers: waivers?,
        roster: roster?,
        start_up: start_up?,
        calendar: calendar?,
    })
}

/// The table at `key`, read by `read` and then closed.
fn part<'s, T>(table: &Table<'s, 's>, key: &'static str, read: impl FnOnce(&Table<'s, 's>) -> Option<T>) -> Option<T> {
    let inner = Table::of(table.source, table.need(key)?)?;
    let value = read(&inner);
    inner.end();
    value
}

fn small(table: &Table<'_, '_>, key: &'static str, least: u32, most: u32) -> Option<u32> {
    table.number(key, least.into(), most.into()).and_then(|number| u32::try_from(number).ok())
}

/// A plain file name next to this file, never a path.
fn file_name(table: &Table<'_, '_>, key: &'static str) -> Option<String> {
    let node = table.need(key)?;
    let name = text(table.source, node, 100)?;
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    if plain && !name.starts_with('.') {
        return Some(name.to_owned());
    }
    let shown = visible(name, 100);
    table.source.error(
        &node.span(),
        text!("`{shown}` phải là tên tệp, không phải đường dẫn", "`{shown}` must be a file name and not a path"),
    );
    None
}

fn weights(table: &Table<'_, '_>) -> Option<Weights> {
    let [critical, high, medium, low] = ["critical", "high", "medium", "low"].map(|key| small(table, key, 1, 1_000));
    let weights = Weights { critical: critical?, high: high?, medium: medium?, low: low? };
    if weights.critical >= weights.high && weights.high >= weights.medium && weights.medium >= weights.low {
        return Some(weights);
    }
    table.source.error(
        &table.span,
        Text::new(
            "trọng số phải giảm dần từ `critical` đến `low`",
            "the weights must not rise from `critical` to `low`",
        ),
    );
    None
}

fn shares(table: &Table<'_, '_>) -> Option<Shares> {
    let [technical, organisational] =
        ["technical_percent", "organisational_percent"].map(|key| small(table, key, 0, 100));
    let shares = Shares { technical_percent: technical?, organisational_percent: organisational? };
    if shares.technical_percent + shares.organisational_percent == 100 {
        return Some(shares);
    }
    table
        .source
        .error(&table.span, Text::new("hai tỷ trọng phải cộng lại thành 100", "the two shares must add up to 100"));
    None
}

fn letters(table: &Table<'_, '_>) -> Option<Letters> {
    let [a, b, c, d] = ["a", "b", "c", "d"].map(|key| small(table, key, 1, 100));
    let letters = Letters { a: a?, b: b?, c: c?, d: d? };
    if letters.a > letters.b && letters.b > letters.c && letters.c > letters.d {
        return Some(letters);
    }
    table.source.error(
        &table.span,
        Text::new("mức điểm phải giảm dần từ `a` đến `d`", "the lowest scores must fall from `a` to `d`"),
    );
    None
}

fn letter(table: &Table<'_, '_>) -> Option<Letter> {
    table.word("at_most", &Letter::ALL, Letter::code)
}

fn caps<'s>(table: &Table<'s, 's>) -> Option<Caps> {
    let critical = part(table, "critical", |table| {
        let days = small(table, "older_than_working_days", 0, MOST_DAYS);
        Some(CriticalCap { at_most: letter(table)?, older_than_working_days: days? })
    });
    let widespread = part(table, "widespread", |table| {
        let (percent, machines) = (small(table, "over_percent", 0, 100), small(table, "at_least_machines", 1, 100_000));
        Some(WidespreadCap { at_most: letter(table)?, over_percent: percent?, at_least_machines: machines? })
    });
    let coverage = part(table, "coverage", |table| {
        let (percent, missing) = (small(table, "under_percent", 0, 100), small(table, "at_least_missing", 1, 100_000));
        Some(CoverageCap { at_most: letter(table)?, under_percent: percent?, at_least_missing: missing? })
    });
    let waived = part(table, "waived", |table| {
        let percent = small(table, "over_percent", 0, 100);
        Some(WaivedCap { at_most: letter(table)?, over_percent: percent? })
    });
    Some(Caps { critical: critical?, widespread: widespread?, coverage: coverage?, waived: waived? })
}

const WEEKDAYS: [(&str, Weekday); 7] = [
    ("monday", Weekday::Monday),
    ("tuesday", Weekday::Tuesday),
    ("wednesday", Weekday::Wednesday),
    ("thursday", Weekday::Thursday),
    ("friday", Weekday::Friday),
    ("saturday", Weekday::Saturday),
    ("sunday", Weekday::Sunday),
];

fn calendar(table: &Table<'_, '_>) -> Option<CalendarDays> {
    let offset = table.number("utc_offset_minutes", -14 * 60, 14 * 60);
    let weekend = table.items("weekend", 0, 6).and_then(|nodes| {
        let days: Vec<Option<Weekday>> = nodes.iter().map(|node| weekday(table.source, node)).collect();
        days.into_iter().collect::<Option<Vec<_>>>()
    });
    let holidays = dates(table, "holidays");
    let worked = dates(table, "worked");
    let known_to_year = table.number("known_to_year", 2000, 9000);
    let worked = worked?;
    let weekend = weekend?;
    let holidays: std::collections::BTreeSet<Date> = holidays?.into_iter().collect();
    for date in &worked {
        if !holidays.contains(date) && !weekend.contains(&date.weekday()) {
            table.source.error(
                &table.span,
                text!(
                    "ngày làm bù {date} vốn đã là ngày làm việc",
                    "{date} is worked in exchange but is a working day anyway"
                ),
            );
        }
    }
    Some(CalendarDays {
        utc_offset_minutes: i32::try_from(offset?).ok()?,
        weekend,
        holidays,
        worked: worked.into_iter().collect(),
        known_to_year: i16::try_from(known_to_year?).ok()?,
    })
}

fn weekday(source: &Source<'_>, node: &Node<'_>) -> Option<Weekday> {
    let name = text(source, node, 20)?;
    let found = WEEKDAYS.iter().find(|(code, _)| *code == name).map(|(_, day)| *day);
    if found.is_none() {
        source.error(&node.span(), unknown_value(name, WEEKDAYS.iter().map(|(code, _)| *code)));
    }
    found
}

/// TOML dates without a time.
fn dates(table: &Table<'_, '_>, key: &'static str) -> Option<Vec<Date>> {
    let dates: Vec<Option<Date>> = table.items(key, 0, 2_000)?.iter().map(|node| day(table.source, node)).collect();
    dates.into_iter().collect()
}

/// A TOML date without a time.
pub(in crate::policy) fn day(source: &Source<'_>, node: &Node<'_>) -> Option<Date> {
    if let DeValue::Datetime(value) = node.get_ref()
        && let (Some(date), None) = (value.date, value.time)
        && let (Ok(year), Ok(month), Ok(day)) =
            (i16::try_from(date.year), i8::try_from(date.month), i8::try_from(date.day))
        && let Ok(date) = Date::new(year, month, day)
    {
        return Some(date);
    }
    wrong_type(source, &node.span(), "một ngày như 2027-01-01", "a day such as 2027-01-01", node.get_ref());
    None
}
