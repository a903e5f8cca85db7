//! Files that a person saves: read from disk in pieces as the browser takes them.

use std::io::{Error, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::io::{AsyncRead, ReadBuf};

use super::error::PageError;
use super::refusal;
use super::visitor::Session;
use crate::app::App;
use crate::bound::Share;

/// Bytes read at once.
const PIECE: usize = 64 * 1024;

/// A place among the downloads of a person.
///
/// # Errors
/// Too many are open.
pub(super) fn download_begin(app: &App, session: &Session) -> Result<Share, PageError> {
    let place = app.pages.downloads.enter(session.person.id.clone());
    place.ok_or_else(|| refusal::too_many_downloads(StatusCode::TOO_MANY_REQUESTS))
}

/// The next `size` bytes of `file`, to save under `name`, which is plain ASCII.
pub(super) fn download(name: &str, kind: &'static str, file: std::fs::File, size: u64) -> Response {
    let headers = [
        (header::CONTENT_TYPE, kind.to_owned()),
        (header::CONTENT_LENGTH, size.to_string()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
    ];
    let body = Download { file: tokio::fs::File::from_std(file), left: size, piece: vec![0; PIECE] };
    (headers, Body::new(body)).into_response()
}

struct Download {
    file: tokio::fs::File,
    left: u64,
    piece: Vec<u8>,
}

impl HttpBody for Download {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = self.get_mut();
        if this.left == 0 {
            return Poll::Ready(None);
        }
        let most = usize::try_from(this.left).unwrap_or(PIECE).min(PIECE);
        let mut read = ReadBuf::new(&mut this.piece[..most]);
        ready!(Pin::new(&mut this.file).poll_read(context, &mut read))?;
        let read = Bytes::copy_from_slice(read.filled());
        if read.is_empty() {
            return Poll::Ready(Some(Err(Error::new(ErrorKind::UnexpectedEof, "the file became shorter"))));
        }
        this.left -= read.len() as u64;
        Poll::Ready(Some(Ok(Frame::data(read))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_is_read_as_far_as_it_was_promised() {
        for (content, promised) in [(150_000, 150_000), (150_000, 100_000), (100, 150_000), (0, 0)] {
            let path = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(path.path(), vec![7; content]).unwrap();
            let response = download("a.deb", "application/octet-stream", path.reopen().unwrap(), promised);
            assert_eq!(response.headers()["content-length"], promised.to_string());
            let read = axum::body::to_bytes(response.into_body(), usize::MAX).await;
            assert_eq!(read.ok().map(|bytes| bytes.len() as u64), (content as u64 >= promised).then_some(promised));
        }
    }
}
