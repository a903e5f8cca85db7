//! Files on a stick for machines that may never be connected: the server's invitation ([`invitation`]), the machine's export
//! ([`export`]) and the server's answer ([`answer`]). Messages, signatures and limits are the same as over the network; sealing
//! ([`seal`]) and signing replace TLS.
//!
//! ```text
//! server: invitation --> machine: export (request) --> server: import --> answer --> machine: import
//!                        machine: export (reports) --> server: import --> answer --> machine: import   ... and so on
//! ```

pub mod answer;
pub mod export;
pub mod invitation;
pub mod seal;

pub use answer::{AnsweredReport, FileAnswer, UncheckedAnswer};
pub use export::{Content, ExportHead, UncheckedExport};
pub use invitation::Invitation;
pub use seal::{SealingKey, SealingPublicKey};
