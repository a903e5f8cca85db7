//! One check from end to end: collect, report, deliver, fetch the policy, judge. What cannot be delivered waits in the spool
//! for the next time.

use policies::fact::Section;
use protocol::{Digest, ReportAnswers};

use crate::connection::{Connection, WireError};
use crate::delivery::Next;
use crate::judgement::Judgement;
use crate::renew;
use crate::station::Station;

/// Requests in one go: with 100 reports each, more than any spool holds.
const REQUESTS: usize = 1000;

/// What came of it.
#[derive(Debug)]
pub struct Once {
    /// True when nothing waits any more.
    pub delivered: bool,
    /// Reports that wait.
    pub waiting: u64,
    /// Why they wait.
    pub trouble: Option<WireError>,
    /// The result; none without a policy or a role.
    pub judgement: Option<Judgement>,
}

/// Checks once.
///
/// # Errors
/// When facts cannot be reported, or the policy on disk does not check.
pub async fn once(station: &mut Station) -> anyhow::Result<Once> {
    let now = station.clock.instant();
    let facts = station.collector.collect(Section::ALL, now);
    station.observation.take_in(Section::ALL, facts, now.as_millisecond())?;
    let outcomes = station.judge_and_keep().map(|judgement| judgement.digest());
    station.report(outcomes)?;
    let trouble = exchange(station).await.err();
    let judgement = station.judge()?;
    if let Some(judgement) = &judgement {
        judgement.save(&station.state)?;
    }
    let waiting = station.delivery.spool.count();
    Ok(Once { delivered: !station.delivery.waits(), waiting, trouble, judgement })
}

/// Everything that needs the server.
async fn exchange(station: &mut Station) -> Result<(), WireError> {
    if station.validity().renewal_is_due(station.clock.trusted()) {
        let request = renew::request(station)?;
        let answer = renew::send(station.plain_connection()?, request).await?;
        renew::adopt(station, answer).map_err(|error| WireError::Unusable(error.to_string()))?;
    }
    let connection = station.connection()?;
    for _ in 0..REQUESTS {
        let Some(mut batch) = station.delivery.request() else { break };
        let answers = connection.send_reports(std::mem::take(&mut batch.frames)).await?;
        let wanted = station.learn(&answers.assignment, answers.server_time_at);
        let before = station.delivery.chain.opens();
        let next = station.delivery.answered(&batch, &answers, &station.state);
        fetch(station, &connection, wanted).await?;
        let broken = station.delivery.chain.opens() && !before && !station.delivery.waits();
        match next {
            Next::Wait(_) if broken => {
                // The chain broke just now: a full report heals it. A second break is left for the next time.
                station.report(None).map_err(|error| WireError::SetUp(error.to_string()))?;
            }
            Next::Wait(_) => return Err(refusal(&answers)),
            Next::Again | Next::Rest => {}
        }
    }
    Ok(())
}

async fn fetch(station: &mut Station, connection: &Connection, wanted: Option<Digest>) -> Result<(), WireError> {
    let Some(address) = wanted else { return Ok(()) };
    let bundle = connection.policy(address).await?;
    station.policy_use(&bundle).map_err(|error| WireError::Unusable(error.to_string()))
}

/// The first refusal among the answers.
fn refusal(answers: &ReportAnswers) -> WireError {
    let refused = answers.results.iter().find_map(|answer| match answer {
        protocol::ReportAnswer::Refused { refusal, .. } => Some(WireError::Refused { refusal: refusal.clone() }),
        _ => None,
    });
    refused.unwrap_or_else(|| WireError::Unusable("the server did not take the reports".to_owned()))
}
