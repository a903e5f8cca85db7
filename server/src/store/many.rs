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

/// Sizes of the pieces, largest first.
const SIZES: [usize; 4] = [64, 16, 4, 1];

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
        for count in [0, 1, 3, 4, 5, 16, 63, 64, 65, 200] {
            let rows: Vec<usize> = (0..count).collect();
            let joined: Vec<usize> = pieces(&rows).flatten().copied().collect();
            assert_eq!(joined, rows);
            assert!(pieces(&rows).all(|piece| SIZES.contains(&piece.len())));
        }
    }

    #[test]
    fn lists_are_filled_up_with_what_is_in_them() {
        let values: Vec<String> = (0..70).map(|value| format!("m{value}")).collect();
        let lists: Vec<Vec<String>> = in_lists(&values).collect();
        assert_eq!(lists.iter().map(Vec::len).collect::<Vec<_>>(), [64, 16]);
        assert_eq!(lists[1][5..], vec!["m69".to_owned(); 11]);
        assert_eq!(in_lists(&[]).count(), 0);
    }
}
