//! What travels on a stick where a machine may never be connected: the server's invitation ([`invitation`]), what the machine
//! exports ([`export`]) and the server's answer ([`answer`]). The same messages, signatures and limits as on the wire; what TLS does
//! there is done here by sealing ([`seal`]) and signing.
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
