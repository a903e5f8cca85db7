//! What leaves say, as text: every field on a line of its own below one that names kind and version. An agent makes those of its own
//! reports again, and of the checkpoint with which an epoch begins.

use std::fmt;

use crate::header::Position;

/// The content of a leaf of this kind.
pub fn content(kind: &str, fields: &[&dyn fmt::Display]) -> String {
    let mut content = format!("tram-an/leaf/{kind}/1\n");
    for field in fields {
        content.push_str(&format!("{field}\n"));
    }
    content
}

/// An accepted report of `machine`, received at this time (milliseconds UTC).
pub fn report(machine: &str, position: &Position, received_at: i64) -> String {
    content("report", &[&machine, &position.segment, &position.number, &position.hash, &received_at])
}

/// The last checkpoint known when an epoch began, as signed.
pub fn checkpoint(note: &str) -> String {
    content("checkpoint", &[&note.trim_end_matches('\n')])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    #[test]
    fn the_exact_content_is_pinned() {
        let position = Position { segment: 2, number: 7, hash: Digest::ZERO };
        let zero = "0".repeat(64);
        assert_eq!(report("m", &position, 9), format!("tram-an/leaf/report/1\nm\n2\n7\n{zero}\n9\n"));
        assert_eq!(checkpoint("a\n\n— b\n"), "tram-an/leaf/checkpoint/1\na\n\n— b\n");
    }
}
