//! Invented Linux machines with and without backup.

use super::*;
use os::recorded::Recorded;

const WANTS: &str = "/etc/systemd/system/timers.target.wants";

fn machine() -> Recorded {
    Recorded::new().process(1, "systemd", "/sbin/init")
}

fn collected(os: Recorded) -> Fact<List<BackupProduct>> {
    collect(&CheckContext::of(os)).products
}

fn found(os: Recorded) -> Vec<(BackupTool, Option<bool>)> {
    let list = collected(os);
    let list = list.known().expect("it is known");
    list.items.iter().map(|product| (product.tool, product.active.known().copied())).collect()
}

fn reason(os: Recorded) -> Option<Reason> {
    match collected(os) {
        Fact::Unknown(unknown) => Some(unknown.reason),
        Fact::Known(_) => None,
    }
}

#[test]
fn a_timer_is_known_by_its_name_or_by_what_it_starts() {
    let os = machine()
        .symlink(&format!("{WANTS}/borgmatic.timer"), "/lib/systemd/system/borgmatic.timer")
        .file("/lib/systemd/system/borgmatic.timer", "[Timer]\n")
        .file(&format!("{WANTS}/hang-dem.timer"), "[Timer]\n")
        .file(
            "/etc/systemd/system/hang-dem.service",
            "[Service]\r\nExecStart=/usr/bin/nice /usr/local/bin/restic -r /x backup /srv\r\n",
        )
        .file(&format!("{WANTS}/luu@kho.timer"), "[Timer]\n")
        .file(
            "/etc/systemd/system/luu@.service",
            "[Service]\nExecStartPre=/bin/true\nExecStart=/opt/sao-luu-dem.sh %i\n",
        )
        // Debian's own job, and one for something else.
        .file(&format!("{WANTS}/dpkg-db-backup.timer"), "[Timer]\n")
        .file("/lib/systemd/system/dpkg-db-backup.service", "[Service]\nExecStart=/usr/libexec/dpkg/dpkg-db-backup\n")
        .file(&format!("{WANTS}/fstrim.timer"), "[Timer]\n")
        .file("/var/lib/systemd/timers/stamp-borgmatic.timer", "")
        .modified("/var/lib/systemd/timers/stamp-borgmatic.timer", 1_763_000_000_000);
    let both = [(BackupTool::Restic, Some(true)), (BackupTool::Borg, Some(true)), (BackupTool::Script, Some(true))];
    assert_eq!(found(os.clone()), both);
    let list = collected(os);
    let borg = &list.known().unwrap().items[1];
    assert_eq!(
        (borg.last_start_at.known().map(|at| at.as_second()), &borg.scheduled),
        (Some(1_763_000_000), &Fact::Known(true))
    );
    assert!(borg.last_success_at.known().is_none(), "a start is no success");
}

#[test]
fn jobs_of_cron_are_known_by_their_commands() {
    let os = machine()
        .file("/etc/crontab", "# m h dom mon dow user command\n17 * * * * root cd / && run-parts /etc/cron.hourly\n")
        .file("/etc/cron.d/rsnapshot", "# 0 */4 * * * root /usr/bin/rsnapshot alpha\n")
        .file("/etc/cron.d/.placeholder", "0 1 * * * root /usr/bin/borg\n")
        .file("/etc/cron.d/timeshift-hourly", "SHELL=/bin/bash\n0 * * * * root timeshift --check --scripted\n")
        .file("/etc/cron.daily/dpkg", "#!/bin/sh\ncp /var/lib/dpkg/status /var/backups\n")
        .file("/etc/cron.weekly/autopostgresqlbackup", "#!/bin/sh\n")
        .file("/var/spool/cron/crontabs/root", "@daily flock -n /run/lock 'rsync -a /srv kho:/srv'\n");
    let all = [(BackupTool::Timeshift, Some(true)), (BackupTool::Rsync, Some(true)), (BackupTool::Script, Some(true))];
    assert_eq!(found(os), all);
}

