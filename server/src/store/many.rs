//! Many rows in one statement: as one value of JSON, or in lists that are split so that few distinct SQL texts are prepared and cached.

use std::collections::BTreeMap;

use serde::Serialize;
use sqlx::types::Json;

/// Rows as one value for `from jsonb_each($1) r`, the same on both databases: `r.key` is the row's id, `r.value ->> 'name'` one of its
/// values, to be cast where it is a number.
pub(super) fn rows<'a, T: Serialize>(rows: impl Iterator<Item = (&'a str, T)>) -> Json<BTreeMap<&'a str, T>> {
    Json(rows.collect())
}

/// Ids alone, for `in (select r.key from jsonb_each($1) r)`.
pub(super) fn ids(ids: &[String]) -> Json<BTreeMap<&str, u8>> {
    rows(ids.iter().map(|id| (id.as_str(), 0)))
}

/// Sizes of the pieces, largest first: any number up to 64 is at most three of them.
const SIZES: [usize; 12] = [64, 48, 32, 24, 16, 12, 8, 6, 4, 3, 2, 1];

/// Splits `rows` into pieces of the sizes above.
pub(super) fn pieces<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let size = SIZES.into_iter().find(|&size| size <= rows.len())?;
        let (piece, rest) = rows.split_at(size);
        rows = rest;
        Some(piece)
    })
}

/// Values for `column in (...)`: pieces of the sizes above, padded by repeating the last value.
pub(super) fn in_lists(values: &[String]) -> impl Iterator<Item = Vec<String>> {
    values.chunks(SIZES[0]).map(|chunk| {
        let size = SIZES.into_iter().rev().find(|&size| size >= chunk.len()).unwrap_or(SIZES[0]);
        let mut list = chunk.to_vec();
        list.resize(size, chunk.last().cloned().unwrap_or_default());
        list
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_cover_every_row_once() {
        for count in 0..=200 {
            let rows: Vec<usize> = (0..count).collect();
            let joined: Vec<usize> = pieces(&rows).flatten().copied().collect();
            assert_eq!(joined, rows);
            assert!(pieces(&rows).all(|piece| SIZES.contains(&piece.len())));
            assert!(pieces(&rows).count() <= 3 + count / 64);
        }
    }

    #[test]
    fn lists_are_filled_up_with_what_is_in_them() {
        let values: Vec<String> = (0..71).map(|value| format!("m{value}")).collect();
        let lists: Vec<Vec<String>> = in_lists(&values).collect();
        assert_eq!(lists.iter().map(Vec::len).collect::<Vec<_>>(), [64, 8]);
        assert_eq!(lists[1][6..], ["m70", "m70"]);
        assert_eq!(in_lists(&[]).count(), 0);
    }
}
