//! The protocol between agents and server, byte for byte: its messages ([`message`], [`report`]), how a report is framed
//! ([`frame`]), compressed ([`compress`]), signed ([`sign`]) and limited ([`limits`]); how the same is carried in files where
//! there is no network ([`unconnected`]); and the evidence log as anyone can check it ([`log`]).
//!
//! WHEN CHANGING THE PROTOCOL: released agents stay in the field for years. Only add fields, give each a default, and keep
//! every pinned text in the tests readable. Readers ignore fields they do not know.

pub mod bundle;
pub mod compress;
pub mod digest;
pub mod event;
pub mod frame;
pub mod header;
pub mod limits;
pub mod log;
pub mod message;
pub mod report;
pub mod shape;
pub mod sign;
pub mod token;
pub mod unconnected;

pub use bundle::{Bundle, SignedBundle};
pub use digest::Digest;
pub use event::{AgentEvent, AgentEventAnswer, AgentEventKind};
pub use frame::Report;
pub use header::{Header, Opened, OpenedReason, Position, SectionEntry};
pub use message::{
    Assignment, EnrolAnswer, EnrolRequest, Order, PollAnswer, PollRequest, Refusal, RefusalAction, RenewAnswer,
    RenewRequest, Role, SignedRenewal,
};
pub use report::{LoggedReceipt, Receipt, ReportAnswer, ReportAnswers, SignedReceipt};

/// The only DNS name that agents accept in the server's certificate, whatever address they dial.
pub const SERVER_NAME: &str = "tram-an.internal";

/// Protocol version, in every header.
pub const VERSION: u32 = 1;

/// Paths of the agent API.
pub mod path {
    macro_rules! paths {
        ($($(#[doc = $doc:literal])+ $name:ident = $path:literal;)+) => {
            $($(#[doc = $doc])+ pub const $name: &str = $path;)+

            /// All paths.
            pub const ALL: &[&str] = &[$($name),+];
        };
    }

    paths! {
        /// `POST` [`crate::EnrolRequest`], no client certificate.
        ENROL = "/agent/enrol";
        /// `POST` [`crate::SignedRenewal`], no client certificate (it may have expired).
        RENEW = "/agent/renew";
        /// `POST` frames of [`crate::Report`], answered by [`crate::ReportAnswers`].
        REPORTS = "/agent/reports";
        /// `POST` [`crate::log::LogRequest`], answered by [`crate::log::LogAnswer`].
        LOG = "/agent/log";
        /// `POST` [`crate::PollRequest`], held until there is an order.
        POLL = "/agent/poll";
        /// `POST` [`crate::AgentEvent`], answered by [`crate::AgentEventAnswer`].
        EVENT = "/agent/event";
        /// `GET` with a bundle's address appended, answered by [`crate::SignedBundle`].
        POLICY = "/agent/policy/";
    }
}

/// Media type of a body of report frames.
pub const REPORTS_MEDIA_TYPE: &str = "application/vnd.tram-an.reports";
