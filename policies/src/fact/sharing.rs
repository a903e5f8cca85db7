//! Section `sharing`: folders that the machine offers to others.

use super::{Fact, List};

choice! {
    /// Kind of a share.
    ShareKind {
        /// SMB (Samba, Windows).
        Smb = "smb", "SMB", "SMB";
        /// NFS.
        Nfs = "nfs", "NFS", "NFS";
    }
}

record! {
    /// One shared folder. Its path is not collected, it may name people or matters.
    Share {
        /// Kind.
        [kind] ShareKind = "loại", "kind";
        /// Its name on the network; for NFS the last part of the path.
        personal [name] String = "tên thư mục chia sẻ", "share name";
        /// True when it can be used without a password (guest, everyone, any host).
        [open_to_all] Fact<bool> = "ai cũng truy cập được", "open to all";
        /// True when it can be written to.
        [writable] Fact<bool> = "cho phép ghi", "writable";
        /// NFS: true when root of another machine stays root (`no_root_squash`).
        [remote_root] Fact<bool> = "giữ quyền root từ máy khác", "remote root kept";
    }
}

section! {
    /// SMB and NFS.
    Sharing = "sharing" ("Chia sẻ dữ liệu", "Sharing") {
        /// Shared folders.
        [shares] List<Share> = "thư mục chia sẻ", "shares";
        /// True when an SMB server runs.
        [smb_server] bool = "dịch vụ SMB đang chạy", "SMB server running";
        /// True when SMB version 1 is in use: the SMB server accepts it, or (of Windows) the machine speaks it to servers.
        [smb1] bool = "dùng SMB phiên bản 1", "SMB 1 in use";
        /// True when the SMB server demands signed packets.
        [smb_signing] bool = "bắt buộc ký gói tin SMB", "SMB signing required";
        /// How the machine proves who it is to old servers, the LAN Manager level of Windows: 0 (LM and NTLM) to 5 (NTLMv2 alone, given
        /// and taken).
        #[no_reader(LINUX)]
        [lm_level] i64 = "mức xác thực LAN Manager", "LAN Manager level";
        /// True when an NFS server runs.
        [nfs_server] bool = "dịch vụ NFS đang chạy", "NFS server running";
    }
}
