//! What a quickstart says while it works: on standard error, so that standard output holds the answer alone.

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
    /// A voice that speaks `language`; its clock starts now.
    pub fn new(language: Language) -> Self {
        Self { language, started: Instant::now(), ticked: Cell::new(None) }
    }

    /// Says a sentence.
    pub fn say(&self, vi: &str, en: &str) {
        let sentence = match self.language {
            Language::Vi => vi,
            Language::En => en,
        };
        self.write(&format!("{sentence}\n"));
    }

    /// Says which step begins, and how long it took to come here.
    pub fn step(&self, vi: &str, en: &str) {
        let seconds = self.started.elapsed().as_secs();
        self.say(&format!("[{seconds:>3} s] {vi} …"), &format!("[{seconds:>3} s] {en} …"));
    }

    /// Shows on a terminal that it still works, about once a second.
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
        // There is nobody left to tell when this fails.
        drop(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
    }
}
