//! `posture-agent check`: judges this machine, or recorded facts, by a policy file, without any server.
//!
//! A file given by hand carries no signature that anybody checked, and the output says so.

use std::path::Path;

use anyhow::Context;
use jiff::Timestamp;
use policies::evaluate::evaluate;
use policies::fact::{Chassis, Fact, Facts, Section};
use policies::grade::{Judged, Machine, OfficeState, Points, RosterState, RosterStatus, Rules, grade_office};
use policies::outcome::{Outcome, Verdict};
use policies::policy::{
    CONTROLS_FILE, Control, LARGEST_FILE, OFFICE_FILE, Office, Policy, PolicyErrors, PolicySet, Role,
};
use policies::text;
use policies::text::{Text, visible};
use serde::Serialize;

use crate::cli::terminal::Terminal;
use crate::cli::{CheckOptions, Exit, facts};
use crate::platform::{self, clock::Clock};
use collect::Collector;

/// The most characters of one text shown on screen.
const LINE: usize = 1_000;

/// Judges and prints the outcomes.
///
/// # Errors
/// When the policy or the recorded facts cannot be read.
pub(crate) fn run(options: &CheckOptions, terminal: &Terminal) -> anyhow::Result<Exit> {
    // Report a mistake in the policy before looking at the machine.
    let read = read_policy(&options.policy, terminal)?;
    let now = Clock::system().instant();
    let facts = match &options.facts {
        Some(path) => facts::read(path)?,
        None => Collector::of_this_machine(platform::door()).collect(Section::ALL, now),
    };
    let asked = options.role;
    let (policy, office) = match read {
        Read::Controls(policy) => {
            if let Some(asked) = asked.filter(|&asked| asked != policy.role()) {
                anyhow::bail!(
                    "{}: {} / {}",
                    options.policy.display(),
                    policy.role().text().get(terminal.language),
                    asked.text().get(terminal.language)
                );
            }
            (policy, Office::shipped().map_err(|errors| shown(&errors, terminal))?)
        }
        Read::Whole(set) => {
            let role = asked.unwrap_or_else(|| shape(&facts));
            (Box::new(set.controls(role).clone()), set.office().clone())
        }
    };
    let outcomes = evaluate(&policy, &facts, now);
    let checked = Checked {
        file: &options.policy,
        score: score(&policy, office, &outcomes, now),
        policy: &policy,
        facts: &facts,
        now,
    };
    terminal.print(&if options.json { checked.json(&outcomes)? } else { checked.sentences(&outcomes, terminal) })?;
    Ok(Exit::of(&outcomes))
}

/// What a policy file turned out to contain.
enum Read {
    /// One control file.
    Controls(Box<Policy>),
    /// The source of all controls, or the office's file together with that source or the control files it names, which
    /// lie next to it.
    Whole(Box<PolicySet>),
}

fn read_policy(path: &Path, terminal: &Terminal) -> anyhow::Result<Read> {
    let text = read_file(path)?;
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if name == CONTROLS_FILE {
        let set = PolicySet::read_controls(text).map_err(|errors| shown(&errors, terminal))?;
        return Ok(Read::Whole(Box::new(set)));
    }
    let office = match Policy::read(&name, &text) {
        Ok(policy) => return Ok(Read::Controls(Box::new(policy))),
        Err(errors) => match Office::read(&name, &text) {
            Ok(office) => office,
            // Errors are worded for the kind of file it is meant to be.
            Err(other) if name == OFFICE_FILE => return Err(shown(&other, terminal)),
            Err(_) => return Err(shown(&errors, terminal)),
        },
    };
    let mut files = vec![(OFFICE_FILE.to_owned(), text)];
    let source = path.with_file_name(CONTROLS_FILE);
    let beside = if source.exists() {
        vec![CONTROLS_FILE]
    } else {
        Role::ALL.iter().map(|&role| office.controls.get(role)).collect()
    };
    for name in beside {
        files.push((name.to_owned(), read_file(&path.with_file_name(name))?));
    }
    let set = PolicySet::read(files).map_err(|errors| shown(&errors, terminal))?;
    Ok(Read::Whole(Box::new(set)))
}

