//! A whole policy: the office's numbers and the control files they name, read together. What a server publishes and an agent keeps.

use std::collections::BTreeMap;

use super::catalogue::{CATALOGUE_FILE, WindowsCatalogue};
use super::control::{ControlSource, Policy};
use super::error::{PolicyError, PolicyErrors};
use super::flat::flat;
use super::office::{Office, Weights};
use super::part::CONTROLS_FILE;
use super::{Control, Role};
use crate::text;
use crate::text::visible;

/// The name of the file with the office's numbers; it names the others.
pub const OFFICE_FILE: &str = "level-2.toml";

/// The office's numbers that come with the product.
const SHIPPED_OFFICE: &str = include_str!("../../level-2.toml");

/// The policy that comes with the product, as file name and text. A published policy replaces it.
pub const SHIPPED: [(&str, &str); 2] =
    [(OFFICE_FILE, SHIPPED_OFFICE), (CONTROLS_FILE, include_str!("../../level-2-controls.toml"))];

/// The office's numbers and the controls together, and the catalogue of Windows if it comes with them. Valid once read.
#[derive(Clone, Debug)]
pub struct PolicySet {
    office: Office,
    workstation: Policy,
    server: Policy,
    office_controls: Vec<Control>,
    catalogue: Option<WindowsCatalogue>,
    files: BTreeMap<String, String>,
}

impl Office {
    /// The numbers that come with the product: all that a judging-only program needs of the shipped policy, whose controls are a
    /// quarter of a megabyte.
    ///
    /// # Errors
    /// None in practice: a test of this repository reads it.
    pub fn shipped() -> Result<Self, PolicyErrors> {
        Self::read(OFFICE_FILE, SHIPPED_OFFICE)
    }
}

impl PolicySet {
    /// Reads a policy from its files, by name: the office's file with the source of all controls, or with the two control files it
    /// names, which is what agents are sent.
    ///
    /// # Errors
    /// All errors in any of them.
    pub fn read<N: AsRef<str>, T: AsRef<[u8]>>(files: impl IntoIterator<Item = (N, T)>) -> Result<Self, PolicyErrors> {
        let files: BTreeMap<String, T> =
            files.into_iter().map(|(name, text)| (name.as_ref().to_owned(), text)).collect();
        let Some(text) = files.get(OFFICE_FILE) else {
            return Err(missing(OFFICE_FILE, &files));
        };
        // Without the office's numbers it is unknown which files the controls are in.
        let office = Office::read(OFFICE_FILE, text)?;
        let source = files.get(CONTROLS_FILE);
        let ControlSource { workstation, server, office: office_controls } = match source {
            Some(text) => ControlSource::read(CONTROLS_FILE, text)?,
            None => control_files(&office, &files)?,
        };
        let name = |role| if source.is_some() { CONTROLS_FILE } else { office.controls.get(role) };
        let mut gains = gains_by_failing(name(Role::Workstation), &workstation, office.weights);
        gains.extend(gains_by_failing(name(Role::Server), &server, office.weights));
        gains.dedup();
        if let Some(errors) = PolicyErrors::new(gains) {
            return Err(errors);
        }
        let catalogue =
            files.get(CATALOGUE_FILE).map(|text| WindowsCatalogue::read(CATALOGUE_FILE, text)).transpose()?;
        let mut kept = BTreeMap::new();
        for name in [CATALOGUE_FILE, OFFICE_FILE, name(Role::Workstation), name(Role::Server)] {
            if let Some(text) = files.get(name).and_then(|text| std::str::from_utf8(text.as_ref()).ok()) {
                kept.insert(name.to_owned(), text.to_owned());
            }
        }
        if let Some(name) = files.keys().find(|name| !kept.contains_key(*name)) {
            let shown = visible(name, 100);
            let message =
                text!("tệp `{shown}` không thuộc bộ tiêu chí này", "the file `{shown}` does not belong to this policy");
            return Err(one(PolicyError::of_file(&shown, message)));
        }
        Ok(Self { office, workstation, server, office_controls, catalogue, files: kept })
    }

    /// Reads only the source of the controls, with the office's numbers that come with the product.
    ///
    /// # Errors
    /// All errors in it.
    pub fn read_controls(text: impl AsRef<[u8]>) -> Result<Self, PolicyErrors> {
        Self::read([(OFFICE_FILE, SHIPPED_OFFICE.as_bytes()), (CONTROLS_FILE, text.as_ref())])
    }

