//! Section `accounts`: who can log in, and the rules for passwords, lockout and idle sessions.

use super::value::{Days, Seconds};
use super::{Fact, Instant, List};

choice! {
    /// How stored passwords are hashed, strongest first.
    HashMethod {
        /// yescrypt.
        Yescrypt = "yescrypt", "yescrypt", "yescrypt";
        /// scrypt, bcrypt, gost-yescrypt: strong as well.
        Strong = "strong", "thuật toán mạnh khác", "another strong method";
        /// SHA-512.
        Sha512 = "sha512", "SHA-512", "SHA-512";
        /// SHA-256.
        Sha256 = "sha256", "SHA-256", "SHA-256";
        /// MD5.
        Md5 = "md5", "MD5", "MD5";
        /// DES.
        Des = "des", "DES", "DES";
    }
}

record! {
    /// An account a person can log in with: root, an existing shell with a user id of a person, or one with a password or a key.
    Account {
        /// Login name.
        personal [name] String = "tên tài khoản", "account";
        /// Numeric id (Linux) or relative id (Windows).
        [id] i64 = "mã số", "id";
        /// True when it can act as administrator (uid 0; groups that equal root, such as sudo, wheel, docker; rules of sudo, doas and
        /// polkit; the group S-1-5-32-544).
        [administrator] Fact<bool> = "có quyền quản trị", "administrator";
        /// True when it has not expired and a password or, by SSH, a key opens it.
        [enabled] Fact<bool> = "đang dùng được", "enabled";
        /// True when it has an empty password.
        // Windows tells neither; to know an empty password one would have to try it.
        #[no_reader(WINDOWS)]
        [empty_password] Fact<bool> = "mật khẩu trống", "empty password";
        /// Last login that the system recorded; unknown when it recorded none since the account was made.
        // Systems that keep logins in a database (lastlog2, wtmpdb).
        #[no_reader(LINUX)]
        personal [last_logon_at] Fact<Instant> = "đăng nhập lần cuối", "last logon";
        /// When the password was last changed.
        [password_changed_at] Fact<Instant> = "đổi mật khẩu lần cuối", "password changed at";
        /// True when the password never has to be changed.
        [password_never_expires] Fact<bool> = "mật khẩu không hết hạn", "password never expires";
        /// How its password is stored.
        #[no_reader(WINDOWS)]
        [hash_method] Fact<HashMethod> = "cách lưu mật khẩu", "password storage";
        /// Latest sign of use: last login, or the password's change where it never logged in. Unknown for an old sign where the system
        /// does not write down every login.
        #[no_reader(LINUX)]
        personal [last_used_at] Fact<Instant> = "dùng lần cuối", "last used at";
        /// False when it may go without a password, whether it has one or not (Windows).
        #[no_reader(LINUX)]
        [password_required] Fact<bool> = "bắt buộc có mật khẩu", "password required";
    }
}

choice! {
    /// What a member of a machine's administrators is that is no account of the machine.
    MemberKind {
        /// One account of a domain or of Entra.
        User = "user", "một tài khoản", "an account";
        /// A group of a domain.
        Group = "group", "một nhóm", "a group";
        /// A group that everybody belongs to: all users of the domain, everybody who logs on.
        Everyone = "everyone", "nhóm gồm mọi người dùng", "everyone";
    }
}

choice! {
    /// The way by which somebody tried to log in.
    LogonWay {
        /// At the machine itself.
        Local = "local", "tại máy", "at the machine";
        /// Over the network: shares, SSH, RDP with network level authentication.
        Network = "network", "qua mạng", "over the network";
        /// Remote Desktop.
        RemoteDesktop = "remote_desktop", "Remote Desktop", "Remote Desktop";
        /// A service or a scheduled task that keeps a password.
        Service = "service", "dịch vụ hoặc tác vụ", "service or task";
    }
}

record! {
    /// A member of the machine's administrators that is no account of the machine itself.
    DomainAdministrator {
        /// Its name as Windows shows it, `DOMAIN\name`; empty when nobody could be asked for it.
        personal [name] String = "tên", "name";
        /// Its security identifier, `S-1-5-21-...`.
        [sid] String = "mã định danh (SID)", "SID";
        /// What it is; `other` when nobody could be asked.
        [kind] MemberKind = "loại", "kind";
    }
}

