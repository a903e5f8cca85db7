//! Which text may come in, asked at every door: forms, addresses, requests of agents, files.

use serde_json::Value;

/// True for text without control characters but tabulator and line ends. No person types others, no computer is called so, and PostgreSQL
/// cannot keep a NUL.
pub fn is_plain(text: &str) -> bool {
    text.bytes().all(is_plain_byte)
}

/// The same of text in percent-encoding, as in addresses and forms.
pub fn is_plain_encoded(text: &[u8]) -> bool {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let encoded = |piece: &[u8]| match *piece {
        [b'%', high, low] => digit(high).zip(digit(low)).map(|(high, low)| high * 16 + low),
        _ => None,
    };
    text.iter().copied().all(is_plain_byte) && text.windows(3).filter_map(encoded).all(is_plain_byte)
}

/// The same of every text in a JSON document. What is no JSON has none.
pub fn is_plain_json(json: &[u8]) -> bool {
    fn is_plain_value(value: &Value) -> bool {
        match value {
            Value::String(text) => is_plain(text),
            Value::Array(items) => items.iter().all(is_plain_value),
            Value::Object(fields) => fields.iter().all(|(name, value)| is_plain(name) && is_plain_value(value)),
            Value::Null | Value::Bool(_) | Value::Number(_) => true,
        }
    }
    // JSON itself admits them only in this form.
    let may_hold =
        json.contains(&0x7F) || json.windows(2).any(|piece| piece == b"\\u" || piece == b"\\b" || piece == b"\\f");
    !may_hold || serde_json::from_slice(json).is_ok_and(|value| is_plain_value(&value))
}

/// Of UTF-8 every byte of a longer character is above these.
const fn is_plain_byte(byte: u8) -> bool {
    matches!(byte, b'\t' | b'\n' | b'\r') || (byte >= 0x20 && byte != 0x7F)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_found_in_every_form() {
        assert!(is_plain("Máy của chị Hằng\r\n\ttầng 2"));
        for text in ["a\0", "\u{1b}[31m", "\u{7f}"] {
            assert!(!is_plain(text), "{text:?}");
        }
        assert!(is_plain_encoded("/offices/1?q=m%C3%A1y%0D%0A&b=100%".as_bytes()));
        assert!(is_plain_encoded(b"%2500"), "a percent sign and two zeros");
        for text in [&b"/machines/%00"[..], b"q=a%1b", b"%%00", b"a\0", b"%7F"] {
            assert!(!is_plain_encoded(text), "{text:?}");
        }
        assert!(is_plain_json(br#"{"name":"M\u00e1y","path":"C:\\u0000"}"#));
        for text in
            [&br#"{"name":"a\u0000"}"#[..], br#"{"a\u0000":1}"#, br#"{"list":[{"x":"\b"}]}"#, b"{\"x\":\"\x7f\"}"]
        {
            assert!(!is_plain_json(text), "{text:?}");
        }
    }
}
