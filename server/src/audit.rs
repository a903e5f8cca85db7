//! The log of every change by a person, and of every look at a machine: what an entry says and how entries are chained. Each entry carries the hash of
//! the one before, so that none can be changed, removed or inserted without the chain breaking from there on. Owns no
//! SQL: entries are appended by `store::audit` inside the transaction of the change itself.

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use ring::digest::{Context, SHA256};

/// Prefix of every hashed entry, so that no other hash of the product can pass for one.
const PREFIX: &[u8] = b"tram-an audit entry v1\n";

/// `previous` of the first entry.
pub const BEGINNING: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Who made a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// A person with an account.
    Person {
        /// The account's id.
        id: String,
        /// Its login name, as it was at that moment.
        login: String,
    },
    /// Someone who ran the program on the server itself, by the name of the system user.
    Operator(String),
    /// The program by itself, with no one asking for it.
    Program,
}

impl Actor {
    /// The form in the log: `person:NAME`, `operator:NAME` or `program`.
    pub fn code(&self) -> String {
        match self {
            Self::Person { login, .. } => format!("person:{login}"),
            Self::Operator(name) => format!("operator:{name}"),
            Self::Program => "program".to_owned(),
        }
    }

    /// The account's id, where there is one.
    pub fn person(&self) -> Option<&str> {
        match self {
            Self::Person { id, .. } => Some(id),
            Self::Operator(_) | Self::Program => None,
        }
    }
}

/// Defines every action once, with its variant and its code in the log, which is also its key in the catalogue of the pages.
macro_rules! actions {
    ($( $(#[doc = $doc:literal])+ $action:ident = $code:literal; )+) => {
        /// What was done.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Action {
            $( $(#[doc = $doc])+ $action, )+
        }

        impl Action {
            /// Every action, in the order they are listed.
            #[cfg(test)]
            pub const ALL: &'static [Self] = &[$( Self::$action ),+];

            /// The word in the log.
            pub const fn code(self) -> &'static str {
                match self { $( Self::$action => $code, )+ }
            }
        }
    };
}

actions! {
    /// A person logged in.
    LoggedIn = "logged_in";
    /// A person logged out.
    LoggedOut = "logged_out";
    /// Wrong passwords for one account or from one address passed a limit, or their sum when the period ended.
    LoginThrottled = "login_throttled";
    /// A person changed their own password.
    PasswordChanged = "password_changed";
    /// Somebody gave a person a new first password.
    PasswordReset = "password_reset";
    /// An account was made.
    PersonAdded = "person_added";
    /// An account was closed.
    PersonClosed = "person_closed";
    /// An office was made.
    OfficeAdded = "office_added";
    /// An office's numbers or name were changed.
    OfficeChanged = "office_changed";
    /// An office approved a gateway or DNS server.
    OfficeLanAdded = "office_lan_added";
    /// An office took one off its list.
    OfficeLanRemoved = "office_lan_removed";
    /// A machine was put on a roster.
    RosterAdded = "roster_added";
    /// A line of a roster changed its state.
    RosterChanged = "roster_changed";
    /// A line was taken off a roster.
    RosterRemoved = "roster_removed";
    /// A line of a roster and an enrolled machine were linked.
    RosterLinked = "roster_linked";
    /// A line of a roster was unlinked from its machine.
    RosterUnlinked = "roster_unlinked";
    /// A roster was declared complete.
    RosterDeclared = "roster_declared";
    /// An enrolment token was made.
    TokenMade = "token_made";
    /// An enrolment token was revoked.
    TokenRevoked = "token_revoked";
    /// A machine used a token and is known from then on.
    MachineEnrolled = "machine_enrolled";
    /// A pending machine was confirmed.
    MachineConfirmed = "machine_confirmed";
    /// A machine was revoked: the server no longer talks to it.
    MachineRevoked = "machine_revoked";
    /// A machine changed its key, the old one signing for the new.
    MachineKeyReplaced = "machine_key_replaced";
    /// A machine got another role.
    MachineRoleChanged = "machine_role_changed";
    /// A machine was moved to another office; either has an entry.
    MachineMoved = "machine_moved";
    /// It was decided which of two computers with the same key keeps it.
    MachineSettled = "machine_settled";
    /// A machine was asked to check itself at once.
    CheckOrdered = "check_ordered";
    /// Somebody asked for a waiver.
    WaiverAsked = "waiver_asked";
    /// A waiver was granted by somebody outside the office.
    WaiverGranted = "waiver_granted";
    /// A waiver was refused.
    WaiverRefused = "waiver_refused";
    /// A waiver was withdrawn before its date.
    WaiverWithdrawn = "waiver_withdrawn";
    /// A waiver reached its date.
    WaiverEnded = "waiver_ended";
    /// A file from a machine without a network was taken in.
    FileImported = "file_imported";
    /// The store was lost, and the server started over with an empty one.
    StoreMade = "store_made";
    /// A backup of the server was made.
    BackupMade = "backup_made";
    /// The server was restored from a backup.
    PutBack = "put_back";
    /// A witness's signature was kept with a checkpoint of the evidence log.
    LogCosigned = "log_cosigned";
    /// Data of a machine is kept for a case.
    HoldMade = "hold_made";
    /// Somebody asked that a hold be released.
    HoldReleaseAsked = "hold_release_asked";
    /// It was asked for, and the hold stays.
    HoldKept = "hold_kept";
    /// A second person agreed to the release.
    HoldReleased = "hold_released";
    /// From now on retention removes signed headers that were received before an instant.
    HeadersRemoved = "headers_removed";
    /// A machine showed that the store was put back: the evidence log began another epoch.
    LogRestored = "log_restored";
    /// A machine showed a checkpoint of this server that its evidence log does not continue.
    LogContradicted = "log_contradicted";
    /// A policy set was published.
    PolicyPublished = "policy_published";
    /// A person was shown what a machine reported, or all machines of an office: nothing changed.
    DetailViewed = "detail_viewed";
}

/// A change to record in the audit log. Never holds a secret: no password, no token, no key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Who made the change.
    pub actor: Actor,
    /// What was done.
    pub action: Action,
    /// Id of the office it belongs to; `None` when it concerns the whole server. Decides who may read the entry.
    pub office: Option<String>,
    /// What it was done to: an id and, where there is one, a name after a space.
    pub subject: String,
    /// Further details, by name. Names are keys of the pages' catalogue (`audit_detail.*`).
    pub detail: BTreeMap<&'static str, String>,
}

impl Change {
    /// A change without details.
    pub fn new(actor: Actor, action: Action, office: Option<&str>, subject: impl Into<String>) -> Self {
        Self { actor, action, office: office.map(str::to_owned), subject: subject.into(), detail: BTreeMap::new() }
    }

    /// The same with one more detail.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.detail.insert(name, value.to_string());
        self
    }
}

