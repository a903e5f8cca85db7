use super::scene::Scene;
use policies::fact::{Logging, Reason};
pub(super) fn collect(_: &Scene) -> Logging {
    Logging::unknown(Reason::NotCollected, "")
}