record! {
    /// Failed logons of one hour by account and source.
    FailedLogon {
        /// When the hour began.
        [hour] Instant = "giờ", "hour";
        /// The account: its SID on Windows (`DOMAIN\\name` where only the domain knows it), its name on Linux. Empty when the name that was
        /// typed is no account's: people type passwords there, so such a name is never kept.
        personal [account] String = "tài khoản", "account";
        /// Address, or name of the computer, it came from; empty when it came from the machine itself or none is written down.
        [source] String = "nguồn", "source";
        /// By which way.
        [way] LogonWay = "cách đăng nhập", "way";
        /// How many.
        [count] i64 = "số lần", "times";
    }
}

section! {
    /// Accounts and account rules.
    Accounts = "accounts" ("Tài khoản", "Accounts") {
        /// Accounts a person can log in with.
        [users] List<Account> = "tài khoản", "accounts";
        /// Members of the local administrators that are no accounts of the machine: of a domain, of Entra, or everybody (Windows).
        #[no_reader(LINUX)]
        [domain_administrators] List<DomainAdministrator> = "tài khoản, nhóm ngoài máy có quyền quản trị", "administrators from a domain";
        /// Names of accounts with uid 0 besides root (Linux), or enabled built-in accounts (Windows).
        personal [extra_roots] List<String> = "tài khoản ngang quyền root", "accounts equal to root";
        /// True when some rule lets a person act as administrator without a password (`NOPASSWD`).
        #[no_reader(WINDOWS)]
        [sudo_without_password] bool = "sudo không cần mật khẩu", "sudo without password";
        /// Shortest password that is accepted.
        [password_min_length] i64 = "độ dài mật khẩu tối thiểu", "minimum password length";
        /// Kinds of characters a password must have (0 to 4).
        [password_min_classes] i64 = "số loại ký tự tối thiểu", "minimum character classes";
        /// Days after which a new account's password must be changed; 99999 means never.
        [password_max_age] Days = "thời hạn mật khẩu", "maximum password age";
        /// Wrong tries after which an account is locked; 0 means never.
        [lockout_tries] i64 = "số lần sai trước khi khoá", "lockout threshold";
        /// How long it stays locked; 0 means until an administrator unlocks it.
        [lockout_time] Seconds = "thời gian khoá", "lockout duration";
        /// True when the graphical session starts without asking for a password.
        // Display managers besides gdm, lightdm, sddm and lxdm.
        #[no_reader(LINUX)]
        [automatic_logon] bool = "tự động đăng nhập", "automatic logon";
        /// Seconds without use after which a text session ends (`TMOUT`); 0 means never.
        #[no_reader(WINDOWS)]
        [shell_timeout] Seconds = "thời gian chờ phiên dòng lệnh", "shell timeout";
        /// Seconds without use after which the screen locks, where the machine sets it for all (Windows: the longest of those who are logged
        /// on); 0 means never.
        // Desktops keep it per person; only what is set for all is read.
        #[no_reader(LINUX)]
        [screen_lock] Seconds = "thời gian tự khoá màn hình", "screen lock time";
        /// True when the default mask keeps new files from other users (`UMASK` 027 or 077).
        #[no_reader(WINDOWS)]
        [private_files] bool = "tệp mới không cho người khác đọc", "new files private";
        /// True when Windows asks before a program may act as administrator (User Account Control).
        #[no_reader(LINUX)]
        [uac] bool = "hỏi xác nhận khi dùng quyền quản trị (UAC)", "User Account Control";
        /// True when a removable drive starts and offers nothing by itself, for everybody (Windows).
        #[no_reader(LINUX)]
        [autorun_off] bool = "đã tắt tự chạy từ USB", "autorun off";
        /// Failed logons of the last seven days by hour, newest hour first. More than are listed is said where the log held more than is read.
        [failed_logons] List<FailedLogon> = "dòng đăng nhập sai theo giờ", "hourly rows of failed logons";
    }
}
