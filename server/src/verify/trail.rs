//! What people decided about waivers and rosters, against what the audit log says of it.

use std::collections::{BTreeMap, BTreeSet};

use super::{Place, StoreResult, Verifying, What};
use crate::audit::{Action, Entry};
use crate::store::Scope;
use crate::store::roster::{RosterLine, RosterState};
use crate::store::waiver::Waiver;

/// A waiver as the audit log tells it, and as it is stored: who and when, by what happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Told {
    machine: String,
    control: String,
    until: String,
    asked: Option<(i64, String)>,
    /// Granted or refused.
    decided: Option<(i64, String)>,
    /// Withdrawn or ended.
    ended: Option<(i64, String)>,
}

impl Told {
    fn stored(waiver: &Waiver) -> Self {
        Self {
            machine: waiver.machine.clone(),
            control: waiver.control.clone(),
            until: waiver.until_at.to_string(),
            asked: Some((waiver.asked_at, waiver.asked_by.clone())),
            decided: waiver.decided_at.zip(waiver.decided_by.clone()),
            ended: waiver.ended_at.zip(waiver.ended_by.clone()),
        }
    }

    fn line(&self) -> String {
        let Self { until, asked, decided, ended, .. } = self;
        let happened = [("asked", asked), ("decided", decided), ("ended", ended)];
        let happened =
            happened.iter().filter_map(|(word, what)| what.as_ref().map(|(at, by)| format!("{word} {at} {by}")));
        format!("{}, until {until}", happened.collect::<Vec<_>>().join(", "))
    }
}

/// The details of an entry.
fn details(entry: &Entry) -> BTreeMap<String, String> {
    serde_json::from_str(&entry.detail).unwrap_or_default()
}

/// The id that an entry's subject begins with.
fn subject_id(entry: &Entry) -> &str {
    entry.subject.split(' ').next().unwrap_or_default()
}

fn is(entry: &Entry, action: Action) -> bool {
    entry.action == action.code()
}

/// A line of a roster as the audit log tells it.
#[derive(Clone, Debug, Default)]
struct LineTold {
    added: Option<i64>,
    removed: Option<i64>,
    /// The states that somebody set: when, which, until when.
    states: Vec<(i64, String, Option<String>)>,
    /// The machine that somebody linked to it last, and when.
    machine: Option<(String, i64)>,
}

/// The roster of an office as the audit log tells it.
#[derive(Clone, Debug, Default)]
pub(super) struct RosterTold {
    lines: BTreeMap<String, LineTold>,
    /// Each declaration: when, and by whom.
    declared: Vec<(i64, String)>,
    /// Since when nothing was done to the office that its rows and these entries do not tell how to undo.
    pub(super) fixed_since: i64,
}

impl RosterTold {
    /// Whether the roster had been declared by `at`.
    pub(super) fn declared_by(&self, at: i64) -> bool {
        self.declared.first().is_some_and(|(first, _)| *first <= at)
    }

    /// A line in the state that it had at `at`, when its machine had last reported at `reported_at`: a report ends an absence.
    pub(super) fn state_at(&self, line: &RosterLine, at: i64, reported_at: Option<i64>) -> RosterLine {
        let states = self.lines.get(&line.id).map_or(&[][..], |told| told.states.as_slice());
        let mut now = (RosterState::InUse, None, None::<i64>);
        for (set_at, state, until) in states.iter().filter(|(set_at, _, _)| *set_at <= at) {
            let goes_on = now.2.is_some_and(|until_at| until_at > *set_at);
            let from_at = now.1.filter(|_| goes_on).or(Some(*set_at));
            let until_at = until.as_ref().and_then(|until| until.parse().ok());
            let is_over = reported_at.is_some_and(|reported_at| reported_at > *set_at);
            now = match state.parse().unwrap_or(RosterState::InUse) {
                state if !is_over && state != RosterState::InUse => (state, from_at, until_at),
                _ => (RosterState::InUse, None, None),
            };
        }
        let (state, from_at, until_at) = now;
        RosterLine { state, state_from_at: from_at, state_until_at: until_at, ..line.clone() }
    }
}

