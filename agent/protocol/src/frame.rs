//! The layout of signed reports in a request, so that a receiver can check identity, size and signature before it
//! decompresses or parses anything.
//!
//! A frame is: header length (u32), header, signature length (u16), signature, bodies length (u32), compressed bodies. Lengths are
//! big-endian. Frames follow each other to the end of the request.

use crate::header;
use crate::limits;
use crate::sign::{BadSignature, Purpose, verify};

/// A signed report as it is sent and stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The signed bytes of a [`crate::Header`].
    pub header: Vec<u8>,
    /// The machine's signature over them.
    pub signature: Vec<u8>,
    /// The bodies of some of its sections, compressed ([`crate::compress`]); may be empty.
    pub bodies: Vec<u8>,
}

/// Why bytes are not frames.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A part is longer than allowed.
    #[error("report {index}: its {part} has {length} bytes, allowed are {most}")]
    TooLong {
        /// Which report of the request, from 0.
        index: usize,
        /// Which part: `header`, `signature` or `bodies`.
        part: &'static str,
        /// Its stated length.
        length: usize,
        /// The limit.
        most: usize,
    },
    /// The request ends within a report.
    #[error("report {0}: the request ends within it")]
    CutOff(usize),
    /// More reports than [`limits::REPORTS`].
    #[error("more than {max} reports in one request", max = limits::REPORTS)]
    TooMany,
    /// No report at all.
    #[error("the request holds no report")]
    Empty,
}

impl Report {
    /// Appends this report's frame to `request`.
    pub fn encode_into(&self, request: &mut Vec<u8>) {
        request.extend_from_slice(&length(&self.header).to_be_bytes());
        request.extend_from_slice(&self.header);
        // A signature is bounded by `limits::SIGNATURE`, far below 64 kB.
        request.extend_from_slice(&(u16::try_from(self.signature.len()).unwrap_or(u16::MAX)).to_be_bytes());
        request.extend_from_slice(&self.signature);
        request.extend_from_slice(&length(&self.bodies).to_be_bytes());
        request.extend_from_slice(&self.bodies);
    }

    /// The length of this report's frame.
    pub fn encoded_len(&self) -> usize {
        4 + self.header.len() + 2 + self.signature.len() + 4 + self.bodies.len()
    }

    /// Reads the frames of a whole request.
    ///
    /// # Errors
    /// When anything does not fit; none of the request is usable then.
    pub fn decode_all(mut request: &[u8]) -> Result<Vec<Self>, FrameError> {
        let mut reports = Vec::new();
        while !request.is_empty() {
            let index = reports.len();
            if index == limits::REPORTS {
                return Err(FrameError::TooMany);
            }
            let header = part::<4>(&mut request, index, "header", limits::HEADER)?.to_vec();
            let signature = part::<2>(&mut request, index, "signature", limits::SIGNATURE)?.to_vec();
            let bodies = part::<4>(&mut request, index, "bodies", limits::BODIES_COMPRESSED)?.to_vec();
            reports.push(Self { header, signature, bodies });
        }
        if reports.is_empty() { Err(FrameError::Empty) } else { Ok(reports) }
    }

    /// Checks the signature under the machine's public key.
    ///
    /// # Errors
    /// When the signature is wrong.
    pub fn verify(&self, public_key: &[u8]) -> Result<(), BadSignature> {
        verify(public_key, Purpose::Report, &self.header, &self.signature)
    }

    /// The report's hash.
    pub fn hash(&self) -> crate::Digest {
        header::hash(&self.header)
    }
}

/// Lengths are bounded by `limits`, far below 4 GB.
fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}

/// Takes one length-prefixed part off the front of `request`; the prefix has `N` bytes.
fn part<'a, const N: usize>(
    request: &mut &'a [u8],
    index: usize,
    part: &'static str,
    most: usize,
) -> Result<&'a [u8], FrameError> {
    let (prefix, rest) = request.split_first_chunk::<N>().ok_or(FrameError::CutOff(index))?;
    let length = prefix.iter().fold(0_usize, |length, &byte| length << 8 | usize::from(byte));
    if length > most {
        return Err(FrameError::TooLong { index, part, length, most });
    }
    let (bytes, rest) = rest.split_at_checked(length).ok_or(FrameError::CutOff(index))?;
    *request = rest;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn report(header: &[u8], signature: &[u8], bodies: &[u8]) -> Report {
        Report { header: header.to_vec(), signature: signature.to_vec(), bodies: bodies.to_vec() }
    }

    #[test]
    fn the_exact_bytes_are_pinned() {
        let mut request = Vec::new();
        report(b"{}", b"sig", b"deflated").encode_into(&mut request);
        assert_eq!(request, b"\0\0\0\x02{}\0\x03sig\0\0\0\x08deflated");
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let error = |bytes: &[u8]| Report::decode_all(bytes).unwrap_err();
        assert_eq!(error(b""), FrameError::Empty);
        assert_eq!(error(b"\0\0\0\x02{"), FrameError::CutOff(0));
        let too_long = FrameError::TooLong { index: 0, part: "header", length: 0xffff_ffff, most: limits::HEADER };
        assert_eq!(error(b"\xff\xff\xff\xff"), too_long);
        let mut many = Vec::new();
        for _ in 0..=limits::REPORTS {
            report(b"{}", b"s", b"").encode_into(&mut many);
        }
        assert_eq!(error(&many), FrameError::TooMany);
    }

    proptest! {
        #[test]
        fn any_frames_survive(parts in prop::collection::vec(
            (prop::collection::vec(any::<u8>(), 0..99), prop::collection::vec(any::<u8>(), 0..72), prop::collection::vec(any::<u8>(), 0..99)),
            1..9,
        )) {
            let reports: Vec<_> = parts.iter().map(|(header, signature, bodies)| report(header, signature, bodies)).collect();
            let mut request = Vec::new();
            for report in &reports {
                report.encode_into(&mut request);
            }
            prop_assert_eq!(request.len(), reports.iter().map(Report::encoded_len).sum::<usize>());
            prop_assert_eq!(Report::decode_all(&request).unwrap(), reports);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..4096)) {
            if let Ok(reports) = Report::decode_all(&bytes) {
                let mut again = Vec::new();
                reports.iter().for_each(|report| report.encode_into(&mut again));
                prop_assert_eq!(again, bytes);
            }
        }
    }
}
