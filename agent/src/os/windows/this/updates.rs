//! What the Windows Update Agent knows without going online.
#![expect(unsafe_code, reason = "COM is asked through its interfaces")]

use windows::Win32::Foundation::VARIANT_FALSE;
use windows::Win32::System::UpdateAgent::{
    AutomaticUpdates, IAutomaticUpdates2, ISystemInformation, IUpdate, IUpdateSession, SystemInformation, UpdateSession,
};
use windows::Win32::System::Variant::{VARIANT, VT_DATE};
use windows::core::BSTR;

use super::com::Com;
use super::refused;
use crate::os::Answer;
use crate::os::windows::answer::WaitingUpdate;
use crate::os::windows::{UpdateSearch, decode};

const WHAT: &str = "updates";
/// Updates that somebody hid are not waited for.
const CRITERIA: &str = "IsInstalled=0 and IsHidden=0";

/// [`super::super::WindowsOs::updates`].
pub(super) fn search() -> Answer<UpdateSearch> {
    let com = Com::begin()?;
    let failed = |error: windows::core::Error| refused(WHAT, &error);
    let session: IUpdateSession = com.object(WHAT, &UpdateSession)?;
    let waiting = waiting(&session).map_err(failed)?;
    let automatic: IAutomaticUpdates2 = com.object(WHAT, &AutomaticUpdates)?;
    let system: ISystemInformation = com.object(WHAT, &SystemInformation)?;
    // SAFETY: the objects live, in a thread that has COM.
    let (searched, installed, reboot) = unsafe {
        let results = automatic.Results().map_err(failed)?;
        (results.LastSearchSuccessDate(), results.LastInstallationSuccessDate(), system.RebootRequired())
    };
    Ok(UpdateSearch {
        waiting,
        searched_at: instant(&searched.map_err(failed)?),
        installed_at: instant(&installed.map_err(failed)?),
        reboot: Some(reboot.map_err(failed)?.as_bool()),
    })
}

fn waiting(session: &IUpdateSession) -> windows::core::Result<Vec<WaitingUpdate>> {
    // SAFETY: the session lives, in a thread that has COM; so does all that it gives.
    unsafe {
        let searcher = session.CreateUpdateSearcher()?;
        searcher.SetOnline(VARIANT_FALSE)?;
        let updates = searcher.Search(&BSTR::from(CRITERIA))?.Updates()?;
        (0..updates.Count()?).map(|at| update(&updates.get_Item(at)?)).collect()
    }
}

fn update(update: &IUpdate) -> windows::core::Result<WaitingUpdate> {
    // SAFETY: the update lives, in a thread that has COM; so does all that it gives.
    unsafe {
        let (numbers, categories) = (update.KBArticleIDs()?, update.Categories()?);
        let kb: windows::core::Result<_> =
            (0..numbers.Count()?).map(|at| Ok(numbers.get_Item(at)?.to_string())).collect();
        let identifiers: windows::core::Result<_> = (0..categories.Count()?)
            .map(|at| Ok(categories.get_Item(at)?.CategoryID()?.to_string().to_lowercase()))
            .collect();
        Ok(WaitingUpdate { kb: kb?, categories: identifiers?, severity: update.MsrcSeverity()?.to_string() })
    }
}

/// An instant in UTC; `None` when it never was.
fn instant(value: &VARIANT) -> Option<i64> {
    // SAFETY: the type says which member of the union is set.
    unsafe {
        let inner = &value.Anonymous.Anonymous;
        (inner.vt == VT_DATE).then(|| decode::ole_date(inner.Anonymous.date))?
    }
}
