//! What identifies a machine, and what only seems to.

use policies::fact::Fact;

use super::*;
use crate::store::machine::Role;
use crate::store::test_database;

fn line(id: &str, label: &str, serial: &str) -> RosterLine {
    RosterLine { id: id.to_owned(), serial: serial_key(serial).unwrap_or_default(), ..test_database::line("o", label) }
}

fn known(id: &str, name: &str, serial: &str) -> Known {
    let machine = Machine {
        id: id.to_owned(),
        office: "o".to_owned(),
        role: Role::Workstation,
        status: MachineStatus::Confirmed,
        name: name.to_owned(),
        place: String::new(),
        traits: String::new(),
        token: None,
        enrolled_at: i64::try_from(id.len()).unwrap(),
        confirmed_at: None,
        confirmed_by: None,
        revoked_at: None,
        revoked_by: None,
        revoked_for: None,
        clone_at: None,
        clone_why: None,
        line: None,
    };
    let mut facts = Facts::default();
    facts.system.serial = Fact::Known(serial.to_owned());
    Known::new(machine, Some(&facts))
}

fn pairs(lines: &[RosterLine], machines: &[Known]) -> Vec<(String, String)> {
    certain(lines, machines).into_iter().map(|(line, known)| (line.id, known.machine.id.clone())).collect()
}

#[test]
fn fillers_are_no_serial_numbers() {
    for filler in [
        "",
        " ",
        "0",
        "00000000",
        "0000-0000-0000",
        "INVALID",
        "EMPTY",
        "1234567890",
        "123456789",
        "0123456789",
        "12345678901234567890",
        "0123456789ABCDEF",
        "To be filled by O.E.M.",
        "To Be Filled By O.E.M. 1",
        "Default string",
        "default string0",
        "None",
        "N/A",
        "NULL",
        "Not Specified",
        "Not Applicable",
        "System Serial Number",
        "System Serial Number 0",
        "Chassis Serial Number",
        "SerNum0",
        "xxxxxxxx",
        "11111111",
        "FFFFFFFF",
        "unknown",
        "OEM",
        "..",
        "-",
        "00000001",
        "12",
        "Không có",
    ] {
        assert_eq!(serial_key(filler), None, "{filler:?}");
    }
    for (serial, key) in [
        ("7XK2Q63", "7XK2Q63"),
        (" pf-3abc 12\r\n", "PF3ABC12"),
        ("5CD1234XYZ", "5CD1234XYZ"),
        ("VMware-56 4d 9f 1c", "VMWARE564D9F1C"),
        ("0012A45", "0012A45"),
    ] {
        assert_eq!(serial_key(serial).as_deref(), Some(key), "{serial:?}");
    }
}

#[test]
fn addresses_are_compared_in_one_form() {
    for written in ["00-1A-2B-3C-4D-5E", "00:1a:2b:3c:4d:5e", "001a.2b3c.4d5e", "001A2B3C4D5E"] {
        assert_eq!(mac_key(written).as_deref(), Some("00:1a:2b:3c:4d:5e"), "{written}");
    }
    for wrong in [
        "",
        "00:00:00:00:00:00",
        "ff:ff:ff:ff:ff:ff",
        "01:00:5e:00:00:01",
        "00:1a:2b:3c:4d",
        "00:1a:2b:3c:4d:5g",
        "10.0.0.1",
    ] {
        assert_eq!(mac_key(wrong), None, "{wrong}");
    }
}

#[test]
fn a_serial_number_ties_only_where_nobody_else_has_it() {
    let (one, other) = (line("l1", "TS-1", "7XK2Q63"), line("l2", "TS-2", "Default string"));
    let lines = [one.clone(), other.clone()];
    assert_eq!(pairs(&lines, &[known("m", "A", "7xk2q63 ")]), [("l1".to_owned(), "m".to_owned())]);
    assert!(pairs(&lines, &[known("m", "A", "Default string")]).is_empty());
    assert!(pairs(&lines, &[known("m", "A", "7XK2Q63"), known("mm", "B", "7XK2Q63")]).is_empty(), "two machines");
    let mut server = known("m", "A", "7XK2Q63");
    server.machine.role = Role::Server;
    assert!(pairs(&lines, &[server]).is_empty(), "another role");
    let mut revoked = known("m", "A", "7XK2Q63");
    revoked.machine.status = MachineStatus::Revoked;
    assert!(pairs(&lines, std::slice::from_ref(&revoked)).is_empty());
    assert!(pairs(&lines, &[known("m", "TS-1", "")]).is_empty(), "a name is a proposal alone");

    // Reinstalled: the last machine of the line, revoked by now, had this serial number.
    revoked.machine.line = Some("l2".to_owned());
    let unnumbered = [other, line("l3", "TS-3", "")];
    assert_eq!(pairs(&unnumbered, &[revoked, known("mm", "B", "7XK2Q63")]), [("l2".to_owned(), "mm".to_owned())]);
}

#[test]
fn a_person_is_shown_what_may_be_the_same_and_why() {
    let lines = [
        line("l1", "PC-01", "7XK2Q63"),
        line("l2", "5CD1234XYZ", ""),
        RosterLine { mac: "00:1a:2b:3c:4d:5e".to_owned(), ..line("l3", "TS-3", "") },
    ];
    let mut wired = known("m3", "DESKTOP-3", "");
    wired.macs = BTreeSet::from(["00:1a:2b:3c:4d:5e".to_owned()]);
    let machines =
        [known("m1", "pc-01", "9ZZ9Z99"), known("m2", "DESKTOP-2", "5cd1234xyz"), wired, known("m4", "PC 01", "")];
    let shown: Vec<(String, String, Vec<MatchReason>)> = propose(&lines, &machines)
        .into_iter()
        .map(|proposal| (proposal.line, proposal.machine, proposal.why))
        .collect();
    let expected = [("l1", "m4", MatchReason::Name), ("l2", "m2", MatchReason::Serial), ("l3", "m3", MatchReason::Mac)];
    let expected: Vec<(String, String, Vec<MatchReason>)> =
        expected.into_iter().map(|(line, machine, why)| (line.to_owned(), machine.to_owned(), vec![why])).collect();
    assert_eq!(shown, expected, "two serial numbers that differ are two machines, whatever they are called");

    let taken = [RosterLine { machine: Some("m".to_owned()), ..line("l1", "PC-01", "") }];
    let shown = propose(&taken, &[known("m", "PC-01", "7XK2Q63"), known("mm", "DESKTOP-9", "7XK2Q63")]);
    assert_eq!((shown.len(), shown[0].replaces.as_deref(), &shown[0].why), (1, Some("m"), &vec![MatchReason::Serial]));
    let before = [known("m", "DESKTOP-9", "7XK2Q63"), known("mm", "PC-77", "7XK2Q63")];
    let held = [RosterLine { machine: Some("mm".to_owned()), ..line("l1", "PC-01", "") }];
    assert!(propose(&held, &before).is_empty(), "who enrolled before is not the one that was reinstalled");
}
