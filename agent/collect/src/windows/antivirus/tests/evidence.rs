//! What a service, a process, a row or an unreadable source proves, and what it does not.

use super::*;

#[test]
fn a_guard_that_is_not_registered_is_open_where_security_center_runs() {
    // It may be passive or switched off, or simply not registered.
    let antivirus = collected(office(vec![defender(393_472)]).service("HipsDaemon", true));
    assert_eq!(why(&antivirus.protection), Some(Reason::Contradictory));
    assert_eq!(seen(&antivirus), [(Maker::Microsoft, Some(false)), (Maker::Huorong, None)]);
    let bkav = collected(office(vec![defender(393_472)]).process(7, "BKAVSERVICE.EXE"));
    assert_eq!(seen(&bkav)[1], (Maker::Bkav, None));
    // If Security Center does not answer, what was reported to it is unknown.
    let mut hanging = office(Vec::new()).service("HipsDaemon", true);
    hanging.hanging.push(CENTER.to_owned());
    hanging.services.as_mut().unwrap()[0].state = 1;
    assert_eq!(why(&collected(hanging).protection), Some(Reason::TimedOut));
    // On a server there is none.
    let server = collected(bare().service("HipsDaemon", true));
    assert_eq!((server.protection, why(&server.real_time)), (Fact::Known(Protection::On), Some(Reason::NoReader)));
    assert_eq!(collected(bare().service("HipsDaemon", false)).protection, Fact::Known(Protection::Off));
    // Any program can be named like a guard's.
    assert_eq!(why(&collected(bare().process(7, "avp.exe").service("Dhcp", true)).protection), Some(Reason::NoReader));
}

#[test]
fn what_security_center_lists_while_it_does_not_run_is_a_memory() {
    let stopped = |mut os: Recorded| {
        os.services.as_mut().unwrap()[1].state = 1;
        os
    };
    let avast = |number| vec![defender(393_472), row("Avast Antivirus", AVAST, number)];
    for number in [266_240, 262_144, 270_336] {
        let antivirus = collected(stopped(office(avast(number)).service("avast! Antivirus", true)));
        assert_eq!(antivirus.protection.known(), None, "{number}");
        assert_eq!(seen(&antivirus)[1], (Maker::Avast, None), "{number}");
        assert_eq!(antivirus.products.known().unwrap().items[1].definitions_current.known(), None);
    }
    assert_eq!(
        collected(office(avast(266_240)).service("avast! Antivirus", true)).protection,
        Fact::Known(Protection::On)
    );
    // Nothing is listed, and nobody lists.
    let mut bare = stopped(office(Vec::new()));
    bare.services.as_mut().unwrap().remove(0);
    assert_eq!(why(&collected(bare).protection), Some(Reason::Unreadable));
    // Defender itself is asked, and its row confirms nothing.
    let own =
        stopped(office(vec![defender(397_568)]).rows(DEFENDER, "MSFT_MpComputerStatus", vec![status("Normal", true)]));
    assert_eq!(collected(own).protection, Fact::Known(Protection::On));
    let mut hanging = stopped(office(vec![defender(397_568)]));
    hanging.hanging.push(DEFENDER.to_owned());
    assert_eq!(why(&collected(hanging).protection), Some(Reason::TimedOut));
}

#[test]
fn a_client_that_lost_its_security_center_is_no_server() {
    let client = |os: Recorded| os.text(NT, "InstallationType", "Client");
    let guard = |os: Recorded| collected(os.service("HipsDaemon", true));
    assert_eq!(guard(bare()).protection, Fact::Known(Protection::On));
    let lost = guard(client(bare()));
    assert_eq!((why(&lost.protection), seen(&lost)), (Some(Reason::Unreadable), vec![(Maker::Huorong, None)]));
    assert_eq!(why(&collected(client(bare()).service("Dhcp", true)).protection), Some(Reason::Unreadable));
    // Nor is one that does not say what it is.
    let untold = Recorded::new().number(NT, "CurrentBuildNumber", 20_348).process(4, "System");
    assert_eq!(why(&guard(untold).protection), Some(Reason::Unreadable));
}

