//! Which backup program a command starts.

use policies::fact::BackupTool;

use crate::collect::text::named_backup;

/// Programs by their file names. Helpers count as what they start.
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
];
/// Debian's copies of its own lists of packages and accounts: no copy of anybody's data.
const NOT: [&str; 1] = ["dpkg-db-backup"];

/// The program that `command` starts, directly or through another (`nice`, `flock`, `sh -c`).
pub(super) fn of_command(command: &str) -> Option<BackupTool> {
    let words = || command.split(|character: char| character.is_whitespace() || "'\";&|()".contains(character));
    let file = |word: &'_ str| word.rsplit('/').next().map(str::to_owned).unwrap_or_default();
    words().find_map(|word| program(&file(word))).or_else(|| words().find_map(|word| own(&file(word))))
}

/// What a timer, or a file in a folder of cron, is called after.
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
