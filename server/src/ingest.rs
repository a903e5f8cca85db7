//! Taking in reports: checked one by one by their receiver (`check`), planned in memory (`plan`) and written many at
//! once (`commit`). An answer is given only after the commit; a refused report never affects another machine's.

mod answered;
pub mod check;
mod commit;
pub mod judging;
mod pending;
mod plan;
mod recent;
pub mod refusal;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::store::machine::{MachineStatus, Role};
use crate::store::{Db, Logged};

pub use check::{Checked, check};
pub(crate) use commit::JUDGED_AGAIN_MS;
pub use judging::{Evidence, Judge, Judging};
pub use plan::Answer;
pub(crate) use plan::{sections_of, spoken_by};
pub use refusal::{Counters, Reason};

/// Requests that may wait for the next commit.
const QUEUE: usize = 4096;
/// Most reports in one commit.
const REPORTS_A_COMMIT: usize = 512;
/// How long refusals may wait to be stored while no report comes.
const COUNTERS_WAIT: Duration = Duration::from_secs(10);

/// The reports of one request, and where their answers go.
#[derive(Debug)]
struct Job {
    machine: String,
    reports: Vec<Checked>,
    form: Form,
    reply: oneshot::Sender<Taken>,
}

/// Which receipts a machine takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Each signed by itself, and naming the end of the audit log.
    Signed,
    /// Proved in the evidence log, against one checkpoint.
    Logged,
}

/// The answers to one request, after the commit.
#[derive(Clone, Debug)]
pub struct Taken {
    /// One for each report, in order.
    pub answers: Vec<Answer>,
    /// The machine as it was; `None` when the store failed before it could be read.
    pub machine: Option<TakenMachine>,
    /// Hash of the newest entry of the audit log, if somebody in the commit wanted it.
    pub audit_head: protocol::Digest,
    /// What the commit appended to the evidence log.
    pub logged: Option<Arc<Logged>>,
}

/// What an answer says about the machine.
#[derive(Clone, Debug)]
pub struct TakenMachine {
    /// Name of its office.
    pub office: String,
    /// Its role.
    pub role: Role,
    /// Whether it counts.
    pub status: MachineStatus,
}

/// The sender side of the queue. Cheap to share; when the last one is dropped the queue is emptied and its task ends.
#[derive(Debug)]
pub struct Ingest {
    queue: mpsc::Sender<Job>,
    /// Counts of refusals by kind.
    pub counters: Arc<Counters>,
    stop: watch::Sender<bool>,
    task: tokio::sync::Mutex<Option<JoinHandle<()>>>,
}

/// Why reports could not be taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// Too many are waiting already.
    #[error("the queue of reports is full")]
    Full,
    /// The queue's task ended: the server is stopping.
    #[error("the server is stopping")]
    Stopping,
}

impl Ingest {
    /// Starts the task that writes reports to `db` and passes them to `judge`.
    pub fn start(db: Db, clock: Clock, judge: Arc<dyn Judge>) -> Self {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let counters = Arc::new(Counters::default());
        let (stop, stopped) = watch::channel(false);
        let committer = commit::Committer::new(db, judge, Arc::clone(&counters));
        let task = tokio::spawn(run(committer, clock, jobs, stopped));
        Self { queue, counters, stop, task: tokio::sync::Mutex::new(Some(task)) }
    }

    /// Stops taking in reports, and returns when everything submitted is written.
    pub async fn stop(&self) {
        self.stop.send_replace(true);
        if let Some(task) = self.task.lock().await.take()
            && let Err(error) = task.await
        {
            tracing::error!("the queue of reports broke off: {error}");
        }
    }

    /// Submits the checked reports of one request of `machine` and waits until they are durable, or refused.
    ///
    /// # Errors
    /// When the queue is full or the server is stopping; nothing is stored in that case.
    pub async fn take(&self, machine: &str, reports: Vec<Checked>, form: Form) -> Result<Taken, NotTaken> {
        let (reply, answer) = oneshot::channel();
        let job = Job { machine: machine.to_owned(), reports, form, reply };
        self.queue.try_send(job).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => NotTaken::Full,
            mpsc::error::TrySendError::Closed(_) => NotTaken::Stopping,
        })?;
        answer.await.map_err(|_| NotTaken::Stopping)
    }
}

/// Writes batch after batch: while one is being committed, the next one fills up.
async fn run(
    mut committer: commit::Committer,
    clock: Clock,
    mut jobs: mpsc::Receiver<Job>,
    mut stopped: watch::Receiver<bool>,
) {
    // Jobs whose machine has another job in the batch wait here for the next one.
    let mut held: VecDeque<Job> = VecDeque::new();
    let mut open = true;
    while open || !held.is_empty() {
        if held.is_empty() {
            tokio::select! {
                // Closed to new jobs; those in the queue still come out, then `recv` returns `None`.
                _ = stopped.changed(), if !jobs.is_closed() => {
                    jobs.close();
                    continue;
                }
                job = jobs.recv() => match job {
                    Some(job) => held.push_back(job),
                    None => open = false,
                },
                () = tokio::time::sleep(COUNTERS_WAIT) => {
                    committer.counters_write().await;
                    continue;
                }
            }
        }
        while held.len() < REPORTS_A_COMMIT
            && let Ok(job) = jobs.try_recv()
        {
            held.push_back(job);
        }
        let batch = batch_take(&mut held);
        if !batch.is_empty() {
            committer.commit(batch, clock.now_ms()).await;
        }
    }
    committer.counters_write().await;
}

/// Takes the oldest jobs, one per machine, up to the size of a commit, ordered by machine.
fn batch_take(held: &mut VecDeque<Job>) -> Vec<Job> {
    let mut batch: Vec<Job> = Vec::new();
    let mut machines: HashSet<String> = HashSet::new();
    let mut reports = 0;
    let mut later = VecDeque::new();
    for job in held.drain(..) {
        let fits = batch.is_empty() || reports + job.reports.len() <= REPORTS_A_COMMIT;
        if fits && machines.insert(job.machine.clone()) {
            reports += job.reports.len();
            batch.push(job);
        } else {
            later.push_back(job);
        }
    }
    *held = later;
    batch.sort_by(|one, other| one.machine.cmp(&other.machine));
    batch
}
