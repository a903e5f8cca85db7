//! A whole policy: the office's numbers and the control files they name, read together. What a server publishes and an agent keeps.

use std::collections::BTreeMap;

use super::catalogue::{CATALOGUE_FILE, WindowsCatalogue};
use super::control::Policy;
use super::error::{PolicyError, PolicyErrors};
use super::office::{Office, Weights};
use super::{Control, Role};
use crate::text::{Text, visible};

/// The name of the file with the office's numbers; it names the others.
pub const OFFICE_FILE: &str = "level-2.toml";

/// The office's numbers that come with the product.
const SHIPPED_OFFICE: &str = include_str!("../../level-2.toml");

/// The policy that comes with the product, as file name and text. A published policy replaces it.
pub const SHIPPED: [(&str, &str); 3] = [
    (OFFICE_FILE, SHIPPED_OFFICE),
    ("level-2-workstation.toml", include_str!("../../level-2-workstation.toml")),
    ("level-2-server.toml", include_str!("../../level-2-server.toml")),
];

/// The three files together, and the catalogue of Windows where it travels with them. Valid once read.
#[derive(Clone, Debug)]
pub struct PolicySet {
    office: Office,
    workstation: Policy,
    server: Policy,
    catalogue: Option<WindowsCatalogue>,
    files: BTreeMap<String, String>,
}

impl Office {
    /// The numbers that come with the product: all that a program which only judges needs of the shipped policy, whose controls are
    /// a quarter of a megabyte.
    ///
    /// # Errors
    /// None that a test of this repository would let pass.
    pub fn shipped() -> Result<Self, PolicyErrors> {
        Self::read(OFFICE_FILE, SHIPPED_OFFICE)
    }
}

impl PolicySet {
    /// Reads a policy from its files, by name.
    ///
    /// # Errors
    /// Everything that is wrong with any of them.
    pub fn read<N: AsRef<str>, T: AsRef<[u8]>>(files: impl IntoIterator<Item = (N, T)>) -> Result<Self, PolicyErrors> {
        let files: BTreeMap<String, T> =
            files.into_iter().map(|(name, text)| (name.as_ref().to_owned(), text)).collect();
        let Some(text) = files.get(OFFICE_FILE) else {
            return Err(missing(OFFICE_FILE, &files));
        };
        // Without the office's numbers nothing says which files the controls are in.
        let office = Office::read(OFFICE_FILE, text)?;
        let workstation = control_file(&office, Role::Workstation, &files);
        let server = control_file(&office, Role::Server, &files);
        let (workstation, server) = match (workstation, server) {
            (Ok(workstation), Ok(server)) => (workstation, server),
            (Err(errors), Err(more)) => return Err(errors.and(more)),
            (Err(errors), Ok(_)) | (Ok(_), Err(errors)) => return Err(errors),
        };
        let catalogue =
            files.get(CATALOGUE_FILE).map(|text| WindowsCatalogue::read(CATALOGUE_FILE, text)).transpose()?;
        let mut kept = BTreeMap::new();
        for name in [CATALOGUE_FILE, OFFICE_FILE, &office.controls.workstation, &office.controls.server] {
            if let Some(text) = files.get(name).and_then(|text| std::str::from_utf8(text.as_ref()).ok()) {
                kept.insert(name.to_owned(), text.to_owned());
            }
        }
        if let Some(name) = files.keys().find(|name| !kept.contains_key(*name)) {
            let shown = visible(name, 100);
            let message = Text::new(
                format!("tệp `{shown}` không thuộc bộ tiêu chí này"),
                format!("the file `{shown}` does not belong to this policy"),
            );
            return Err(one(PolicyError::of_file(&shown, message)));
        }
        Ok(Self { office, workstation, server, catalogue, files: kept })
    }

    /// The policy that comes with the product.
    ///
    /// # Errors
    /// None that a test of this repository would let pass.
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

    /// What is known of Windows, where it travels with the policy.
    pub fn catalogue(&self) -> Option<&WindowsCatalogue> {
        self.catalogue.as_ref()
    }

    /// The exact texts by file name: what a bundle holds and what its hash and signature cover.
    pub fn files(&self) -> &BTreeMap<String, String> {
        &self.files
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
    one(PolicyError::of_file(name, Text::new(format!("thiếu tệp này{vi}"), format!("this file is missing{en}"))))
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
    if policy.role() != role {
        let message = Text::new(
            format!("tệp này có `for = \"{}\"`, cần `\"{}\"`", policy.role().code(), role.code()),
            format!("this file has `for = \"{}\"`, expected `\"{}\"`", policy.role().code(), role.code()),
        );
        return Err(one(PolicyError::of_file(name, message)));
    }
    match PolicyErrors::new(gains_by_failing(name, &policy, office.weights)) {
        Some(errors) => Err(errors),
        None => Ok(policy),
    }
}

/// A control whose failure takes more weight out of the sums (through `implied_by`) than it costs itself would reward failing it:
/// the machine with the larger fault would have the better score.
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
                Text::new(
                    format!(
                        "các tiêu chí kéo theo `{id}` nặng {implied}, hơn chính nó ({own}): không đạt nó lại được lợi"
                    ),
                    format!("what `{id}` implies weighs {implied}, more than itself ({own}): failing it would pay"),
                ),
            ));
        }
    }
    errors
}
