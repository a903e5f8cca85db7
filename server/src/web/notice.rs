//! The lines above a page that warn when its content is not as reliable as usual: the store fails, is damaged, or has no room.

use super::catalogue::Catalogue;
use super::number::Numbers;
use super::visitor::Session;
use policies::text;

use crate::app::App;
use crate::bound::space::Room;

/// Whether there is trouble, and of which kind; following pages are notified when it changes, so that the lines come and go.
pub(crate) fn trouble(app: &App) -> (bool, bool, Room) {
    (app.db.health().failing_for().is_some(), app.db.health().damage().is_some(), app.space.room())
}

/// The lines for a person who is logged in, the most serious first. Disk space is shown only to those who may change things.
pub(crate) fn notices(app: &App, session: &Session, t: Catalogue, n: &Numbers) -> Vec<String> {
    let mut lines = Vec::new();
    let health = app.db.health();
    if health.damage().is_some() {
        lines.push(t.text("Cơ sở dữ liệu của máy chủ bị hỏng: số liệu trên trang có thể thiếu hoặc sai. Người quản trị cần xem nhật ký máy chủ và khôi phục từ bản sao lưu.", "The server's database is damaged: figures on this page may be missing or wrong. The administrator should read the server's log and restore a backup.").to_owned());
    }
    if let Some(failing) = health.failing_for() {
        let since = app.clock.now_ms() - i64::try_from(failing.as_millis()).unwrap_or(0);
        lines.push(t.own(text!("Từ {0} máy chủ không ghi được số liệu mới; số liệu trên trang này có thể đã cũ. Báo cáo được giữ lại trên các máy và sẽ được gửi lại.", "Since {0} the server has not been able to store anything new: this page may be out of date. Reports are kept on the machines and will be sent again.", n.second(since))));
    }
    let free = n.count(app.space.free_mib());
    let words = match app.space.room() {
        Room::Enough => return lines,
        Room::Low => text!(
            "Ổ đĩa chứa cơ sở dữ liệu của máy chủ sắp đầy (còn {0} MB). Người quản trị máy chủ cần giải phóng dung lượng.",
            "The disk with the server's database is nearly full ({0} MB left). The server's administrator should make room.",
            free
        ),
        Room::None => text!(
            "Ổ đĩa chứa cơ sở dữ liệu của máy chủ gần như đã đầy (còn {0} MB): máy chủ tạm ngừng nhận báo cáo, báo cáo được giữ lại trên các máy. Người quản trị máy chủ cần giải phóng dung lượng ngay.",
            "The disk with the server's database is all but full ({0} MB left): the server takes in no reports for now, they are kept on the machines. The server's administrator must make room at once.",
            free
        ),
    };
    if session.may_change() {
        lines.push(t.own(words));
    }
    lines
}