/// Reads at most one byte more than a policy may have, so that the parser reports that it is too large.
fn read_file(path: &Path) -> anyhow::Result<Vec<u8>> {
    use std::io::Read;
    let mut text = Vec::new();
    let file = std::fs::File::open(path).with_context(|| format!("open {}", path.display()))?;
    file.take(LARGEST_FILE as u64 + 1).read_to_end(&mut text).with_context(|| format!("read {}", path.display()))?;
    Ok(text)
}

fn shown(errors: &PolicyErrors, terminal: &Terminal) -> anyhow::Error {
    anyhow::anyhow!("{}", errors.show(terminal.language))
}

/// The role guessed from the hardware: a server chassis, or no desktop at all. On a connected machine the server decides.
fn shape(facts: &Facts) -> Role {
    let server = facts.system.chassis == Fact::Known(Chassis::Server) || facts.system.desktop == Fact::Known(false);
    if server { Role::Server } else { Role::Workstation }
}

/// The machine's score, as an office would count it today.
fn score(policy: &Policy, office: Office, outcomes: &[Outcome], now: Timestamp) -> Option<Points> {
    let controls: policies::grade::Controls = policy
        .controls()
        .iter()
        .map(|control| {
            let graded = policies::grade::Control {
                title: control.title().clone(),
                severity: control.severity(),
                lifted_by: control.lifted_by(),
                minutes: control.minutes(),
            };
            (control.id().to_owned(), graded)
        })
        .collect();
    let judged = outcomes.iter().map(|outcome| Judged {
        control: outcome.control.clone(),
        verdict: outcome.verdict,
        since: now,
        failing_since: (outcome.verdict == Verdict::Fail).then_some(now),
        observed_at: now,
        excused: outcome.no_reader,
        implied_by: outcome.implied_by.clone(),
    });
    let machine = Machine {
        id: String::new(),
        role: policy.role(),
        roster_status: RosterStatus::Expected,
        evidence_at: Some(now),
        outcomes: judged.collect(),
    };
    let alone = OfficeState {
        roster: RosterState::Undeclared,
        first_enrolled_at: None,
        start_up_until: None,
        machines: vec![machine],
        attested: Vec::new(),
    };
    let rules = Rules { office, workstation: controls.clone(), server: controls };
    grade_office(&rules, &alone, now).machines.first().and_then(|machine| machine.score)
}

/// Everything the output is made of.
struct Checked<'a> {
    file: &'a Path,
    policy: &'a Policy,
    facts: &'a Facts,
    score: Option<Points>,
    now: Timestamp,
}

/// The JSON output.
#[derive(Serialize)]
struct Answer<'a> {
    policy: AnswerPolicy<'a>,
    machine: AnswerMachine<'a>,
    outcomes: Vec<AnswerOutcome<'a>>,
}

#[derive(Serialize)]
struct AnswerPolicy<'a> {
    file: String,
    id: &'a str,
    title: &'a Text,
    role: &'static str,
    /// Always false: a file given by hand is judged no matter who wrote it.
    signed: bool,
}

#[derive(Serialize)]
struct AnswerMachine<'a> {
    name: Option<&'a str>,
    /// 0 to 100; null when no control applies.
    score: Option<f64>,
}

#[derive(Serialize)]
struct AnswerOutcome<'a> {
    control: &'a str,
    title: &'a Text,
    severity: &'static str,
    outcome: Verdict,
    found: &'a Text,
    wanted: &'a Text,
    fix: &'a [Text],
    minutes: u32,
    lifted_by: &'static str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    no_reader: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    agent_too_old: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    implied_by: Option<&'a str>,
}

impl<'a> Checked<'a> {
    fn controls(&self, outcomes: &'a [Outcome]) -> impl Iterator<Item = (&'a Control, &'a Outcome)> {
        outcomes.iter().filter_map(|outcome| Some((self.policy.control(&outcome.control)?, outcome)))
    }

