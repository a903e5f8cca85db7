//! DER (X.690): elements with tag, length and content. Only what certificates use: one-byte tags, definite lengths in their
//! shortest form, at most 65,535 bytes.

/// The tag of an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tag(u8);

impl Tag {
    pub(super) const INTEGER: Self = Self(0x02);
    pub(super) const BIT_STRING: Self = Self(0x03);
    pub(super) const OBJECT_IDENTIFIER: Self = Self(0x06);
    pub(super) const UTC_TIME: Self = Self(0x17);
    pub(super) const GENERALIZED_TIME: Self = Self(0x18);
    pub(super) const SEQUENCE: Self = Self(0x30);
    pub(super) const SET: Self = Self(0x31);
    /// `[0]`, constructed.
    pub(super) const CONTEXT_0: Self = Self(0xa0);
}

/// Reads elements one after the other. `None` means that the bytes are not DER or not what was asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Checks that nothing is left.
    pub(super) fn end(self) -> Option<()> {
        self.is_empty().then_some(())
    }

    /// The next element: its tag and its content.
    pub(super) fn next(&mut self) -> Option<(Tag, &'a [u8])> {
        let (&[tag, first], rest) = self.rest.split_first_chunk()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81 => {
                let (&length, rest) = rest.split_first()?;
                (usize::from(length), rest)
            }
            0x82 => {
                let (&length, rest) = rest.split_first_chunk()?;
                (usize::from(u16::from_be_bytes(length)), rest)
            }
            _ => return None,
        };
        let shortest = match first {
            0x81 => length > 0x7f,
            0x82 => length > 0xff,
            _ => true,
        };
        let many_byte_tag = tag & 0x1f == 0x1f;
        if !shortest || many_byte_tag {
            return None;
        }
        let (content, rest) = rest.split_at_checked(length)?;
        self.rest = rest;
        Some((Tag(tag), content))
    }

    /// The content of the next element, which must have this tag.
    pub(super) fn take(&mut self, tag: Tag) -> Option<&'a [u8]> {
        let (found, content) = self.next()?;
        (found == tag).then_some(content)
    }

    /// Like [`Reader::take`], but returns a reader for the content.
    pub(super) fn enter(&mut self, tag: Tag) -> Option<Self> {
        self.take(tag).map(Self::new)
    }

    /// Skips the next element if it has this tag.
    pub(super) fn optional(&mut self, tag: Tag) {
        let mut ahead = *self;
        if ahead.take(tag).is_some() {
            *self = ahead;
        }
    }
}

/// An element whose content is the `parts` in a row, at most 65,535 bytes.
pub(super) fn element(tag: Tag, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let mut bytes = vec![tag.0];
    match content.len().to_be_bytes() {
        [.., 0, length @ 0..=0x7f] => bytes.push(length),
        [.., 0, length] => bytes.extend([0x81, length]),
        [.., high, low] => bytes.extend([0x82, high, low]),
    }
    bytes.extend(content);
    bytes
}

/// A SEQUENCE of the `parts`.
pub(super) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    element(Tag::SEQUENCE, parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_is_written_in_its_shortest_form_and_read_back() {
        for (length, head) in [(0, 2), (127, 2), (128, 3), (255, 3), (256, 4), (65_535, 4)] {
            let content = vec![7; length];
            let bytes = element(Tag::BIT_STRING, &[&content]);
            assert_eq!(bytes.len(), head + length);
            let mut reader = Reader::new(&bytes);
            assert_eq!(reader.take(Tag::BIT_STRING), Some(content.as_slice()));
            assert_eq!(reader.end(), Some(()));
        }
    }

    #[test]
    fn what_der_forbids_is_not_read() {
        let longer_than_needed: [&[u8]; 2] = [&[0x30, 0x81, 0x01, 0], &[0x30, 0x82, 0, 1, 0]];
        let other: [&[u8]; 6] =
            [&[], &[0x30], &[0x30, 1], &[0x30, 0x80, 0, 0], &[0x30, 0x83, 0, 0, 0], &[0x1f, 0x01, 0]];
        for bytes in longer_than_needed.into_iter().chain(other) {
            assert_eq!(Reader::new(bytes).next(), None, "{bytes:?}");
        }
    }
}
