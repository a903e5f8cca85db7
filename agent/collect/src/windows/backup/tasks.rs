//! Scheduled tasks, by their keys; their files show whether they are enabled. The files are XML in UTF-16, the same in every language
//! (learn.microsoft.com, "Task Scheduler Schema").

use crate::windows::center::path;
use crate::windows::context::CheckContext;
use os::{Answer, FileKind, OsError, TEXT_CAP};

/// Scheduled tasks by their paths.
pub(super) const TREE: &str = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\Schedule\TaskCache\Tree";

/// True when Windows has this task and starts it automatically. If its file cannot be seen, its key counts.
pub(super) fn starts(context: &CheckContext, task: &str) -> Answer<bool> {
    match context.os.keys(&format!(r"{TREE}\{task}")) {
        Ok(_) => {}
        Err(OsError::Missing(_)) => return Ok(false),
        Err(error) => return Err(error),
    }
    let Some(file) = file(context, task) else { return Ok(true) };
    match context.os.read(&file, TEXT_CAP) {
        Ok(bytes) => Ok(!is_off(&bytes)),
        Err(OsError::Missing(_)) => Ok(true),
        Err(error) => Err(error),
    }
}

/// True for a folder of tasks.
pub(super) fn is_folder(context: &CheckContext, task: &str) -> bool {
    file(context, task).is_some_and(|file| context.os.stat(&file).is_ok_and(|stat| stat.kind == FileKind::Folder))
}

fn file(context: &CheckContext, task: &str) -> Option<String> {
    path(context, &format!(r"%SystemRoot%\System32\Tasks\{task}"))
}

/// True for a task that is disabled or has no trigger.
fn is_off(file: &[u8]) -> bool {
    let units: Vec<u16> = file.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
    let text: String = String::from_utf16_lossy(&units).chars().filter(|one| !one.is_whitespace()).collect();
    let part = |name: &str| {
        let rest = text.split_once(&format!("<{name}>"))?.1;
        rest.split_once(&format!("</{name}>")).map(|(part, _)| part)
    };
    let untriggered = text.contains("<Triggers/>") || part("Triggers") == Some("");
    untriggered || part("Settings").is_some_and(|settings| settings.contains("<Enabled>false</Enabled>"))
}
