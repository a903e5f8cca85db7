//! Columns of text on a terminal, wrapped to its width.

/// How many columns `text` takes on a terminal: marks that sit on the letter before take none.
pub fn width(text: &str) -> usize {
    text.chars().filter(|character| !matches!(character, '\u{0300}'..='\u{036F}')).count()
}

/// Breaks `text` into lines of at most `most` columns, between words where it can.
pub fn wrap(text: &str, most: usize) -> Vec<String> {
    let most = most.max(1);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let mut word = word.to_owned();
        if !line.is_empty() && width(&line) + 1 + width(&word) > most {
            lines.push(std::mem::take(&mut line));
        }
        while width(&word) > most {
            // The last place that fits, so that marks stay with their letter.
            let places = word.char_indices().map(|(at, _)| at);
            let cut = places.rev().find(|&at| width(&word[..at]) <= most).unwrap_or(word.len());
            let rest = word.split_off(cut);
            lines.push(std::mem::replace(&mut word, rest));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&word);
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

/// One row: each cell wrapped to its column and padded, columns two blanks apart. `paint` colours the first cell after it
/// was padded.
pub fn row(cells: &[&str], widths: &[usize], paint: impl Fn(&str) -> String) -> String {
    let columns: Vec<Vec<String>> = cells.iter().zip(widths).map(|(cell, &most)| wrap(cell, most)).collect();
    let height = columns.iter().map(Vec::len).max().unwrap_or(0);
    let mut text = String::new();
    for line in 0..height {
        let mut row = String::new();
        for (number, (column, &most)) in columns.iter().zip(widths).enumerate() {
            let cell = column.get(line).map_or("", String::as_str);
            let padded = format!("{cell}{}", " ".repeat(most.saturating_sub(width(cell))));
            row.push_str(&if number == 0 && !cell.is_empty() { paint(&padded) } else { padded });
            row.push_str("  ");
        }
        text.push_str(row.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stay_whole_where_they_fit() {
        assert_eq!(wrap("mẫu nhận diện cũ 12 ngày", 10), ["mẫu nhận", "diện cũ 12", "ngày"]);
        assert_eq!(wrap("", 10), [""]);
        assert_eq!(wrap("abcdefgh ij", 3), ["abc", "def", "gh", "ij"]);
    }

    #[test]
    fn marks_take_no_room() {
        assert_eq!(width("e\u{0302}\u{0301}"), 1);
        assert_eq!(wrap("e\u{0302}e\u{0302}e\u{0302}", 2), ["e\u{0302}e\u{0302}", "e\u{0302}"]);
    }

    #[test]
    fn cells_stand_under_each_other() {
        let text = row(&["đạt", "một hai ba", "x"], &[4, 7, 3], str::to_owned);
        assert_eq!(text, "đạt   một hai  x\n      ba\n");
    }
}
