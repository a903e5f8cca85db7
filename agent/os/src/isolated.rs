//! Work that may hang: done in a thread of its own, given up at a deadline, and not started again while the first attempt still
//! hangs. Work that panics never returns either, but its message does. The installed program is built without unwinding, which
//! makes it a tenth smaller; there the thread of a panic sleeps forever.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::panic::{self, PanicHookInfo};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

/// The stack of a worker, in bytes.
const STACK: usize = 512 << 10;
/// How many panicked workers are tolerated before work that panicked is no longer retried: each keeps its thread.
const FALLEN: usize = 32;

/// Workers by what they work on: at most one per `K`.
#[derive(Debug)]
pub struct Isolated<K> {
    workers: Arc<Mutex<Workers<K>>>,
}

#[derive(Debug)]
struct Workers<K> {
    hanging: BTreeSet<K>,
    fallen: usize,
}

impl<K> Clone for Isolated<K> {
    fn clone(&self) -> Self {
        Self { workers: Arc::clone(&self.workers) }
    }
}

impl<K> Default for Isolated<K> {
    fn default() -> Self {
        listen_to_panics();
        Self { workers: Arc::new(Mutex::new(Workers { hanging: BTreeSet::new(), fallen: 0 })) }
    }
}

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// It was not started, because earlier work on the same thing still hangs.
    #[error("an earlier call still hangs")]
    Hangs,
    /// It was given up and may still hang.
    #[error("no answer before the deadline")]
    TimedOut,
    /// It panicked, with this message.
    #[error("it failed: {0}")]
    Panicked(String),
    /// The system could not start a thread.
    #[error("start a worker: {0}")]
    NotStarted(std::io::Error),
}

impl<K: Ord + Clone + Send + 'static> Isolated<K> {
    /// Runs `work` on `what` and waits for it until `deadline`. `name` is the thread's name.
    ///
    /// # Errors
    /// [`Trouble`]; work that was given up continues until it ends by itself.
    pub fn run<T: Send + 'static>(
        &self,
        what: K,
        name: &str,
        deadline: Duration,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Trouble> {
        if !locked(&self.workers).hanging.insert(what.clone()) {
            return Err(Trouble::Hangs);
        }
        // After the deadline nobody receives the result any more.
        let (sender, answer) = mpsc::channel();
        let (workers, done) = (Arc::clone(&self.workers), what.clone());
        let (fallen, fell, last) = (Arc::clone(&self.workers), what.clone(), sender.clone());
        let last_words = move |said| {
            let mut workers = locked(&fallen);
            workers.fallen += 1;
            if workers.fallen < FALLEN {
                workers.hanging.remove(&fell);
            }
            drop(workers);
            let _ = last.send(Err(said));
        };
        let work = move || {
            #[cfg(windows)]
            crate::priority::give_way_entirely();
            LAST_WORDS.set(Some(Box::new(last_words)));
            let result = work();
            LAST_WORDS.take();
            locked(&workers).hanging.remove(&done);
            let _ = sender.send(Ok(result));
        };
        if let Err(error) = thread::Builder::new().name(name.to_owned()).stack_size(STACK).spawn(work) {
            locked(&self.workers).hanging.remove(&what);
            return Err(Trouble::NotStarted(error));
        }
        match answer.recv_timeout(deadline) {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(said)) => Err(Trouble::Panicked(said)),
            Err(_) => Err(Trouble::TimedOut),
        }
    }

    /// True while work on `what` has not ended.
    pub fn hangs(&self, what: &K) -> bool {
        locked(&self.workers).hanging.contains(what)
    }
}

/// Receives the message of a panic.
type LastWords = Box<dyn FnOnce(String)>;

thread_local! {
    /// What this worker thread does when it panics.
    static LAST_WORDS: Cell<Option<LastWords>> = const { Cell::new(None) };
}

/// Makes a panicking worker report its message and sleep forever; any other thread panics as usual.
fn listen_to_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let told = panic::take_hook();
        panic::set_hook(Box::new(move |panic: &PanicHookInfo<'_>| {
            told(panic);
            if let Ok(Some(last_words)) = LAST_WORDS.try_with(Cell::take) {
                last_words(panic.payload_as_str().unwrap_or("no message").to_owned());
                // Returning from here would end the program, or in an unwinding build the thread.
                while cfg!(panic = "abort") {
                    thread::park();
                }
            }
        }));
    });
}

fn locked<K>(workers: &Mutex<Workers<K>>) -> MutexGuard<'_, Workers<K>> {
    workers.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hangs_is_given_up_once_and_may_be_tried_again_when_it_ended() {
        let isolated = Isolated::default();
        let (go, gate) = mpsc::channel::<()>();
        let hung = isolated.run("wmi", "wmi", Duration::from_millis(50), move || gate.recv().is_ok());
        assert!(matches!(hung, Err(Trouble::TimedOut)));
        assert!(matches!(isolated.run("wmi", "wmi", Duration::from_secs(30), || 1), Err(Trouble::Hangs)));
        assert_eq!(isolated.run("com", "com", Duration::from_secs(30), || 1).unwrap(), 1);
        go.send(()).unwrap();
        let until = std::time::Instant::now() + Duration::from_secs(30);
        while isolated.hangs(&"wmi") && std::time::Instant::now() < until {
            thread::yield_now();
        }
        assert_eq!(isolated.run("wmi", "wmi", Duration::from_secs(30), || 2).unwrap(), 2);
    }

    #[test]
    fn what_panics_says_so_and_may_be_tried_again_some_times() {
        let isolated = Isolated::default();
        for _ in 0..FALLEN {
            let failed = isolated.run(1, "one", Duration::from_secs(30), || panic!("a machine that fails"));
            let Err::<(), _>(Trouble::Panicked(said)) = failed else { panic!("it failed") };
            assert_eq!(said, "a machine that fails");
        }
        assert!(matches!(isolated.run(1, "one", Duration::from_secs(30), || 1), Err(Trouble::Hangs)));
        assert_eq!(isolated.run(2, "two", Duration::from_secs(30), || 2).unwrap(), 2);
    }
}
