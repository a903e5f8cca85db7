use super::scene::Scene;
use policies::fact::{Lan, Reason};
pub(super) fn collect(_: &Scene) -> Lan {
    Lan::unknown(Reason::NotCollected, "")
}