    fn name(&self) -> Option<&'a str> {
        self.facts.system.name.known().map(String::as_str)
    }

    fn json(&self, outcomes: &'a [Outcome]) -> serde_json::Result<String> {
        #[expect(clippy::cast_precision_loss, reason = "a score has at most nine digits")]
        let score = self.score.map(|points| points.0 as f64 / Points::ONE.0 as f64);
        let policy = AnswerPolicy {
            file: self.file.display().to_string(),
            id: self.policy.id(),
            title: self.policy.title(),
            role: self.policy.role().code(),
            signed: false,
        };
        let outcomes = self.controls(outcomes).map(|(control, outcome)| AnswerOutcome {
            control: &outcome.control,
            title: control.title(),
            severity: control.severity().code(),
            outcome: outcome.verdict,
            found: &outcome.found,
            wanted: &outcome.wanted,
            fix: control.fix_for(self.facts, self.now),
            minutes: control.minutes(),
            lifted_by: control.lifted_by().code(),
            no_reader: outcome.no_reader,
            agent_too_old: outcome.agent_too_old,
            implied_by: outcome.implied_by.as_deref(),
        });
        let answer =
            Answer { policy, machine: AnswerMachine { name: self.name(), score }, outcomes: outcomes.collect() };
        serde_json::to_string_pretty(&answer)
    }

    fn sentences(&self, outcomes: &'a [Outcome], terminal: &Terminal) -> String {
        let mut lines = vec![
            terminal.own(text!(
                "Bộ tiêu chí: {0} ({1}, chưa ký)",
                "Policy: {0} ({1}, unsigned)",
                visible(self.policy.title().get(terminal.language), LINE),
                self.policy.role().text().get(terminal.language)
            )),
            terminal.own(text!("Máy: {0}", "Machine: {0}", visible(self.name().unwrap_or("?"), LINE))),
            String::new(),
        ];
        for (control, outcome) in self.controls(outcomes) {
            self.lines_of(control, outcome, terminal, &mut lines);
        }
        let verdicts: Vec<_> = outcomes.iter().map(|outcome| outcome.verdict).collect();
        lines.push(String::new());
        lines.push(terminal.own(text!("Kết quả: {0}", "Result: {0}", Verdict::counted(&verdicts, terminal.language))));
        lines.push(terminal.own(match self.score {
            Some(score) => {
                text!("Điểm của máy: {0}/100", "Machine score: {0}/100", score.show(2, terminal.language))
            }
            None => text!("Không có tiêu chí nào áp dụng cho máy này.", "No control applies to this machine."),
        }));
        let unsigned = terminal.text(
            "Tệp bộ tiêu chí này chưa ký: kết quả chỉ để tham khảo tại máy, không được gửi đi.",
            "This policy file is unsigned: the result is only shown here and not sent.",
        );
        lines.push(unsigned.to_owned());
        lines.join("\n")
    }

    fn lines_of(&self, control: &Control, outcome: &Outcome, terminal: &Terminal, lines: &mut Vec<String>) {
        let own = |text: &Text| visible(text.get(terminal.language), LINE);
        let verdict = outcome.verdict.text();
        let severity = control.severity().text();
        lines.push(format!(
            "[{}] {} - {} ({})",
            verdict.get(terminal.language),
            outcome.control,
            own(control.title()),
            severity.get(terminal.language)
        ));
        if outcome.verdict == Verdict::NotApplicable {
            return;
        }
        lines.push(terminal.own(text!("    hiện trạng: {0}", "    found: {0}", own(&outcome.found))));
        lines.push(terminal.own(text!("    mức cần đạt: {0}", "    wanted: {0}", own(&outcome.wanted))));
        if let Some(cause) = &outcome.implied_by {
            lines.push(terminal.own(text!("    do tiêu chí: {cause}", "    because of: {cause}")));
        }
        if matches!(outcome.verdict, Verdict::Fail | Verdict::Unknown) {
            let lifted_by = control.lifted_by().text();
            lines.push(terminal.own(text!(
                "    khắc phục ({0} phút, {1}):",
                "    fix ({0} minutes, {1}):",
                control.minutes(),
                lifted_by.get(terminal.language)
            )));
            let steps = control.fix_for(self.facts, self.now).iter().enumerate();
            lines.extend(steps.map(|(number, step)| format!("      {}. {}", number + 1, own(step))));
        }
    }
}

#[cfg(test)]
mod tests {
    use policies::fact::Reason;
    use policies::text::Language;

