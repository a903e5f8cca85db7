//! Files that are packed in one of the ways in which apt keeps its lists.

use std::io::{BufRead, BufReader, Read};

use os::{Answer, OsError, Source};

/// The most bytes read of one unpacked file: ten times the largest known.
const CAP: u64 = 1 << 30;
/// Bytes per read: large enough that decompression, not copying, takes the time.
const PIECE: usize = 64 << 10;

/// What the list of packages `file`, opened at `path`, holds once it is unpacked; the ending of `path` says how it is packed.
///
/// # Errors
/// It is packed in another way than lz4 or gzip.
pub fn unpacked(file: Box<dyn Source>, path: &str) -> Answer<Box<dyn BufRead>> {
    Ok(match path.rsplit_once("_Packages.").map(|(_, suffix)| suffix) {
        None => Box::new(BufReader::with_capacity(PIECE, file.take(CAP))),
        Some("lz4") => Box::new(lz4_flex::frame::FrameDecoder::new(file).take(CAP)),
        #[expect(clippy::disallowed_methods, reason = "what comes out is capped")]
        Some("gz") => Box::new(BufReader::with_capacity(PIECE, flate2::read::GzDecoder::new(file).take(CAP))),
        Some(_) => return Err(OsError::Failed(path.to_owned(), "is packed in a way that is not read".to_owned())),
    })
}
