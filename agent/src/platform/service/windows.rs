//! The Windows service control manager, or a console: events come from whichever of the two started the program.

use std::io;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::signal::windows::{
    CtrlBreak, CtrlC, CtrlClose, CtrlShutdown, ctrl_break, ctrl_c, ctrl_close, ctrl_shutdown,
};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use windows_service::service::{
    PowerEventParam, ServiceControl, ServiceControlAccept, ServiceExitCode, ServiceState, ServiceStatus, ServiceType,
};
use windows_service::service_control_handler::{ServiceControlHandlerResult, ServiceStatusHandle, register};
use windows_service::service_dispatcher;

use super::{ServiceEvent, StopReason};
use crate::platform::logbook::{self, Entry};
use crate::platform::name::SERVICE;

/// `ERROR_FAILED_SERVICE_CONTROLLER_CONNECT`: not started by the service control manager, so it is a console.
const NO_MANAGER: i32 = 1063;
/// How long starting and stopping may take before the manager assumes that the service hangs.
const PATIENCE: Duration = Duration::from_secs(10);
/// The exit code of a service that failed, which makes the manager start it again.
const FAILED: u32 = 1;

type Work = Box<dyn FnOnce(Manager) -> anyhow::Result<()> + Send>;

/// The service's work, and its result: the manager calls a function without any context.
static WORK: Mutex<Option<Work>> = Mutex::new(None);
static ENDED: Mutex<Option<anyhow::Result<()>>> = Mutex::new(None);

/// Runs `work`: as a service when the service control manager started the program, else for the console.
///
/// # Errors
/// The error of `work`, or when the manager cannot be talked to.
pub fn attend(work: impl FnOnce(Manager) -> anyhow::Result<()> + Send + 'static) -> anyhow::Result<()> {
    *locked(&WORK) = Some(Box::new(work));
    match service_dispatcher::start(SERVICE, service_main) {
        Ok(()) => locked(&ENDED).take().unwrap_or(Ok(())),
        Err(windows_service::Error::Winapi(error)) if error.raw_os_error() == Some(NO_MANAGER) => {
            let work = locked(&WORK).take();
            work.map_or(Ok(()), |work| work(Manager { service: None, service_events: None }))
        }
        Err(error) => Err(error.into()),
    }
}

/// Called by the service control manager in a thread of its own.
extern "system" fn service_main(_count: u32, _arguments: *mut *mut u16) {
    logbook::to_event_log();
    let ended = serve();
    if let Err(error) = &ended {
        logbook::enter(&Entry::CannotRun { reason: format!("{error:#}") });
    }
    *locked(&ENDED) = Some(ended);
}

/// Runs the work as a service.
fn serve() -> anyhow::Result<()> {
    let (sender, service_events) = unbounded_channel();
    let service = Service::default();
    let told = service.clone();
    let handle = register(SERVICE, move |control| {
        let service_event = match control {
            ServiceControl::Interrogate => return ServiceControlHandlerResult::NoError,
            ServiceControl::Stop => ServiceEvent::Stop(StopReason::Asked),
            ServiceControl::Shutdown | ServiceControl::Preshutdown => ServiceEvent::Stop(StopReason::Shutdown),
            ServiceControl::PowerEvent(PowerEventParam::ResumeAutomatic | PowerEventParam::ResumeCritical) => {
                ServiceEvent::Awake
            }
            ServiceControl::PowerEvent(_) => return ServiceControlHandlerResult::NoError,
            _ => return ServiceControlHandlerResult::NotImplemented,
        };
        if let ServiceEvent::Stop(_) = service_event {
            told.tell(ServiceState::StopPending, ServiceExitCode::NO_ERROR);
        }
        // The receiver is only gone when the work has ended.
        let _received = sender.send(service_event);
        ServiceControlHandlerResult::NoError
    })?;
    service.tell_to(handle);
    service.tell(ServiceState::StartPending, ServiceExitCode::NO_ERROR);
    let work = locked(&WORK).take();
    let manager = Manager { service: Some(service.clone()), service_events: Some(service_events) };
    let ended = work.map_or(Ok(()), |work| work(manager));
    let code = if ended.is_ok() { ServiceExitCode::NO_ERROR } else { ServiceExitCode::ServiceSpecific(FAILED) };
    service.tell(ServiceState::Stopped, code);
    ended
}

