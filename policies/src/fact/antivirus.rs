//! Section `antivirus`: the anti-malware programs of the machine and the one truth drawn from them.

use super::{Fact, Instant, List};

choice! {
    /// Makers whose products are recognised.
    Maker {
        /// ClamAV.
        ClamAv = "clamav", "ClamAV", "ClamAV";
        /// Microsoft Defender, on Windows or as `mdatp` on Linux.
        Microsoft = "microsoft", "Microsoft Defender", "Microsoft Defender";
        /// Bkav.
        Bkav = "bkav", "Bkav", "Bkav";
        /// CMC.
        Cmc = "cmc", "CMC", "CMC";
        /// Viettel.
        Viettel = "viettel", "Viettel", "Viettel";
        /// Kaspersky.
        Kaspersky = "kaspersky", "Kaspersky", "Kaspersky";
        /// ESET.
        Eset = "eset", "ESET", "ESET";
        /// Bitdefender.
        Bitdefender = "bitdefender", "Bitdefender", "Bitdefender";
        /// Symantec (Broadcom) and Norton.
        Symantec = "symantec", "Symantec", "Symantec";
        /// Trend Micro.
        TrendMicro = "trend_micro", "Trend Micro", "Trend Micro";
        /// Avast and AVG.
        Avast = "avast", "Avast", "Avast";
        /// 360 Total Security.
        Qihoo = "360", "360 Total Security", "360 Total Security";
        /// Sophos.
        Sophos = "sophos", "Sophos", "Sophos";
        /// McAfee and Trellix.
        Mcafee = "mcafee", "McAfee (Trellix)", "McAfee (Trellix)";
        /// CrowdStrike.
        CrowdStrike = "crowdstrike", "CrowdStrike", "CrowdStrike";
        /// SentinelOne.
        SentinelOne = "sentinelone", "SentinelOne", "SentinelOne";
        /// F-Secure (WithSecure).
        FSecure = "fsecure", "F-Secure", "F-Secure";
        /// Dr.Web.
        DrWeb = "drweb", "Dr.Web", "Dr.Web";
        /// Huorong.
        Huorong = "huorong", "Huorong", "Huorong";
        /// Malwarebytes.
        Malwarebytes = "malwarebytes", "Malwarebytes", "Malwarebytes";
    }
}

choice! {
    /// Whether something protects the machine.
    Protection {
        /// A product runs.
        On = "on", "đang hoạt động", "running";
        /// A product is installed and does not run.
        Off = "off", "đã cài nhưng không hoạt động", "installed but not running";
        /// No product was found.
        None = "none", "không có", "none";
    }
}

choice! {
    /// What became of a threat.
    ThreatAction {
        /// The file was cleaned.
        Cleaned = "cleaned", "đã làm sạch", "cleaned";
        /// It was put into quarantine.
        Quarantined = "quarantined", "đã cách ly", "quarantined";
        /// It was removed.
        Removed = "removed", "đã xoá", "removed";
        /// It was kept from running.
        Blocked = "blocked", "đã chặn", "blocked";
        /// A person let it be.
        Allowed = "allowed", "người dùng cho phép", "allowed";
        /// Nothing was done, or it did not succeed.
        Nothing = "nothing", "chưa xử lý", "nothing";
        /// The product's event does not state it, or only in words of the system's language.
        NotStated = "untold", "nhật ký không cho biết", "not stated";
    }
}

choice! {
    /// Where a threat was found; never the path, which may name people or matters.
    ThreatPlace {
        /// On a removable drive.
        Removable = "removable", "USB hoặc ổ cắm ngoài", "removable drive";
        /// In a folder of another machine.
        Share = "share", "thư mục chia sẻ", "share";
        /// Among downloads or in a browser.
        Download = "download", "tệp tải về", "download";
        /// Elsewhere on the machine.
        Local = "local", "ổ cứng của máy", "this machine";
    }
}

