//! Limits on everything sent between agents and server; both sides use the same constants. Sizes in bytes unless stated
//! otherwise.

use std::time::Duration;

/// A report's header.
pub const HEADER: usize = 16 * 1024;
/// A DER signature on P-256 is at most 72 bytes long.
pub const SIGNATURE: usize = 80;
/// A report's bodies, compressed.
pub const BODIES_COMPRESSED: usize = 256 * 1024;
/// A report's bodies, decompressed.
pub const BODIES: usize = 2 * 1024 * 1024;
/// One section's JSON.
pub const SECTION: usize = 512 * 1024;
/// Sections named in one header.
pub const SECTIONS: usize = 64;
/// A section's name.
pub const SECTION_NAME: usize = 32;
/// Items in any list of a section.
pub const LIST: usize = 500;
/// Characters in any string of a section.
pub const STRING: usize = 1024;
/// Nesting of a section's JSON.
pub const DEPTH: usize = 16;
/// Reports in one request.
pub const REPORTS: usize = 100;
/// One request of reports.
pub const REPORTS_BODY: usize = 4 * 1024 * 1024;
/// Any other request of an agent.
pub const REQUEST_BODY: usize = 32 * 1024;
/// Any answer to an agent except a policy.
pub const ANSWER_BODY: usize = 1024 * 1024;
/// A policy bundle, its files together.
pub const BUNDLE: usize = 1024 * 1024;
/// A certificate signing request.
pub const CSR: usize = 4 * 1024;
/// Characters of the name that a machine gives itself at enrolment.
pub const MACHINE_NAME: usize = 255;
/// Characters of the room and person typed at a machine.
pub const MACHINE_PLACE: usize = 200;

/// An invitation file for machines without a network.
pub const INVITATION: usize = 32 * 1024;
/// The file in which such a machine exports its request or its reports: fits a whole spool of default size.
pub const EXPORT: usize = 20 * 1024 * 1024;
/// The head of an exported file, before its reports.
pub const EXPORT_HEAD: usize = 64 * 1024;
/// Report requests in one exported file: fewer than the server's rate limit lets a machine send at once.
pub const EXPORT_REQUESTS: usize = 50;
/// The file that answers an exported one: a receipt for each report, and a policy.
pub const ANSWER_FILE: usize = 8 * 1024 * 1024;

/// How long a poll is held, before its spread of 20 % either way.
pub const POLL_HELD: Duration = Duration::from_secs(20 * 60);
/// The least time between two checks that a server may order.
pub const CHECK_APART: Duration = Duration::from_secs(60);
/// The shortest delay an agent accepts from a server.
pub const DELAY_LEAST: Duration = Duration::from_secs(1);
/// The longest delay an agent accepts from a server.
pub const DELAY_MOST: Duration = Duration::from_secs(24 * 60 * 60);
/// How many receipts an agent keeps.
pub const RECEIPTS_KEPT: usize = 1000;
/// A section that changes by the minute is sent at most this often, unless an outcome changes.
pub const VOLATILE_APART: Duration = Duration::from_secs(60 * 60);
