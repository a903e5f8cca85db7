//! The collectors turn the machine's answers into facts. One file per section.
//!
//! Each section is collected in its own worker. One that misses its deadline becomes unknown (`timed_out`) and is
//! abandoned, and no second one is started for that section while it hangs. One that panics becomes unknown
//! (`unreadable`). The other sections continue.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use policies::fact::{Facts, Reason, Section};
use policies::policy::PolicySet;

use os::ThisMachine;
use os::isolated::{Isolated, Trouble};

mod answer;
mod control;
mod firmware;
#[cfg(test)]
mod fixes;
mod hosts;
#[cfg(target_os = "linux")]
pub mod linux;
mod logons;
mod products;
mod proxy;
mod reach;
mod text;
mod ways_out;
#[cfg(any(windows, test))]
pub mod windows;

#[cfg(target_os = "linux")]
use linux as system;
#[cfg(windows)]
use windows as system;

pub use system::{watched, watched_keys};

/// Collects from one family of systems.
pub trait Reader: Send + Sync {
    /// Starts a check as of `now`; what several sections need is read at most once during it.
    fn begin(&self, now: Timestamp) -> Arc<dyn Check>;

    /// Uses what a verified policy knows about operating systems in later checks.
    fn learn(&self, _policy: &PolicySet) {}
}

/// One check of one machine.
pub trait Check: Send + Sync {
    /// Fills the facts of `section`.
    fn fill(&self, section: Section, facts: &mut Facts);
}

/// Collects facts; remembers results worth caching and which workers hang.
#[derive(Clone)]
pub struct Collector {
    reader: Arc<dyn Reader>,
    workers: Isolated<Section>,
    deadlines: fn(Section) -> Duration,
}

impl Collector {
    /// A collector that uses `reader`.
    pub fn new(reader: Arc<dyn Reader>) -> Self {
        Self { reader, workers: Isolated::default(), deadlines: deadline }
    }

    /// The collector for this machine.
    pub fn of_this_machine(door: ThisMachine) -> Self {
        Self::new(Arc::new(system::Machine::new(Arc::new(door))))
    }

    /// Uses what a verified policy knows about operating systems (the Windows catalogue) in later checks.
    pub fn learn(&self, policy: &PolicySet) {
        self.reader.learn(policy);
    }

    /// Collects `sections` as of `now`; every other section is unknown (`not_collected`). Blocks for at most the sum of the
    /// sections' deadlines, usually well under a second.
    pub fn collect(&self, sections: &[Section], now: Timestamp) -> Facts {
        let mut facts = Facts::unknown(Reason::NotCollected);
        let check = self.reader.begin(now);
        for &section in sections {
            self.collect_one(section, &check, &mut facts);
        }
        facts
    }

    fn collect_one(&self, section: Section, check: &Arc<dyn Check>, facts: &mut Facts) {
        let check = Arc::clone(check);
        let work = move || {
            let mut facts = Facts::unknown(Reason::NotCollected);
            check.fill(section, &mut facts);
            facts
        };
        match self.workers.run(section, section.name(), (self.deadlines)(section), work) {
            Ok(mut filled) => facts.swap_section(section, &mut filled),
            Err(trouble) => {
                tracing::warn!(section = section.name(), %trouble, "section not collected");
                let reason = match trouble {
                    Trouble::Hangs | Trouble::TimedOut => Reason::TimedOut,
                    Trouble::Panicked(_) | Trouble::NotStarted(_) => Reason::Unreadable,
                };
                facts.forget(section, reason, &text::capped(&trouble.to_string()));
            }
        }
    }
}

/// The deadline of a section. On Windows a question to WMI or network management has its own deadline, which must come first: one
/// hanging source must not cost its whole section.
const fn deadline(section: Section) -> Duration {
    Duration::from_secs(match section {
        Section::Patches if cfg!(windows) => 150,
        Section::Patches => 90,
        _ if cfg!(windows) => 90,
        _ => 15,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Condvar, Mutex};

    use policies::fact::{Fact, List};

    use super::*;

    /// A machine on which one section hangs until released, or panics.
    struct Troubled {
        gate: Option<(Mutex<bool>, Condvar)>,
        asked: AtomicUsize,
    }

    struct Trouble(Arc<Troubled>);

    impl Reader for Trouble {
        fn begin(&self, _now: Timestamp) -> Arc<dyn Check> {
            Arc::new(Self(Arc::clone(&self.0)))
        }
    }

    impl Check for Trouble {
        fn fill(&self, section: Section, facts: &mut Facts) {
            if section == Section::Lan {
                self.0.asked.fetch_add(1, Ordering::SeqCst);
                let (open, changed) = self.0.gate.as_ref().expect("a machine that fails");
                drop(changed.wait_while(open.lock().unwrap(), |open| !*open));
                facts.lan.gateways = Fact::Known(List::default());
            } else {
                facts.neighbours.seen = Fact::Known(List::default());
            }
        }
    }

    const BOTH: &[Section] = &[Section::Lan, Section::Neighbours];

    #[test]
    fn a_hung_collector_times_out_once_and_the_rest_goes_on() {
        let gate = Some((Mutex::new(false), Condvar::new()));
        let machine = Arc::new(Troubled { gate, asked: AtomicUsize::new(0) });
        let mut collector = Collector::new(Arc::new(Trouble(Arc::clone(&machine))));
        collector.deadlines = |section| match section {
            Section::Lan => Duration::from_millis(50),
            _ => Duration::from_secs(30),
        };
        for _ in 0..3 {
            let facts = collector.collect(BOTH, Timestamp::UNIX_EPOCH);
            assert!(matches!(facts.lan.gateways, Fact::Unknown(unknown) if unknown.reason == Reason::TimedOut));
            assert!(facts.neighbours.seen.known().is_some());
            assert!(matches!(facts.time.zone, Fact::Unknown(unknown) if unknown.reason == Reason::NotCollected));
        }
        assert_eq!(machine.asked.load(Ordering::SeqCst), 1, "no second worker is started while the first hangs");

        let (open, changed) = machine.gate.as_ref().unwrap();
        *open.lock().unwrap() = true;
        changed.notify_all();
        let until = std::time::Instant::now() + Duration::from_secs(30);
        while collector.workers.hangs(&Section::Lan) && std::time::Instant::now() < until {
            std::thread::yield_now();
        }
        let facts = collector.collect(&[Section::Lan], Timestamp::UNIX_EPOCH);
        assert!(facts.lan.gateways.known().is_some());
    }

    #[test]
    fn a_collector_that_panics_costs_its_section_and_can_be_asked_again() {
        let machine = Troubled { gate: None, asked: AtomicUsize::new(0) };
        let collector = Collector::new(Arc::new(Trouble(Arc::new(machine))));
        for _ in 0..2 {
            let facts = collector.collect(BOTH, Timestamp::UNIX_EPOCH);
            let Fact::Unknown(unknown) = facts.lan.gateways else { panic!("it cannot be known") };
            assert_eq!(unknown.reason, Reason::Unreadable);
            assert!(unknown.detail.contains("a machine that fails"), "{}", unknown.detail);
            assert!(facts.neighbours.seen.known().is_some());
        }
    }
}