record! {
    /// A threat that a product found on the machine.
    Detection {
        /// When it was found.
        [at] Instant = "thời điểm", "time";
        /// The product's name for it; empty where its event names none in a form that is the same in every language.
        [threat] String = "tên mã độc", "threat";
        /// What became of it.
        [action] ThreatAction = "cách xử lý", "action";
        /// Where it was.
        [place] Fact<ThreatPlace> = "nơi phát hiện", "place";
    }
}

record! {
    /// One anti-malware product.
    AntivirusProduct {
        /// The maker.
        [maker] Maker = "hãng", "maker";
        /// The product's name.
        [name] String = "tên phần mềm", "product";
        /// Version of the program.
        #[no_reader(LINUX, WINDOWS)]
        [version] Fact<String> = "phiên bản", "version";
        /// True when its protecting process or service runs.
        #[no_reader(LINUX_OTHER_MAKERS)]
        [running] Fact<bool> = "đang chạy", "running";
        /// True when files are checked as they are opened.
        #[no_reader(LINUX_BUT_CLAMAV, WINDOWS_BUT_DEFENDER)]
        [real_time] Fact<bool> = "bảo vệ thời gian thực", "real-time protection";
        /// When the maker built the definitions in use, read from the definitions themselves.
        #[no_reader(LINUX_BUT_CLAMAV, WINDOWS_BUT_DEFENDER)]
        [definitions_at] Fact<Instant> = "ngày của mẫu nhận diện", "definitions built at";
        /// True when the product itself tells Windows that its definitions are current: the only word of makers that tell no date.
        #[no_reader(LINUX, WINDOWS_BUT_DEFENDER)]
        [definitions_current] Fact<bool> = "mẫu nhận diện còn mới (theo phần mềm)", "definitions current (as the product reports)";
        /// Version of the definitions.
        #[no_reader(LINUX_BUT_CLAMAV, WINDOWS_BUT_DEFENDER)]
        [definitions_version] Fact<String> = "phiên bản mẫu nhận diện", "definitions version";
        /// True when the product fetches new definitions by itself.
        #[no_reader(LINUX_BUT_CLAMAV, WINDOWS)]
        [updater] Fact<bool> = "tự động cập nhật", "automatic updates";
    }
}

section! {
    /// Anti-malware. The facts besides `products` are the best of the running products, so that two products do not count as none.
    Antivirus = "antivirus" ("Phòng chống mã độc", "Anti-malware") {
        /// All products found.
        [products] List<AntivirusProduct> = "phần mềm phòng chống mã độc", "anti-malware products";
        /// Whether something protects the machine.
        #[no_reader(LINUX_OTHER_MAKERS)]
        [protection] Protection = "phòng chống mã độc", "protection";
        /// True when files are checked as they are opened.
        // Where Security Center knows no such product (servers), other makers tell nobody whether they check files as they open.
        #[no_reader(LINUX_BUT_CLAMAV, WINDOWS_BUT_DEFENDER)]
        [real_time] bool = "bảo vệ thời gian thực", "real-time protection";
        /// When the maker built the definitions in use.
        #[no_reader(LINUX_BUT_CLAMAV, WINDOWS_BUT_DEFENDER)]
        [definitions_at] Instant = "ngày của mẫu nhận diện", "definitions built at";
        /// True when a running product tells Windows that its definitions are current; what there is of makers that tell no date.
        #[no_reader(LINUX, WINDOWS_BUT_DEFENDER)]
        [definitions_current] bool = "mẫu nhận diện còn mới (theo phần mềm)", "definitions current (as the product reports)";
        /// True when new definitions are fetched by themselves.
        #[no_reader(LINUX_BUT_CLAMAV, WINDOWS)]
        [updater] bool = "tự động cập nhật mẫu nhận diện", "automatic definition updates";
        /// Threats found within the last 30 days, newest first.
        // What products found lies in logs of their own.
        #[no_reader(LINUX, WINDOWS_BUT_DEFENDER)]
        [detections] List<Detection> = "mã độc đã phát hiện", "threats found";
        /// When protection was switched off within the last 30 days, newest first.
        #[no_reader(LINUX, WINDOWS_BUT_DEFENDER)]
        [stops] List<Instant> = "thời điểm bảo vệ bị tắt", "protection switched off at";
    }
}
