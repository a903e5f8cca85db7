//! The service's entry with the service control manager of Windows.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use policies::text;
use policies::text::Text;
use windows_service::service::{
    Service, ServiceAccess, ServiceAction, ServiceActionType, ServiceErrorControl, ServiceFailureActions,
    ServiceFailureResetPeriod, ServiceInfo, ServiceStartType, ServiceState, ServiceType,
};
use windows_service::service_manager::{ServiceManager, ServiceManagerAccess};
use windows_service::{Error, Result};

use crate::platform::name::SERVICE;

/// The display name in the list of services.
const SHOWN: &str = "Trạm An";
/// The description next to it.
const DESCRIPTION: &str = "Theo dõi an ninh mạng của máy tính này và gửi báo cáo về máy chủ của cơ quan. Chỉ đọc, không thay đổi máy. \
                           (Watches this computer's security posture and reports to the office's server. Only reads.)";
/// The service is restarted after each failure, with growing delays ...
const AGAIN: [Duration; 3] = [Duration::from_secs(5), Duration::from_secs(30), Duration::from_secs(5 * 60)];
/// ... which start over after a day without failure.
const FORGIVEN: Duration = Duration::from_secs(24 * 60 * 60);
/// The most time the service needs at system shutdown.
const GOING_DOWN: Duration = Duration::from_secs(5);
/// How long the service may take to stop.
const STOP: Duration = Duration::from_secs(20);
/// How long a removed service may still be held open.
const RELEASE: Duration = Duration::from_secs(20);
/// How long another starting service may block the start of this one.
const START: Duration = Duration::from_secs(30);
/// How often the service's state is polled.
const LOOK: Duration = Duration::from_millis(100);

/// `ERROR_SERVICE_DOES_NOT_EXIST`.
const NONE: i32 = 1060;
/// `ERROR_SERVICE_NOT_ACTIVE`.
const NOT_ACTIVE: i32 = 1062;
/// `ERROR_SERVICE_CANNOT_ACCEPT_CTRL`, and `ERROR_INVALID_SERVICE_CONTROL`, which Wine uses for it: the service is starting or stopping
/// right now.
const BUSY: [i32; 2] = [1061, 1052];
/// `ERROR_SERVICE_DATABASE_LOCKED`: another service is being started, as after the machine boots.
const LOCKED: i32 = 1055;
/// `ERROR_SERVICE_MARKED_FOR_DELETE`: it was removed, but something still holds it open, such as a window that lists
/// services.
const MARKED: i32 = 1072;
/// `ERROR_SERVICE_ALREADY_RUNNING`.
const RUNS: i32 = 1056;

/// The service control manager, opened with administrator rights.
pub(super) struct Manager(ServiceManager);

/// True when Windows refused with this error number.
fn refused_with(error: &Error, number: i32) -> bool {
    matches!(error, Error::Winapi(error) if error.raw_os_error() == Some(number))
}

/// Windows' own error message, instead of the crate's general one.
pub(super) fn reason(error: &Error) -> String {
    match error {
        Error::Winapi(error) => error.to_string(),
        error => error.to_string(),
    }
}

impl Manager {
    /// Opens this machine's service control manager.
    pub(super) fn open() -> Result<Self> {
        let access = ServiceManagerAccess::CONNECT | ServiceManagerAccess::CREATE_SERVICE;
        ServiceManager::local_computer(None::<&str>, access).map(Self)
    }

    /// The service; none when it is not installed.
    pub(super) fn service(&self) -> Result<Option<Service>> {
        match self.0.open_service(SERVICE, ServiceAccess::ALL_ACCESS) {
            Err(error) if refused_with(&error, NONE) => Ok(None),
            found => found.map(Some),
        }
    }

