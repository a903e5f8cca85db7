//! The last result in the form that everyone at this machine may read: outcomes, fix steps, times. No keys, no names of
//! people.
//!
//! Only the agent writes it, at every judgement, to a file that everyone may read; `posture-agent status` shows it, also to
//! people without rights on the machine.

use std::io::Read;
use std::path::{Path, PathBuf};

use policies::fact::Facts;
use policies::outcome::Verdict;
use policies::policy::Policy;
use policies::text::{Language, Text};
use protocol::Assignment;
use serde::{Deserialize, Serialize};

use crate::policy::judgement::Judgement;

pub(crate) mod page;
#[cfg(unix)]
#[path = "notice/unix.rs"]
mod system;
#[cfg(windows)]
#[path = "notice/windows.rs"]
mod system;

/// The public folder, for an agent that keeps its state where the service does.
const FOLDER: &str = if cfg!(windows) { r"C:\ProgramData\TramAn\result" } else { "/run/tram-an-agent" };
/// The file's name.
const FILE: &str = "result.json";
/// The most bytes of such a file: a few hundred controls with their steps in two languages.
const MOST: u64 = 4 * 1024 * 1024;

/// The last result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Notice {
    /// The machine's own name.
    pub(crate) machine: Option<String>,
    /// Its operating system with version, such as `Windows 10 Pro 22H2`.
    pub(crate) system: Option<String>,
    /// What the server decided about it.
    pub(crate) assignment: Assignment,
    /// When it was judged, by the machine's clock; milliseconds since 1970 UTC.
    pub(crate) judged_at: i64,
    /// When the server last answered, by its clock; milliseconds since 1970 UTC, 0 for never.
    pub(crate) server_at: i64,
    /// Title of the policy.
    pub(crate) policy: Text,
    /// Version of the policy.
    pub(crate) policy_version: u64,
    /// One for each control, in the policy's order.
    pub(crate) results: Vec<NoticeResult>,
    /// What does not fit in what the server says of its evidence log, one sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) warnings: Vec<Text>,
}

/// The result of one control.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NoticeResult {
    /// The control's id.
    pub(crate) control: String,
    /// Its title.
    pub(crate) title: Text,
    /// The severity, in words.
    pub(crate) severity: Text,
    /// The verdict.
    pub(crate) verdict: Verdict,
    /// What was found; a general sentence where the details could name people.
    pub(crate) found: Text,
    /// What is wanted.
    pub(crate) wanted: Text,
    /// The fix steps for exactly this machine; empty where nothing needs doing.
    pub(crate) fix: Vec<Text>,
    /// How many minutes they take.
    pub(crate) minutes: u32,
    /// Who can fix it, in words.
    pub(crate) lifted_by: Text,
    /// The failing control that explains this failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) implied_by: Option<String>,
}

impl Notice {
    /// How many controls have each verdict.
    pub(crate) fn counted(&self, language: Language) -> String {
        let verdicts: Vec<_> = self.results.iter().map(|result| result.verdict).collect();
        Verdict::counted(&verdicts, language)
    }

    /// The publishable part of a judgement on `facts`.
    pub(crate) fn new(
        judgement: &Judgement,
        controls: &Policy,
        facts: &Facts,
        assignment: &Assignment,
        server_at: i64,
    ) -> Self {
        let at = jiff::Timestamp::from_millisecond(judgement.judged_at).unwrap_or_default();
        let results = judgement.outcomes.iter().filter_map(|outcome| {
            let control = controls.control(&outcome.control)?;
            let open = matches!(outcome.verdict, Verdict::Fail | Verdict::Unknown);
            Some(NoticeResult {
                control: outcome.control.clone(),
                title: control.title().clone(),
                severity: control.severity().text(),
                verdict: outcome.verdict,
                found: if control.tells_of_people() { kept_back() } else { outcome.found.clone() },
                wanted: outcome.wanted.clone(),
                fix: if open { control.fix_for(facts, at).to_vec() } else { Vec::new() },
                minutes: control.minutes(),
                lifted_by: control.lifted_by().text(),
                implied_by: outcome.implied_by.clone(),
            })
        });
        let system = &facts.system;
        Self {
            machine: system.name.known().cloned(),
            system: system.title.known().map(|title| match system.version.known() {
                Some(version) if !title.contains(version.as_str()) => format!("{title} {version}"),
                _ => title.clone(),
            }),
            assignment: assignment.clone(),
            judged_at: judgement.judged_at,
            server_at,
            policy: controls.title().clone(),
            policy_version: judgement.policy_version,
            results: results.collect(),
            warnings: Vec::new(),
        }
    }

