use super::scene::Scene;
use policies::fact::{Antivirus, Reason};
pub(super) fn collect(_: &Scene) -> Antivirus {
    Antivirus::unknown(Reason::NotCollected, "")
}
