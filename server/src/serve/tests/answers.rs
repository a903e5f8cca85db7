//! What every route for agents answers to a stranger, to nonsense and to proper requests; compared with `snapshots/`.

use std::collections::BTreeMap;

use protocol::log::LogRequest;
use protocol::{AgentEvent, AgentEventKind, SignedRenewal};
use serde_json::{Value, json};

use super::policies::{key, publish, signed};
use super::*;
use crate::act::machine::machine_check;
use crate::ingest::tests as reports;
use crate::store::test_database::on_both;

/// Makes what differs from run to run the same: ids, keys, certificates, checkpoints, times; and shortens what is too long to read.
fn redact(value: &mut Value) {
    match value {
        Value::String(text) if is_random(text) || text.contains('\n') || text.len() > 1000 => "…".clone_into(text),
        Value::Number(number) if number.as_i64().is_some_and(|number| number > 1_000_000_000_000) => {
            *value = json!("…")
        }
        Value::Array(items) => items.iter_mut().for_each(redact),
        Value::Object(fields) => fields.values_mut().for_each(redact),
        _ => {}
    }
}

fn is_random(text: &str) -> bool {
    let hex = text.len() >= 12 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    hex || (text.len() >= 24 && !text.contains(' '))
}

fn compare(path: &str, what: &str, mut answer: Value) {
    redact(&mut answer);
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let name = format!("{}-{what}", path.trim_matches('/').replace('/', "-"));
    settings.bind(|| insta::assert_json_snapshot!(name, answer));
}

/// Sends `body`, or fetches without one.
async fn ask(server: &Server, client: &reqwest::Client, path: &str, body: Option<&[u8]>) -> Value {
    let url = server.url(path);
    let request = body.map_or_else(|| client.get(&url), |body| client.post(&url).body(body.to_vec()));
    let sent = request.send().await.unwrap();
    let status = sent.status().as_u16();
    let answer: Value = serde_json::from_slice(&sent.bytes().await.unwrap()).unwrap();
    json!({ "status": status, "answer": answer })
}

on_both! {
    async fn every_answer_is_as_before(test_database: &TestDatabase) {
        let server = Server::start(test_database).await;
        let policy = signed("server-1", 1, "first", &key(&server, "policy-signing", "policy.key"));
        let policy = format!("{}{}", path::POLICY, publish(&server, &policy).await.unwrap());
        server.app().policies.refresh(&server.app().db).await.unwrap();
        let known = server.machine().await;
        machine_check(&server.app().db, &server.by(), &known.id).await.unwrap();
        let (_, token) = server.token(1).await;
        let renewal = SignedRenewal::sign(&known.renewal(&known), &known.signing_key()).unwrap();
        let event = AgentEvent { kind: AgentEventKind::Stopped, at: 7 };
        let checkpoint = server.app().db.read().await.unwrap().log_checkpoint().await.unwrap().unwrap().to_string();
        let body = |request: Result<Vec<u8>, serde_json::Error>| Some(request.unwrap());
        let good: BTreeMap<&str, Option<Vec<u8>>> = [
            (path::ENROL, body(serde_json::to_vec(&Machine::new().request(&token)))),
            (path::RENEW, body(serde_json::to_vec(&renewal))),
            (path::POLL, body(serde_json::to_vec(&PollRequest::default()))),
            (path::EVENT, body(serde_json::to_vec(&event))),
            (path::REPORTS, Some(Vec::new())),
            (path::LOG, body(serde_json::to_vec(&LogRequest { checkpoint }))),
            (path::POLICY, None),
        ]
        .into();
        for &path in path::ALL {
            let good = good.get(path).unwrap_or_else(|| panic!("say here what {path} is asked for"));
            let asked = if path == path::POLICY { policy.as_str() } else { path };
            let (stranger, machine) = (server.client(server.tls(None)), known.client(&server));
            let nonsense = good.as_ref().map(|_| b"{]".as_slice());
            compare(path, "stranger", ask(&server, &stranger, asked, nonsense).await);
            let unknown = if nonsense.is_none() { format!("{path}{}", Digest::ZERO) } else { path.to_owned() };
            compare(path, "nonsense", ask(&server, &machine, &unknown, nonsense).await);
            compare(path, "good", ask(&server, &machine, asked, good.as_deref()).await);
        }
        compare("/agent/elsewhere", "stranger", ask(&server, &server.client(server.tls(None)), "/agent/elsewhere", None).await);
        server.end().await;
    }

    async fn every_answer_to_a_report_is_as_before(test_database: &TestDatabase) {
        let test_server = reports::TestServer::open(test_database).await;
        let mut machine = test_server.machine().await;
        let mut twin = machine.clone();
        twin.made_at += 1;
        let (first, other) = ([machine.full()], [twin.full()]);
        for (what, reports) in [("accepted", &first), ("again", &first), ("forked", &other)] {
            let answers = test_server.send(&machine, reports).await;
            compare(path::REPORTS, what, serde_json::to_value(answers).unwrap());
        }
    }
}
