//! The path of a stranger's packet through all base chains. It must pass every one: an accept only ends its own chain.

use std::collections::{BTreeSet, HashMap};

use super::filter::{Chain, Condition, Family, Field, Hook, Item, Rule, Step, Table, Values, Verdict, Version};
use super::outside::Outside;
use super::stranger::{PORT, Packet, Stage};
use super::truth::Can;

/// What a set of tables does with strangers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Judgement {
    /// Whether a stranger gets in some way: on some interface, in some IP version, at some ordinary port.
    pub(super) lets_in: Can,
    /// Whether anything is blocked for a stranger on some way, even a single port.
    pub(super) filters: Can,
    /// The first chain with something unknown, as `table/chain`.
    pub(super) doubt: Option<String>,
}

/// The effect of `tables` on strangers who arrive by `outsides`. With `cut`, there may be further tables.
pub(super) fn judge(tables: &[&Table], outsides: &[Outside], cut: bool) -> Judgement {
    let mut judgement = Judgement { lets_in: Can::No, filters: Can::No, doubt: None };
    for outside in outsides {
        for version in outside.versions() {
            let (mut tried, mut waiting) = (BTreeSet::new(), BTreeSet::from([PORT]));
            while let Some(port) = waiting.pop_first() {
                tried.insert(port);
                let mut walk = Walk::new(tables, Packet::new(outside, version, Some(port)));
                let survives = walk.way();
                judgement.lets_in = judgement.lets_in.or(if cut { survives.and(Can::Perhaps) } else { survives });
                judgement.doubt = judgement.doubt.take().or(walk.doubt);
                waiting.extend(walk.packet.others.difference(&tried));
            }
            let mut walk = Walk::new(tables, Packet::new(outside, version, None));
            walk.way();
            judgement.filters = judgement.filters.or(walk.dropped);
        }
    }
    if judgement.lets_in == Can::No {
        judgement.filters = Can::Yes;
    }
    judgement
}

