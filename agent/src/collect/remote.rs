use super::scene::Scene;
use policies::fact::{Reason, Remote};
pub(super) fn collect(_: &Scene) -> Remote {
    Remote::unknown(Reason::NotCollected, "")
}