    /// Writes it where everyone may read it: outside the state folder when that is the service's own, else inside it.
    ///
    /// # Errors
    /// When the system refuses, or somebody else made the folder.
    pub(crate) fn post(&self, state: &Path) -> std::io::Result<()> {
        let path = place(state);
        let bytes = serde_json::to_vec(self).map_err(std::io::Error::other)?;
        if path.parent() != Some(state) {
            system::folder(Path::new(FOLDER))?;
        }
        system::replace(&path, &bytes)
    }

    /// Reads the last notice.
    ///
    /// # Errors
    /// [`std::io::ErrorKind::NotFound`] when there is none yet; other errors when it cannot be read or is invalid.
    pub(crate) fn read(state: &Path) -> std::io::Result<Self> {
        let mut bytes = Vec::new();
        std::fs::File::open(place(state))?.take(MOST).read_to_end(&mut bytes)?;
        serde_json::from_slice(&bytes).map_err(std::io::Error::other)
    }
}

/// Removes the public folder and what the agent wrote there.
///
/// # Errors
/// When the system refuses.
#[cfg(windows)]
pub(crate) fn forget() -> std::io::Result<()> {
    match std::fs::remove_file(Path::new(FOLDER).join(FILE)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    match std::fs::remove_dir(FOLDER) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Path of the notice for this state folder.
fn place(state: &Path) -> PathBuf {
    if state == Path::new(crate::state::DEFAULT) { Path::new(FOLDER).join(FILE) } else { state.join(FILE) }
}

fn kept_back() -> Text {
    Text::new(
        "Có thông tin về tài khoản hoặc tên riêng; cán bộ phụ trách xem trên trang của máy.",
        "Holds accounts or names; the officer in charge sees it on the machine's page.",
    )
}

#[cfg(test)]
pub(crate) mod tests {
    use policies::fact::{Fact, Instant, Reason};
    use policies::policy::{PolicySet, Role};
    use protocol::Digest;

    use super::*;

    /// The shipped policy judged on a machine of which little is known.
    pub(crate) fn sample() -> Notice {
        let set = PolicySet::shipped().unwrap();
        let mut facts = Facts::unknown(Reason::SourceMissing);
        facts.system.name = Fact::Known("MÁY-VĂN-THƯ<b>".to_owned());
        facts.system.title = Fact::Known("Windows 10 Pro".to_owned());
        facts.system.version = Fact::Known("22H2".to_owned());
        facts.lan.firewall_active = Fact::Known(false);
        facts.accounts.extra_roots = Fact::Known(["nguyen.van.a".to_owned()].into_iter().collect());
        let controls = set.controls(Role::Workstation);
        let now = Instant::from_second(1_790_000_000).unwrap();
        let judgement = Judgement {
            judged_at: now.as_millisecond(),
            policy_version: 3,
            policy: Digest::of(b"p"),
            role: protocol::Role::Workstation,
            outcomes: policies::evaluate::evaluate(controls, &facts, now),
        };
        let assignment = Assignment {
            office: "UBND xã Thử Nghiệm".to_owned(),
            role: protocol::Role::Workstation,
            confirmed: true,
            policy: None,
        };
        Notice::new(&judgement, controls, &facts, &assignment, 0)
    }

    #[test]
    fn says_what_to_do_and_names_nobody() {
        let notice = sample();
        assert_eq!(notice.system.as_deref(), Some("Windows 10 Pro 22H2"));
        let failing: Vec<&NoticeResult> =
            notice.results.iter().filter(|result| result.verdict == Verdict::Fail).collect();
        assert!(
            failing.iter().any(|result| !result.fix.is_empty() && result.found.vi.contains("tường lửa")),
            "{failing:?}"
        );
        let text = serde_json::to_string(&notice).unwrap();
        assert!(text.contains("cán bộ phụ trách xem"), "no control told of people: the test shows nothing");
        assert!(!text.contains("nguyen.van.a"));
    }

    #[test]
    fn is_read_back_from_the_state_folder() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Notice::read(folder.path()).unwrap_err().kind(), std::io::ErrorKind::NotFound);
        let notice = sample();
        notice.post(folder.path()).unwrap();
        assert_eq!(Notice::read(folder.path()).unwrap(), notice);
    }
}
