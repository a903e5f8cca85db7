//! Which text is accepted, checked at every entry point: forms, addresses, agents' requests, files. Control characters other than NUL are
//! kept, and shown as a symbol.

use serde_json::Value;

/// True for text that every database can store: PostgreSQL keeps no NUL. No person types one, and no computer name has one.
pub fn is_storable(text: &str) -> bool {
    !text.contains('\0')
}

/// The same for text in percent-encoding, as in addresses and forms.
pub fn is_storable_encoded(text: &[u8]) -> bool {
    !text.contains(&0) && !text.windows(3).any(|piece| piece == b"%00")
}

/// The same for every text in a JSON document. Invalid JSON contains none.
pub fn is_storable_json(json: &[u8]) -> bool {
    fn is_storable_value(value: &Value) -> bool {
        match value {
            Value::String(text) => is_storable(text),
            Value::Array(items) => items.iter().all(is_storable_value),
            Value::Object(fields) => fields.iter().all(|(name, value)| is_storable(name) && is_storable_value(value)),
            Value::Null | Value::Bool(_) | Value::Number(_) => true,
        }
    }
    // JSON itself admits a NUL in this form only.
    let escaped = json.windows(6).any(|piece| piece == br"\u0000");
    !escaped || serde_json::from_slice(json).is_ok_and(|value| is_storable_value(&value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nul_is_found_in_every_form() {
        assert!(is_storable("Máy của chị Hằng\r\n\u{1b}") && !is_storable("a\0"));
        assert!(is_storable_encoded("/offices/1?q=m%C3%A1y%0D%0A&b=100%".as_bytes()));
        assert!(is_storable_encoded(b"%2500"), "a percent sign and two zeros");
        for text in [&b"/machines/%00"[..], b"%%00", b"a\0"] {
            assert!(!is_storable_encoded(text), "{text:?}");
        }
        assert!(is_storable_json(br#"{"name":"M\u00e1y","path":"C:\\u0000"}"#));
        for text in [&br#"{"name":"a\u0000"}"#[..], br#"{"a\u0000":1}"#, br#"{"list":[{"x":"\u0000"}]}"#] {
            assert!(!is_storable_json(text), "{text:?}");
        }
    }
}
