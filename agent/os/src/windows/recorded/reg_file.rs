//! The text format in which Registry Editor exports and imports keys (`Windows Registry Editor Version 5.00`): used to write down a
//! machine, and what a remedy changes in it.
//!
//! `[KEY]` opens a key, `[-KEY]` removes it and everything below; `"Name"="text"`, `=dword:1f`, `=hex(7):61,00,...` set a value, `"Name"=-`
//! removes it. A line that ends with a backslash continues on the next. Source: support.microsoft.com, "How to add, modify, or delete
//! registry subkeys and values by using a .reg file".

use anyhow::{Context, bail};

use super::Recorded;
use crate::windows::Registry;
use crate::windows::decode::registry::value;

const HIVES: [(&str, &str); 2] = [("HKEY_LOCAL_MACHINE", "HKLM"), ("HKEY_USERS", "HKU")];

impl Recorded {
    /// Applies the changes in `text`.
    ///
    /// # Errors
    /// A malformed line, with its number.
    pub fn import(mut self, text: &str) -> anyhow::Result<Self> {
        let mut key = None;
        let mut whole = String::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if let Some(begun) = line.strip_suffix('\\').filter(|_| line.contains("hex") || !whole.is_empty()) {
                whole.push_str(begun);
                continue;
            }
            whole.push_str(line);
            self = self.line(&whole, &mut key).with_context(|| format!("line {}: {whole}", number + 1))?;
            whole.clear();
        }
        Ok(self)
    }

    fn line(self, line: &str, key: &mut Option<String>) -> anyhow::Result<Self> {
        if line.is_empty() || line.starts_with(';') || line.starts_with("Windows Registry Editor") {
            return Ok(self);
        }
        if let Some(named) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            return Ok(match named.strip_prefix('-') {
                Some(gone) => self.without_key(&short(gone)?),
                None => {
                    let opened = short(named)?;
                    *key = Some(opened.clone());
                    self.key(&opened)
                }
            });
        }
        let key = key.as_deref().context("no key before it")?;
        let (name, data) = named_value(line)?;
        if data == "-" {
            return Ok(self.without_value(key, &name));
        }
        Ok(self.set(key, &name, read(data)?))
    }
}

fn short(key: &str) -> anyhow::Result<String> {
    let (hive, rest) = key.split_once('\\').context("a key below a hive is wanted")?;
    let (_, short) =
        HIVES.iter().find(|(long, _)| *long == hive).context("HKEY_LOCAL_MACHINE or HKEY_USERS is wanted")?;
    Ok(format!(r"{short}\{rest}"))
}

/// The name and what follows `=`.
fn named_value(line: &str) -> anyhow::Result<(String, &str)> {
    if let Some(data) = line.strip_prefix("@=") {
        return Ok((String::new(), data));
    }
    let (name, rest) = quoted(line)?;
    Ok((name, rest.strip_prefix('=').context("no = behind the name")?))
}

/// The quoted text at the start, with `\\` and `\"` unescaped, and what follows it.
fn quoted(text: &str) -> anyhow::Result<(String, &str)> {
    let mut chars = text.strip_prefix('"').context("a quote is wanted")?.char_indices();
    let mut read = String::new();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return Ok((read, &text[at + 2..])),
            '\\' => read.push(chars.next().context("nothing behind a backslash")?.1),
            other => read.push(other),
        }
    }
    bail!("no closing quote")
}

fn read(data: &str) -> anyhow::Result<Registry> {
    if data.starts_with('"') {
        let (text, rest) = quoted(data)?;
        anyhow::ensure!(rest.is_empty(), "something behind the text");
        return Ok(Registry::Text(text));
    }
    if let Some(number) = data.strip_prefix("dword:") {
        return Ok(Registry::Number(u32::from_str_radix(number, 16)?.into()));
    }
    let (kind, bytes) = data.strip_prefix("hex").and_then(|rest| rest.split_once(':')).context("no such type")?;
    // `hex:` is REG_BINARY.
    let kind = match kind.strip_prefix('(').and_then(|kind| kind.strip_suffix(')')) {
        Some(kind) => u32::from_str_radix(kind, 16)?,
        None => 3,
    };
    let bytes = bytes.split(',').map(str::trim).filter(|byte| !byte.is_empty());
    let bytes: Vec<u8> = bytes.map(|byte| u8::from_str_radix(byte, 16)).collect::<Result<_, _>>()?;
    Ok(value(kind, &bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OsError;
    use crate::windows::WindowsOs;

    #[test]
    fn what_registry_editor_exports_is_read_and_can_take_away() {
        let text = r#"Windows Registry Editor Version 5.00

; a remark
[HKEY_LOCAL_MACHINE\SOFTWARE\Tram An\One]
"Path"="C:\\Văn bản\\\"x\""
"Number"=dword:0000001f
"Long"=hex(b):00,00,00,00,\
  01,00,00,00
"Raw"=hex:01,ff
@="usual"
[HKEY_USERS\S-1-5-21-1\Control Panel]
"Wide"=hex(2):61,00,00,00
"#;
        let os = Recorded::new().import(text).unwrap();
        let value = |name: &str| os.value(r"HKLM\SOFTWARE\Tram An\One", name);
        assert_eq!(value("path"), Ok(Registry::Text(r#"C:\Văn bản\"x""#.to_owned())));
        assert_eq!(value("Number"), Ok(Registry::Number(31)));
        assert_eq!(value("Long"), Ok(Registry::Number(1 << 32)));
        assert_eq!(value("Raw"), Ok(Registry::Bytes(vec![1, 255])));
        assert_eq!(value(""), Ok(Registry::Text("usual".to_owned())));
        assert_eq!(os.value(r"HKU\S-1-5-21-1\Control Panel", "Wide"), Ok(Registry::Text("a".to_owned())));
        let less = "[HKEY_LOCAL_MACHINE\\SOFTWARE\\Tram An\\One]\n\"Path\"=-\n[-HKEY_USERS\\S-1-5-21-1]\n";
        let os = os.import(less).unwrap();
        assert!(matches!(os.value(r"HKLM\SOFTWARE\Tram An\One", "Path"), Err(OsError::Missing(_))));
        assert!(matches!(os.keys(r"HKU\S-1-5-21-1"), Err(OsError::Missing(_))));
        assert_eq!(os.value(r"HKLM\SOFTWARE\Tram An\One", "Number"), Ok(Registry::Number(31)));
    }

    #[test]
    fn a_line_that_is_none_is_named() {
        for (text, what) in [
            ("\"Name\"=dword:1", "line 1"),
            ("[HKEY_LOCAL_MACHINE\\A]\n\"Name\"=dword:xyz", "line 2"),
            ("[HKCU\\A]", "line 1"),
            ("[HKEY_LOCAL_MACHINE\\A]\nName=1", "line 2"),
        ] {
            let error = Recorded::new().import(text).unwrap_err();
            assert!(format!("{error:#}").contains(what), "{text}: {error:#}");
        }
    }
}
