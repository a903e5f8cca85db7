//! The installer for Windows and the folder of a USB stick, under Wine: signed, silent, replaced in place, removed.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use harness::checkout;
use harness::process::{answer, answer_to, command};
use harness::wait;
use harness::windows::{self, Machine};

use super::books::Kind;
use super::world::World;

/// A certificate as an operator would have one, for this test alone.
struct Signer {
    certificate: PathBuf,
    key: PathBuf,
}

impl Signer {
    fn new(folder: &Path) -> anyhow::Result<Self> {
        let (certificate, key) = (folder.join("signer.pem"), folder.join("signer.key"));
        let mut request = command("openssl");
        request.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=Tram An test"]);
        request.args(["-addext", "extendedKeyUsage=codeSigning", "-addext", "keyUsage=digitalSignature"]);
        request.arg("-keyout").arg(&key).arg("-out").arg(&certificate);
        let made = answer(&mut request)?;
        ensure!(made.code == Some(0), "{made:?}");
        Ok(Self { certificate, key })
    }

    fn has_signed(&self, file: &Path) -> anyhow::Result<bool> {
        let mut verify = command("osslsigncode");
        verify.args(["verify", "-CAfile"]).arg(&self.certificate).arg("-in").arg(file);
        Ok(answer(&mut verify)?.code == Some(0))
    }
}

/// Packs a program; the program and its installer.
fn packed(architecture: &str, program: &Path, signer: Option<&Signer>, folder: &Path) -> anyhow::Result<[PathBuf; 2]> {
    let mut package = command(checkout::root()?.join("agent/packaging/windows/package"));
    package.arg(architecture).arg(program).arg(folder);
    if let Some(signer) = signer {
        package.env("TRAM_AN_SIGN_CERTIFICATE", &signer.certificate).env("TRAM_AN_SIGN_KEY", &signer.key);
    }
    let packed = answer(&mut package)?;
    ensure!(packed.code == Some(0), "{packed:?}");
    let files: Vec<PathBuf> = packed.out.lines().map(PathBuf::from).collect();
    files.try_into().map_err(|files| anyhow::anyhow!("not a program and an installer: {files:?}"))
}

/// The rows of a table of an installer.
fn table(installer: &Path, name: &str) -> anyhow::Result<Vec<Vec<String>>> {
    let mut export = command("msiinfo");
    export.arg("export").arg(installer).arg(name);
    let exported = answer(&mut export)?;
    ensure!(exported.code == Some(0), "{exported:?}");
    // Before the rows: the columns, their types, the table's name.
    Ok(exported.out.lines().skip(3).map(|row| row.split('\t').map(str::to_owned).collect()).collect())
}

/// What an upgrade rests on, read from the tables: nobody here can watch a real Windows do it.
#[test]
fn the_installers_tables_say_how_an_upgrade_goes() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let program = folder.path().join("any.exe");
    std::fs::write(&program, "MZ")?;
    // What the former version holds, too: what both hold is kept when the former one is removed.
    let kept = [
        ("x86_64", "{0B0E1E64-35A8-4B9C-9E6C-8F0D8C7A2A10}", "{7E4C3B0A-6B7D-4E0B-8E0E-5F6E2B7D9C31}"),
        ("i686", "{4F1B7C92-8E3D-4D27-A6F0-91C5E2D83B60}", "{D0D8A5B1-2A0E-4F6B-9C55-3B3C0A1E7F42}"),
    ];
    for (architecture, component, upgrades) in kept {
        let [_, installer] = packed(architecture, &program, None, folder.path())?;
        let value = |name: &str, key: &str, column: usize| -> anyhow::Result<String> {
            let rows = table(&installer, name)?;
            let row = rows.iter().find(|row| row[0] == key).with_context(|| format!("{name} has no {key}"))?;
            Ok(row[column].clone())
        };
        // Started and stopped when installed, stopped and deleted when removed; each time Windows waits until it is done.
        assert_eq!(table(&installer, "ServiceControl")?, [["Service", "TramAn", "163", "", "1", "Program"]]);
        let order = [
            "InstallInitialize",
            "ProcessComponents",
            "StopServices",
            "DeleteServices",
            "RemoveFiles",
            "InstallFiles",
            "InstallServices",
            "StartServices",
            "InstallFinalize",
            "RemoveExistingProducts",
        ];
        let places = order.iter().map(|action| Ok(value("InstallExecuteSequence", action, 2)?.parse()?));
        let places: Vec<u32> = places.collect::<anyhow::Result<_>>()?;
        assert!(places.is_sorted_by(|one, next| one < next), "{order:?} {places:?}");
        assert_eq!(value("Component", "Program", 1)?, component);
        assert_eq!(value("Property", "UpgradeCode", 1)?, upgrades);
        // A program with a version is only replaced by one that states a version as well.
        assert_eq!(value("File", "Program", 4)?, format!("{}.0", env!("CARGO_PKG_VERSION")));
        assert_eq!(value("Property", "REINSTALLMODE", 1)?, "amus");
        // A file in use asks for a restart and starts none.
        assert_eq!(value("Property", "REBOOT", 1)?, "ReallySuppress");
    }
    Ok(())
}