    use super::*;

    /// Writes the shipped policy in the form that agents receive.
    fn shipped(folder: &Path) {
        for (name, text) in PolicySet::shipped().unwrap().files_for_agents().unwrap() {
            std::fs::write(folder.join(name), text).unwrap();
        }
    }

    #[test]
    fn the_source_of_the_controls_is_judged_by_alone_and_beside_the_office_file() {
        let folder = tempfile::tempdir().unwrap();
        let terminal = Terminal::new(Language::En);
        for (name, text) in policies::policy::SHIPPED.into_iter().rev() {
            std::fs::write(folder.path().join(name), text).unwrap();
            let Ok(Read::Whole(set)) = read_policy(&folder.path().join(name), &terminal) else { panic!("{name}") };
            assert!(set.controls(Role::Server).control("static-address").is_some());
            assert!(set.controls(Role::Workstation).control("static-address").is_none());
        }
        let path = folder.path().join(CONTROLS_FILE);
        std::fs::write(&path, policies::policy::SHIPPED[1].1.replacen("for = \"server\"\n", "for = \"sever\"\n", 1))
            .unwrap();
        let said = read_policy(&path, &terminal).err().unwrap().to_string();
        assert!(said.contains("level-2-controls.toml:") && said.contains("did you mean `server`?"), "{said}");
    }

    #[test]
    fn every_file_that_is_shipped_can_be_judged_by() {
        let folder = tempfile::tempdir().unwrap();
        shipped(folder.path());
        let terminal = Terminal::new(Language::Vi);
        assert!(matches!(read_policy(&folder.path().join(OFFICE_FILE), &terminal), Ok(Read::Whole(_))));
        for role in ["workstation", "server"] {
            let path = folder.path().join(format!("level-2-{role}.toml"));
            let Ok(Read::Controls(policy)) = read_policy(&path, &terminal) else { panic!("{role}") };
            assert_eq!(policy.role().code(), role);
            let facts = Facts::unknown(Reason::SourceMissing);
            let now = Timestamp::UNIX_EPOCH;
            let outcomes = evaluate(&policy, &facts, now);
            let office = PolicySet::shipped().unwrap().office().clone();
            let score = score(&policy, office, &outcomes, now);
            let checked = Checked { file: &path, policy: &policy, facts: &facts, score, now };
            let said = checked.sentences(&outcomes, &terminal);
            assert!(said.contains("chưa ký") && said.contains("chưa xác định"), "{said}");
            let answer: serde_json::Value = serde_json::from_str(&checked.json(&outcomes).unwrap()).unwrap();
            assert_eq!(answer["policy"]["signed"], false);
            assert_eq!(answer["machine"]["score"], 0.0);
            assert_eq!(answer["outcomes"].as_array().unwrap().len(), outcomes.len());
        }
    }

    #[test]
    fn a_broken_policy_is_told_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("own.toml");
        std::fs::write(&path, "format = 1\nnonsense = [\n").unwrap();
        let error = read_policy(&path, &Terminal::new(Language::En)).err().unwrap().to_string();
        assert!(error.contains("own.toml:"), "{error}");
        let missing = read_policy(&folder.path().join("absent.toml"), &Terminal::new(Language::En)).err().unwrap();
        assert!(format!("{missing:#}").contains("absent.toml"), "{missing:#}");
        shipped(folder.path());
        std::fs::remove_file(folder.path().join("level-2-server.toml")).unwrap();
        let alone = read_policy(&folder.path().join(OFFICE_FILE), &Terminal::new(Language::En)).err().unwrap();
        assert!(format!("{alone:#}").contains("level-2-server.toml"), "{alone:#}");
    }

    #[test]
    fn the_role_follows_the_shape() {
        let mut facts = Facts::unknown(Reason::SourceMissing);
        assert_eq!(shape(&facts), Role::Workstation);
        facts.system.desktop = Fact::Known(false);
        assert_eq!(shape(&facts), Role::Server);
        facts.system.desktop = Fact::Known(true);
        assert_eq!(shape(&facts), Role::Workstation);
        facts.system.chassis = Fact::Known(Chassis::Server);
        assert_eq!(shape(&facts), Role::Server);
    }
}
