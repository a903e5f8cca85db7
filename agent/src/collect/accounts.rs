use super::scene::Scene;
use policies::fact::{Accounts, Reason};
pub(super) fn collect(_: &Scene) -> Accounts {
    Accounts::unknown(Reason::NotCollected, "")
}
