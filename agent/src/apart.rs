//! Work that may never come back: done in a thread of its own, given up at a deadline, and not started a second time while the
//! first still hangs.

use std::any::Any;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

/// The stack of a worker, in bytes.
const STACK: usize = 512 << 10;

/// Workers by what they work on: at most one for each `K`.
#[derive(Debug)]
pub struct Apart<K> {
    hanging: Arc<Mutex<BTreeSet<K>>>,
}

impl<K> Clone for Apart<K> {
    fn clone(&self) -> Self {
        Self { hanging: Arc::clone(&self.hanging) }
    }
}

impl<K> Default for Apart<K> {
    fn default() -> Self {
        Self { hanging: Arc::default() }
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// It was not begun.
    #[error("an earlier call still hangs")]
    Hangs,
    /// It was given up and may still hang.
    #[error("no answer before the deadline")]
    TimedOut,
    /// It failed; what it said.
    #[error("it failed: {0}")]
    Panicked(String),
    /// The system gives no thread.
    #[error("start a worker: {0}")]
    NotStarted(std::io::Error),
}

impl<K: Ord + Clone + Send + 'static> Apart<K> {
    /// Does `work` on `what` and waits for it until `deadline`. `name` is the thread's.
    ///
    /// # Errors
    /// [`Trouble`]; work that was given up goes on until it ends by itself.
    pub fn run<T: Send + 'static>(
        &self,
        what: K,
        name: &str,
        deadline: Duration,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Trouble> {
        if !locked(&self.hanging).insert(what.clone()) {
            return Err(Trouble::Hangs);
        }
        let (sender, answer) = mpsc::channel();
        let (hanging, done) = (Arc::clone(&self.hanging), what.clone());
        let work = move || {
            #[cfg(windows)]
            crate::os::windows::priority::give_way_entirely();
            let result = catch_unwind(AssertUnwindSafe(work));
            locked(&hanging).remove(&done);
            // Nobody listens any more when the deadline passed.
            let _ = sender.send(result);
        };
        if let Err(error) = thread::Builder::new().name(name.to_owned()).stack_size(STACK).spawn(work) {
            locked(&self.hanging).remove(&what);
            return Err(Trouble::NotStarted(error));
        }
        match answer.recv_timeout(deadline) {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(panic)) => Err(Trouble::Panicked(said(&*panic))),
            Err(_) => Err(Trouble::TimedOut),
        }
    }

    /// True while work on `what` has not ended.
    pub fn hangs(&self, what: &K) -> bool {
        locked(&self.hanging).contains(what)
    }
}

fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no message").to_owned()
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hangs_is_given_up_once_and_may_be_tried_again_when_it_ended() {
        let apart = Apart::default();
        let (go, gate) = mpsc::channel::<()>();
        let hung = apart.run("wmi", "wmi", Duration::from_millis(50), move || gate.recv().is_ok());
        assert!(matches!(hung, Err(Trouble::TimedOut)));
        assert!(matches!(apart.run("wmi", "wmi", Duration::from_secs(30), || 1), Err(Trouble::Hangs)));
        assert_eq!(apart.run("com", "com", Duration::from_secs(30), || 1).unwrap(), 1);
        go.send(()).unwrap();
        let until = std::time::Instant::now() + Duration::from_secs(30);
        while apart.hangs(&"wmi") && std::time::Instant::now() < until {
            thread::yield_now();
        }
        assert_eq!(apart.run("wmi", "wmi", Duration::from_secs(30), || 2).unwrap(), 2);
    }

    #[test]
    fn what_panics_says_so_and_may_be_tried_again() {
        let apart = Apart::default();
        for _ in 0..2 {
            let failed = apart.run(1, "one", Duration::from_secs(30), || panic!("a machine that fails"));
            let Err::<(), _>(Trouble::Panicked(said)) = failed else { panic!("it failed") };
            assert_eq!(said, "a machine that fails");
        }
    }
}
