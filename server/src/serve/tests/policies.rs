//! Publishing: only with a known key, for this server, and forwards; and how it reaches machines.

use ::policies::policy::{PolicySet, Role, SHIPPED};
use protocol::{Bundle, SignedBundle};

use super::*;
use crate::act::policy::policy_publish;
use crate::policy::SignedPolicy;
use crate::secrets::{Places, file};
use crate::store::policy::PolicyBundle;
use crate::store::test_database::on_both;

/// The shipped policy, distinguished from others by `note`.
pub(super) fn signed(server: &str, version: u64, note: &str, key: &SigningKey) -> SignedPolicy {
    let files = SHIPPED.map(|(name, text)| (name, format!("{text}\n# {note}\n")));
    SignedPolicy::sign(&PolicySet::read(files).unwrap(), server, version, 1, key).unwrap()
}

/// What a bundle holds, to be signed again differently.
fn opened(signed: &SignedPolicy) -> Bundle {
    serde_json::from_str(&signed.agents.bundle).unwrap()
}

pub(super) fn key(server: &Server, folder: &str, name: &str) -> SigningKey {
    SigningKey::from_pkcs8(&file::key_read(&server.data().join(folder).join(name)).unwrap()).unwrap()
}

pub(super) async fn publish(server: &Server, signed: &SignedPolicy) -> anyhow::Result<Digest> {
    let app = server.app();
    policy_publish(&app.db, &server.by(), &app.policies, signed.clone()).await.map(|published| published.address)
}

