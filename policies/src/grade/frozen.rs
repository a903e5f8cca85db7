//! Frozen figures (số liệu chốt): the mean of daily scores. Later evidence never rewrites them.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::Points;

/// The score of one day, taken at the stated hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DailyScore {
    /// The day.
    pub day: Date,
    /// The score at that hour.
    pub score: Points,
}

/// The mean of daily scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrozenScore {
    /// The first day with a score.
    pub first: Date,
    /// The last day with a score.
    pub last: Date,
    /// How many days have a score: shown, because days without one are missing from the mean.
    pub days: u64,
    /// The mean, rounded down to a millionth.
    pub score: Points,
}

/// The mean of the scores of the days from `first` to `last`; of two scores of one day the first counts, because a later one
/// is a correction. `None` when no day has a score.
pub fn frozen_score(scores: &[DailyScore], first: Date, last: Date) -> Option<FrozenScore> {
    let mut days: Vec<&DailyScore> = scores.iter().filter(|day| first <= day.day && day.day <= last).collect();
    days.sort_by_key(|day| day.day);
    days.dedup_by_key(|day| day.day);
    let sum: i128 = days.iter().map(|day| i128::from(day.score.0)).sum();
    let mean = sum.checked_div(days.len() as i128)?;
    Some(FrozenScore {
        first: days.first()?.day,
        last: days.last()?.day,
        days: days.len() as u64,
        score: Points(i64::try_from(mean).ok()?),
    })
}
