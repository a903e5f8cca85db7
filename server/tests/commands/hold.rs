//! Legal holds as the administrator makes, lists and releases them.

use super::*;

#[test]
fn a_hold_is_made_listed_and_not_released_by_one_person() {
    let test_server = TestServer::made();
    let office = test_server.office();
    let paper = ["--paper", "15/CV-PA05", "--paper-date", "2026-11-20", "--issuer", "Công an tỉnh"];
    let add = |words: &[&'static str]| [&["hold", "add", "nobody", "--lang", "en"], words, &paper].concat();
    assert!(test_server.refused(&add(&["--from", "2026-10-01"])).contains("no machine \"nobody\""));
    assert!(test_server.refused(&add(&["--from", "yesterday"])).contains("\"yesterday\" is no date"));
    let backwards = add(&["--from", "2026-10-02", "--to", "2026-10-01"]);
    assert!(test_server.refused(&backwards).contains("before its first"));
    let section = add(&["--from", "2026-10-01", "--section", "acounts"]);
    assert!(test_server.refused(&section).contains("did you mean `accounts`?"));
    let vi = test_server.refused(&["hold", "agree", "nothing", "--lang", "vi"]);
    assert!(vi.contains("Không có yêu cầu giữ dữ liệu mang mã"), "{vi}");
    test_server.tamper(
        "insert into machine (id, office, role, status, name, traits, enrolled_at)
         select 'm1', id, 'workstation', 'confirmed', 'PC-01', '', 1 from office",
    );
    let words =
        [&["hold", "add", "m1", "--from", "2026-10-01", "--to", "2026-10-31", "--section", "lan"], &paper[..]].concat();
    let made = test_server.json(&words);
    assert_eq!(made["until_at"].as_i64().unwrap() - made["from_at"].as_i64().unwrap(), 31 * 24 * 60 * 60 * 1000);
    assert_eq!(
        (&made["sections"][0], &made["paper"]["number"], &made["gone"]["reports"]),
        (&"lan".into(), &"15/CV-PA05".into(), &0.into())
    );
    let id = made["id"].as_str().unwrap();
    let listed = String::from_utf8(test_server.run(&["hold", "list", &office, "--lang", "vi"]).stdout).unwrap();
    assert!(listed.contains("15/CV-PA05, 2026-11-20, Công an tỉnh") && listed.contains("đang giữ"), "{listed}");
    test_server.json(&["hold", "release", id, "--reason", "Đã kết luận"]);
    assert!(test_server.refused(&["hold", "agree", id, "--lang", "en"]).contains("must not agree"));
    test_server.json(&["hold", "keep", id]);
    assert_eq!(test_server.json(&["hold", "list", &office])[0]["asked_by"], Value::Null);
}
