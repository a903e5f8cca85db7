//! A roster from a CSV file as spreadsheets write it: RFC 4180 with commas or semicolons, with or without a byte order mark.

use std::fmt::Display;

use policies::text;

use crate::act::roster::NewLine;
use crate::error::UserError;
use crate::store::machine::Role;
use crate::store::text::is_storable;

/// Most machines in one file.
const LINES: usize = 10_000;
/// Most characters in one cell.
const CELL: usize = 200;

/// Reads a roster.
///
/// # Errors
/// The text is not such a file; the message names the line in both languages.
pub(super) fn roster_read(text: &str) -> anyhow::Result<Vec<NewLine>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let separator = if text.lines().next().is_some_and(|head| head.contains(';')) { ';' } else { ',' };
    let mut records = records_read(text, separator)?.into_iter();
    let (_, head) = records.next().ok_or_else(|| UserError::new("Tệp không có nội dung.", "The file is empty."))?;
    let column = |names: &[&str]| head.iter().position(|cell| names.contains(&cell.trim().to_lowercase().as_str()));
    let label = column(&["label", "tên máy", "máy"])
        .ok_or_else(|| at(1, "không có cột \"Tên máy\" (hoặc label)", "there is no column \"label\" (or Tên máy)"))?;
    let room = column(&["room", "phòng"]);
    let person = column(&["person", "người dùng", "người sử dụng"]);
    let role = column(&["role", "loại", "loại máy"]);
    let serial = column(&["serial", "serial number", "s/n", "số sê-ri", "sê-ri", "số seri", "seri"]);
    let mac = column(&["mac", "mac address", "địa chỉ mac"]);
    let mut lines = Vec::new();
    for (number, cells) in records {
        let cell = |at: Option<usize>| at.and_then(|at| cells.get(at)).map_or("", |cell| cell.trim());
        if cells.iter().all(|cell| cell.trim().is_empty()) {
            continue;
        }
        if cells.iter().any(|cell| cell.chars().count() > CELL) {
            return Err(at(
                number,
                format!("có ô dài hơn {CELL} ký tự"),
                format!("a cell is longer than {CELL} characters"),
            ));
        }
        if !cells.iter().all(|cell| is_storable(cell)) {
            return Err(at(number, "có ô chứa ký tự NUL", "a cell holds a NUL character"));
        }
        let label = cell(Some(label));
        if label.is_empty() {
            return Err(at(number, "máy không có tên", "the machine has no name"));
        }
        let role = match cell(role).to_lowercase().as_str() {
            "" | "workstation" | "máy trạm" => Role::Workstation,
            "server" | "máy chủ" => Role::Server,
            other => {
                return Err(at(
                    number,
                    format!("loại máy {other:?} không phải máy trạm (workstation) cũng không phải máy chủ (server)"),
                    format!("{other:?} is neither workstation (máy trạm) nor server (máy chủ)"),
                ));
            }
        };
        lines.push(NewLine {
            label: label.to_owned(),
            room: cell(room).to_owned(),
            person: cell(person).to_owned(),
            role,
            serial: cell(serial).to_owned(),
            mac: cell(mac).to_owned(),
        });
        if lines.len() > LINES {
            let (vi, en) = (format!("Tệp có hơn {LINES} máy."), format!("The file names more than {LINES} machines."));
            return Err(UserError::new(vi, en).into());
        }
    }
    if lines.is_empty() {
        return Err(UserError::new("Tệp không có máy nào.", "The file names no machine.").into());
    }
    Ok(lines)
}

/// The error for a line, in both languages.
fn at(line: usize, vi: impl Display, en: impl Display) -> anyhow::Error {
    UserError::from(text!("Dòng {line}: {vi}.", "Line {line}: {en}.")).into()
}

/// The records with the number of the line each begins on.
fn records_read(text: &str, separator: char) -> anyhow::Result<Vec<(usize, Vec<String>)>> {
    let mut records = Vec::new();
    let (mut cells, mut cell) = (Vec::new(), String::new());
    let (mut line, mut begun, mut quoted) = (1, 1, false);
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                cell.push('"');
            }
            '"' if quoted => quoted = false,
            '"' if cell.is_empty() => quoted = true,
            '\r' if !quoted && characters.peek() == Some(&'\n') => {}
            '\n' if !quoted => {
                cells.push(std::mem::take(&mut cell));
                records.push((begun, std::mem::take(&mut cells)));
                line += 1;
                begun = line;
            }
            _ if character == separator && !quoted => cells.push(std::mem::take(&mut cell)),
            _ => {
                line += usize::from(character == '\n');
                cell.push(character);
            }
        }
    }
    if quoted {
        return Err(at(begun, "thiếu dấu ngoặc kép đóng", "a quotation mark is not closed"));
    }
    if !cell.is_empty() || !cells.is_empty() {
        cells.push(cell);
        records.push((begun, cells));
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use policies::text::Language;

    use super::*;

    #[test]
    fn reads_what_spreadsheets_write() {
        let lines = roster_read(
            "\u{feff}Tên máy;Phòng;Loại\r\nPC-01;\"Một cửa; tầng 1\";máy trạm\r\n\r\n\"Máy \"\"chủ\"\"\";;Server\r\n",
        )
        .unwrap();
        assert_eq!(lines.len(), 2);
        assert_eq!((lines[0].label.as_str(), lines[0].room.as_str()), ("PC-01", "Một cửa; tầng 1"));
        assert_eq!((lines[1].label.as_str(), lines[1].role), ("Máy \"chủ\"", Role::Server));
        assert_eq!(roster_read("label\nPC-01").unwrap()[0].role, Role::Workstation);
    }

    #[test]
    fn says_which_line_cannot_be_used() {
        for (text, why) in [
            ("", "The file is empty."),
            ("name\nPC", "Line 1: there is no column"),
            ("label\n", "The file names no machine."),
            ("label\nPC\u{0}1", "Line 2: a cell holds a NUL character."),
            ("label,role\nPC-01,laptop", "Line 2: \"laptop\" is neither"),
            ("label,room\n\"two\nlines\",x\n,y", "Line 4: the machine has no name."),
            ("label\n\"PC", "Line 2: a quotation mark is not closed."),
        ] {
            let refused = roster_read(text).unwrap_err();
            let [vi, en] = [Language::Vi, Language::En].map(|language| UserError::render(&refused, language));
            assert!(en.contains(why), "{text:?}: {en}");
            assert!(vi.starts_with("Dòng ") == en.starts_with("Line ") && vi != en, "{vi}");
        }
    }
}
