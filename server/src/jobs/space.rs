//! Watching the free space on the store's disk.

use std::time::Duration;

use super::waited;
use crate::app::App;
use crate::bound::space::Room;

/// How often the free space on the disk is checked.
const SPACE_EVERY: Duration = Duration::from_secs(10);

/// Watches the room on the store's disk, until the server stops; logs every change for better or worse.
pub async fn space_watch(app: App) {
    let (mut before, mut rest) = (Room::Enough, Duration::ZERO);
    while waited(&app, rest).await {
        rest = SPACE_EVERY;
        let (looking, spare) = (app.clone(), app.db.spare_bytes().await.unwrap_or(0));
        let Ok(room) = tokio::task::spawn_blocking(move || looking.space.look(spare)).await else { continue };
        if room == before {
            continue;
        }
        before = room;
        let (folder, free_mib) = (app.space.folder().display(), app.space.free_mib());
        match room {
            Room::Enough => tracing::info!(%folder, free_mib, "there is room on the disk again"),
            Room::Low => tracing::warn!(%folder, free_mib, "the disk with the store is nearly full: make room"),
            Room::None => tracing::error!(
                %folder,
                free_mib,
                "the disk with the store is all but full: no reports are taken in, they stay on the machines; make room",
            ),
        }
    }
}
