//! What the Windows Update Agent knows without going online.
#![expect(unsafe_code, reason = "COM is asked through its interfaces")]

use windows::Win32::Foundation::VARIANT_FALSE;
use windows::Win32::System::UpdateAgent::{
    AutomaticUpdates, IAutomaticUpdates2, ISystemInformation, IUpdate, IUpdateSession, SystemInformation, UpdateSession,
};
use windows::Win32::System::Variant::{VARIANT, VT_DATE};
use windows::core::BSTR;

use super::com::Com;
use crate::Answer;
use crate::windows::answer::{MOST_HISTORY, PastInstallation, WaitingUpdate};
use crate::windows::{UpdateSearch, decode};

const WHAT: &str = "updates";
/// Includes hidden updates: what they would fix stays unfixed.
const CRITERIA: &str = "(IsInstalled=0 and IsHidden=0) or (IsInstalled=0 and IsHidden=1)";

/// [`super::super::WindowsOs::updates`]. Each part is queried separately: a failing search (a broken store, an unreachable
/// server) costs neither the dates nor the need for a restart.
pub(super) fn search() -> Answer<UpdateSearch> {
    let com = Com::begin()?;
    let session: IUpdateSession = com.object(WHAT, &UpdateSession)?;
    let (waiting, refused) = match waiting(&session) {
        Ok(waiting) => (waiting, None),
        Err(error) => (Vec::new(), Some(number(&error))),
    };
    let (history, history_refused) = match history(&session) {
        Ok(history) => (Some(history), None),
        Err(error) => (None, Some(number(&error))),
    };
    let automatic: Answer<IAutomaticUpdates2> = com.object(WHAT, &AutomaticUpdates);
    let system: Answer<ISystemInformation> = com.object(WHAT, &SystemInformation);
    // SAFETY: the objects are alive, in a thread with COM initialised.
    let (searched, installed, reboot) = unsafe {
        let results = automatic.ok().and_then(|automatic| automatic.Results().ok());
        let results = results.as_ref();
        (
            results.and_then(|results| results.LastSearchSuccessDate().ok()),
            results.and_then(|results| results.LastInstallationSuccessDate().ok()),
            system.ok().and_then(|system| system.RebootRequired().ok()),
        )
    };
    Ok(UpdateSearch {
        history,
        history_refused,
        waiting,
        refused,
        searched_at: searched.and_then(|at| instant(&at)),
        installed_at: installed.and_then(|at| instant(&at)),
        reboot: reboot.map(windows::Win32::Foundation::VARIANT_BOOL::as_bool),
    })
}

fn number(error: &windows::core::Error) -> String {
    format!("0x{:08X}", error.code().0)
}

fn waiting(session: &IUpdateSession) -> windows::core::Result<Vec<WaitingUpdate>> {
    // SAFETY: the session and everything it returns are alive, in a thread with COM initialised.
    unsafe {
        let searcher = session.CreateUpdateSearcher()?;
        searcher.SetOnline(VARIANT_FALSE)?;
        let updates = searcher.Search(&BSTR::from(CRITERIA))?.Updates()?;
        (0..updates.Count()?).map(|at| update(&updates.get_Item(at)?)).collect()
    }
}

fn update(update: &IUpdate) -> windows::core::Result<WaitingUpdate> {
    // SAFETY: the update and everything it returns are alive, in a thread with COM initialised.
    unsafe {
        let (numbers, categories) = (update.KBArticleIDs()?, update.Categories()?);
        let kb: windows::core::Result<_> =
            (0..numbers.Count()?).map(|at| Ok(numbers.get_Item(at)?.to_string())).collect();
        let identifiers: windows::core::Result<_> = (0..categories.Count()?)
            .map(|at| Ok(categories.get_Item(at)?.CategoryID()?.to_string().to_lowercase()))
            .collect();
        Ok(WaitingUpdate {
            kb: kb?,
            categories: identifiers?,
            severity: update.MsrcSeverity()?.to_string(),
            hidden: update.IsHidden()?.as_bool(),
        })
    }
}

/// The newest history entries.
fn history(session: &IUpdateSession) -> windows::core::Result<Vec<PastInstallation>> {
    // SAFETY: the session and everything it returns are alive, in a thread with COM initialised.
    unsafe {
        let searcher = session.CreateUpdateSearcher()?;
        let entries = searcher.QueryHistory(0, searcher.GetTotalHistoryCount()?.min(MOST_HISTORY))?;
        let mut past = Vec::new();
        for at in 0..entries.Count()? {
            let entry = entries.get_Item(at)?;
            let Some(when) = decode::ole_date(entry.Date()?) else { continue };
            past.push(PastInstallation {
                id: entry.UpdateIdentity()?.UpdateID()?.to_string(),
                title: entry.Title()?.to_string(),
                at: when,
                result: entry.ResultCode()?.0,
                code: entry.HResult()?,
            });
        }
        Ok(past)
    }
}

/// A time in UTC; `None` for never.
fn instant(value: &VARIANT) -> Option<i64> {
    // SAFETY: the type says which member of the union is set.
    unsafe {
        let inner = &value.Anonymous.Anonymous;
        (inner.vt == VT_DATE).then(|| decode::ole_date(inner.Anonymous.date))?
    }
}
