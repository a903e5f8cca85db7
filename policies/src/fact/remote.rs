//! Section `remote`: ways to work on the machine from elsewhere.

use super::List;
use super::value::Seconds;

choice! {
    /// How root may log in by SSH (`PermitRootLogin`).
    RootLogin {
        /// Not at all.
        No = "no", "không cho phép", "no";
        /// With a key only.
        KeyOnly = "key_only", "chỉ bằng khoá", "key only";
        /// Only for commands bound to a key.
        ForcedCommandsOnly = "forced_commands_only", "chỉ lệnh định sẵn", "forced commands only";
        /// With a password.
        Yes = "yes", "cho phép bằng mật khẩu", "yes";
    }
}

section! {
    /// SSH as the SSH server itself reports its settings, Remote Desktop and WinRM of Windows, remote-control programs.
    Remote = "remote" ("Truy cập từ xa", "Remote access") {
        /// True when an SSH server is installed and runs or starts on demand.
        [ssh_server] bool = "dịch vụ SSH đang chạy", "SSH server running";
        /// How root may log in.
        // The settings of OpenSSH for Windows.
        #[no_reader(WINDOWS)]
        [ssh_root_login] RootLogin = "đăng nhập root qua SSH", "SSH root login";
        /// True when a password is enough.
        #[no_reader(WINDOWS)]
        [ssh_password] bool = "đăng nhập SSH bằng mật khẩu", "SSH password login";
        /// True when an account without a password may log in.
        #[no_reader(WINDOWS)]
        [ssh_empty_password] bool = "cho phép mật khẩu trống qua SSH", "SSH empty passwords";
        /// Tries before the connection is cut (`MaxAuthTries`).
        #[no_reader(WINDOWS)]
        [ssh_max_tries] i64 = "số lần thử đăng nhập SSH", "SSH tries";
        /// Seconds of silence after which a session is cut (`ClientAliveInterval` x `ClientAliveCountMax`); 0 means never.
        #[no_reader(WINDOWS)]
        [ssh_idle] Seconds = "thời gian chờ phiên SSH", "SSH idle time";
        /// True when who may log in, or from where, is limited (`AllowUsers`, `AllowGroups`).
        #[no_reader(WINDOWS)]
        [ssh_limited] bool = "giới hạn người được đăng nhập SSH", "SSH limited to named users";
        /// True when windows of the graphical session are forwarded.
        #[no_reader(WINDOWS)]
        [ssh_x11] bool = "chuyển tiếp đồ hoạ X11 qua SSH", "SSH X11 forwarding";
        /// Ciphers, key exchanges and codes the SSH server accepts that are known to be weak.
        #[no_reader(WINDOWS)]
        [ssh_weak_algorithms] List<String> = "thuật toán SSH yếu", "weak SSH algorithms";
        /// True when the Remote Desktop of Windows lets people in.
        [rdp] bool = "Remote Desktop đang bật", "Remote Desktop on";
        /// True when Remote Desktop asks who one is before it shows a screen (Network Level Authentication).
        [rdp_nla] bool = "Remote Desktop xác thực trước (NLA)", "Remote Desktop requires NLA";
        /// The port of Remote Desktop.
        [rdp_port] i64 = "cổng của Remote Desktop", "Remote Desktop port";
        /// True when Windows Remote Management (WinRM) waits for connections.
        [winrm] bool = "quản trị từ xa WinRM đang chạy", "WinRM running";
        /// Remote-control programs that run (TeamViewer, AnyDesk, RustDesk, UltraViewer, VNC, xrdp ...).
        [control_programs] List<String> = "phần mềm điều khiển từ xa", "remote-control programs";
    }
}
