//! Invented Windows machines with and without backup.

use std::sync::Arc;

use super::*;
use os::windows::Registry;
use os::windows::recorded::Recorded;

const NOW: &str = "2026-11-22T03:00:00Z";
const LAN: &str = r"HKU\S-1-5-21-1-2-3-1001";
const HOA: &str = r"HKU\S-1-5-21-1-2-3-1002";

fn collected(os: Recorded) -> Fact<List<BackupProduct>> {
    collect(&CheckContext::new(Arc::new(os), NOW.parse().unwrap())).products
}

fn found(os: Recorded) -> Vec<BackupProduct> {
    collected(os).known().expect("it is known").items.clone()
}

/// An office client: File History's service, somebody logged on, an event log without backups.
fn client() -> Recorded {
    Recorded::new().service("fhsvc", false).service("wbengine", false).key(&format!(r"{LAN}\Software"))
}

fn event(id: u32, level: u8, at: &str) -> Event {
    Event { id, level, at: at.parse::<Timestamp>().unwrap().as_millisecond(), record: 0, data: Vec::new() }
}

fn ticks(at: &str) -> u64 {
    u64::try_from((at.parse::<Timestamp>().unwrap().as_second() + 11_644_473_600) * 10_000_000).unwrap()
}

fn reason<T>(fact: &Fact<T>) -> Option<Reason> {
    match fact {
        Fact::Unknown(unknown) => Some(unknown.reason),
        Fact::Known(_) => None,
    }
}

#[test]
fn nothing_is_set_up_where_everything_could_be_looked_at() {
    assert_eq!(collected(client()), Fact::Known(List::default()));
    // For people who are not logged on nothing can be seen.
    let nobody = Recorded::new().service("fhsvc", false).key(r"HKU\S-1-5-18");
    assert_eq!(reason(&collected(nobody)), Some(Reason::SourceMissing));
    // A server has no File History, so it does not matter who is logged on.
    assert_eq!(collected(Recorded::new().service("wbengine", false)), Fact::Known(List::default()));
    assert!(collected(Recorded::new()).known().is_none(), "services could not be listed");
}

#[test]
fn file_history_counts_with_the_oldest_of_several_people() {
    let with = |lan: u64, hoa: u64| {
        client().number(&format!(r"{LAN}\{HISTORY}"), "ProtectedUpToTime", lan).number(
            &format!(r"{HOA}\{HISTORY}"),
            "ProtectedUpToTime",
            hoa,
        )
    };
    let os = with(ticks("2026-11-21T10:00:00Z"), ticks("2026-09-01T10:00:00Z"));
    let products = found(os.clone());
    assert_eq!(products.len(), 1);
    assert_eq!((products[0].tool, &products[0].active), (BackupTool::FileHistory, &Fact::Known(true)));
    assert_eq!(products[0].last_success_at, Fact::Known("2026-09-01T10:00:00Z".parse().unwrap()));
    assert_eq!(products[0].scheduled, Fact::Known(true));
    // While it copies, no time is recorded.
    let copying = found(with(ticks("2026-11-21T10:00:00Z"), 0));
    assert_eq!(copying[0].active, Fact::Known(true));
    assert_eq!(reason(&copying[0].last_success_at), Some(Reason::SourceMissing));
    // What is switched off copies nothing, whatever it once did.
    assert!(found(os.clone().number(HISTORY_POLICY, "Disabled", 1)).is_empty());
    assert!(found(os.clone().number(&format!(r"{SERVICES}\fhsvc"), "Start", 4)).is_empty());
    assert_eq!(reason(&collected(os.denying(HISTORY_POLICY))), Some(Reason::NeedsAdministrator));
}

