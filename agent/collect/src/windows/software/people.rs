//! The files of people who are not logged on: `NTUSER.DAT` in the folder of everyone with a profile.

use crate::windows::accounts::{PROFILES, is_person};
use crate::windows::center::path;
use crate::windows::context::{CheckContext, Setting};
use os::OsError;

/// The most files read. Not even classroom computers have as many users.
const MOST: usize = 256;

/// The files, and how many people have a profile but no readable file. `loaded` are those logged on.
pub(super) fn files(context: &CheckContext, loaded: &[String]) -> (Vec<String>, u32) {
    let people = match context.os.keys(PROFILES) {
        Ok(people) => people,
        Err(OsError::Missing(_)) => return (Vec::new(), 0),
        Err(_) => return (Vec::new(), 1),
    };
    let (mut taken, mut files, mut unread) = (Vec::new(), Vec::new(), 0);
    // Logged-on people first: an old row may name the folder that is now theirs, whose file is in use.
    let (here, away): (Vec<String>, Vec<String>) = people
        .into_iter()
        .filter(|sid| is_person(sid))
        .partition(|sid| loaded.iter().any(|known| known.eq_ignore_ascii_case(sid)));
    for (sid, is_here) in here.iter().map(|sid| (sid, true)).chain(away.iter().map(|sid| (sid, false))) {
        let folder = match context.text(&format!(r"{PROFILES}\{sid}"), "ProfileImagePath") {
            Setting::Set(text) => path(context, &text),
            Setting::Absent => continue,
            Setting::Unreadable(_) => None,
        };
        match folder {
            Some(folder) if taken.contains(&folder.to_lowercase()) => {}
            Some(folder) => {
                taken.push(folder.to_lowercase());
                if !is_here {
                    files.push(format!(r"{}\NTUSER.DAT", folder.trim_end_matches('\\')));
                }
            }
            None => unread += u32::from(!is_here),
        }
    }
    unread += count(files.len().saturating_sub(MOST));
    files.truncate(MOST);
    (files, unread)
}

pub(super) fn count(items: usize) -> u32 {
    u32::try_from(items).unwrap_or(u32::MAX)
}
