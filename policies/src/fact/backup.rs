//! Section `backup`: what copies the machine's data away, and when it last did.

use super::{Fact, Instant, List};

choice! {
    /// What makes the copies.
    BackupTool {
        /// File History of Windows 8 and later.
        FileHistory = "file_history", "Lịch sử tệp (File History)", "File History";
        /// Backup and Restore of Windows 7, which later versions still have.
        WindowsBackup = "windows_backup", "Sao lưu và khôi phục (Windows 7)", "Backup and Restore (Windows 7)";
        /// Windows Server Backup, and images made with wbadmin.
        ServerBackup = "server_backup", "Windows Server Backup (wbadmin)", "Windows Server Backup (wbadmin)";
        /// Veeam Agent.
        Veeam = "veeam", "Veeam", "Veeam";
        /// Acronis.
        Acronis = "acronis", "Acronis", "Acronis";
        /// Synology Active Backup.
        Synology = "synology", "Synology Active Backup", "Synology Active Backup";
        /// Macrium Reflect.
        Macrium = "macrium", "Macrium Reflect", "Macrium Reflect";
        /// AOMEI Backupper.
        Aomei = "aomei", "AOMEI Backupper", "AOMEI Backupper";
        /// EaseUS Todo Backup.
        Easeus = "easeus", "EaseUS Todo Backup", "EaseUS Todo Backup";
        /// Bacula.
        Bacula = "bacula", "Bacula", "Bacula";
        /// Bareos.
        Bareos = "bareos", "Bareos", "Bareos";
        /// UrBackup.
        UrBackup = "urbackup", "UrBackup", "UrBackup";
        /// Veritas Backup Exec.
        BackupExec = "backup_exec", "Veritas Backup Exec", "Veritas Backup Exec";
        /// Duplicati.
        Duplicati = "duplicati", "Duplicati", "Duplicati";
        /// restic, also by way of its helpers.
        Restic = "restic", "restic", "restic";
        /// Borg, also by way of borgmatic.
        Borg = "borg", "Borg", "Borg";
        /// Duplicity and duply.
        Duplicity = "duplicity", "Duplicity", "Duplicity";
        /// Déjà Dup, the backup of GNOME.
        DejaDup = "deja_dup", "Déjà Dup", "Déjà Dup";
        /// Timeshift, which keeps the system and not people's files unless told to.
        Timeshift = "timeshift", "Timeshift", "Timeshift";
        /// rsnapshot.
        Rsnapshot = "rsnapshot", "rsnapshot", "rsnapshot";
        /// rsync run by a schedule.
        Rsync = "rsync", "rsync theo lịch", "scheduled rsync";
        /// A job whose own name says that it is a backup.
        Script = "script", "tác vụ sao lưu tự viết", "a custom backup job";
    }
}

choice! {
    /// The kind of place the copies go to. The place itself is never told.
    BackupPlace {
        /// A disk of the machine.
        Local = "local", "ổ đĩa trong máy", "a disk in the machine";
        /// A removable drive.
        Removable = "removable", "ổ di động", "a removable drive";
        /// A shared folder.
        Share = "share", "thư mục chia sẻ", "a shared folder";
    }
}

record! {
    /// One way in which data is copied away.
    BackupProduct {
        /// What makes the copies.
        [tool] BackupTool = "cách sao lưu", "backup tool";
        /// True when it is set up or its service runs; false when it is installed and nothing starts it.
        // What programs that copy data away write down for nobody else; one of them (Déjà Dup) keeps even its schedule with each person.
        // Other makers tell nobody how their copies ended, nor when; a service that is started when it is needed, not whether anything needs it.
        #[no_reader(LINUX, WINDOWS)]
        [active] Fact<bool> = "đang hoạt động", "active";
        /// True when it runs by itself at times.
        #[no_reader(LINUX, WINDOWS)]
        [scheduled] Fact<bool> = "chạy theo lịch", "scheduled";
        /// When it last ended well; with several people's copies that of the one whose is oldest.
        #[no_reader(LINUX, WINDOWS)]
        [last_success_at] Fact<Instant> = "sao lưu thành công lần cuối", "last success";
        /// When it was last started, which says nothing of how it ended.
        #[no_reader(LINUX, WINDOWS)]
        [last_start_at] Fact<Instant> = "bắt đầu lần cuối", "last start";
        /// Where the copies go.
        #[no_reader(LINUX, WINDOWS)]
        [place] Fact<BackupPlace> = "nơi lưu bản sao", "backup location";
    }
}

section! {
    /// Backup of the machine's data.
    Backup = "backup" ("Sao lưu", "Backup") {
        /// What makes copies of data, as far as it is recognised.
        [products] List<BackupProduct> = "cách sao lưu", "backup";
    }
}
