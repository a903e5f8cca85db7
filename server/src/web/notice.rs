//! The lines above a page that say when what it shows cannot be relied on as usual: the store fails, is damaged, or has no room.

use super::number::Numbers;
use super::visitor::Session;
use super::words::Words;
use crate::app::App;
use crate::bound::space::Room;

/// Whether there is trouble, and of which kind: a page that follows is told when it changes, so that its lines come and go.
pub(crate) fn trouble(app: &App) -> (bool, bool, Room) {
    (app.db.health().failing_for().is_some(), app.db.health().damage().is_some(), app.space.room())
}

/// The lines for a person who is logged in, the gravest first. Room on the disk is the business of those who may change things.
pub(crate) fn notices(app: &App, session: &Session, t: Words, n: &Numbers) -> Vec<String> {
    let mut lines = Vec::new();
    let health = app.db.health();
    if health.damage().is_some() {
        lines.push(t.say("notice.damaged").to_owned());
    }
    if let Some(failing) = health.failing_for() {
        let since = app.clock.now_ms() - i64::try_from(failing.as_millis()).unwrap_or(0);
        lines.push(t.say1("notice.failing", n.second(since)));
    }
    let key = match app.space.room() {
        Room::Enough => return lines,
        Room::Low => "notice.space_low",
        Room::None => "notice.space_none",
    };
    if session.may_change() {
        lines.push(t.say1(key, n.count(app.space.free_mib())));
    }
    lines
}