    /// Creates the service that runs `program` with its state in `state`, or corrects it. Returns the optional settings that Windows
    /// refused.
    pub(super) async fn establish(&self, program: &Path, arguments: &[OsString]) -> Result<(Service, Vec<Text>)> {
        let info = ServiceInfo {
            name: OsString::from(SERVICE),
            display_name: OsString::from(SHOWN),
            service_type: ServiceType::OWN_PROCESS,
            start_type: ServiceStartType::AutoStart,
            error_control: ServiceErrorControl::Normal,
            executable_path: program.to_owned(),
            launch_arguments: arguments.to_vec(),
            dependencies: Vec::new(),
            // None is LocalSystem.
            account_name: None,
            account_password: None,
        };
        let end = tokio::time::Instant::now() + RELEASE;
        let service = loop {
            let made = match self.service()? {
                Some(service) => service.change_config(&info).map(|()| service),
                None => self.0.create_service(&info, ServiceAccess::ALL_ACCESS),
            };
            match made {
                Err(error) if refused_with(&error, MARKED) && tokio::time::Instant::now() < end => {
                    tokio::time::sleep(LOOK).await;
                }
                made => break made?,
            }
        };
        let missing = refined(&service);
        Ok((service, missing))
    }
}

/// Corrects the optional settings of the running service: the installer (MSI) cannot set them. Refusals by Windows are
/// logged.
pub(crate) fn refine_own() -> Result<()> {
    let manager = ServiceManager::local_computer(None::<&str>, ServiceManagerAccess::CONNECT)?;
    let service = manager.open_service(SERVICE, ServiceAccess::CHANGE_CONFIG | ServiceAccess::START)?;
    for missing in refined(&service) {
        tracing::warn!("a setting of the service was refused: {}", missing.en);
    }
    Ok(())
}

/// Applies the optional settings and returns those Windows refused.
fn refined(service: &Service) -> Vec<Text> {
    let mut missing = Vec::new();
    let mut set = |done: Result<()>, vi: &str, en: &str| {
        if let Err(error) = done {
            let reason = reason(&error);
            missing.push(text!("{vi}: {reason}", "{en}: {reason}"));
        }
    };
    set(service.set_description(DESCRIPTION), "mô tả của dịch vụ", "the service's description");
    set(service.set_delayed_auto_start(true), "khởi động trễ", "delayed start");
    set(service.set_preshutdown_timeout(GOING_DOWN), "thời hạn khi tắt máy", "time-out at shutdown");
    let again = |delay: &Duration| ServiceAction { action_type: ServiceActionType::Restart, delay: *delay };
    let recovery = ServiceFailureActions {
        reset_period: ServiceFailureResetPeriod::After(FORGIVEN),
        reboot_msg: None,
        command: None,
        actions: Some(AGAIN.iter().map(again).collect()),
    };
    let recovers =
        service.update_failure_actions(recovery).and_then(|()| service.set_failure_actions_on_non_crash_failures(true));
    set(recovers, "tự khởi động lại khi lỗi", "start again after failure");
    missing
}

/// Starts the service; does nothing when it is running. While another service is being started it waits for a while.
pub(super) async fn start(service: &Service) -> Result<()> {
    let end = tokio::time::Instant::now() + START;
    loop {
        match service.start::<&str>(&[]) {
            Err(error) if refused_with(&error, RUNS) => return Ok(()),
            Err(error) if refused_with(&error, LOCKED) && tokio::time::Instant::now() < end => {
                tokio::time::sleep(LOOK).await;
            }
            started => return started,
        }
    }
}

/// Stops the service and waits for that. True when it stopped in time.
pub(super) async fn stop(service: &Service) -> Result<bool> {
    let end = tokio::time::Instant::now() + STOP;
    loop {
        match service.stop() {
            Ok(_) => break,
            Err(error) if refused_with(&error, NOT_ACTIVE) || has_stopped(service)? => return Ok(true),
            Err(error)
                if BUSY.iter().any(|number| refused_with(&error, *number)) && tokio::time::Instant::now() < end =>
            {
                tokio::time::sleep(LOOK).await;
            }
            Err(error) => return Err(error),
        }
    }
    while !has_stopped(service)? {
        if tokio::time::Instant::now() > end {
            return Ok(false);
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(true)
}

/// True when the service does not run.
pub(super) fn has_stopped(service: &Service) -> Result<bool> {
    Ok(service.query_status()?.current_state == ServiceState::Stopped)
}
