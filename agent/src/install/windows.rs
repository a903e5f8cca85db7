//! The steps of installing and uninstalling on Windows.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use policies::text;
use policies::text::Text;
use windows_service::service::Service;

use super::manager::{self, Manager};
use super::{InstallError, Installed, Plan, Removal, program};
use crate::enrol::pending_enrolment::{self, EnrolmentProgress, Stage};
use crate::enrol::{EnrolError, fingerprint_read};
use crate::platform::name::SERVICE;
use crate::platform::windows::{event_log, handover};
use crate::state::config::server_address;
use crate::state::{DEFAULT, Missing, StateError, StateFolder};
use os::Os;
use os::windows::Windows;

/// How long a person waits for *connected* before being told that it continues in the background.
const PATIENCE: Duration = Duration::from_secs(45);
/// How often the service's progress is polled.
const LOOK: Duration = Duration::from_millis(200);

/// Installs, or replaces an older version and keeps its state, and waits for the enrolment.
///
/// # Errors
/// See [`InstallError`].
pub(crate) fn install(plan: &Plan) -> Result<Installed, InstallError> {
    if let Some(invitation) = &plan.invitation {
        server_address(&invitation.server).map_err(EnrolError::from)?;
        fingerprint_read(&invitation.fingerprint)?;
        protocol::token::Token::read(&invitation.token).map_err(EnrolError::from)?;
    }
    administrator()?;
    runtime()?.block_on(async {
        let manager = open()?;
        if let Some(service) = find(&manager)? {
            halt(&service).await?;
        }
        let (vi, en) = ("chép chương trình vào Program Files", "copy the program to Program Files");
        let folder = program::folder().map_err(|error| step(vi, en, error))?;
        program::place(&folder).await.map_err(|error| step(vi, en, error))?;
        {
            let state = open_state(&plan.state).await?;
            pending_enrolment::stay(&state)?;
            if let Some(invitation) = &plan.invitation {
                pending_enrolment::invite(&state, invitation)?;
            }
        }
        // The service does this too; doing it here makes its first event readable.
        let registered = event_log::register();
        let (service, mut missing) = manager
            .establish(&program::path(&folder), &arguments(&plan.state))
            .await
            .map_err(|error| step("tạo dịch vụ", "create the service", manager::reason(&error)))?;
        if let Err(error) = registered {
            missing.push(text!("nguồn nhật ký sự kiện: {error}", "the events' source: {error}"));
        }
        manager::start(&service)
            .await
            .map_err(|error| step("khởi động dịch vụ", "start the service", manager::reason(&error)))?;
        let enrolment = connected(&service, &plan.state, plan.invitation.is_some()).await?;
        Ok(Installed { enrolment, missing })
    })
}

/// Removes what `what` names. Parts that are already absent are no error; a failing step does not stop the others.
///
/// # Errors
/// As [`InstallError`] says.
pub(crate) fn uninstall(state: &Path, what: Removal) -> Result<(), InstallError> {
    administrator()?;
    runtime()?.block_on(async {
        let mut failed = Vec::new();
        let mut note = |done: Result<(), InstallError>| failed.extend(done.err());
        note(remove_service(state, what).await);
        if what != Removal::StateOnly {
            let removed = match program::folder() {
                Ok(folder) => program::remove(&folder).await,
                Err(error) => Err(error),
            };
            note(removed.map_err(|error| step("xoá chương trình", "remove the program", error)));
        }
        note(
            crate::policy::notice::forget()
                .map_err(|error| step("xoá kết quả đã lưu", "remove the last result", error)),
        );
        if what != Removal::KeepIdentity {
            let removed = remove_state(state).await;
            note(removed.map_err(|error| step("xoá thư mục trạng thái", "remove the state folder", error)));
        }
        note(handover::forget().map_err(|error| step("xoá khoá registry", "remove the registry key", error)));
        note(
            event_log::forget().map_err(|error| step("xoá nguồn nhật ký sự kiện", "remove the events' source", error)),
        );
        match failed.len() {
            0 => Ok(()),
            1 => Err(failed.remove(0)),
            _ => Err(InstallError::Several(failed)),
        }
    })
}

