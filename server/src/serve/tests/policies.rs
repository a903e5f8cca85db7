//! Publishing: only with a known key, for this server, and forwards; and how it reaches machines.

use std::collections::BTreeMap;

use ::policies::policy::SHIPPED;
use protocol::{Bundle, SignedBundle};

use super::*;
use crate::act::policy::policy_publish;
use crate::secrets::{Places, file};
use crate::store::trial::on_both;

pub(super) fn bundle(server: &str, version: u64, note: &str) -> Bundle {
    let mut files: BTreeMap<String, String> =
        SHIPPED.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    for text in files.values_mut() {
        text.push_str(&format!("\n# {note}\n"));
    }
    Bundle { server: server.to_owned(), version, key: String::new(), made_at: 1, files }
}

pub(super) fn key(server: &Server, folder: &str, name: &str) -> SigningKey {
    SigningKey::from_pkcs8(&file::key_read(&server.data().join(folder).join(name)).unwrap()).unwrap()
}

pub(super) async fn publish(server: &Server, signed: &SignedBundle) -> anyhow::Result<Digest> {
    let app = server.app();
    policy_publish(&app.db, &server.by(), &app.policies, signed.clone()).await.map(|published| published.address)
}

on_both! {
    async fn versions_only_rise_and_only_known_keys_sign(trial: &Trial) {
        let server = Server::start(trial).await;
        assert_eq!(Places::new(server.data()).policy_signing(), server.data().join("policy-signing"));
        let active = key(&server, "policy-signing", "policy.key");
        let standby = key(&server, "offline", "policy-standby.key");
        let first = SignedBundle::sign(bundle("server-1", 5, "first"), &active).unwrap();
        publish(&server, &first).await.unwrap();
        publish(&server, &first).await.unwrap();

        let refused = async |signed: &SignedBundle, why: &str| {
            let error = publish(&server, signed).await.unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        };
        refused(&SignedBundle::sign(bundle("server-1", 4, "older"), &active).unwrap(), "not newer").await;
        refused(&SignedBundle::sign(bundle("server-1", 5, "other"), &active).unwrap(), "not newer").await;
        refused(&SignedBundle::sign(bundle("server-2", 6, "x"), &active).unwrap(), "another server").await;
        let strange = SigningKey::from_pkcs8(&SigningKey::generate().unwrap()).unwrap();
        refused(&SignedBundle::sign(bundle("server-1", 6, "x"), &strange).unwrap(), "not signed by a key").await;
        let mut changed = SignedBundle::sign(bundle("server-1", 6, "x"), &active).unwrap();
        changed.bundle.push(' ');
        refused(&changed, "not signed by a key").await;
        let mut broken = bundle("server-1", 6, "x");
        broken.files.remove("level-2-server.toml");
        refused(&SignedBundle::sign(broken, &active).unwrap(), "has errors").await;

        publish(&server, &SignedBundle::sign(bundle("server-1", 6, "standby"), &standby).unwrap()).await.unwrap();
        let mut tx = server.app().db.read().await.unwrap();
        assert_eq!(tx.policy_bundle_latest().await.unwrap().unwrap().version, 6);
        let entries = tx.audit_list(&Scope::whole(), i64::MAX, 10).await.unwrap();
        assert_eq!(entries.iter().filter(|entry| entry.action == "policy_published").count(), 2);
        drop(tx);
        server.end().await;
    }

    async fn a_new_policy_wakes_polls_and_is_fetched_by_its_address(trial: &Trial) {
        let server = Arc::new(Server::start(trial).await);
        let machine = Arc::new(server.machine().await);
        let (serving, polling) = (Arc::clone(&server), Arc::clone(&machine));
        let poll = tokio::spawn(async move { polling.poll(&serving, &PollRequest::default()).await });
        polls_held(&server, 1).await;
        let signed = SignedBundle::sign(bundle("server-1", 1, "x"), &key(&server, "policy-signing", "policy.key")).unwrap();
        let address = publish(&server, &signed).await.unwrap();
        let answer = soon(poll).await.unwrap().unwrap();
        assert_eq!(answer.assignment.policy, Some(address));

        let client = machine.client(&server);
        let fetch = async |address: &str| client.get(server.url(&format!("{}{address}", path::POLICY))).send().await.unwrap();
        let fetched: SignedBundle = super::answer(fetch(&address.to_string()).await).await.unwrap();
        assert_eq!(fetched, signed);
        fetched.open(&server.app().secrets.policy_keys, "server-1", 0).unwrap();
        for wrong in [Digest::ZERO.to_string(), "latest".to_owned()] {
            assert_eq!(code(super::answer::<SignedBundle>(fetch(&wrong).await).await), "no_policy");
        }
        // An agent that does not have it yet is told at once, whenever it asks.
        let told = machine.poll(&server, &PollRequest::default()).await.unwrap();
        assert_eq!(told.assignment.policy, Some(address));
        Arc::into_inner(server).unwrap().end().await;
    }
}
