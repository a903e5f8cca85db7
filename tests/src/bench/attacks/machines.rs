//! Attacks by unconfirmed machines, which anyone with a stolen token can make.

use std::time::Duration;

use agent::platform::clock::Clock;
use protocol::{PollAnswer, PollRequest, path};
use tokio::task::JoinSet;

use super::Field;
use crate::fake_agent::FakeAgent;

/// Polls by the thousand, each with a list of orders that it claims to have done.
pub(super) fn polls(field: &Field<'_>) -> anyhow::Result<String> {
    // On every processor: a single one would spend the whole attack on handshakes.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let fake_agent = FakeAgent::enrol(&field.pending_token(1)?, "máy-lạ").await?;
        let request = PollRequest { done: vec!["x".repeat(300); 80], ..PollRequest::default() };
        let mut polls: JoinSet<bool> = JoinSet::new();
        let mut sent = 0_u32;
        for _ in 0..450 {
            let line = fake_agent.connect()?;
            for _ in 0..64 {
                let (line, request) = (line.clone(), request.clone());
                polls.spawn(async move { line.post::<_, PollAnswer>(path::POLL, &request).await.is_ok() });
                sent += 1;
            }
            // The next connection only when this one is up: all at once, none would complete.
            tokio::time::sleep(Duration::from_millis(20)).await;
            if field.is_over() {
                break;
            }
        }
        let mut answered = 0;
        while !field.is_over() {
            let next = tokio::time::timeout(Duration::from_millis(50), polls.join_next());
            answered += u32::from(matches!(next.await, Ok(Some(Ok(true)))));
        }
        polls.shutdown().await;
        Ok(format!("{sent} sent, {answered} answered"))
    })
}

/// Renewals as fast as they are answered.
pub(super) fn renewals(field: &Field<'_>) -> anyhow::Result<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut fake_agent = FakeAgent::enrol(&field.pending_token(1)?, "máy-lạ").await?;
        let (mut sent, mut given) = (0, 0);
        while !field.is_over() {
            given += u32::from(fake_agent.renew(Clock::system().now()).await.is_ok());
            sent += 1;
        }
        Ok(format!("{sent} sent, {given} certificates given"))
    })
}

/// Four machines of one token, each with the largest new bodies it may send.
pub(super) fn storing(field: &Field<'_>) -> anyhow::Result<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let enrolment = field.pending_token(4)?;
        let (mut sent, mut stored) = (0_u32, 0_u32);
        let long = format!("\"{}\",", "y".repeat(1000)).repeat(450);
        let mut fake_agents = Vec::new();
        for number in 0..4 {
            fake_agents.push(FakeAgent::enrol(&enrolment, &format!("máy-lạ-{number}")).await?);
        }
        while !field.is_over() {
            for fake_agent in &mut fake_agents {
                fake_agent.observe("time", &format!("{{\"x\":[{long}{sent}]}}"));
                stored += u32::from(fake_agent.report(Clock::system().now()).await.is_ok());
                sent += 1;
                if field.is_over() {
                    break;
                }
            }
        }
        Ok(format!("4 machines sent {sent} reports of 450 kB, {stored} stored"))
    })
}
