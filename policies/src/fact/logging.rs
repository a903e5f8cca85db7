//! Section `logging`: whether what happens on the machine is written down and kept.

use super::value::{Days, Mebibytes};
use super::{Instant, List};

record! {
    /// A log that was emptied. Who did it is not kept.
    ClearedLog {
        /// When.
        [at] Instant = "thời điểm", "time";
        /// Its channel: `Security`, `System`, ...
        [log] String = "nhật ký", "log";
    }
}

section! {
    /// System logs.
    Logging = "logging" ("Nhật ký", "Logging") {
        /// Log services that run: `journald`, `rsyslog`, `syslog-ng`, `auditd`, `eventlog`.
        [services] List<String> = "dịch vụ nhật ký", "log services";
        /// True when some log service runs.
        [running] bool = "dịch vụ nhật ký đang chạy", "log service running";
        /// True when logs survive a restart.
        [persistent] bool = "nhật ký được lưu qua khởi động lại", "logs survive a restart";
        /// Days that the configuration keeps logs; unknown when only size limits them.
        [kept] Days = "số ngày lưu nhật ký theo cấu hình", "days kept by configuration";
        /// The oldest entry that is still there.
        [oldest_at] Instant = "mục nhật ký cũ nhất", "oldest entry";
        /// True when logs are also sent to another machine.
        // Other programs that carry logs away.
        #[no_reader(LINUX)]
        [forwarded] bool = "nhật ký được gửi về máy chủ khác", "logs forwarded";
        /// True when an audit service records security events (auditd; Windows audit policy).
        [audit] bool = "ghi nhật ký kiểm toán", "auditing";
        /// The largest size of the log of security events (Windows).
        #[no_reader(LINUX)]
        [largest] Mebibytes = "dung lượng nhật ký an ninh tối đa", "largest security log";
        /// Logs that were emptied within the last 30 days, newest first (Windows).
        #[no_reader(LINUX)]
        [cleared] List<ClearedLog> = "nhật ký bị xoá", "cleared logs";
    }
}