/// The service control manager or console that started the program.
pub struct Manager {
    service: Option<Service>,
    service_events: Option<UnboundedReceiver<ServiceEvent>>,
}

impl Manager {
    /// True when the program runs as a service: nobody sees its standard error.
    pub fn is_service(&self) -> bool {
        self.service.is_some()
    }

    /// From now on, receives requests as events; call within a runtime, once.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn service_events(&mut self) -> io::Result<ServiceEvents> {
        Ok(match self.service_events.take() {
            Some(service_events) => ServiceEvents(From::Manager(service_events)),
            None => ServiceEvents(From::Console(Console {
                interrupt: ctrl_c()?,
                broken: ctrl_break()?,
                closed: ctrl_close()?,
                shutdown: ctrl_shutdown()?,
            })),
        })
    }

    /// Tells the manager that the service is up. Repeating it changes nothing.
    pub fn ready(&self) {
        if let Some(service) = &self.service {
            service.tell(ServiceState::Running, ServiceExitCode::NO_ERROR);
        }
    }

    /// Tells the manager that the service is stopping.
    pub fn stopping(&self) {
        if let Some(service) = &self.service {
            service.tell(ServiceState::StopPending, ServiceExitCode::NO_ERROR);
        }
    }
}

/// The status reported to the manager, from the working thread and from the thread that receives requests.
#[derive(Clone, Default)]
struct Service {
    handle: Arc<OnceLock<ServiceStatusHandle>>,
    last: Arc<Mutex<Option<ServiceState>>>,
}

impl Service {
    fn tell_to(&self, handle: ServiceStatusHandle) {
        // Set once, before any status is reported.
        let _first = self.handle.set(handle);
    }

    fn tell(&self, state: ServiceState, exit_code: ServiceExitCode) {
        let mut last = locked(&self.last);
        // A stopping service never becomes running again, however its two threads interleave.
        let late = *last == Some(ServiceState::StopPending) && state != ServiceState::Stopped;
        let Some(handle) = self.handle.get().filter(|_| !late && *last != Some(state)) else { return };
        *last = Some(state);
        let pending = matches!(state, ServiceState::StartPending | ServiceState::StopPending);
        let status = ServiceStatus {
            service_type: ServiceType::OWN_PROCESS,
            current_state: state,
            controls_accepted: if state == ServiceState::Running {
                ServiceControlAccept::STOP
                    | ServiceControlAccept::SHUTDOWN
                    | ServiceControlAccept::PRESHUTDOWN
                    | ServiceControlAccept::POWER_EVENT
            } else {
                ServiceControlAccept::empty()
            },
            exit_code,
            checkpoint: 0,
            wait_hint: if pending { PATIENCE } else { Duration::ZERO },
            process_id: None,
        };
        if let Err(error) = handle.set_service_status(status) {
            tracing::warn!(%error, ?state, "the service manager could not be told");
        }
    }
}

/// The events from whatever started the program.
pub struct ServiceEvents(From);

enum From {
    Manager(UnboundedReceiver<ServiceEvent>),
    Console(Console),
}

struct Console {
    interrupt: CtrlC,
    broken: CtrlBreak,
    closed: CtrlClose,
    shutdown: CtrlShutdown,
}

impl ServiceEvents {
    /// Waits for the next event.
    pub async fn next(&mut self) -> ServiceEvent {
        match &mut self.0 {
            From::Manager(service_events) => match service_events.recv().await {
                Some(service_event) => service_event,
                // The manager is gone; it does not come back.
                None => ServiceEvent::Stop(StopReason::Asked),
            },
            From::Console(console) => tokio::select! {
                _ = console.interrupt.recv() => ServiceEvent::Stop(StopReason::Asked),
                _ = console.broken.recv() => ServiceEvent::Stop(StopReason::Asked),
                _ = console.closed.recv() => ServiceEvent::Stop(StopReason::Asked),
                _ = console.shutdown.recv() => ServiceEvent::Stop(StopReason::Shutdown),
            },
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