#[test]
fn what_people_write_themselves_is_known_by_what_it_starts() {
    let script = |os: Recorded| found(os) == [(BackupTool::Script, Some(true))];
    assert!(script(machine().file("/etc/cron.d/a", "0 1 * * * postgres pg_dumpall | gzip > /srv/kho/a.gz\n")));
    assert!(script(machine().file("/etc/cron.d/a", "0 1 * * * root tar -czf /srv/kho/a.tgz /srv/van-ban\n")));
    assert!(script(machine().file("/etc/cron.d/a", "0 1 * * * root rclone sync /srv kho:srv\n")));
    assert!(script(machine().file("/etc/cron.d/a", "0 1 * * * root /opt/chep-du-lieu.sh\n")));
    assert!(script(machine().file("/etc/anacrontab", "1 5 hang-ngay tar cf /srv/kho/a.tar /srv\n")));
    assert!(script(
        machine().file("/etc/cron.daily/hang-ngay", "#!/bin/sh\n# pg_dump\nmysqldump --all > /srv/kho/a\n")
    ));
    let none = |os: Recorded| found(os).is_empty();
    assert!(none(machine().file("/etc/cron.d/a", "0 1 * * * root tar -xzf /srv/a.tgz\n")));
    assert!(none(machine().file("/etc/cron.d/a", "0 1 * * * root find /var/backups -mtime +7 -delete\n")));
    assert!(none(machine().file("/etc/cron.daily/passwd", "#!/bin/sh\ncd /var/backups\ncp /etc/passwd .\n")));
    assert!(none(machine().file("/etc/cron.daily/x", "#!/bin/sh\n# pg_dump\n")));
}

#[test]
fn a_timer_may_be_enabled_by_its_package_and_name_another_service() {
    let vendor = "/usr/lib/systemd/system/timers.target.wants";
    let os = machine()
        .symlink(&format!("{vendor}/hang-dem.timer"), "/usr/lib/systemd/system/hang-dem.timer")
        .file("/usr/lib/systemd/system/hang-dem.timer", "[Timer]\nOnCalendar=daily\nUnit=kho.service\n")
        .file("/usr/lib/systemd/system/kho.service", "[Service]\nExecStart=/usr/bin/restic backup /srv\n");
    assert_eq!(found(os), [(BackupTool::Restic, Some(true))]);
}

#[test]
fn agents_and_idle_programs_are_told_apart() {
    let os = machine()
        .process(7, "bacula-fd", "/usr/sbin/bacula-fd")
        .process(8, "urbackupclientb", "/usr/local/sbin/urbackupclientbackend")
        .file("/usr/bin/restic", "")
        .file("/usr/bin/deja-dup", "");
    let all = [
        (BackupTool::Bacula, Some(true)),
        (BackupTool::UrBackup, Some(true)),
        (BackupTool::Restic, Some(false)),
        (BackupTool::DejaDup, None),
    ];
    assert_eq!(found(os), all);
}

#[test]
fn none_is_said_only_where_every_schedule_was_looked_at() {
    assert_eq!(collected(machine()), Fact::Known(List::default()));
    let people = "/var/spool/cron/crontabs";
    assert_eq!(reason(machine().denying(people)), Some(Reason::NeedsAdministrator));
    let idle = machine().denying(people).file("/usr/bin/borg", "");
    assert_eq!(
        reason(idle),
        Some(Reason::NeedsAdministrator),
        "an idle program says nothing of what could not be seen"
    );
    let at_work = machine().denying(people).process(7, "bareos-fd", "/usr/sbin/bareos-fd");
    assert_eq!(found(at_work), [(BackupTool::Bareos, Some(true))]);
    assert_eq!(reason(Recorded::new()), Some(Reason::Unreadable));
}

#[test]
fn odd_files_do_not_stop_it() {
    let huge = format!("0 1 * * * root {} borg\n", "x ".repeat(100_000));
    let os = machine()
        .file("/etc/crontab", [0xff, 0xfe, 0, b'\n'])
        .file("/etc/cron.d/to", huge)
        .file(&format!("{WANTS}/.timer"), "")
        .file(&format!("{WANTS}/@.timer"), "")
        .folder("/var/spool/cron/crontabs");
    assert_eq!(found(os), [(BackupTool::Borg, Some(true))]);
}
