//! The program as an administrator sees it: the built binary, its commands, its refusals and its exit status.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

#[path = "commands/hold.rs"]
mod hold;
#[path = "commands/log.rs"]
mod log;

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

/// A data folder in a fresh place, and the program that works on it.
struct TestServer {
    place: tempfile::TempDir,
}

impl TestServer {
    fn new() -> Self {
        Self { place: tempfile::tempdir().unwrap() }
    }

    fn made() -> Self {
        let test_server = Self::new();
        test_server.json(&["init", "--host", "127.0.0.1"]);
        test_server
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    fn data(&self) -> PathBuf {
        self.path("data")
    }

    fn command(&self, words: &[&str]) -> Command {
        #[expect(clippy::disallowed_methods, reason = "the test starts the program under test")]
        let mut command = Command::new(env!("CARGO_BIN_EXE_posture-server"));
        command.args(words).env_remove("TRAM_AN_LANG").env("TRAM_AN_DATA", self.data()).stdin(Stdio::null());
        command
    }

    fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    fn json(&self, words: &[&str]) -> Value {
        let output = self.command(words).arg("--json").output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Runs a command that must fail with status 2 and report the result of each part in JSON.
    fn json_refused(&self, words: &[&str]) -> Value {
        let output = self.command(words).arg("--json").output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Runs a command that must fail with status 2; returns its message.
    fn refused(&self, words: &[&str]) -> String {
        let output = self.run(words);
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        assert!(output.stdout.is_empty(), "{words:?}: {}", String::from_utf8_lossy(&output.stdout));
        String::from_utf8(output.stderr).unwrap()
    }

    fn office(&self) -> String {
        self.json(&["office", "add", "UBND xã An Bình"])["id"].as_str().unwrap().to_owned()
    }

    /// Starts `run` and waits until it is ready; returns what it prints then.
    fn start(&self) -> (Child, Value) {
        let mut command = self.command(&["run", "--listen", "127.0.0.1:0", "--ready-json"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        (child, serde_json::from_str(&line).unwrap())
    }
}

fn policies() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies");
    ["level-2.toml", "level-2-controls.toml"].map(|name| folder.join(name).to_str().unwrap().to_owned()).to_vec()
}

#[test]
fn init_makes_a_server_once_and_keeps_its_keys_to_itself() {
    let test_server = TestServer::new();
    let made = test_server.json(&["init", "--host", "127.0.0.1", "--host", "tram-an.example"]);
    let fingerprint = made["fingerprint"].as_str().unwrap();
    assert!(fingerprint.len() == 64 && fingerprint.chars().all(|digit| digit.is_ascii_hexdigit()));
    for folder in ["", "secrets", "policy-signing", "offline"] {
        let mode = fs::metadata(test_server.data().join(folder)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o700, "{folder:?}");
    }
    for key in ["secrets/server-ca.key", "policy-signing/policy.key", "offline/server-ca-standby.key"] {
        let mode = fs::metadata(test_server.data().join(key)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{key}");
    }
    let configuration = fs::read_to_string(test_server.data().join("server.toml")).unwrap();
    assert!(configuration.contains("tram-an.example") && !configuration.contains("PRIVATE"));

    assert!(test_server.refused(&["init"]).contains("Đã có máy chủ"));
    assert!(test_server.refused(&["init", "--lang", "en"]).contains("There is a server"));
    let elsewhere = TestServer::new();
    fs::create_dir(elsewhere.data()).unwrap();
    fs::write(elsewhere.data().join("diary.txt"), "mine").unwrap();
    assert!(elsewhere.refused(&["init", "--lang", "en"]).contains("not empty"));
    assert_eq!(fs::read_to_string(elsewhere.data().join("diary.txt")).unwrap(), "mine");
    assert!(TestServer::new().refused(&["init", "--host", "not a name", "--lang", "en"]).contains("not a name"));
    assert!(TestServer::new().refused(&["office", "list", "--lang", "en"]).contains("init"));
}

#[test]
fn an_invitation_holds_what_a_machine_needs_and_is_its_owners_alone() {
    let test_server = TestServer::made();
    let office = test_server.office();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let key = test_server.data().join("secrets/sealing.key");
    assert_eq!(mode(&key), 0o600);
    // A data folder from before there were such files.
    fs::remove_file(&key).unwrap();
    let file = test_server.path("invitation");
    let add = ["token", "add", &office, "--uses", "3", "--file", file.to_str().unwrap()];
    let made = test_server.json(&add);
    assert_eq!((mode(&key), mode(&file)), (0o600, 0o600));
    let invitation = protocol::unconnected::Invitation::read(&fs::read(&file).unwrap()).unwrap();
    assert_eq!((invitation.office.as_str(), &made["token"]), ("UBND xã An Bình", &invitation.token.as_str().into()));
    let kept = fs::read(&key).unwrap();
    assert!(test_server.refused(&add).contains("Đã có"), "an invitation is never written over another file");
    let nowhere = test_server.path("nowhere/invitation");
    test_server.refused(&["token", "add", &office, "--file", nowhere.to_str().unwrap()]);
    let tokens = test_server.json(&["token", "list", &office]);
    let revoked: Vec<bool> = tokens.as_array().unwrap().iter().map(|token| token["revoked_at"].is_i64()).collect();
    assert_eq!(
        revoked.iter().filter(|revoked| **revoked).count(),
        1,
        "a token nobody was told of is worth nothing: {tokens}"
    );
    assert_eq!(fs::read(&key).unwrap(), kept, "the key is made once");
    let refused = test_server.json_refused(&[
        "import",
        file.to_str().unwrap(),
        "--answer",
        test_server.path("answer").to_str().unwrap(),
    ]);
    assert_eq!(refused[0]["result"], "refused");
    let several = ["import", "a", "b", "--answer", "c", "--lang", "en"];
    assert!(test_server.refused(&several).contains("must be a folder"));
}

#[test]
fn run_answers_until_it_is_asked_to_end_and_refuses_keys_open_to_others() {
    let test_server = TestServer::made();
    let (child, ready) = test_server.start();
    let address: std::net::SocketAddr = ready["address"].as_str().unwrap().parse().unwrap();
    std::net::TcpStream::connect(address).unwrap();
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(0), "{}", String::from_utf8_lossy(&ended.stderr));
    let log = String::from_utf8(ended.stderr).unwrap();
    assert!(log.contains("standby keys are still on this computer") && log.contains("has ended"), "{log}");
    assert!(!log.contains("PRIVATE KEY"));

    // The running server never reads the keys that are to be taken away.
    fs::remove_dir_all(test_server.data().join("offline")).unwrap();
    fs::remove_dir_all(test_server.data().join("policy-signing")).unwrap();
    let (child, again) = test_server.start();
    assert_eq!(again["fingerprint"], ready["fingerprint"]);
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::INT).unwrap();
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(0));

    let key = test_server.data().join("secrets/receipt.key");
    fs::set_permissions(&key, Permissions::from_mode(0o644)).unwrap();
    let said = test_server.refused(&["run", "--listen", "127.0.0.1:0"]);
    assert!(said.contains("chmod 600") && said.contains("receipt.key"), "{said}");
    fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
    fs::write(&key, "nonsense").unwrap();
    assert!(test_server.refused(&["run", "--lang", "en"]).contains("receipt.key"));
}

#[test]
fn a_first_password_is_seen_by_one_person_alone() {
    let test_server = TestServer::made();
    let file = test_server.path("password");
    let add = ["person", "add", "lan", "--name", "Nguyễn Thị Lan", "--password-file", file.to_str().unwrap()];
    assert!(
        test_server.refused(&["person", "add", "lan", "--name", "Lan", "--lang", "en"]).contains("--password-file"),
        "without a terminal and without a file nobody would ever see the password",
    );
    let shown = test_server.json(&add);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let secret = fs::read_to_string(&file).unwrap().trim().to_owned();
    assert!(secret.len() >= 20);
    assert!(!shown.to_string().contains(&secret) && !shown.to_string().contains("argon2"));
    assert!(!test_server.json(&["person", "list"]).to_string().contains("argon2"));
    assert!(test_server.refused(&add).contains("đã có"), "the file is not overwritten");
    let other = test_server.path("other");
    let again = ["person", "add", "lan", "--name", "Lan", "--password-file", other.to_str().unwrap(), "--lang", "en"];
    assert!(test_server.refused(&again).contains("taken"));
    assert!(!other.exists());
    test_server.json(&["person", "password", "lan", "--password-file", other.to_str().unwrap()]);
    assert_ne!(fs::read_to_string(other).unwrap().trim(), secret);
    assert!(
        !fs::read(test_server.data().join("tram-an.db"))
            .unwrap()
            .windows(secret.len())
            .any(|part| part == secret.as_bytes())
    );
    assert_eq!(test_server.json(&["audit", "verify"])["entries"], 2);
}

#[test]
fn offices_rosters_and_tokens() {
    let test_server = TestServer::made();
    let office = test_server.office();
    let below = test_server.json(&["office", "add", "Phòng Văn hoá", "--kind", "department", "--parent", &office]);
    assert_eq!(below["parent"], Value::String(office.clone()));
    assert_eq!(test_server.json(&["office", "list"]).as_array().unwrap().len(), 2);
    assert!(test_server.refused(&["office", "add", "X", "--parent", "nobody"]).contains("Không có cơ quan"));

    let list = test_server.path("roster.csv");
    fs::write(&list, "label;room\nPC-01;Một cửa\nPC-02;\n").unwrap();
    test_server.json(&["office", "roster", "import", &office, list.to_str().unwrap()]);
    fs::write(&list, "label,role\nPC-03,\nPC-04,toaster\n").unwrap();
    let said = test_server.refused(&["office", "roster", "import", &office, list.to_str().unwrap(), "--lang", "en"]);
    assert!(said.contains("Line 3") && said.contains("toaster"), "{said}");
    assert_eq!(test_server.json(&["office", "roster", "list", &office]).as_array().unwrap().len(), 2, "all or none");
    test_server.json(&["office", "roster", "declare", &office, "--secret-machines", "1"]);
    assert!(
        test_server
            .refused(&["office", "roster", "declare", below["id"].as_str().unwrap()])
            .contains("chưa có máy nào")
    );

    let made = test_server.json(&["token", "add", &office, "--uses", "3"]);
    let token = made["token"].as_str().unwrap();
    assert_eq!(token.replace('-', "").len(), 26);
    let listed = test_server.json(&["token", "list", &office]);
    assert_eq!(listed[0]["uses_left"], 3);
    assert!(!listed.to_string().contains(token) && listed[0].get("hash").is_none());
    assert_eq!(test_server.json(&["token", "revoke", made["id"].as_str().unwrap()]), Value::Array(Vec::new()));
    assert!(test_server.refused(&["token", "revoke", "nothing"]).contains("mã đăng ký"));
    assert!(test_server.refused(&["machine", "confirm", "nobody", "--lang", "en"]).contains("no machine"));
    assert_eq!(test_server.json(&["machine", "list", &office]), Value::Array(Vec::new()));
}

#[test]
fn an_office_says_which_gateways_and_dns_servers_it_approves() {
    let test_server = TestServer::made();
    let office = test_server.office();
    let lan = |words: &[&'static str]| [&["office", "lan", office.as_str()], words].concat();
    assert_eq!(test_server.json(&lan(&[]))["lists"][0]["approved"], Value::Array(Vec::new()));
    let added = [
        "--add-gateway",
        "192.168.1.1",
        "--add-dns",
        "203.113.131.1",
        "--add-dns",
        "10.0.0.0/24",
        "--document",
        "12/QĐ-UBND",
    ];
    let page = test_server.json(&lan(&added));
    assert_eq!(page["lists"][1]["approved"].as_array().unwrap().len(), 2);
    assert_eq!(page["lists"][0]["approved"][0]["document"], "12/QĐ-UBND");
    for (words, why) in [
        (["--add-dns", "203.113.131.1"], "is on the list already"),
        (["--add-dns", "dns.example"], "neither an IP address nor a range"),
        (["--add-dns", "0.0.0.0/0"], "too wide"),
        (["--remove-gateway", "10.9.9.9"], "not on this office's own list"),
        (["--document", "13/QĐ-UBND"], "No address is given"),
    ] {
        let said = test_server.refused(&[lan(&words), vec!["--lang", "en"]].concat());
        assert!(said.contains(why), "{words:?}: {said}");
    }
    assert!(test_server.refused(&lan(&["--add-dns", "x"])).contains("không phải địa chỉ IP"));
    let below = test_server.json(&["office", "add", "Phòng Văn hoá", "--kind", "department", "--parent", &office]);
    let said = test_server.run(&["office", "lan", below["id"].as_str().unwrap()]);
    let said = String::from_utf8(said.stdout).unwrap();
    assert!(said.contains("Cổng mặc định được duyệt (theo cấp trên)") && said.contains("203.113.131.1"), "{said}");
    test_server.json(&lan(&["--remove-gateway", "192.168.1.1"]));
    let said = String::from_utf8(test_server.run(&lan(&[])).stdout).unwrap();
    assert!(said.contains("Cổng mặc định được duyệt: chưa có; duyệt bằng --add-gateway"), "{said}");
}

#[test]
fn a_roster_holds_every_machine_once() {
    let test_server = TestServer::made();
    let office = test_server.office();
    let words = |line: &[&'static str]| [&["office", "roster", line[0], office.as_str()], &line[1..]].concat();
    let json = |line: &[&'static str]| test_server.json(&words(line));
    let refused = |line: &[&'static str]| test_server.refused(&words(line));

    let file = test_server.path("roster.csv");
    let import = ["office", "roster", "import", office.as_str(), file.to_str().unwrap()];
    fs::write(&file, "Tên máy;Phòng;Số sê-ri;Địa chỉ MAC\nPC-01;Một cửa;7XK2Q63;00-1A-2B-3C-4D-5E\nPC-02;;Default string;\nPC-03;;Default string;\n").unwrap();
    assert_eq!(test_server.json(&import).as_array().unwrap().len(), 3);
    assert_eq!(test_server.json(&import), Value::Array(Vec::new()), "the same file again adds nothing");
    let listed = json(&["list"]);
    assert_eq!(
        (listed[0]["serial"].as_str(), listed[0]["mac"].as_str(), listed[1]["serial"].as_str()),
        (Some("7XK2Q63"), Some("00:1a:2b:3c:4d:5e"), Some(""))
    );
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["proposals"]), (3, &Value::Array(Vec::new())));
    let said = String::from_utf8(test_server.run(&import).stdout).unwrap();
    assert!(said.contains("đã có sẵn trong danh mục: 3"), "{said}");
    for (text, why) in [
        ("label\nPC-08\nPC-09\npc-08\n", "Trùng"),
        ("label;serial\nPC-08;7xk2q63\n", "PC-01"),
        ("label;room\nPC-01;Kho\n", "khác"),
        ("label;mac\nPC-08;x\n", "MAC"),
    ] {
        fs::write(&file, text).unwrap();
        let said = test_server.refused(&import);
        assert!(said.contains(why), "{said}");
    }
    assert!(refused(&["add", "pc 01"]).contains("đã có máy"));
    assert!(refused(&["link", "PC-01", "nobody", "--lang", "en"]).contains("no machine"));
    assert!(refused(&["link", "PC-77", "nobody", "--lang", "en"]).contains("PC-77"));
    assert!(refused(&["unlink", "PC-01", "--lang", "en"]).contains("no machine"));
    json(&["remove", "PC-03"]);
    assert_eq!(json(&["list"]).as_array().unwrap().len(), 2);
    json(&["add", "PC-03"]);
    assert!(test_server.json(&["audit", "verify"])["entries"].as_i64().unwrap() > 5);
}

/// A day as it is typed, this many days from today.
fn day_after(days: i64) -> String {
    #[expect(clippy::disallowed_methods, reason = "the program under test goes by this clock")]
    let today = jiff::Zoned::now().date();
    (today + jiff::Span::new().days(days)).to_string()
}

#[test]
fn what_was_said_of_offices_machines_and_people_may_change() {
    let test_server = TestServer::made();
    let office = test_server.office();
    let below =
        test_server.json(&["office", "add", "Phòng Văn hoá", "--parent", &office])["id"].as_str().unwrap().to_owned();
    assert_eq!(
        test_server.json(&["office", "rename", &below, "Phòng Văn hoá - Xã hội"])["name"],
        "Phòng Văn hoá - Xã hội"
    );
    assert!(test_server.refused(&["office", "rename", "nobody", "X"]).contains("Không có cơ quan"));
    assert!(test_server.refused(&["office", "rename", &below, " ", "--lang", "en"]).contains("must not be empty"));

    let set = test_server.json(&["office", "setup", &office, "--over"]);
    assert_eq!(set.as_array().unwrap().len(), 2, "one day for all below: {set}");
    let day = day_after(20);
    assert!(test_server.json(&["office", "setup", &office, "--until", &day])[0]["setup_until_at"].is_i64());
    assert!(test_server.refused(&["office", "setup", &office, "--until", "2020-01-01"]).contains("đã qua"));
    assert!(
        test_server.refused(&["office", "setup", &office, "--until", "31/12/2026"]).contains("không phải một ngày")
    );
    let said = String::from_utf8(test_server.run(&["office", "setup", &office, "--by-policy"]).stdout).unwrap();
    assert!(said.contains("UBND xã An Bình"), "{said}");
    test_server.refused(&["office", "setup", &office]);
    test_server.refused(&["office", "setup", &office, "--over", "--by-policy"]);

    test_server.json(&["office", "roster", "add", &office, "PC-01"]);
    let state = ["office", "roster", "state", &office, "PC-01"];
    assert!(
        test_server
            .refused(&[&state[..], &["in_repair", "--until", &day]].concat())
            .contains("posture-server policy publish")
    );
    let (files, bundle) = (policies(), test_server.path("bundle.json"));
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    test_server.json(&[&["policy", "sign"], files.as_slice(), &["--out", bundle.to_str().unwrap()]].concat());
    test_server.json(&["policy", "publish", bundle.to_str().unwrap()]);
    assert_eq!(test_server.json(&[&state[..], &["in_repair", "--until", &day]].concat())["state"], "in_repair");
    let listed = String::from_utf8(test_server.run(&["office", "roster", "list", &office]).stdout).unwrap();
    assert!(listed.contains("đang sửa chữa (đến "), "{listed}");
    assert!(test_server.refused(&[&state[..], &["in_repair"]].concat()).contains("--until"));
    let late = day_after(62);
    assert!(test_server.refused(&[&state[..], &["in_store", "--until", &late]].concat()).contains("60 ngày"));
    assert_eq!(test_server.json(&[&state[..], &["in_use"]].concat())["state_until_at"], Value::Null);
    test_server.refused(&[&state[..], &["lost"]].concat());

    for words in [&["role", "nobody", "server"][..], &["move", "nobody", &below], &["settle", "nobody"]] {
        assert!(test_server.refused(&[&["machine"], words].concat()).contains("Không có máy"), "{words:?}");
    }

    let file = test_server.path("password");
    test_server.json(&["person", "add", "lan", "--name", "Lan", "--password-file", file.to_str().unwrap()]);
    assert!(test_server.json(&["person", "close", "lan"])["closed_at"].is_i64());
    assert!(test_server.json(&["person", "list"])[0]["closed_at"].is_i64());
    let again = ["person", "password", "lan", "--password-file", "/nowhere/else", "--lang", "en"];
    assert!(test_server.refused(&again).contains("is closed"));
    assert!(test_server.refused(&["person", "close", "minh"]).contains("posture-server person list"));
    assert!(test_server.json(&["audit", "verify"])["entries"].as_i64().unwrap() > 9);
}

#[test]
fn exceptions_that_cannot_be_are_refused_before_anybody_reads_them() {
    let test_server = TestServer::made();
    let office = test_server.office();
    assert_eq!(test_server.json(&["waiver", "list", &office]), Value::Array(Vec::new()));
    assert!(test_server.refused(&["waiver", "list", "nowhere"]).contains("Không có cơ quan"));
    let ask = ["waiver", "ask", "nobody", "firewall-active", "--reason", "Chờ thay máy", "--until"];
    for day in ["2026-02-30", "31/12/2026", ""] {
        let said = test_server.refused(&[ask.as_slice(), &[day]].concat());
        assert!(said.contains("không phải một ngày") && said.contains("2026-12-31"), "{said}");
    }
    assert!(test_server.refused(&[ask.as_slice(), &["2026-12-31"]].concat()).contains("Không có máy"));
    test_server.refused(&["waiver", "ask", "nobody", "firewall-active", "--until", "2026-12-31"]);
    for verb in [&["grant", "nothing"][..], &["withdraw", "nothing"], &["refuse", "nothing", "--reason", "không"]] {
        assert!(test_server.refused(&[&["waiver"], verb].concat()).contains("Không có ngoại lệ"), "{verb:?}");
        let said = test_server.refused(&[&["waiver"], verb, &["--lang", "en"]].concat());
        assert!(said.contains("no waiver \"nothing\""), "{said}");
    }
    assert_eq!(test_server.json(&["audit", "verify"])["entries"], 1, "nothing was done");
}

#[test]
fn policies_are_checked_signed_apart_and_published_forwards() {
    let test_server = TestServer::made();
    let files = policies();
    let names: Vec<&str> = files.iter().map(String::as_str).collect();
    assert_eq!(
        test_server.json(&[&["policy", "check"], names.as_slice()].concat())["errors"],
        Value::Array(Vec::new())
    );

    let wrong = test_server.path("wrong.toml");
    fs::write(&wrong, "format = 1\nfor = \"workstation\"\ncolour = \"red\"\n").unwrap();
    let output = test_server.run(&["policy", "check", wrong.to_str().unwrap(), "--lang", "en"]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains(&format!("{}:3:1", wrong.display())), "{said}");

    let bundle = test_server.path("bundle.json");
    let out = bundle.to_str().unwrap();
    let sign = |version: &str| {
        let words = [&["policy", "sign"], names.as_slice(), &["--bundle-version", version, "--out", out]].concat();
        test_server.json(&words)
    };
    let signed = sign("2");
    assert_eq!(signed["version"], 2);
    assert_eq!(test_server.json(&["policy", "publish", out])["address"], signed["address"]);
    sign("1");
    assert!(test_server.refused(&["policy", "publish", out, "--lang", "en"]).contains("not newer"));
    assert!(test_server.refused(&["policy", "publish", names[0], "--lang", "en"]).contains("not a signed policy"));

    // On another computer: a key and the server's id are all it takes; another key is not trusted.
    let other = TestServer::made();
    let key = other.data().join("policy-signing/policy.key");
    let server = signed["server"].as_str().unwrap();
    let options = ["--key", key.to_str().unwrap(), "--server", server, "--bundle-version", "3", "--out", out];
    other.json(&[&["policy", "sign"], names.as_slice(), &options].concat());
    assert!(test_server.refused(&["policy", "publish", out, "--lang", "en"]).contains("not signed by a key"));
}

#[test]
fn a_wrong_command_line_is_status_2_and_help_is_0_in_both_languages() {
    let test_server = TestServer::new();
    test_server.refused(&["dance"]);
    test_server.refused(&["token", "add", "x", "--uses", "0"]);
    for (language, word) in [("vi", "Máy chủ Trạm An"), ("en", "The Trạm An server")] {
        let output = test_server.run(&["--lang", language, "--help"]);
        assert_eq!(output.status.code(), Some(0));
        assert!(String::from_utf8(output.stdout).unwrap().contains(word));
    }
}