async fn remove_service(state: &Path, what: Removal) -> Result<(), InstallError> {
    let Some(service) = find(&open()?)? else { return Ok(()) };
    pending_enrolment::leave(state);
    halt(&service).await?;
    if what == Removal::StateOnly {
        return Ok(());
    }
    service.delete().map_err(|error| step("xoá dịch vụ", "delete the service", manager::reason(&error)))
}

async fn remove_state(state: &Path) -> std::io::Result<()> {
    if !state.exists() {
        return Ok(());
    }
    // Only a folder of ours is removed with its content, whatever path was given.
    let folder = open_state(state).await.map_err(|error| std::io::Error::other(error.text().en))?;
    let ours = folder.path().to_owned();
    drop(folder);
    std::fs::remove_dir_all(ours)?;
    if let Some(above) = state.parent().filter(|above| above.file_name().is_some_and(|name| name == SERVICE)) {
        // Files that the agent did not put there stay.
        drop(std::fs::remove_dir(above));
    }
    Ok(())
}

fn administrator() -> Result<(), InstallError> {
    if Windows::default().administrator() { Ok(()) } else { Err(InstallError::NotAdministrator) }
}

fn runtime() -> Result<tokio::runtime::Runtime, InstallError> {
    let built = tokio::runtime::Builder::new_current_thread().enable_all().build();
    built.map_err(|error| step("khởi động", "start", error))
}

fn open() -> Result<Manager, InstallError> {
    Manager::open()
        .map_err(|error| step("mở trình quản lý dịch vụ", "open the service manager", manager::reason(&error)))
}

fn find(manager: &Manager) -> Result<Option<Service>, InstallError> {
    manager.service().map_err(|error| step("tìm dịch vụ", "find the service", manager::reason(&error)))
}

async fn halt(service: &Service) -> Result<(), InstallError> {
    let (vi, en) = ("dừng dịch vụ", "stop the service");
    match manager::stop(service).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(step(vi, en, "it does not stop")),
        Err(error) => Err(step(vi, en, manager::reason(&error))),
    }
}

/// Opens the state folder once a stopping process has released it.
async fn open_state(path: &Path) -> Result<StateFolder, InstallError> {
    let end = tokio::time::Instant::now() + Duration::from_secs(5);
    loop {
        match StateFolder::open(path, Missing::Create) {
            Err(StateError::Locked(_)) if tokio::time::Instant::now() < end => tokio::time::sleep(LOOK).await,
            opened => return Ok(opened?),
        }
    }
}

/// The service's command-line arguments.
fn arguments(state: &Path) -> Vec<OsString> {
    let mut arguments = vec![OsString::from("run")];
    if state != Path::new(DEFAULT) {
        arguments.extend([OsString::from("--state"), state.as_os_str().to_owned()]);
    }
    arguments
}

/// Waits until the service reports connected or refused; returns *not yet* when that takes longer than a person waits.
async fn connected(service: &Service, state: &Path, invited: bool) -> Result<Option<EnrolmentProgress>, InstallError> {
    let end = tokio::time::Instant::now() + PATIENCE;
    loop {
        // Checked first, so that what the service wrote before it ended is seen.
        let stopped = manager::has_stopped(service)
            .map_err(|error| step("hỏi trạng thái dịch vụ", "ask for the service's state", manager::reason(&error)))?;
        let enrolment = pending_enrolment::progress(state);
        let settled = enrolment.as_ref().is_some_and(|enrolment| enrolment.stage != Stage::Waiting);
        if settled || !invited && !stopped || tokio::time::Instant::now() > end {
            return Ok(enrolment);
        }
        if stopped {
            let reason = "it ended at once; the reason is in the Application log of Windows, source TramAn";
            return Err(step("khởi động dịch vụ", "start the service", reason));
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn step(vi: &str, en: &str, reason: impl std::fmt::Display) -> InstallError {
    InstallError::Step { step: Text::new(vi, en), reason: reason.to_string() }
}