/// One entry as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Entry {
    /// Position in the chain, from 1.
    pub number: i64,
    /// When, in milliseconds UTC.
    pub at: i64,
    /// The account's id, where a person with an account did it.
    pub person: Option<String>,
    /// [`Actor::code`].
    pub actor: String,
    /// The office it belongs to; `None` when it concerns the whole server.
    pub office: Option<String>,
    /// [`Action::code`].
    pub action: String,
    /// What it was done to.
    pub subject: String,
    /// A JSON object of strings.
    pub detail: String,
    /// Hash of the entry before; [`BEGINNING`] for the first.
    pub previous: String,
    /// Hash of this entry.
    pub hash: String,
}

impl Entry {
    /// The entry for `change` following the entry `number - 1` whose hash is `previous`.
    pub fn chain(change: &Change, at: i64, number: i64, previous: &str) -> Self {
        let detail: serde_json::Map<String, serde_json::Value> =
            change.detail.iter().map(|(name, value)| ((*name).to_owned(), value.clone().into())).collect();
        let mut entry = Self {
            number,
            at,
            person: change.actor.person().map(str::to_owned),
            actor: change.actor.code(),
            office: change.office.clone(),
            action: change.action.code().to_owned(),
            subject: change.subject.clone(),
            detail: serde_json::Value::Object(detail).to_string(),
            previous: previous.to_owned(),
            hash: String::new(),
        };
        entry.hash = entry.compute_hash();
        entry
    }

    /// SHA-256 over every field but the hash, each with its length in front, in lower-case hex. A missing field counts as
    /// an empty one: ids are never empty.
    pub fn compute_hash(&self) -> String {
        let mut context = Context::new(&SHA256);
        context.update(PREFIX);
        context.update(&self.number.to_be_bytes());
        context.update(&self.at.to_be_bytes());
        let (person, office) = (self.person.as_deref().unwrap_or(""), self.office.as_deref().unwrap_or(""));
        for field in [person, &self.actor, office, &self.action, &self.subject, &self.detail, &self.previous] {
            context.update(&(field.len() as u64).to_be_bytes());
            context.update(field.as_bytes());
        }
        HEXLOWER.encode(context.finish().as_ref())
    }
}

