//! A policy ready to judge by. Judging is in the module `judge`.

use std::collections::BTreeMap;

use policies::fact::Section;
use policies::grade::Rules;
use policies::policy::{Condition, Control, PolicyErrors, PolicySet, Role, Subject};

/// A policy ready to judge by.
#[derive(Debug)]
pub struct CompiledPolicy {
    address: String,
    set: PolicySet,
    rules: Rules,
    /// The sections that each control reads, by role and control.
    reads: BTreeMap<Role, BTreeMap<String, Vec<Section>>>,
}

impl CompiledPolicy {
    /// Reads the policy at `address` from its files.
    ///
    /// # Errors
    /// All errors in the files.
    pub fn new(address: &str, files: &BTreeMap<String, String>) -> Result<Self, PolicyErrors> {
        let set = PolicySet::read(files)?;
        let rules = Rules::from(&set);
        let reads = Role::ALL
            .iter()
            .map(|&role| {
                let controls = set.controls(role).controls().iter();
                (role, controls.map(|control| (control.id().to_owned(), sections_read(control))).collect())
            })
            .collect();
        Ok(Self { address: address.to_owned(), set, rules, reads })
    }

    /// The policy's address.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The policy set: titles, clauses and fix steps of controls.
    pub const fn set(&self) -> &PolicySet {
        &self.set
    }

    /// The rules for grades.
    pub const fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The sections that `control` reads on a machine of `role`.
    pub fn sections_read(&self, role: Role, control: &str) -> &[Section] {
        self.reads.get(&role).and_then(|controls| controls.get(control)).map_or(&[], Vec::as_slice)
    }
}

fn sections_read(control: &Control) -> Vec<Section> {
    let mut sections = Vec::new();
    let mut add = |condition: &Condition| {
        condition.visit(&mut |test| {
            if let Subject::Fact { section, .. } = test.subject
                && !sections.contains(&section)
            {
                sections.push(section);
            }
        });
    };
    add(control.require());
    if let Some(applies) = control.applies() {
        add(applies);
    }
    sections
}