#[test]
fn a_defender_that_is_told_to_leave_out_a_whole_drive_is_not_known_to_guard_it() {
    let key = r"HKLM\SOFTWARE\Microsoft\Windows Defender\Exclusions\Paths";
    let policy = r"HKLM\SOFTWARE\Policies\Microsoft\Windows Defender\Exclusions\Extensions";
    let own = |on| office(vec![defender(397_568)]).rows(DEFENDER, "MSFT_MpComputerStatus", vec![status("Normal", on)]);
    let real_time = |os: Recorded| collected(os).real_time;
    assert_eq!(real_time(own(true).number(key, r"C:\ke-toan", 0)), Fact::Known(true));
    assert_eq!(why(&real_time(own(true).number(key, "C:\\", 0))), Some(Reason::Contradictory));
    assert_eq!(why(&real_time(own(true).number(policy, "exe", 0))), Some(Reason::Contradictory));
    assert_eq!(why(&real_time(own(true).denying(key))), Some(Reason::NeedsAdministrator));
    assert_eq!(real_time(own(false).number(key, "C:\\", 0)), Fact::Known(false));
}

#[test]
fn a_defender_that_does_not_look_at_files_as_they_are_opened_does_not_guard() {
    let mut own = status("Normal", true);
    own.insert("OnAccessProtectionEnabled".to_owned(), Variant::Bool(false));
    let os = office(vec![defender(397_568)]).rows(DEFENDER, "MSFT_MpComputerStatus", vec![own]);
    assert_eq!(collected(os).protection, Fact::Known(Protection::Off));
    let mut hanging = office(vec![defender(397_568)]);
    hanging.hanging.push(DEFENDER.to_owned());
    let key = r"HKLM\SOFTWARE\Microsoft\Windows Defender\Real-Time Protection";
    assert_eq!(
        why(&collected(hanging.number(key, "DisableOnAccessProtection", 1)).protection),
        Some(Reason::Contradictory)
    );
}

#[test]
fn definitions_that_defender_calls_old_are_old_whatever_its_row_says() {
    let mut own = status("Normal", true);
    own.insert("DefenderSignaturesOutOfDate".to_owned(), Variant::Bool(true));
    let os = office(vec![defender(397_568)]).rows(DEFENDER, "MSFT_MpComputerStatus", vec![own]);
    assert_eq!(collected(os).definitions_current, Fact::Known(false));
}

#[test]
fn a_free_companion_guards_nothing_whatever_is_registered() {
    let normal = |os: Recorded| os.rows(DEFENDER, "MSFT_MpComputerStatus", vec![status("Normal", true)]);
    let rows = |number| vec![defender(397_568), row("Malwarebytes", r"C:\Program Files\Malwarebytes\mbam.exe", number)];
    // Next to a Defender that protects it changes nothing.
    for number in [397_312, 266_240] {
        let beside = collected(normal(office(rows(number)).service("MBAMService", true)));
        assert_eq!((&beside.protection, &beside.real_time), (&Fact::Known(Protection::On), &Fact::Known(true)));
        assert_eq!(seen(&beside), [(Maker::Microsoft, Some(true)), (Maker::Malwarebytes, None)]);
    }
    // Others whose makers are not known here are like it.
    let spybot = r"C:\Program Files (x86)\Spybot - Search & Destroy 2\SDWSCSvc.exe";
    let os = office(vec![defender(393_472), row("Spybot - Search and Destroy", spybot, 266_240)]);
    assert_eq!(why(&collected(os.process(9, "SDWSCSvc.exe")).protection), Some(Reason::Contradictory));
    // Without Defender it is unknown: another edition does protect, and registers in the same way.
    let alone = vec![defender(393_472), row("Malwarebytes", "", 266_240)];
    let alone = collected(office(alone).service("MBAMService", true).process(9, "mbam.exe"));
    assert_eq!(why(&alone.protection), Some(Reason::Contradictory));
    assert_eq!(why(&alone.real_time), Some(Reason::Contradictory));
    // Where it is not registered, its service proves nothing.
    let unregistered = collected(office(vec![defender(393_472)]).service("MBAMService", true));
    assert_eq!(unregistered.protection, Fact::Known(Protection::Off));
    assert_eq!(why(&collected(bare().service("MBAMService", true)).protection), Some(Reason::NoReader));
    assert_eq!(why(&collected(bare().service("clamd", true)).protection), Some(Reason::NoReader));
}