on_both! {
    async fn versions_only_rise_and_only_known_keys_sign(test_database: &TestDatabase) {
        let server = Server::start(test_database).await;
        assert_eq!(Places::new(server.data()).policy_signing(), server.data().join("policy-signing"));
        let active = key(&server, "policy-signing", "policy.key");
        let standby = key(&server, "offline", "policy-standby.key");
        let first = signed("server-1", 5, "first", &active);
        publish(&server, &first).await.unwrap();
        publish(&server, &first).await.unwrap();

        let refused = async |signed: &SignedPolicy, why: &str| {
            let error = publish(&server, signed).await.unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        };
        refused(&signed("server-1", 4, "older", &active), "not newer").await;
        refused(&signed("server-1", 5, "other", &active), "not newer").await;
        refused(&signed("server-2", 6, "x", &active), "another server").await;
        let strange = SigningKey::from_pkcs8(&SigningKey::generate().unwrap()).unwrap();
        refused(&signed("server-1", 6, "x", &strange), "not signed by a key").await;
        let mut changed = signed("server-1", 6, "x", &active);
        changed.agents.bundle.push(' ');
        refused(&changed, "not signed by a key").await;
        let mut broken = opened(&signed("server-1", 6, "x", &active));
        broken.files.remove("level-2-server.toml");
        let broken = SignedBundle::sign(broken, &active).unwrap();
        refused(&SignedPolicy { agents: broken, server: None }, "has errors").await;

        publish(&server, &signed("server-1", 6, "standby", &standby)).await.unwrap();
        let mut tx = server.app().db.read().await.unwrap();
        assert_eq!(tx.policy_bundle_latest().await.unwrap().unwrap().version, 6);
        let entries = tx.audit_list(&Scope::whole(), i64::MAX, 10).await.unwrap();
        assert_eq!(entries.iter().filter(|entry| entry.action == "policy_published").count(), 2);
        drop(tx);
        server.end().await;
    }

    async fn the_set_for_the_server_belongs_to_what_machines_are_sent(test_database: &TestDatabase) {
        let server = Server::start(test_database).await;
        let active = key(&server, "policy-signing", "policy.key");
        let whole = signed("server-1", 5, "x", &active);
        let refused = async |own: Option<SignedBundle>, why: &str| {
            let policy = SignedPolicy { agents: whole.agents.clone(), server: own };
            let error = publish(&server, &policy).await.unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        };
        refused(None, "what is for the server is missing").await;
        refused(signed("server-1", 6, "x", &active).server, "does not belong").await;
        refused(signed("server-2", 5, "x", &active).server, "does not belong").await;
        let strange = SigningKey::from_pkcs8(&SigningKey::generate().unwrap()).unwrap();
        refused(signed("server-1", 5, "x", &strange).server, "does not belong").await;
        refused(Some(whole.agents.clone()), "does not belong").await;
        refused(signed("server-1", 5, "other", &active).server, "differs from what machines are sent").await;
        assert!(server.app().db.read().await.unwrap().policy_bundle_latest().await.unwrap().is_none());

        // Clauses of the standard are for the server; machines are sent the single one that old agents require.
        publish(&server, &whole).await.unwrap();
        server.app().policies.refresh(&server.app().db).await.unwrap();
        let judge = server.app().policies.judge().unwrap();
        let clauses = |set: &PolicySet| set.controls(Role::Server).control("firewall-active").unwrap().clauses().len();
        assert_eq!((clauses(judge.set()), clauses(&PolicySet::read(opened(&whole).files).unwrap())), (2, 1));
        server.end().await;
    }

    /// A policy published before the server's set existed.
    async fn a_policy_without_a_set_for_the_server_is_still_judged_by(test_database: &TestDatabase) {
        let server = Server::start(test_database).await;
        let before = signed("server-1", 5, "x", &key(&server, "policy-signing", "policy.key")).agents;
        let bundle: Bundle = serde_json::from_str(&before.bundle).unwrap();
        let row = PolicyBundle {
            address: before.address().to_string(),
            version: 5,
            bytes: before.bundle.clone().into_bytes(),
            signature: data_encoding::BASE64.decode(before.signature.as_bytes()).unwrap(),
            server_bytes: None,
            server_signature: None,
            key_id: bundle.key,
            published_at: 1,
            published_by: "x".to_owned(),
        };
        let mut tx = server.app().db.write().await.unwrap();
        tx.policy_bundle_insert(&row).await.unwrap();
        tx.commit().await.unwrap();
        let app = server.app();
        app.policies.refresh(&app.db).await.unwrap();
        assert_eq!(app.policies.judge().unwrap().set().controls(Role::Server).id(), "level-2-server");
        // The same again changes nothing, and is no error.
        publish(&server, &SignedPolicy { agents: before, server: None }).await.unwrap();
        server.end().await;
    }

    async fn a_new_policy_wakes_polls_and_is_fetched_by_its_address(test_database: &TestDatabase) {
        let server = Arc::new(Server::start(test_database).await);
        let machine = Arc::new(server.machine().await);
        let (serving, polling) = (Arc::clone(&server), Arc::clone(&machine));
        let poll = tokio::spawn(async move { polling.poll(&serving, &PollRequest::default()).await });
        polls_held(&server, 1).await;
        let signed = signed("server-1", 1, "x", &key(&server, "policy-signing", "policy.key"));
        let address = publish(&server, &signed).await.unwrap();
        let answer = soon(poll).await.unwrap().unwrap();
        assert_eq!(answer.assignment.policy, Some(address));

        let client = machine.client(&server);
        let fetch = async |address: &str| client.get(server.url(&format!("{}{address}", path::POLICY))).send().await.unwrap();
        let fetched: SignedBundle = super::answer(fetch(&address.to_string()).await).await.unwrap();
        assert_eq!(fetched, signed.agents, "the set for the server stays with it");
        fetched.open(&server.app().secrets.policy_keys, "server-1", 0).unwrap();
        let own = signed.server.unwrap().address().to_string();
        for wrong in [Digest::ZERO.to_string(), "latest".to_owned(), own] {
            assert_eq!(code(super::answer::<SignedBundle>(fetch(&wrong).await).await), "no_policy");
        }
        // An agent that does not have it yet gets it at once, whenever it asks.
        let told = machine.poll(&server, &PollRequest::default()).await.unwrap();
        assert_eq!(told.assignment.policy, Some(address));
        Arc::into_inner(server).unwrap().end().await;
    }
}
