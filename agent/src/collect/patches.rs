use super::memory::Memory;
use super::scene::Scene;
use policies::fact::{Patches, Reason};
#[derive(Clone, Debug)]
pub(super) struct Updates;
pub(super) fn collect(_: &Scene, _: &Memory) -> Patches {
    Patches::unknown(Reason::NotCollected, "")
}
