//! The built program as a service manager sees it: ready, alone on its state folder, stopping on request.

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use agent::identity::Identity;
use agent::identity::keys::MachineKey;
use agent::state::{Missing, StateFolder};
use data_encoding::BASE64;
use protocol::message::PolicyKey;

/// A state folder as enrolment leaves it, for a server that is unreachable.
fn enrolled(path: &Path) {
    let state = StateFolder::open(path, Missing::Create).expect("the state folder");
    let key = MachineKey::load_or_make(&state).expect("the key");
    let rustls::pki_types::PrivateKeyDer::Pkcs8(document) = key.for_tls() else { panic!("not PKCS #8") };
    let pair = rcgen::KeyPair::try_from(document.secret_pkcs8_der()).expect("the key pair");
    let certificate = rcgen::CertificateParams::default().self_signed(&pair).expect("the certificate");
    let (certificate, point) = (BASE64.encode(certificate.der()), BASE64.encode(key.signing().public_key()));
    let identity = Identity {
        // Port 9 (discard) on loopback: nothing listens there.
        address: "127.0.0.1:9".to_owned(),
        machine: "m".to_owned(),
        server: "s".to_owned(),
        client_chain: vec![],
        server_cas: vec![certificate.clone()],
        certificate,
        policy_keys: vec![PolicyKey { id: PolicyKey::id_of(key.signing().public_key()), public_key: point.clone() }],
        receipt_key: point,
        sealing_key: None,
    };
    identity.save(&state).expect("the identity");
}

fn program(arguments: &[&str], state: &Path) -> Command {
    #[expect(clippy::disallowed_methods, reason = "a test starts the program it is about")]
    let mut command = Command::new(env!("CARGO_BIN_EXE_posture-agent"));
    command.args(arguments).arg("--state").arg(state).env("TRAM_AN_LANG", "vi").stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Kills the program however the test ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It has usually ended already.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn heard(socket: &UnixDatagram) -> String {
    let mut buffer = [0; 64];
    let length = socket.recv(&mut buffer).expect("a word within 30 s");
    String::from_utf8_lossy(&buffer[..length]).into_owned()
}

#[test]
fn is_ready_then_alone_then_stops_when_told_to() {
    let folder = tempfile::tempdir().expect("a folder");
    let (state, socket_path) = (folder.path().join("state"), folder.path().join("notify"));
    enrolled(&state);
    let socket = UnixDatagram::bind(&socket_path).expect("a socket");
    socket.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
    let first = program(&["run"], &state).env("NOTIFY_SOCKET", &socket_path).spawn().expect("the program starts");
    let mut first = Running(first);
    assert_eq!(heard(&socket), "READY=1");

    for second in ["run", "once"] {
        let second = program(&[second], &state).output().expect("the program starts");
        let said = String::from_utf8_lossy(&second.stderr).into_owned();
        assert_eq!(second.status.code(), Some(2), "{said}");
        assert!(said.contains("đang dùng"), "{said}");
    }

    let pid = rustix::process::Pid::from_child(&first.0);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("the signal");
    assert_eq!(heard(&socket), "STOPPING=1");
    assert_eq!(first.0.wait().expect("the end").code(), Some(0));
}

#[test]
fn what_is_missing_or_damaged_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("state");
    let said = |arguments: &[&str]| {
        let output = program(arguments, &state).output().expect("the program starts");
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(said(&["run"]).contains("posture-agent enrol"));
    enrolled(&state);
    std::fs::write(state.join("agent.toml"), "[schedule]\nfull_check_minuts = 30\n").expect("a file");
    let error = said(&["run"]);
    assert!(error.contains("agent.toml") && error.contains("line 2") && error.contains("full_check_minuts"), "{error}");
    std::fs::remove_file(state.join("agent.toml")).expect("no file");
    std::fs::write(state.join("identity.json"), "{").expect("a file");
    assert!(said(&["once"]).contains("identity.json"));
}
