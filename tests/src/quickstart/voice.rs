//! What a quickstart says while it works: on standard error, so that standard output holds only the answer.

use std::cell::Cell;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use policies::text::Language;

/// The voice of one run.
#[derive(Debug)]
pub struct Voice {
    language: Language,
    started: Instant,
    ticked: Cell<Option<Instant>>,
}

impl Voice {
    /// A voice in `language`; its clock starts now.
    pub fn new(language: Language) -> Self {
        Self { language, started: Instant::now(), ticked: Cell::new(None) }
    }

    /// Prints a sentence.
    pub fn say(&self, vi: &str, en: &str) {
        self.write(&format!("{}\n", self.language.text(vi, en)));
    }

    /// Prints which step begins, and the time since the start.
    pub fn step(&self, vi: &str, en: &str) {
        let seconds = self.started.elapsed().as_secs();
        self.say(&format!("[{seconds:>3} s] {vi} …"), &format!("[{seconds:>3} s] {en} …"));
    }

    /// Shows on a terminal, about once a second, that work is still going on.
    pub fn tick(&self) {
        let due = self.ticked.get().is_none_or(|last| last.elapsed() > Duration::from_secs(1));
        if due && std::io::stderr().is_terminal() {
            self.write(".");
            self.ticked.set(Some(Instant::now()));
        }
    }

    /// Ends a line of ticks.
    pub fn rest(&self) {
        if self.ticked.take().is_some() {
            self.write("\n");
        }
    }

    fn write(&self, text: &str) {
        let mut out = std::io::stderr().lock();
        // There is nowhere to report to when this fails.
        drop(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
    }
}