#[test]
fn the_windows_installer_is_silent_keeps_the_identity_and_leaves_nothing() -> anyhow::Result<()> {
    let world = World::new(Kind::Sqlite)?;
    let _server = world.serve()?;
    let machine = Machine::start(&world.path("windows"))?;
    let folder = world.path("packages");
    std::fs::create_dir_all(&folder)?;
    let signer = Signer::new(&folder)?;
    let [program, installer] = packed("x86_64", &machine.windows.program, Some(&signer), &folder)?;
    assert!(signer.has_signed(&program)? && signer.has_signed(&installer)?);
    assert!(!signer.has_signed(&machine.windows.program)?, "the check says yes to anything");

    let enrolment = world.enrolment(2)?;
    let package = windows::path(&installer)?;
    let given = [
        format!("SERVER={}", enrolment.server),
        format!("TOKEN={}", enrolment.token),
        format!("FINGERPRINT={}", enrolment.fingerprint),
    ];
    let mut install = vec!["msiexec", "/i", &package, "/qn"];
    install.extend(given.iter().map(String::as_str));
    let installed = machine.wine(&install)?;
    ensure!(installed.code == Some(0), "{installed:?}");
    let reports = world.reports_beyond(0).with_context(|| machine.log())?;
    let token = machine.wine(&["reg", "query", r"HKLM\SOFTWARE\TramAn", "/v", "Token"])?;
    assert_ne!(token.code, Some(0), "the token is still there");
    // Whoever sits there sees the result without any rights, once there is one.
    wait::until("the result for all to read", wait::PATIENCE, || {
        let shown = machine.wine(&[r"C:\Program Files\TramAn\posture-agent.exe", "status", "--text"])?;
        Ok((shown.code == Some(0) && shown.out.contains("Kết quả:")).then_some(()))
    })
    .with_context(|| machine.log())?;

    let identity = machine.identity()?;
    let replaced = machine.wine(&["msiexec", "/i", &package, "/qn"])?;
    ensure!(replaced.code == Some(0), "{replaced:?}");
    world.reports_beyond(reports).with_context(|| machine.log())?;
    assert_eq!(machine.identity()?, identity, "an upgrade made another machine of it");

    let removed = machine.wine(&["msiexec", "/x", &package, "/qn"])?;
    ensure!(removed.code == Some(0), "{removed:?}");
    wait::until("the server hears of it", wait::PATIENCE, || {
        let told = world.books.count("select count(*) from agent_event where kind = 'uninstalled'")?;
        Ok((told > 0).then_some(()))
    })?;
    assert!(machine.state_of_service().is_err(), "the service is still there");
    for left in ["ProgramData/TramAn", "Program Files/TramAn"] {
        assert!(!machine.drive(left).exists(), "{left} is left");
    }
    assert_ne!(machine.wine(&["reg", "query", r"HKLM\SOFTWARE\TramAn"])?.code, Some(0));
    world.assert_whole()
}

#[test]
fn a_windows_machine_is_set_up_from_a_stick_by_typing_room_and_person() -> anyhow::Result<()> {
    let world = World::new(Kind::Sqlite)?;
    let _server = world.serve()?;
    let machine = Machine::start(&world.path("windows"))?;
    let enrolment = world.enrolment(2)?;
    // As the enrolment page packs it; a test of the server unpacks that.
    let stick = world.path("stick");
    std::fs::create_dir_all(&stick)?;
    let setup = stick.join("Cài đặt.exe");
    std::fs::copy(&machine.windows.program, &setup)?;
    let connection = serde_json::json!({
        "server": enrolment.server, "token": enrolment.token, "fingerprint": enrolment.fingerprint, "office": "UBND xã Thử",
    });
    std::fs::write(stick.join("ket-noi.json"), connection.to_string())?;
    std::fs::write(stick.join("typed"), "Văn phòng, Nguyễn Văn A\r\n")?;

    let mut start = machine.windows.wine(&[setup.to_str().context("UTF-8")?]);
    let done = answer_to(std::fs::File::open(stick.join("typed"))?, &mut start)?;
    assert_eq!(done.code, Some(0), "{done:?} {}", machine.log());
    assert!(done.out.contains("UBND xã Thử") && done.out.contains("Đã kết nối"), "{done:?}");
    let said = world.books.count("select count(*) from machine where place = 'Văn phòng, Nguyễn Văn A'")?;
    assert_eq!(said, 1, "room and person did not arrive");
    world.reports_beyond(0).with_context(|| machine.log())?;
    world.assert_whole()
}
