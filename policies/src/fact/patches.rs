//! Section `patches`: what is waiting to be installed and when something last was.

use super::{Fact, Instant, List};

choice! {
    /// What installs updates.
    PackageSystem {
        /// apt and dpkg.
        Apt = "apt", "apt", "apt";
        /// dnf and rpm.
        Dnf = "dnf", "dnf", "dnf";
        /// Windows Update.
        WindowsUpdate = "windows_update", "Windows Update", "Windows Update";
    }
}

record! {
    /// An update of the system that is installed.
    InstalledUpdate {
        /// Its name, such as `KB5066791`.
        [name] String = "bản cập nhật", "update";
        /// When it was installed.
        [installed_at] Fact<Instant> = "cài lúc", "installed at";
    }
}

record! {
    /// A cumulative update that is known and not installed.
    MissingUpdate {
        /// The build with it, such as `19045.7807`.
        [build] String = "bản dựng", "build";
        /// The day it was released.
        [released_at] Instant = "phát hành ngày", "released at";
    }
}

record! {
    /// An update whose last try to install it failed.
    FailingUpdate {
        /// Its name, such as `KB5066791`; its identifier where it has no such name.
        [name] String = "bản cập nhật", "update";
        /// When it was last tried.
        [failed_at] Instant = "lần thử cuối lúc", "last tried at";
        /// What the update system says of it, such as `0x80070643`.
        [code] String = "mã lỗi", "error code";
    }
}

section! {
    /// Updates of the system and of the packages it manages.
    Patches = "patches" ("Bản vá", "Patches") {
        /// What installs updates here.
        #[no_reader(UNKNOWN_LINUX)]
        [system] PackageSystem = "hệ thống cập nhật", "update system";
        /// Updates waiting, of any kind.
        #[no_reader(UNKNOWN_LINUX)]
        [pending] i64 = "bản cập nhật đang chờ", "pending updates";
        /// Security updates waiting, those of packages that are held or pinned back among them.
        #[no_reader(UNKNOWN_LINUX)]
        [pending_security] i64 = "bản vá bảo mật đang chờ", "pending security updates";
        /// Names of the packages with a security update waiting.
        #[no_reader(UNKNOWN_LINUX)]
        [pending_names] List<String> = "gói có bản vá bảo mật đang chờ", "packages with a pending security update";
        /// The age of the lists of security updates of the system itself (of the oldest where it has several): when they were
        /// last fetched, as far as that can be told. Old lists make `pending` say too little.
        #[no_reader(UNKNOWN_LINUX)]
        [lists_at] Instant = "danh sách bản cập nhật lấy lúc", "update lists fetched at";
        /// When an update was last installed; not later than that where old logs tell of none.
        #[no_reader(UNKNOWN_LINUX)]
        [last_upgrade_at] Instant = "cập nhật lần cuối lúc", "last upgrade at";
        /// True when security updates install themselves.
        #[no_reader(UNKNOWN_LINUX)]
        [automatic] bool = "tự động cài bản vá", "automatic updates";
        /// True when an installed update needs a restart of the machine.
        #[no_reader(UNKNOWN_LINUX)]
        [reboot_needed] bool = "cần khởi động lại", "restart needed";
        /// Versions of installed packages that are held back from updates.
        // The version lock of dnf 5.
        // Windows holds nothing back by name and tells of no update that is installed in part.
        #[no_reader(LINUX, WINDOWS)]
        [held] List<String> = "gói bị giữ lại, không cập nhật", "packages held back";
        /// Packages whose installation did not end (`dpkg --audit` names them): nothing else is installed before they are mended.
        // rpm tells of none.
        #[no_reader(LINUX, WINDOWS)]
        [broken] List<String> = "gói cài đặt dở dang", "partly installed packages";
        /// Updates of the system that are installed (Windows).
        #[no_reader(LINUX)]
        [installed] List<InstalledUpdate> = "bản cập nhật đã cài", "installed updates";
        /// Updates of the last 30 days whose last try to install them failed, the newest first (Windows).
        #[no_reader(LINUX)]
        [failing] List<FailingUpdate> = "bản cập nhật cài không thành công", "updates that fail to install";
        /// Cumulative updates that the catalogue of Windows knows for this build and that are not installed, oldest first.
        #[no_reader(LINUX, WINDOWS)]
        [missing] List<MissingUpdate> = "bản vá tích luỹ còn thiếu", "missing cumulative updates";
        /// The day of the catalogue by which `missing` was found.
        #[no_reader(LINUX)]
        [known_to] Instant = "danh mục bản vá tính đến", "catalogue of updates as of";
        /// Update servers of the organisation (WSUS) that are set; none when updates come from the maker.
        #[no_reader(LINUX)]
        [servers] List<String> = "máy chủ cập nhật nội bộ", "update servers";
    }
}