/// The first break in a chain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Break {
    /// A number is missing or out of order.
    #[error("audit entry {expected} is missing; {found} stands in its place")]
    Missing {
        /// The number that should follow.
        expected: i64,
        /// The number that does.
        found: i64,
    },
    /// An entry does not name the hash of the one before.
    #[error("audit entry {0} does not continue the entry before it")]
    Unlinked(i64),
    /// An entry was changed after it was written.
    #[error("audit entry {0} was changed after it was written")]
    Changed(i64),
    /// The last entries were cut off.
    #[error("the audit log ends at entry {found}, its head says {expected}")]
    Cut {
        /// The number of the last entry according to the head.
        expected: i64,
        /// The number of the last entry present.
        found: i64,
    },
}

/// Checks a chain in pieces, so that a long log never has to be in memory at once.
#[derive(Clone, Debug)]
pub struct Verifier {
    number: i64,
    hash: String,
}

impl Default for Verifier {
    fn default() -> Self {
        Self { number: 0, hash: BEGINNING.to_owned() }
    }
}

impl Verifier {
    /// Checks that `entries` continue the entries checked before.
    ///
    /// # Errors
    /// The first break.
    pub fn verify(&mut self, entries: &[Entry]) -> Result<(), Break> {
        for entry in entries {
            if entry.number != self.number + 1 {
                return Err(Break::Missing { expected: self.number + 1, found: entry.number });
            }
            if entry.previous != self.hash {
                return Err(Break::Unlinked(entry.number));
            }
            if entry.compute_hash() != entry.hash {
                return Err(Break::Changed(entry.number));
            }
            self.number = entry.number;
            self.hash.clone_from(&entry.hash);
        }
        Ok(())
    }

    /// Number of the last entry checked; 0 before the first.
    pub fn number(&self) -> i64 {
        self.number
    }

    /// The number of entries, when the log holds as many as were ever written.
    ///
    /// # Errors
    /// [`Break::Cut`] when the last ones are missing.
    pub fn finish(self, expected: i64) -> Result<i64, Break> {
        let found = self.number;
        if found == expected { Ok(found) } else { Err(Break::Cut { expected, found }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lan() -> Actor {
        Actor::Person { id: "person-1".to_owned(), login: "lan".to_owned() }
    }

    fn chain(length: i64) -> Vec<Entry> {
        let mut previous = BEGINNING.to_owned();
        (1..=length)
            .map(|number| {
                let change = Change::new(lan(), Action::TokenMade, Some("office-1"), "token-1").with("uses", 10);
                let entry = Entry::chain(&change, 1_795_331_100_000 + number, number, &previous);
                previous.clone_from(&entry.hash);
                entry
            })
            .collect()
    }

    fn verify(entries: &[Entry]) -> Result<(), Break> {
        Verifier::default().verify(entries)
    }

    #[test]
    fn the_exact_bytes_are_pinned() {
        let first = &chain(1)[0];
        assert_eq!(first.detail, r#"{"uses":"10"}"#);
        assert_eq!(first.hash, "f97c8224e8f20c2a6878f0db2b314cfaf0d8b55628f715f34c426c54455aaa4a");
    }

    #[test]
    fn a_whole_chain_verifies_in_pieces() {
        let entries = chain(5);
        let mut verifier = Verifier::default();
        verifier.verify(&entries[..2]).unwrap();
        verifier.verify(&entries[2..]).unwrap();
        assert_eq!(verifier.number(), 5);
        assert_eq!(verifier.finish(5), Ok(5));
    }

    #[test]
    fn every_kind_of_tampering_shows() {
        let mut changed = chain(3);
        changed[1].actor = "person:minh".to_owned();
        assert_eq!(verify(&changed), Err(Break::Changed(2)));

        changed[1].hash = changed[1].compute_hash();
        assert_eq!(verify(&changed), Err(Break::Unlinked(3)));

        let mut removed = chain(3);
        removed.remove(1);
        assert_eq!(verify(&removed), Err(Break::Missing { expected: 2, found: 3 }));

        let cut = chain(3);
        let mut verifier = Verifier::default();
        verifier.verify(&cut[..2]).unwrap();
        assert_eq!(verifier.finish(3), Err(Break::Cut { expected: 3, found: 2 }));
    }

    #[test]
    fn moving_a_byte_between_fields_changes_the_hash() {
        let mut entry = chain(1).remove(0);
        let hash = entry.compute_hash();
        entry.actor.push('x');
        entry.action.insert(0, 'x');
        entry.actor.pop();
        assert_ne!(entry.compute_hash(), hash);
    }
}