#[test]
fn the_old_backup_is_known_by_its_destination_of_which_only_the_kind_is_kept() {
    let with = |target: &str| client().text(&format!(r"{CLASSIC}\TargetDevice"), "PresentableName", target);
    let local = found(with(r"D:\"));
    assert_eq!((local[0].tool, &local[0].place), (BackupTool::WindowsBackup, &Fact::Known(BackupPlace::Local)));
    assert_eq!((&local[0].scheduled, reason(&local[0].active)), (&Fact::Known(false), Some(Reason::NoReader)));
    assert_eq!(reason(&local[0].last_success_at), Some(Reason::NoReader));
    let share =
        found(with(r"\\máy-chủ\sao lưu").key(&format!(r"{TREE}\Microsoft\Windows\WindowsBackup\AutomaticBackup")));
    assert_eq!((&share[0].place, &share[0].scheduled), (&Fact::Known(BackupPlace::Share), &Fact::Known(true)));
    let usb: Vec<u8> = r"_??_USBSTOR#Disk".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let removable = with(r"E:\").set(r"HKLM\SYSTEM\MountedDevices", r"\DosDevices\E:", Registry::Bytes(usb));
    assert_eq!(found(removable)[0].place, Fact::Known(BackupPlace::Removable));
    assert!(found(with("")).is_empty());
    let odd = client().set(&format!(r"{CLASSIC}\TargetDevice"), "PresentableName", Registry::Bytes(vec![1]));
    assert_eq!(reason(&collected(odd)), Some(Reason::Unreadable));
}

#[test]
fn images_are_known_by_their_task_and_by_what_the_log_says() {
    let mut os = client().key(&format!(r"{TREE}\Microsoft\Windows\Backup\Microsoft-Windows-WindowsBackup"));
    let never = found(os.clone());
    assert_eq!((never[0].tool, &never[0].scheduled), (BackupTool::ServerBackup, &Fact::Known(true)));
    assert_eq!(reason(&never[0].last_success_at), Some(Reason::SourceMissing));
    let log = vec![
        event(4, 4, "2026-11-01T02:00:00Z"),
        event(4, 4, "2026-11-15T02:00:00Z"),
        // Started, ended without success.
        event(1, 4, "2026-11-20T02:00:00Z"),
        event(5, 2, "2026-11-20T02:00:00Z"),
        event(14, 4, "2026-11-20T02:00:00Z"),
    ];
    os.events.insert(IMAGES.to_owned(), log.clone());
    assert_eq!(found(os)[0].last_success_at, Fact::Known("2026-11-15T02:00:00Z".parse().unwrap()));
    let mut by_hand = client();
    by_hand.events.insert(IMAGES.to_owned(), log);
    let by_hand = &found(by_hand)[0];
    assert_eq!((&by_hand.scheduled, &by_hand.active), (&Fact::Known(false), &Fact::Known(true)));
    let mut in_spring = client();
    in_spring.events.insert(IMAGES.to_owned(), vec![event(4, 4, "2026-03-15T02:00:00Z")]);
    assert_eq!(found(in_spring)[0].active, Fact::Known(false), "nobody made one since");
    let mut long_ago = client();
    long_ago.events.insert(IMAGES.to_owned(), vec![event(4, 4, "2024-01-01T02:00:00Z")]);
    assert!(found(long_ago).is_empty());
}

#[test]
fn makers_are_known_by_their_services() {
    let products = found(client().service("MacriumService", true).service("Backupper Service", false));
    let shown: Vec<_> = products.iter().map(|product| (product.tool, product.active.known().copied())).collect();
    assert_eq!(shown, [(BackupTool::Macrium, Some(true)), (BackupTool::Aomei, None)]);
    assert_eq!(reason(&products[1].active), Some(Reason::NoReader));
    assert_eq!(reason(&products[0].last_success_at), Some(Reason::NoReader));
    for start in [2, 4] {
        let stopped =
            client().service("EaseUS Agent", false).number(&format!(r"{SERVICES}\EaseUS Agent"), "Start", start);
        assert_eq!(found(stopped)[0].active, Fact::Known(false));
    }
    // One of a maker's services is enough.
    let acronis = found(client().service("MMS", false).service("AcrSch2Svc", true));
    assert_eq!((acronis.len(), &acronis[0].active), (1, &Fact::Known(true)));
}

#[test]
fn veeam_says_how_its_jobs_ended() {
    let mut os = client().service("VeeamEndpointBackupSvc", true);
    let last = |os: &Recorded| found(os.clone())[0].last_success_at.clone();
    assert_eq!(reason(&last(&os)), Some(Reason::SourceMissing));
    os.events.insert(
        "Veeam Agent".to_owned(),
        vec![
            event(190, 4, "2026-11-10T02:00:00Z"),
            event(190, 3, "2026-11-11T02:00:00Z"),
            event(190, 2, "2026-11-12T02:00:00Z"),
            event(110, 4, "2026-11-13T02:00:00Z"),
        ],
    );
    assert_eq!(last(&os), Fact::Known("2026-11-11T02:00:00Z".parse().unwrap()));
}

#[test]
fn a_backup_at_work_counts_though_another_source_does_not_answer() {
    let os = client().service("VeeamEndpointBackupSvc", true).denying(TREE);
    assert_eq!(found(os).len(), 1);
    assert_eq!(reason(&collected(client().denying(TREE))), Some(Reason::NeedsAdministrator));
}

#[test]
fn a_task_of_ones_own_is_known_by_its_name() {
    let with = |name: &str| client().key(&format!(r"{TREE}\{name}"));
    for name in ["Sao lưu văn thư", "SAO-LUU-HANG-NGAY", "Robocopy backup D"] {
        let products = found(with(name));
        assert_eq!((products[0].tool, &products[0].scheduled), (BackupTool::Script, &Fact::Known(true)), "{name}");
    }
    assert!(found(with("MicrosoftEdgeUpdateTaskMachineCore")).is_empty());
}

#[test]
fn a_task_that_is_switched_off_or_that_nothing_starts_backs_nothing_up() {
    let task = |settings: &str, triggers: &str| {
        let text = format!(
            "\u{FEFF}<?xml version=\"1.0\" encoding=\"UTF-16\"?>\r\n<Task>\r\n  {triggers}\r\n  <Settings>\r\n    \
             {settings}\r\n    <Hidden>false</Hidden>\r\n  </Settings>\r\n</Task>"
        );
        text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>()
    };
    let daily = "<Triggers><CalendarTrigger><Enabled>false</Enabled></CalendarTrigger><LogonTrigger /></Triggers>";
    let with = |name: &str, file: Vec<u8>| {
        let os = client().text(r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion", "SystemRoot", r"C:\Windows");
        os.key(&format!(r"{TREE}\{name}")).file(&format!(r"C:\Windows\System32\Tasks\{name}"), file)
    };
    let own = |file| found(with("Sao lưu văn thư", file))[0].active.clone();
    assert_eq!(own(task("<Enabled>true</Enabled>", daily)), Fact::Known(true));
    assert_eq!(own(task("", daily)), Fact::Known(true));
    assert_eq!(own(task("<Enabled>false</Enabled>", daily)), Fact::Known(false));
    assert_eq!(own(task("<Enabled>true</Enabled>", "<Triggers />")), Fact::Known(false));
    let folder = client().text(r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion", "SystemRoot", r"C:\Windows");
    let folder = folder.key(&format!(r"{TREE}\Backup tools")).file(r"C:\Windows\System32\Tasks\Backup tools\x", "");
    assert!(found(folder).is_empty(), "a folder of tasks is none");
    // Another one that is on counts.
    let both = with("Sao lưu văn thư", task("<Enabled>false</Enabled>", daily)).key(&format!(r"{TREE}\Backup D"));
    assert_eq!(found(both)[0].active, Fact::Known(true));
    // So it is with those of Windows.
    let windows = |name: &str| with(name, task("<Enabled>false</Enabled>", daily));
    assert!(found(windows(r"Microsoft\Windows\Backup\Microsoft-Windows-WindowsBackup")).is_empty());
    let classic = windows(r"Microsoft\Windows\WindowsBackup\AutomaticBackup");
    let classic = found(classic.text(&format!(r"{CLASSIC}\TargetDevice"), "PresentableName", r"D:\"));
    assert_eq!((&classic[0].scheduled, reason(&classic[0].active)), (&Fact::Known(false), Some(Reason::NoReader)));
}