#[test]
fn what_runs_without_a_guard_as_well_bears_out_a_row_and_proves_nothing_alone() {
    for helper in ["mc-wps-secdashboardservice", "mc-fw-host", "mfemms"] {
        let rows = vec![defender(393_472), row("McAfee", r"C:\Program Files\McAfee\wps\mc-update.exe", 266_240)];
        let listed = collected(office(rows).service(helper, true));
        assert_eq!(seen(&listed), [(Maker::Microsoft, Some(false)), (Maker::Mcafee, Some(true))], "{helper}");
        let off = collected(office(vec![defender(393_472), row("McAfee", "", 393_216)]).service(helper, true));
        assert_eq!(off.protection, Fact::Known(Protection::Off), "{helper}");
    }
    // The agent of Deep Security also runs where its virus scanner is not installed.
    assert_eq!(why(&collected(bare().service("ds_agent", true)).protection), Some(Reason::NoReader));
    let whole = collected(bare().service("ds_agent", true).service("Amsp", true));
    assert_eq!(whole.protection, Fact::Known(Protection::On));
}

#[test]
fn a_row_alone_is_no_proof_whoever_made_the_product() {
    let program = r"C:\Program Files\Cylance\Desktop\CylanceUI.exe";
    let row = || vec![defender(393_472), row("CylancePROTECT", program, 397_312)];
    let there = || office(row()).file(program, "");
    assert_eq!(why(&collected(there()).protection), Some(Reason::Contradictory));
    assert_eq!(collected(office(row())).protection, Fact::Known(Protection::Off), "it is gone");
    assert_eq!(collected(there().process(9, "cylanceui.EXE")).protection, Fact::Known(Protection::On));
    let service = |folder: &str| {
        there().service("CylanceSvc", true).text(
            &format!(r"{SERVICES}\CylanceSvc"),
            "ImagePath",
            &format!("\"C:\\Program Files\\{folder}\\CylanceSvc.exe\""),
        )
    };
    assert_eq!(collected(service(r"Cylance\Desktop")).protection, Fact::Known(Protection::On));
    assert_eq!(why(&collected(service("Other")).protection), Some(Reason::Contradictory));
    // Windows' own programs run for many products.
    let windows = r"C:\Windows\System32\svchost.exe";
    let row = vec![defender(393_472), super::row("Phần mềm lạ", windows, 266_240)];
    let os = office(row).text(NT, "SystemRoot", r"C:\Windows").file(windows, "").process(9, "svchost.exe");
    assert_eq!(why(&collected(os).protection), Some(Reason::Contradictory));
    // If processes cannot be listed, it is unknown whether any runs.
    let mut blind = office(vec![defender(393_472), super::row("CylancePROTECT", program, 397_312)]);
    blind.processes = None;
    assert_eq!(why(&collected(blind).protection), Some(Reason::SourceMissing));
}

