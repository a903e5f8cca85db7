//! Which backup program a command starts.

use policies::fact::BackupTool;

use crate::linux::text::lines;
use crate::text::named_backup;

/// Programs by file name. Helpers count as what they start.
const PROGRAMS: &[(&str, BackupTool)] = &[
    ("restic", BackupTool::Restic),
    ("resticprofile", BackupTool::Restic),
    ("autorestic", BackupTool::Restic),
    ("borg", BackupTool::Borg),
    ("borgmatic", BackupTool::Borg),
    ("duplicity", BackupTool::Duplicity),
    ("duply", BackupTool::Duplicity),
    ("timeshift", BackupTool::Timeshift),
    ("rsnapshot", BackupTool::Rsnapshot),
    ("rsync", BackupTool::Rsync),
    ("duplicati-cli", BackupTool::Duplicati),
    // Database dumps and copies to elsewhere that somebody scheduled.
    ("pg_dump", BackupTool::Script),
    ("pg_dumpall", BackupTool::Script),
    ("pg_basebackup", BackupTool::Script),
    ("pgbackrest", BackupTool::Script),
    ("barman", BackupTool::Script),
    ("mysqldump", BackupTool::Script),
    ("mariadb-dump", BackupTool::Script),
    ("mariabackup", BackupTool::Script),
    ("xtrabackup", BackupTool::Script),
    ("mongodump", BackupTool::Script),
    ("rclone", BackupTool::Script),
];
/// Debian's copies of its own package and account lists, which are no backup of anyone's data.
const NOT: [&str; 1] = ["dpkg-db-backup"];

/// The program that `command` starts, directly or through another (`nice`, `flock`, `sh -c`).
pub(super) fn of_command(command: &str) -> Option<BackupTool> {
    // Commands that clean up old backups make none.
    let named = |word: &&str| !word.starts_with("/var/backups");
    known(command).or_else(|| words(command).filter(named).find_map(|word| own(file(word))))
}

/// A backup program that a script starts. Other names in the script's text do not count: many scripts mention a backup folder.
pub(super) fn of_script(text: &str) -> Option<BackupTool> {
    lines(text).find_map(known)
}

fn known(command: &str) -> Option<BackupTool> {
    words(command).find_map(|word| program(file(word))).or_else(|| archives(command).then_some(BackupTool::Script))
}

/// True when `tar` makes an archive: `c` among the letters of its first argument, or `--create`.
fn archives(command: &str) -> bool {
    let mut after = words(command).skip_while(|word| file(word) != "tar").skip(1);
    match after.next() {
        Some(long) if long.starts_with("--") => long == "--create" || after.any(|word| word == "--create"),
        Some(letters) => letters.trim_start_matches('-').contains('c'),
        None => false,
    }
}

fn words(command: &str) -> impl Iterator<Item = &str> {
    command.split(|character: char| character.is_whitespace() || "'\";&|()`$".contains(character))
}

fn file(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or_default()
}

/// Recognises a backup by the name of a timer, or of a file in a cron folder.
pub(super) fn of_name(name: &str) -> Option<BackupTool> {
    let stem = name.split(['.', '@']).next().unwrap_or_default();
    program(stem).or_else(|| stem.split(['-', '_']).find_map(program)).or_else(|| own(stem))
}

fn program(name: &str) -> Option<BackupTool> {
    PROGRAMS.iter().find(|(program, _)| *program == name).map(|(_, tool)| *tool)
}

fn own(name: &str) -> Option<BackupTool> {
    (!NOT.contains(&name) && named_backup(name)).then_some(BackupTool::Script)
}
