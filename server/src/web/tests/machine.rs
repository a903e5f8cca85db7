//! The page of a machine: what its agent reported about itself, and when it last called.

use policies::fact::Facts;
use protocol::event::{Journal, JournalEvent, SECTION};
use protocol::{AgentEventKind, Digest};

use super::Site;
use crate::store::machine::event::{AgentEvent, AgentEventKind as Said};
use crate::store::person::PersonRole;
use crate::store::test_database::on_both;

fn journal(since: i64, events: &[(u64, AgentEventKind, Option<i64>)]) -> String {
    let event = |&(number, kind, value): &(u64, AgentEventKind, Option<i64>)| JournalEvent {
        number,
        at: since + i64::try_from(number).unwrap() * 60_000,
        kind,
        value,
    };
    serde_json::to_string(&Journal { since, events: events.iter().map(event).collect() }).unwrap()
}

on_both! {
    async fn signed_events_are_shown_from_every_body_and_starts_are_not(test_database: &TestDatabase) {
        use AgentEventKind::{BrokenOff, ClockChanged, LogContradiction, Started, Stopped, Unknown};
        let site = Site::open(test_database).await;
        let start = site.app.clock.now_ms();
        let mut machine = site.machine(&Facts::default()).await;
        let mut browser = site.person("lan", PersonRole::Head, None).await;
        let page = format!("/machines/{}", machine.id);
        assert!(!browser.get(&page).await.has("Sự kiện của phần mềm trên máy"), "an agent of before sends none");

        for events in [
            &[(1, Started, None), (2, BrokenOff, None), (3, Started, None)][..],
            &[(3, Started, None), (4, ClockChanged, Some(-7_200_000)), (5, Unknown, None), (6, Stopped, None)],
            &[(9, LogContradiction, Some(4711)), (10, Started, None)],
        ] {
            site.app.clock.advance(3_600_000);
            machine.sections.insert(SECTION.to_owned(), journal(start, events));
            site.report(&mut machine).await;
        }
        // The same stop, said alone and unsigned; and two that only were said so.
        let mut tx = site.app.db.write().await.unwrap();
        for (kind, said_at) in [(Said::Stopped, start + 6 * 60_000), (Said::Uninstalled, start), (Said::Shutdown, start)] {
            tx.agent_event_insert(&machine.id, &AgentEvent { kind, said_at, received_at: start }).await.unwrap();
        }
        tx.contact_put(&[(machine.id.clone(), start)], start).await.unwrap();
        tx.commit().await.unwrap();
        let shown = browser.get(&page).await;
        for (words, count) in [
            ("kết thúc không rõ lý do", 1), ("bị chỉnh lùi lại 120 phút", 1), ("phiên bản mới hơn, máy chủ này chưa biết", 1),
            ("phần mềm trên máy bị dừng", 1), ("mốc 4.711 mục", 1), ("ghi thêm 2 sự kiện", 1), ("phần mềm bị gỡ khỏi máy", 1),
            ("phần mềm khởi động", 0), ("dừng vì máy tắt", 0), ("Liên lạc gần nhất", 1),
        ] {
            assert_eq!(shown.body.matches(words).count(), count, "{words}: {}", shown.body);
        }

        // What no agent of ours wrote spoils nothing.
        machine.sections.insert(SECTION.to_owned(), r#"{"events":"x"}"#.to_owned());
        site.report(&mut machine).await;
        assert!(browser.get(&page).await.has("kết thúc không rõ lý do"));
        let digest = Digest::of(machine.sections[SECTION].as_bytes());
        let mut tx = site.app.db.read().await.unwrap();
        assert!(tx.body_exists(&machine.id, SECTION, digest).await.unwrap(), "it is kept like any other section");
    }
}
