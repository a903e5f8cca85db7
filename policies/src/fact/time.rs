//! Section `time`: whether the machine's clock can be believed in a log.

use super::List;

choice! {
    /// What keeps the clock right.
    TimeSource {
        /// systemd-timesyncd.
        Timesyncd = "timesyncd", "systemd-timesyncd", "systemd-timesyncd";
        /// chrony.
        Chrony = "chrony", "chrony", "chrony";
        /// ntpd, ntpsec or openntpd.
        Ntpd = "ntpd", "ntpd", "ntpd";
        /// The Windows time service.
        W32Time = "w32time", "Windows Time", "Windows Time";
        /// Nothing.
        None = "none", "không có", "none";
    }
}

section! {
    /// Time synchronisation. The offset itself is measured by the server and is not a fact of the machine.
    Time = "time" ("Đồng bộ thời gian", "Time") {
        /// What keeps the clock right.
        [source] TimeSource = "nguồn đồng bộ thời gian", "time source";
        /// Time servers that are set.
        [servers] List<String> = "máy chủ thời gian", "time servers";
        /// True when the kernel says that its clock follows a reference (`adjtimex` without `STA_UNSYNC`); on Windows, when the time service's
        /// last word in the event logs of two weeks was that it follows one.
        // The time service tells its state in words of the user's language, its events not always; how far the clock is off in none.
        #[no_reader(WINDOWS)]
        [synchronised] bool = "đã đồng bộ", "synchronised";
        /// True when the clock is less than one second from its reference, as the time service last measured.
        #[no_reader(WINDOWS)]
        [within_a_second] bool = "sai lệch dưới một giây", "within a second";
        /// Time zone name, such as `Asia/Ho_Chi_Minh`.
        [zone] String = "múi giờ", "time zone";
    }
}
