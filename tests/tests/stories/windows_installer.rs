//! The installer for Windows and the folder of a USB stick, under Wine: signed, silent, replaced in place, removed.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use harness::checkout;
use harness::process::{answer, answer_to, command};
use harness::wait;
use harness::windows::{self, Machine};

use super::books::Kind;
use super::world::World;

/// A certificate as an operator would have one, for this test only.
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

/// Changes an installer's tables.
fn change(installer: &Path, statements: &[&str]) -> anyhow::Result<()> {
    for statement in statements {
        let mut query = command("msibuild");
        query.arg(installer).args(["-q", statement]);
        let changed = answer(&mut query)?;
        ensure!(changed.code == Some(0), "{statement}: {changed:?}");
    }
    Ok(())
}

/// What an upgrade depends on, read from the tables: a real Windows is not available here.
#[test]
fn the_installers_tables_say_how_an_upgrade_goes() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let program = folder.path().join("any.exe");
    std::fs::write(&program, "MZ")?;
    // Including what the former version has: what both have is kept when the former one is removed.
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

/// The program as if it were version 0.1.9: Windows reads it after this mark (`VS_FIXEDFILEINFO`).
fn aged(program: &Path) -> anyhow::Result<Vec<u8>> {
    let mut bytes = std::fs::read(program)?;
    let mark = 0xfeef_04bd_u32.to_le_bytes();
    // The resources come last; the number is also in the code that reads other programs' versions.
    let at = bytes.windows(4).rposition(|window| window == mark).context("the program states no version")?;
    for (offset, part) in [(8, 1_u32), (12, 9 << 16), (16, 1), (20, 9 << 16)] {
        bytes[at + offset..at + offset + 4].copy_from_slice(&part.to_le_bytes());
    }
    Ok(bytes)
}

/// Stops the service and waits until it has stopped, as Windows does in `StopServices`; Wine's installer asks it to stop and continues.
fn service_stopped(machine: &Machine) -> anyhow::Result<()> {
    let asked = machine.wine(&["sc", "stop", "TramAn"])?;
    wait::until("the service stops", wait::PATIENCE, || Ok((machine.state_of_service()? == "STOPPED").then_some(())))
        .with_context(|| format!("{asked:?} {}", machine.log()))
}

/// A machine is upgraded from an installer like that of 0.1, while nobody answers the service's last message. That the installer waits for
/// the stop is the one thing that Wine's does not do (the table's `Wait`): it is waited for here, as Windows would in `StopServices`.
#[test]
fn an_upgrade_by_the_windows_installer_ends_well_though_the_service_stops_slowly() -> anyhow::Result<()> {
    let world = World::new(Kind::Sqlite)?;
    let server = world.serve()?;
    let machine = Machine::start(&world.path("windows"))?;
    let folder = world.path("packages");
    std::fs::create_dir_all(folder.join("former"))?;
    let former = folder.join("former.exe");
    std::fs::write(&former, aged(&machine.windows.program)?)?;
    let [_, old] = packed("x86_64", &former, None, &folder.join("former"))?;
    change(
        &old,
        &[
            "UPDATE `Property` SET `Value`='0.1.9' WHERE `Property`='ProductVersion'",
            "UPDATE `ServiceControl` SET `Wait`=0",
            "UPDATE `InstallExecuteSequence` SET `Sequence`=1501 WHERE `Action`='RemoveExistingProducts'",
            // Wine does not inform the former version that another replaces it (UPGRADINGPRODUCTCODE), and it would leave for good.
            "DELETE FROM `InstallExecuteSequence` WHERE `Action`='Leave'",
            "DELETE FROM `Property` WHERE `Property`='REBOOT'",
            "DELETE FROM `Property` WHERE `Property`='REINSTALLMODE'",
        ],
    )?;
    let [_, new] = packed("x86_64", &machine.windows.program, None, &folder)?;
    let enrolment = world.enrolment(1)?;
    let given = [
        format!("SERVER={}", enrolment.server),
        format!("TOKEN={}", enrolment.token),
        format!("FINGERPRINT={}", enrolment.fingerprint),
    ];
    let old = windows::path(&old)?;
    let mut install = vec!["msiexec", "/i", &old, "/qn"];
    install.extend(given.iter().map(String::as_str));
    let installed = machine.wine(&install)?;
    ensure!(installed.code == Some(0), "{installed:?}");
    let reports = world.reports_beyond(0).with_context(|| machine.log())?;
    let identity = machine.identity()?;
    let installed_at = machine.drive("Program Files/TramAn/posture-agent.exe");
    assert_eq!(std::fs::read(&installed_at)?, std::fs::read(&former)?);
    let running = machine.windows.process("posture-agent.exe run")?;

    // It takes the service two seconds to give up on its last message.
    server.running.pause()?;
    let stopped = service_stopped(&machine);
    server.running.resume()?;
    stopped?;
    let upgraded = machine.wine(&["msiexec", "/i", &windows::path(&new)?, "/qn"])?;
    // 3010: done, and a restart removes what was in use; the shell sees its lower byte.
    ensure!(matches!(upgraded.code, Some(0 | 194)), "{upgraded:?} {}", machine.log());
    machine.service_runs("TramAn").with_context(|| machine.log())?;
    assert_eq!(
        std::fs::read(&installed_at)?,
        std::fs::read(&machine.windows.program)?,
        "the former program is still there"
    );
    assert_ne!(machine.windows.process("posture-agent.exe run")?, running, "the former program still runs");
    world.reports_beyond(reports).with_context(|| machine.log())?;
    assert_eq!(machine.identity()?, identity, "an upgrade made another machine of it");
    assert_eq!(world.books.count("select count(*) from agent_event where kind = 'uninstalled'")?, 0);

    // What is left of the former version does not keep the new one from being removed.
    let removed = machine.wine(&["msiexec", "/x", &windows::path(&new)?, "/qn"])?;
    ensure!(removed.code == Some(0), "{removed:?}");
    assert!(machine.state_of_service().is_err() && !installed_at.exists());
    world.assert_whole()
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
    // The person at the machine sees the result without any rights, once there is one.
    wait::until("the result for all to read", wait::PATIENCE, || {
        let shown = machine.wine(&[r"C:\Program Files\TramAn\posture-agent.exe", "status", "--text"])?;
        Ok((shown.code == Some(0) && shown.out.contains("Kết quả:")).then_some(()))
    })
    .with_context(|| machine.log())?;

    let identity = machine.identity()?;
    service_stopped(&machine)?;
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