#[test]
fn defender_is_asked_itself_where_its_row_says_off_and_nobody_else_is_seen_to_guard() {
    let program = r"%ProgramFiles%\Kaspersky Lab\KES\wmiav.exe";
    let rows = || vec![defender(393_472), row("Kaspersky", program, 266_240)];
    let orphan = |own: Row| office(rows()).rows(DEFENDER, "MSFT_MpComputerStatus", vec![own]);
    let guarded = collected(orphan(status("Normal", true)));
    assert_eq!((guarded.protection, guarded.real_time), (Fact::Known(Protection::On), Fact::Known(true)));
    for passive in [status("SxS Passive Mode", true), status("Normal", false), Row::new()] {
        assert_eq!(collected(orphan(passive)).protection, Fact::Known(Protection::Off));
    }
    // The other row is open, but Defender is known to protect.
    let there = orphan(status("Normal", true)).file(r"C:\Program Files\Kaspersky Lab\KES\wmiav.exe", "");
    assert_eq!(collected(there).protection, Fact::Known(Protection::On));
}

#[test]
fn what_nobody_can_read_is_no_none() {
    let bare = || {
        let mut os = office(Vec::new());
        os.services.as_mut().unwrap().remove(0);
        os
    };
    assert_eq!(collected(bare()).protection, Fact::Known(Protection::None));
    let odd = bare().rows(CENTER, "AntiVirusProduct", vec![Row::new()]);
    assert_eq!(why(&collected(odd).protection), Some(Reason::Unreadable));
    let hidden = bare().service("guard", true).denying(&format!(r"{SERVICES}\guard"));
    assert_eq!(why(&collected(hidden).protection), Some(Reason::NeedsAdministrator));
    // A protected service whose file names no company may belong to anyone.
    let nameless = bare().service("guard", true).number(&format!(r"{SERVICES}\guard"), "LaunchProtected", 3);
    let nameless = collected(nameless);
    assert_eq!((seen(&nameless), why(&nameless.protection)), (vec![(Maker::Other, None)], Some(Reason::NoReader)));
    let own = bare().service("WdNisSvc", true).number(&format!(r"{SERVICES}\WdNisSvc"), "LaunchProtected", 3);
    assert_eq!(collected(own).protection, Fact::Known(Protection::None));
    // Defender does not answer, and what would switch it off cannot be read.
    let mut hanging = office(vec![defender(397_568)]);
    hanging.hanging.push(DEFENDER.to_owned());
    let policy = r"HKLM\SOFTWARE\Policies\Microsoft\Windows Defender";
    assert_eq!(why(&collected(hanging.denying(policy)).protection), Some(Reason::NeedsAdministrator));
}

#[test]
fn a_product_whose_files_name_another_company_is_listed_once() {
    for (name, program, service, company) in [
        ("Avast Antivirus", AVAST, "aswbIDSAgent", "Gen Digital Inc."),
        ("Norton 360", r"C:\Program Files\Norton\Suite\NortonUI.exe", "NortonSvc", "Gen Digital Inc."),
        ("AVG Antivirus", r"C:\Program Files\AVG\Antivirus\wsc_proxy.exe", "avgwd", "NortonLifeLock Inc."),
        (
            "Sentinel Agent",
            r"C:\Program Files\SentinelOne\A\SentinelUI.exe",
            "SentinelStaticEngine",
            "Sentinel Labs, Inc.",
        ),
    ] {
        let os = with(office(vec![defender(393_472), row(name, program, 266_240)]), service, 0x10, true, company);
        let os = os.number(&format!(r"{SERVICES}\{service}"), "LaunchProtected", 3);
        let makers: Vec<Maker> = seen(&collected(os)).into_iter().map(|(maker, _)| maker).collect();
        assert_eq!(makers.len(), 2, "{name}: {makers:?}");
        assert!(!makers.contains(&Maker::Other), "{name}: {makers:?}");
    }
    // By where it lies, whatever company it names.
    let os = with(
        office(vec![defender(393_472), row("Kaspersky", r"C:\Program Files\guard\a.exe", 266_240)]),
        "guard",
        0x10,
        true,
        "X",
    );
    let os = os.number(&format!(r"{SERVICES}\guard"), "LaunchProtected", 3);
    assert_eq!(seen(&collected(os)), [(Maker::Microsoft, Some(false)), (Maker::Kaspersky, Some(true))]);
}