impl Verifying<'_> {
    /// Hands over the first `written` entries of the audit log.
    async fn entries(&self, written: i64, mut take: impl FnMut(Entry)) -> StoreResult<()> {
        let mut after = 0;
        while after < written {
            let page = self.db.read().await?.audit_page(after).await?;
            let Some(last) = page.last() else { break };
            after = last.number;
            page.into_iter().filter(|entry| entry.number <= written).for_each(&mut take);
        }
        Ok(())
    }

    /// The waivers of machines against their entries.
    pub(super) async fn waivers(&mut self, machines: &BTreeSet<String>) -> StoreResult<()> {
        // What is decided while the rows are read is left out.
        let written = self.db.read().await?.audit_written().await?;
        let mut stored = BTreeMap::new();
        for machine in machines {
            for waiver in self.db.read().await?.waiver_list_of_machine(&Scope::whole(), machine).await? {
                stored.insert(waiver.id.clone(), waiver);
            }
        }
        let (mut told, mut later) = (BTreeMap::<String, Told>::new(), BTreeSet::new());
        let then = self.db.read().await?.audit_written().await?;
        self.entries(then, |entry| {
            let actions = [
                Action::WaiverAsked,
                Action::WaiverGranted,
                Action::WaiverRefused,
                Action::WaiverWithdrawn,
                Action::WaiverEnded,
            ];
            if !actions.iter().any(|action| is(&entry, *action)) || !machines.contains(subject_id(&entry)) {
                return;
            }
            let mut detail = details(&entry);
            let id = detail.remove("waiver").unwrap_or_default();
            if entry.number > written {
                later.insert(id);
                return;
            }
            let told = told.entry(id).or_default();
            let what = Some((entry.at, entry.actor.clone()));
            if is(&entry, Action::WaiverAsked) {
                told.machine = subject_id(&entry).to_owned();
                told.asked = what;
            } else if is(&entry, Action::WaiverWithdrawn) || is(&entry, Action::WaiverEnded) {
                told.ended = what;
            } else if detail.get("reason").map(String::as_str) == Some("clock_ahead") {
                // Put in force again: it had ended while a clock was ahead.
                told.ended = None;
            } else {
                told.decided = what;
            }
            told.control = detail.remove("control").unwrap_or_default();
            told.until = detail.remove("until_at").unwrap_or_default();
        })
        .await?;
        self.findings.count("waivers", stored.len() as u64);
        for id in stored.keys().chain(told.keys()).filter(|id| !later.contains(*id)).collect::<BTreeSet<_>>() {
            let (row, entries) = (stored.get(id).map(Told::stored), told.get(id));
            if row.as_ref() != entries {
                let of = row.as_ref().or(entries).cloned().unwrap_or_default();
                let place = Place::Waiver(of.machine, of.control, id.clone());
                self.findings.differ(What::Waiver, place, row.map(|row| row.line()), entries.map(Told::line));
            }
        }
        Ok(())
    }

    /// What the first `written` entries of the audit log say of an office's roster.
    pub(super) async fn roster_told(&self, office: &str, written: i64) -> StoreResult<RosterTold> {
        let machines = self.db.read().await?.machine_list(&Scope::whole(), office).await?;
        let is_new = |id: &str, at: i64| {
            machines.iter().any(|listed| listed.machine.id == id && listed.machine.enrolled_at >= at)
        };
        let mut told = RosterTold::default();
        self.entries(written, |entry| {
            if entry.office.as_deref() != Some(office) {
                return;
            }
            let mut detail = details(&entry);
            let fixing =
                [Action::MachineMoved, Action::MachineRoleChanged, Action::MachineSettled, Action::RosterUnlinked];
            let is_setup = is(&entry, Action::OfficeChanged) && !detail.contains_key("name");
            let is_linked = is(&entry, Action::RosterLinked)
                && !detail.get("machine").is_some_and(|machine| is_new(machine, entry.at));
            if is_setup || is_linked || fixing.iter().any(|action| is(&entry, *action)) {
                told.fixed_since = entry.at;
            }
            if is(&entry, Action::RosterDeclared) {
                told.declared.push((entry.at, entry.actor));
                return;
            }
            let actions = [
                Action::RosterAdded,
                Action::RosterChanged,
                Action::RosterRemoved,
                Action::RosterLinked,
                Action::RosterUnlinked,
            ];
            if !actions.iter().any(|action| is(&entry, *action)) {
                return;
            }
            let line = told.lines.entry(subject_id(&entry).to_owned()).or_default();
            if is(&entry, Action::RosterAdded) {
                line.added = Some(entry.at);
            } else if is(&entry, Action::RosterRemoved) {
                line.removed = Some(entry.at);
            } else if is(&entry, Action::RosterLinked) {
                line.machine = detail.remove("machine").map(|machine| (machine, entry.at));
            } else if is(&entry, Action::RosterUnlinked) {
                line.machine = None;
            } else if let Some(state) = detail.remove("state") {
                line.states.push((entry.at, state, detail.remove("until_at")));
            }
        })
        .await?;
        Ok(told)
    }

    /// The roster of an office against its entries.
    pub(super) async fn roster(&mut self, office: &str) -> StoreResult<()> {
        let mut tx = self.db.read().await?;
        let written = tx.audit_written().await?;
        let lines = tx.roster_line_all(office).await?;
        let machines = tx.machine_list(&Scope::whole(), office).await?;
        let declared =
            tx.roster_get(&Scope::whole(), office).await?.map(|roster| (roster.declared_at, roster.declared_by));
        drop(tx);
        let told = self.roster_told(office, written).await?;
        let declared_told = told.declared.last().cloned();
        self.findings.count("lines", lines.len() as u64);
        let declaration = |declared: Option<(i64, String)>| declared.map(|(at, by)| format!("{at} {by}"));
        let place = Place::Office(office.to_owned(), "declared");
        self.findings.compare(What::Declaration, place, declaration(declared), declaration(declared_told));
        let enrolled_at = |id: &String| {
            let listed = machines.iter().find(|listed| listed.machine.id == *id);
            listed.map_or(i64::MIN, |listed| listed.machine.enrolled_at)
        };
        let mut rows: BTreeMap<String, RosterLine> = lines.into_iter().map(|line| (line.id.clone(), line)).collect();
        for (id, line) in &told.lines {
            let place = Place::Line(office.to_owned(), id.clone());
            let Some(row) = rows.remove(id) else {
                self.findings.differ(What::Line, place, None, Some(line_told(line)));
                continue;
            };
            let stored = LineTold {
                added: Some(row.created_at),
                removed: row.removed_at,
                // A report ends an absence; whoever revokes or moves a machine frees its line; one that enrols takes the line that fits it:
                // none of these has an entry of the line.
                states: match line.states.last() {
                    last if row.state == RosterState::InUse => last.cloned().into_iter().collect(),
                    last => {
                        let until = row.state_until_at.map(|at| at.to_string());
                        vec![(last.map_or(0, |(at, _, _)| *at), row.state.word().to_owned(), until)]
                    }
                },
                machine: line.machine.clone().map(|(told, at)| match row.machine.clone() {
                    Some(row) if enrolled_at(&row) <= at => (row, at),
                    _ => (told, at),
                }),
            };
            let (stored, wanted) = (line_told(&stored), line_told(line));
            self.findings.compare(What::Line, place, Some(stored), Some(wanted));
        }
        for (id, _) in rows {
            self.findings.differ(What::Line, Place::Line(office.to_owned(), id.clone()), Some(id), None);
        }
        Ok(())
    }
}

fn line_told(line: &LineTold) -> String {
    let LineTold { added, removed, states, machine } = line;
    let mut told: Vec<String> = Vec::new();
    for (word, at) in [("added", added), ("removed", removed)] {
        told.extend(at.map(|at| format!("{word} {at}")));
    }
    told.extend(states.last().map(|(_, state, until)| format!("{state} until {}", until.as_deref().unwrap_or("-"))));
    told.extend(machine.as_ref().map(|(machine, _)| format!("machine {machine}")));
    told.join(", ")
}