/// TCP port ranges that are forwarded to another machine, such as a container; `None` when any port may be.
pub(super) fn published(tables: &[&Table], outsides: &[Outside]) -> Option<Vec<(u16, u16)>> {
    let mut found = Vec::new();
    for outside in outsides {
        for version in outside.versions() {
            let mut ordinary = Walk::new(tables, Packet::new(outside, version, Some(PORT)));
            if ordinary.forwarded() != Can::No {
                return None;
            }
            for (first, last) in tables.iter().flat_map(|table| led_on(table)) {
                let mut walk = Walk::new(tables, Packet { exact: true, ..Packet::new(outside, version, Some(first)) });
                if walk.forwarded() != Can::No {
                    found.push((first, last));
                }
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    Some(found)
}

/// The ports named by address translation rules.
fn led_on(table: &Table) -> Vec<(u16, u16)> {
    let rules = table.chains.values().flat_map(|chain| &chain.rules);
    let translating = rules.filter(|rule| rule.iter().any(|step| matches!(step, Step::Dnat)));
    let items = translating.flatten().flat_map(|step| match step {
        Step::If(Condition::Among { fields, values: Values::Own(set), negated: false })
            if **fields == [Field::DestinationPort] =>
        {
            &set.items[..]
        }
        _ => &[],
    });
    let ports = items.filter_map(|item| match *item {
        Item::Span(first, last) => Some((u16::try_from(first).ok()?, u16::try_from(last).ok()?)),
        _ => None,
    });
    ports.collect()
}

/// Deeper than any kernel lets chains jump.
const DEPTH: u8 = 64;

/// What a chain does with a packet that enters it.
#[derive(Clone, Copy, Debug)]
struct Fate {
    accepted: Can,
    dropped: Can,
    /// It leaves at the end, or returns.
    through: Can,
}

impl Fate {
    const NONE: Self = Self { accepted: Can::No, dropped: Can::No, through: Can::No };
    const UNKNOWN: Self = Self { accepted: Can::Perhaps, dropped: Can::Perhaps, through: Can::Perhaps };

    /// Adds the fate of packets that enter `other` with certainty `taken`; the caller handles those that pass through.
    fn add(&mut self, other: Self, taken: Can) {
        self.accepted = self.accepted.or(other.accepted.and(taken));
        self.dropped = self.dropped.or(other.dropped.and(taken));
    }
}

struct Walk<'a> {
    tables: &'a [&'a Table],
    packet: Packet<'a>,
    /// Fates of the chains this packet has already walked in its current state.
    known: HashMap<(usize, &'a str), Fate>,
    dropped: Can,
    /// Whether it may have been sent to another machine.
    elsewhere: Can,
    doubt: Option<String>,
}

impl<'a> Walk<'a> {
    fn new(tables: &'a [&'a Table], packet: Packet<'a>) -> Self {
        Self { tables, packet, known: HashMap::new(), dropped: Can::No, elsewhere: Can::No, doubt: None }
    }

    /// Whether the packet arrives.
    fn way(&mut self) -> Can {
        let arrives = self.until_routed();
        let survives = arrives.and(self.hook(Hook::Input, self.families()));
        if self.elsewhere == Can::No { survives } else { Can::Perhaps }
    }

    /// Whether the packet is sent on to another machine.
    fn forwarded(&mut self) -> Can {
        let leaves = self.until_routed().and(self.elsewhere);
        if leaves == Can::No {
            return Can::No;
        }
        self.packet.forwarded = true;
        leaves.and(self.hook(Hook::Forward, self.families()))
    }

    fn families(&self) -> &'static [Family] {
        match self.packet.version {
            Version::V4 => &[Family::Ip, Family::Inet],
            Version::V6 => &[Family::Ip6, Family::Inet],
        }
    }

    /// Whether the packet gets as far as the routing decision.
    fn until_routed(&mut self) -> Can {
        let outside = self.packet.outside;
        let mut survives = Can::Yes;
        let last = outside.devices.len().saturating_sub(1);
        for (index, device) in outside.devices.iter().enumerate() {
            let below = index < last;
            self.packet.interface = Some(device);
            self.packet.stage = if below { Stage::Below } else { Stage::Untracked };
            survives = survives.and(self.hook(Hook::Ingress, &[Family::Netdev, Family::Inet]));
            if below && outside.bridge == Some(index + 1) {
                for hook in [Hook::Prerouting, Hook::Input] {
                    survives = survives.and(self.hook(hook, &[Family::Bridge]));
                }
            }
        }
        if !outside.named {
            self.packet.interface = None;
        }
        survives.and(self.hook(Hook::Prerouting, self.families()))
    }

    /// Whether the packet passes all base chains at `hook`, by priority.
    fn hook(&mut self, hook: Hook, families: &[Family]) -> Can {
        /// Where the kernel looks up the connection (`NF_IP_PRI_CONNTRACK`).
        const LOOKED_UP: i64 = -200;
        let mut chains: Vec<(i64, usize, &'a str, &'a Chain)> = Vec::new();
        for (index, table) in self.tables.iter().enumerate().filter(|(_, table)| families.contains(&table.family)) {
            let here = table.chains.iter().filter_map(|(name, chain)| {
                let base = chain.base.as_ref().filter(|base| base.hook == hook)?;
                Some((base.priority, index, name.as_str(), chain))
            });
            chains.extend(here);
        }
        chains.sort_by_key(|(priority, ..)| *priority);
        let mut survives = Can::Yes;
        for (priority, index, name, chain) in chains {
            if hook != Hook::Ingress && !families.contains(&Family::Bridge) {
                self.packet.stage = match priority.cmp(&LOOKED_UP) {
                    _ if hook != Hook::Prerouting => Stage::Tracked,
                    std::cmp::Ordering::Less => Stage::Untracked,
                    std::cmp::Ordering::Equal => Stage::Below,
                    std::cmp::Ordering::Greater => Stage::Tracked,
                };
            }
            if survives == Can::No {
                break;
            }
            survives = survives.and(self.base(index, name, chain, survives));
        }
        survives
    }

    /// Whether the packet passes one base chain that it enters with certainty `survives`.
    fn base(&mut self, index: usize, name: &'a str, chain: &'a Chain, survives: Can) -> Can {
        let Some(base) = &chain.base else { return Can::Yes };
        // It may have no effect at all.
        let mut idle = !self.tables[index].in_force;
        if base.hook == Hook::Ingress {
            idle |= base.devices.is_empty();
            let here = |device: &String| self.packet.interface.is_some_and(|name| name == device);
            if !base.devices.is_empty() && !base.devices.iter().any(here) {
                return Can::Yes;
            }
        }
        self.known.clear();
        let mut fate = self.chain(index, name, chain, 0);
        if base.policy_drops {
            fate.dropped = fate.dropped.or(fate.through);
        } else {
            fate.accepted = fate.accepted.or(fate.through);
        }
        if idle {
            fate.accepted = fate.accepted.or(Can::Perhaps);
            fate.dropped = fate.dropped.and(Can::Perhaps);
            self.doubt(index, name);
        }
        self.dropped = self.dropped.or(fate.dropped.and(survives));
        fate.accepted
    }

    fn named(&mut self, index: usize, name: &'a str, depth: u8) -> Fate {
        if let Some(fate) = self.known.get(&(index, name)) {
            return *fate;
        }
        match self.tables[index].chains.get(name) {
            Some(chain) if depth < DEPTH => {
                let before = self.packet.changes();
                let fate = self.chain(index, name, chain, depth + 1);
                // What the chain changed may lead to another decision next time.
                if self.packet.changes() == before {
                    self.known.insert((index, name), fate);
                }
                fate
            }
            _ => {
                self.doubt(index, name);
                Fate::UNKNOWN
            }
        }
    }

    fn chain(&mut self, index: usize, name: &'a str, chain: &'a Chain, depth: u8) -> Fate {
        let mut fate = Fate::NONE;
        let mut alive = Can::Yes;
        for rule in &chain.rules {
            if alive == Can::No {
                break;
            }
            alive = self.rule((index, name), rule, alive, &mut fate, depth);
        }
        // More rules may follow that were not read.
        if !self.tables[index].whole && alive != Can::No {
            self.doubt(index, name);
            let rest = alive.and(Can::Perhaps);
            fate.add(Fate::UNKNOWN, rest);
            alive = rest;
        }
        fate.through = fate.through.or(alive);
        fate
    }

    /// Whether the packet goes on to the next rule.
    fn rule(&mut self, at: (usize, &'a str), rule: &'a Rule, alive: Can, fate: &mut Fate, depth: u8) -> Can {
        let table = self.tables[at.0];
        let (mut taken, mut next) = (alive, Can::No);
        for step in rule {
            match step {
                Step::If(condition) => (taken, next) = self.split(at, condition, taken, next),
                Step::Then(verdict) => {
                    next = next.or(self.decide(at, verdict, taken, fate, depth));
                    taken = Can::No;
                }
                Step::Map(entries) => {
                    for (condition, verdict) in entries {
                        let (here, others) = self.split(at, condition, taken, Can::No);
                        next = next.or(self.decide(at, verdict, here, fate, depth));
                        taken = others;
                    }
                }
                Step::NamedMap(fields, name) => match table.sets.get(name) {
                    Some(set)
                        if !table.changing.contains(name) && set.items.len() == fields.len() * set.verdicts.len() =>
                    {
                        for (value, verdict) in set.items.chunks(fields.len().max(1)).zip(&set.verdicts) {
                            let own = super::filter::Set { items: value.to_vec(), verdicts: Vec::new() };
                            let condition =
                                Condition::Among { fields: fields.clone(), values: Values::Own(own), negated: false };
                            let (here, others) = self.split(at, &condition, taken, Can::No);
                            next = next.or(self.decide(at, verdict, here, fate, depth));
                            taken = others;
                        }
                    }
                    _ => {
                        next = next.or(self.decide(at, &Verdict::Unknown, taken, fate, depth));
                        taken = Can::No;
                    }
                },
                Step::Mark | Step::Untrack | Step::Redirect | Step::Dnat => taken = self.change(step, taken, fate),
            }
            if taken == Can::No {
                return next;
            }
        }
        next.or(taken)
    }

    /// Which packets continue in the rule, and which go to the next one.
    fn split(&mut self, at: (usize, &str), condition: &Condition, taken: Can, next: Can) -> (Can, Can) {
        let truth = self.packet.meets(condition, self.tables[at.0]);
        if truth.holds == Can::Perhaps && taken != Can::No {
            self.doubt(at.0, at.1);
        }
        (taken.and(truth.holds), next.or(taken.and(truth.fails)))
    }

    /// Whether the packet goes on to the next rule after the verdict.
    fn decide(&mut self, at: (usize, &str), verdict: &'a Verdict, taken: Can, fate: &mut Fate, depth: u8) -> Can {
        if taken == Can::No {
            return Can::No;
        }
        let (other, back) = match verdict {
            Verdict::Accept => (Fate { accepted: Can::Yes, ..Fate::NONE }, Can::No),
            Verdict::Drop => (Fate { dropped: Can::Yes, ..Fate::NONE }, Can::No),
            Verdict::Continue => return taken,
            Verdict::Return => {
                fate.through = fate.through.or(taken);
                return Can::No;
            }
            Verdict::Jump(name) => {
                let other = self.named(at.0, name, depth);
                (other, other.through)
            }
            Verdict::Goto(name) => {
                let other = self.named(at.0, name, depth);
                fate.through = fate.through.or(other.through.and(taken));
                (other, Can::No)
            }
            Verdict::Unknown => {
                self.doubt(at.0, at.1);
                (Fate::UNKNOWN, Can::Perhaps)
            }
        };
        fate.add(other, taken);
        back.and(taken)
    }

    /// Records what the rule changes; returns whether the packet continues in the rule.
    fn change(&mut self, step: &Step, taken: Can, fate: &mut Fate) -> Can {
        let before = self.packet.changes();
        match step {
            Step::Mark => self.packet.marked = true,
            Step::Untrack => self.packet.untracked = true,
            _ => self.packet.redirected = true,
        }
        if before != self.packet.changes() {
            self.known.clear();
        }
        match step {
            Step::Redirect | Step::Dnat => {
                if matches!(step, Step::Dnat) {
                    self.elsewhere = self.elsewhere.or(taken);
                }
                fate.accepted = fate.accepted.or(taken);
                Can::No
            }
            _ => taken,
        }
    }

    fn doubt(&mut self, index: usize, chain: &str) {
        self.doubt.get_or_insert_with(|| format!("{}/{chain}", self.tables[index].name));
    }
}
