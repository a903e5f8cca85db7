//! Section `system`: what machine this is and until when its maker supports it.

use super::value::Mebibytes;
use super::{Instant, List};

choice! {
    /// The family of operating systems.
    Family {
        /// Linux.
        Linux = "linux", "Linux", "Linux";
        /// Windows.
        Windows = "windows", "Windows", "Windows";
    }
}

choice! {
    /// The shape of the machine, from the firmware's chassis type (SMBIOS 7.4.1).
    Chassis {
        /// A desktop computer.
        Desktop = "desktop", "máy tính để bàn", "desktop";
        /// A laptop or tablet.
        Laptop = "laptop", "máy tính xách tay", "laptop";
        /// A server.
        Server = "server", "máy chủ", "server";
        /// A virtual machine.
        Virtual = "virtual", "máy ảo", "virtual machine";
    }
}

choice! {
    /// Whether the kernel keeps programs to what a policy of the system allows them.
    Confinement {
        /// What is not allowed does not happen.
        Enforced = "enforced", "đang áp dụng", "enforced";
        /// What is not allowed happens and is written down.
        Permissive = "permissive", "chỉ ghi nhật ký, không chặn", "only logged";
        /// Nothing is looked at.
        Off = "off", "đang tắt", "off";
    }
}

section! {
    /// The operating system and the hardware.
    System = "system" ("Hệ điều hành và phần cứng", "System and hardware") {
        /// The machine's own name (host name). Never trusted as an identity.
        personal [name] String = "tên máy", "machine name";
        /// The family of the operating system.
        [family] Family = "họ hệ điều hành", "system family";
        /// Identifier of the system in its family: `debian`, `ubuntu`, `windows-10`.
        [id] String = "hệ điều hành", "operating system";
        /// The name a person knows, such as `Debian GNU/Linux 12 (bookworm)`.
        [title] String = "tên hệ điều hành", "system name";
        /// Version of the system: `12`, `22.04`, `22H2`.
        [version] String = "phiên bản hệ điều hành", "system version";
        /// Kernel release or Windows build with its update revision.
        [build] String = "bản dựng", "build";
        /// Until when the maker delivers security updates without extra payment.
        // A release younger than the agent is in no table of it, whatever the system.
        // A build younger than the catalogue, or one without known updates; a catalogue that is too old.
        #[no_reader(LINUX, WINDOWS)]
        [supported_until] Instant = "được hãng hỗ trợ đến", "supported until";
        /// Processor architecture, such as `x86_64`.
        [architecture] String = "kiến trúc", "architecture";
        /// When the system was last started.
        [booted_at] Instant = "khởi động lúc", "started at";
        /// True when a graphical session can be started on it.
        [desktop] bool = "có giao diện đồ hoạ", "has a desktop";
        /// Shape of the machine.
        [chassis] Chassis = "loại máy", "chassis";
        /// Maker and model from the firmware.
        [model] String = "hãng và kiểu máy", "maker and model";
        /// Serial number from the firmware; many are empty or a maker's filler.
        [serial] String = "số sê-ri", "serial number";
        /// Processor's name.
        [processor] String = "bộ xử lý", "processor";
        /// Logical processors.
        [processors] i64 = "số bộ xử lý", "logical processors";
        /// Main memory.
        [memory] Mebibytes = "bộ nhớ", "memory";
        /// Size of the file system that holds the system.
        [disk] Mebibytes = "ổ đĩa hệ thống", "system disk";
        /// True when the file system that holds people's data (`/home`, else `/`) is on an encrypted volume.
        // File systems without a block device below them (ZFS, network, containers).
        #[no_reader(LINUX)]
        [disk_encrypted] bool = "ổ đĩa dữ liệu được mã hoá", "data disk encrypted";
        /// Domain or directory the machine is joined to; known and empty when it is joined to none.
        [domains] List<String> = "miền đã tham gia", "joined domains";
        /// True for an edition that is made to serve others (Windows Server).
        #[no_reader(LINUX)]
        [server_edition] bool = "hệ điều hành dành cho máy chủ", "server edition";
        /// Until when the maker sells security updates beyond `supported_until` (Windows ESU).
        #[no_reader(LINUX, WINDOWS)]
        [paid_until] Instant = "hãng bán bản vá mở rộng đến", "paid updates until";
        /// True when updates are installed that the maker gives only to those who pay or enrol (Windows ESU).
        #[no_reader(LINUX, WINDOWS)]
        [paid_updates] bool = "đang nhận bản vá mở rộng", "receives paid updates";
        /// True when the firmware starts signed systems only.
        #[no_reader(LINUX)]
        [secure_boot] bool = "khởi động an toàn (Secure Boot)", "Secure Boot";
        /// True when a TPM is there and ready.
        #[no_reader(LINUX)]
        [tpm] bool = "có TPM", "TPM";
        /// Whether programs are kept to what SELinux or AppArmor allows them (Linux).
        // On Linux other modules (Smack, TOMOYO) do it too.
        #[no_reader(LINUX, WINDOWS)]
        [confinement] Confinement = "giới hạn quyền của chương trình (SELinux, AppArmor)", "confinement of programs (SELinux, AppArmor)";
        /// Language of the system as Windows numbers it (LCID): 1033 English, 1066 Vietnamese.
        #[no_reader(LINUX)]
        [language] i64 = "mã ngôn ngữ hệ thống (LCID)", "system language (LCID)";
        /// The day the firmware was released: about how old the machine is.
        #[no_reader(LINUX)]
        [firmware_at] Instant = "phần sụn (BIOS) phát hành ngày", "firmware released at";
    }
}
