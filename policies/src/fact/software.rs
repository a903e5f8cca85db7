//! Section `software`: what is installed, for the list of software, and what may be plugged in.

use super::{Fact, Instant, List};

choice! {
    /// A browser.
    BrowserKind {
        /// Google Chrome.
        Chrome = "chrome", "Google Chrome", "Google Chrome";
        /// Microsoft Edge.
        Edge = "edge", "Microsoft Edge", "Microsoft Edge";
        /// Mozilla Firefox.
        Firefox = "firefox", "Mozilla Firefox", "Mozilla Firefox";
        /// Cốc Cốc.
        CocCoc = "coccoc", "Cốc Cốc", "Cốc Cốc";
        /// Opera.
        Opera = "opera", "Opera", "Opera";
        /// Brave.
        Brave = "brave", "Brave", "Brave";
    }
}

record! {
    /// A browser that is installed.
    Browser {
        /// Which one.
        [kind] BrowserKind = "trình duyệt", "browser";
        /// Its version.
        [version] Fact<String> = "phiên bản", "version";
    }
}

record! {
    /// A program that is installed.
    Program {
        /// Its name as its maker wrote it.
        [name] String = "phần mềm", "program";
        /// Its version.
        [version] Fact<String> = "phiên bản", "version";
        /// Its maker.
        [maker] Fact<String> = "hãng", "maker";
        /// The day it was installed.
        [installed_at] Fact<Instant> = "cài ngày", "installed on";
        /// True when it is installed for one person and not for the machine.
        [for_one_person] Fact<bool> = "chỉ cài cho một người dùng", "for one person only";
    }
}

section! {
    /// Installed software and removable storage.
    Software = "software" ("Phần mềm", "Software") {
        /// Programs, by name: those of the machine and those of everybody who has a profile on it.
        #[no_reader(LINUX)]
        [programs] List<Program> = "phần mềm đã cài", "installed programs";
        /// Browsers with their versions.
        #[no_reader(LINUX)]
        [browsers] List<Browser> = "trình duyệt", "browsers";
        /// True when a policy keeps people from reading or writing removable storage.
        #[no_reader(LINUX)]
        [removable_denied] bool = "chặn ổ lưu trữ di động", "removable storage denied";
        /// How many different removable drives the machine remembers.
        #[no_reader(LINUX)]
        [removable_seen] i64 = "số ổ lưu trữ di động từng cắm", "removable drives seen";
    }
}
