use super::scene::Scene;
use policies::fact::{Reason, System};
pub(super) fn collect(_: &Scene) -> System {
    System::unknown(Reason::NotCollected, "")
}
