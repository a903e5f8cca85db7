//! What one connection may have open, and sending answers in pieces, so that a peer that does not read holds little memory, and not for long.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hyper::body::{Body as HttpBody, Frame, SizeHint};

use crate::agent_api::error::ApiError;
use crate::bound::HeldBy;
use crate::tls::Connection;
use crate::tls::connection::OpenRequest;

/// Bytes of an answer handed to the connection at once.
const PIECE: usize = 16 * 1024;

/// Lets a request through while its connection has few open.
///
/// # Errors
/// A retryable refusal when it has too many.
pub(super) async fn requests_bound(request: Request, next: Next) -> Response {
    let Some(connection) = request.extensions().get::<std::sync::Arc<Connection>>() else {
        return next.run(request).await;
    };
    let Some(open) = connection.request_begin() else {
        return ApiError::busy(
            "too_many_requests",
            1,
            "Kết nối này có quá nhiều yêu cầu cùng lúc. Hãy thử lại sau.",
            "This connection has too many requests open. Try again later.",
        )
        .into_response();
    };
    let mut response = next.run(request).await;
    let held = response.extensions_mut().remove::<HeldBy>();
    // The head is handed to the connection now.
    open.handed_out();
    response.map(|body| Body::new(Answer { body, piece: Bytes::new(), open, _held: held }))
}

/// An answer's body in small pieces. The connection waits for the peer from the moment a piece is handed over until the next is requested.
struct Answer {
    body: Body,
    /// The rest of the piece from the handler.
    piece: Bytes,
    open: OpenRequest,
    _held: Option<HeldBy>,
}

impl Answer {
    /// The next part of the current piece. The answer's last byte is sent on its own, so this body lives until the peer has taken all
    /// but one byte, even if the connection buffers what the peer does not take.
    fn split(&mut self) -> Bytes {
        let last = self.body.is_end_stream();
        let most = if last && self.piece.len() > 1 { self.piece.len() - 1 } else { self.piece.len() };
        self.piece.split_to(most.min(PIECE))
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.open.taken();
        if self.piece.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(piece) => self.piece = piece,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                other => return Poll::Ready(other),
            }
        }
        let part = self.split();
        self.open.handed_out();
        Poll::Ready(Some(Ok(Frame::data(part))))
    }

    fn is_end_stream(&self) -> bool {
        self.piece.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (left, hint) = (self.piece.len() as u64, self.body.size_hint());
        let mut all = SizeHint::new();
        all.set_lower(hint.lower() + left);
        if let Some(upper) = hint.upper() {
            all.set_upper(upper + left);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;
    use crate::tls::Deadlines;
    use crate::tls::connection::tests::connection;

    #[tokio::test]
    async fn an_answer_leaves_in_small_pieces_and_its_last_byte_alone() {
        let connection = connection(Deadlines::default());
        for (size, pieces) in [(0, vec![]), (1, vec![1]), (300, vec![299, 1]), (40_000, vec![16_384, 16_384, 7_231, 1])]
        {
            let open = connection.request_begin().unwrap();
            let mut answer = Answer { body: Body::from(vec![7; size]), piece: Bytes::new(), open, _held: None };
            assert_eq!(answer.size_hint().exact(), Some(size as u64), "the length is told beforehand");
            let mut seen = Vec::new();
            while let Some(frame) = poll_fn(|context| Pin::new(&mut answer).poll_frame(context)).await {
                seen.push(frame.unwrap().into_data().unwrap().len());
                assert_eq!(answer.is_end_stream(), seen.iter().sum::<usize>() == size);
            }
            assert_eq!(seen, pieces);
        }
    }
}
