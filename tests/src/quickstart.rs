//! The first of the two commands: this machine, checked, reported, graded and seen, by the real programs.
//!
//! Drives only the commands of `posture-server` and `posture-agent`, as an officer would; [`folder`] remembers which of them
//! are done, so that a second start continues with the same data.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use policies::text::Language;

use crate::checkout::{self, Profile};
use crate::process::Running;
use crate::test_agent::{Enrolment, TestAgent};
use crate::test_server::{NewOffice, StartUp, TestServer, machine_name};
use crate::wait;

pub mod answer;
pub mod folder;
pub mod screen;
pub mod stop;
pub mod table;
mod voice;

use answer::Answer;
use folder::{Memory, QuickstartFolder, choose_port};
use stop::Stop;
pub use voice::Voice;

/// How long this machine may take for its first check: every collector has a deadline of its own.
const FIRST_CHECK: Duration = Duration::from_secs(180);

/// The office of a quickstart.
const OFFICE: &str = "Cơ quan dùng thử";
/// The login of its officer.
const LOGIN: &str = "canbo";

/// What a person asked for.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where everything is kept; `quickstart` in the target folder when absent.
    pub data: Option<PathBuf>,
    /// The port of the server; 0 for any. The one of the last start, else 8443, when absent.
    pub port: Option<u16>,
    /// When to end.
    pub until: Until,
    /// How to answer.
    pub form: Form,
    /// The language of the answer.
    pub language: Language,
}

/// When a quickstart ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// After the first grade.
    FirstGrade,
    /// When it is asked to stop.
    Asked,
}

/// How a quickstart answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// For a person.
    Screen,
    /// One JSON object, for a program.
    Json,
}

/// Does all of it.
///
/// # Errors
/// What could not be done, with what to do about it.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let voice = Voice::new(options.language);
    let stop = Stop::listen()?;
    let place = QuickstartFolder::open(match &options.data {
        Some(folder) => folder.clone(),
        None => checkout::target()?.join("quickstart"),
    })?;
    let mut memory = place.recall()?;
    voice.say(
        &format!("Dữ liệu nằm trong {}", place.folder().display()),
        &format!("The data is in {}", place.folder().display()),
    );

    voice.step(
        "Dựng hai chương trình từ mã nguồn (lần đầu khoảng 5 phút trên máy 2 nhân, những lần sau vài giây)",
        "Building both programs (the first time about 5 minutes on 2 cores, later a few seconds)",
    );
    let programs = checkout::build(Profile::Quickstart)?;
    let port = choose_port(options.port, &memory)?;
    let mut test_server = TestServer::new(programs.server, place.server());
    let test_agent = TestAgent::new(programs.agent, place.agent());

    let first_password = prepare(&voice, &mut test_server, &place, &mut memory, options.form)?;

    voice.step("Khởi động máy chủ", "Starting the server");
    let mut server = test_server.run(&format!("127.0.0.1:{port}"), &place.log("server"))?;
    memory.port = Some(server.port);
    place.remember(&memory)?;

    if !memory.enrolled {
        voice.step("Kết nối máy này bằng mã đăng ký dùng một lần", "Enrolling this machine with a one-time token");
        let token = test_server.token_add(&memory.office, 1)?;
        test_agent.enrol(&Enrolment::new(format!("127.0.0.1:{}", server.port), token))?;
        memory.enrolled = true;
        place.remember(&memory)?;
    }
    test_agent.address_set(&format!("127.0.0.1:{}", server.port))?;

    voice.step("Kiểm tra máy này và gửi báo cáo", "Checking this machine and reporting");
    let mut agent = test_agent.run(&place.log("agent"))?;
    let answer = first_grade(&voice, &test_server, &memory.office, &mut server.running, &mut agent, &stop)?;
    let Some(answer) = answer else { return end(&voice, &mut agent, &mut server.running) };
    let answer = Answer { url: server.url(&memory.office), ..answer };

    match options.form {
        Form::Json => out(&serde_json::to_string(&answer)?)?,
        Form::Screen => {
            out(&screen::draw(&answer, options.language, &screen::Look::of_terminal()))?;
            out(&screen::login(&answer.url, LOGIN, first_password.as_deref(), options.language))?;
        }
    }
    if options.until == Until::Asked {
        voice.say("Đang chạy. Nhấn Ctrl-C để dừng.", "Running. Press Ctrl-C to stop.");
        wait_for_end(&stop, &mut server.running, &mut agent)?;
    }
    end(&voice, &mut agent, &mut server.running)
}

/// Everything the server needs before it starts; steps done by an earlier start are left alone. Returns the first password
/// when a login was made now.
fn prepare(
    voice: &Voice,
    test_server: &mut TestServer,
    place: &QuickstartFolder,
    memory: &mut Memory,
    form: Form,
) -> anyhow::Result<Option<String>> {
    if !test_server.is_initialised() {
        voice.step("Tạo máy chủ: khoá, chứng thư, cơ sở dữ liệu", "Making the server: keys, certificates, database");
        test_server.init(None)?;
    }
    if memory.office.is_empty() {
        voice.step("Khai cơ quan và danh mục máy tính", "Declaring the office and its roster");
        memory.office = test_server.office_add(&NewOffice { name: OFFICE.to_owned(), start_up: StartUp::Off })?;
        place.remember(memory)?;
    }
    if !memory.rostered {
        test_server.roster_declare(&memory.office, &[machine_name()])?;
        memory.rostered = true;
        place.remember(memory)?;
    }
    let policies = checkout::root()?.join("policies");
    let now = folder::digest_of(&policies)?;
    if memory.policies != now {
        voice.step("Ký và công bố bộ tiêu chí", "Signing and publishing the policy");
        test_server.policy_publish(&policies)?;
        memory.policies = now;
        place.remember(memory)?;
    }
    if memory.login || form == Form::Json {
        return Ok(None);
    }
    let password = test_server.person_add(LOGIN, "Cán bộ dùng thử")?;
    memory.login = true;
    place.remember(memory)?;
    Ok(Some(password))
}

/// Asks the server until it has graded this machine; `None` when the person stopped it first.
fn first_grade(
    voice: &Voice,
    test_server: &TestServer,
    office: &str,
    server: &mut Running,
    agent: &mut Running,
    stop: &Stop,
) -> anyhow::Result<Option<Answer>> {
    let mut stopped = false;
    let graded = wait::until("the first grade", FIRST_CHECK, || {
        if stop.asked() {
            stopped = true;
            return Ok(Some(None));
        }
        for running in [&mut *server, &mut *agent] {
            if running.ended()?.is_some() {
                anyhow::bail!("{}", running.complaint()?);
            }
        }
        voice.tick();
        Ok(Answer::read(test_server.office_show(office)?).map(Some))
    });
    voice.rest();
    graded.with_context(|| agent.log_tail())
}

fn wait_for_end(stop: &Stop, server: &mut Running, agent: &mut Running) -> anyhow::Result<()> {
    while !stop.wait(Duration::from_secs(1)) {
        for running in [&mut *server, &mut *agent] {
            if running.ended()?.is_some() {
                anyhow::bail!("{}", running.complaint()?);
            }
        }
    }
    Ok(())
}

/// Ends the agent first, so that it can still deliver what it holds.
fn end(voice: &Voice, agent: &mut Running, server: &mut Running) -> anyhow::Result<()> {
    voice.step("Dừng máy trạm và máy chủ", "Stopping agent and server");
    agent.stop()?;
    server.stop()?;
    Ok(())
}

fn out(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        // The reader went away (`| head`): the quickstart itself succeeded.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}