    /// The policy that comes with the product.
    ///
    /// # Errors
    /// None in practice: a test of this repository reads it.
    pub fn shipped() -> Result<Self, PolicyErrors> {
        Self::read(SHIPPED)
    }

    /// The office's numbers.
    pub fn office(&self) -> &Office {
        &self.office
    }

    /// The controls for `role`.
    pub fn controls(&self, role: Role) -> &Policy {
        match role {
            Role::Workstation => &self.workstation,
            Role::Server => &self.server,
        }
    }

    /// The controls about an office. Agents do not get them.
    pub fn office_controls(&self) -> &[Control] {
        &self.office_controls
    }

    /// The Windows catalogue, if it comes with the policy.
    pub fn catalogue(&self) -> Option<&WindowsCatalogue> {
        self.catalogue.as_ref()
    }

    /// The exact texts by file name, as read.
    pub fn files(&self) -> &BTreeMap<String, String> {
        &self.files
    }

    /// The files as agents of every version read them: the source of the controls laid out as one file per role.
    ///
    /// # Errors
    /// None: the files were read before.
    pub fn files_for_agents(&self) -> Result<BTreeMap<String, String>, PolicyErrors> {
        let mut files = self.files.clone();
        if let Some(source) = files.remove(CONTROLS_FILE) {
            for &role in Role::ALL {
                files.insert(self.office.controls.get(role).to_owned(), flat(CONTROLS_FILE, &source, role)?);
            }
        }
        Ok(files)
    }
}

fn one(error: PolicyError) -> PolicyErrors {
    PolicyErrors { errors: vec![error], left_out: 0 }
}

fn missing<T>(name: &str, files: &BTreeMap<String, T>) -> PolicyErrors {
    let names: Vec<String> = files.keys().map(|name| visible(name, 100)).collect();
    let (vi, en) = match names.as_slice() {
        [] => (String::new(), String::new()),
        names => (format!(" (có: {})", names.join(", ")), format!(" (there are: {})", names.join(", "))),
    };
    one(PolicyError::of_file(name, text!("thiếu tệp này{vi}", "this file is missing{en}")))
}

/// The two control files that `office` names.
fn control_files<T: AsRef<[u8]>>(office: &Office, files: &BTreeMap<String, T>) -> Result<ControlSource, PolicyErrors> {
    match (control_file(office, Role::Workstation, files), control_file(office, Role::Server, files)) {
        (Ok(workstation), Ok(server)) => Ok(ControlSource { workstation, server, office: Vec::new() }),
        (Err(errors), Err(more)) => Err(errors.and(more)),
        (Err(errors), Ok(_)) | (Ok(_), Err(errors)) => Err(errors),
    }
}

fn control_file<T: AsRef<[u8]>>(
    office: &Office,
    role: Role,
    files: &BTreeMap<String, T>,
) -> Result<Policy, PolicyErrors> {
    let name = office.controls.get(role);
    let Some(text) = files.get(name) else {
        return Err(missing(name, files));
    };
    let policy = Policy::read(name, text)?;
    if policy.role() == role {
        return Ok(policy);
    }
    let message = text!(
        "tệp này có `for = \"{}\"`, cần `\"{}\"`",
        "this file has `for = \"{}\"`, expected `\"{}\"`",
        policy.role().code(),
        role.code()
    );
    Err(one(PolicyError::of_file(name, message)))
}

/// A control whose failure takes more weight out of the sums (through `implied_by`) than it costs itself would make failing it
/// pay: the machine with the larger fault would have the better score.
fn gains_by_failing(file: &str, policy: &Policy, weights: Weights) -> Vec<PolicyError> {
    let controls = policy.controls();
    let descends = |control: &Control, ancestor: usize| {
        let mut cause = control.implied_by_index();
        while let Some(index) = cause {
            if index == ancestor {
                return true;
            }
            cause = controls[index].implied_by_index();
        }
        false
    };
    let mut errors = Vec::new();
    for (index, control) in controls.iter().enumerate() {
        let own = weights.get(control.severity());
        let implied: u32 =
            controls.iter().filter(|other| descends(other, index)).map(|other| weights.get(other.severity())).sum();
        if implied > own {
            let id = control.id();
            errors.push(PolicyError::of_file(
                file,
                text!(
                    "các tiêu chí kéo theo `{id}` nặng {implied}, hơn chính nó ({own}): không đạt nó lại được lợi",
                    "what `{id}` implies weighs {implied}, more than itself ({own}): failing it would pay"
                ),
            ));
        }
    }
    errors
}
