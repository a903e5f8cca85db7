//! The page `/programs`: what offices install, with its SHA-256, and how to tell the antivirus of each maker to let it run.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::frame::{Frame, Place, render};
use super::refusal;
use super::visitor::{Session, Visitor};
use super::words::Words;
use crate::app::App;
use crate::error::PageError;
use crate::programs::Programs;

/// The makers seen in offices, by the words of the catalogue.
const MAKERS: [&str; 7] = ["bkav", "cmc", "viettel", "kaspersky", "eset", "microsoft", "other"];

#[derive(Template)]
#[template(path = "programs.html")]
struct ProgramsPage {
    t: Words,
    frame: Frame,
    folder: String,
    programs: Vec<ProgramView>,
    makers: Vec<MakerView>,
}

struct ProgramView {
    name: String,
    kind: String,
    size: String,
    digest: String,
}

struct MakerView {
    name: String,
    steps: Vec<String>,
}

/// `GET /programs`
pub(crate) async fn programs_page(
    State(app): State<App>,
    visitor: Visitor,
    _session: Session,
) -> Result<Response, PageError> {
    let t = Words::new(visitor.language);
    let frame = visitor.frame(&app, t.say("programs.title"), Place::Enrolment);
    let programs = app.desk.programs().clone();
    let folder = programs.path().display().to_string();
    let listed = apart(programs, |programs| programs.list()).await?;
    let programs = listed
        .into_iter()
        .map(|program| ProgramView {
            kind: t.word("programs", program.kind.word()),
            size: t.say1("programs.kilobytes", frame.n.count(program.size.div_ceil(1000))),
            digest: program.digest.to_string(),
            name: program.name,
        })
        .collect();
    let maker = |word: &&str| MakerView {
        name: t.word("programs", word),
        steps: t.word("programs_steps", word).split('\n').map(str::to_owned).collect(),
    };
    render(&ProgramsPage { folder, programs, makers: MAKERS.iter().map(maker).collect(), t, frame })
}

/// `GET /programs/{name}`
pub(crate) async fn program_get(
    State(app): State<App>,
    _session: Session,
    Path(name): Path<String>,
) -> Result<Response, PageError> {
    let asked = name.clone();
    let bytes = apart(app.desk.programs().clone(), move |programs| match programs.read(&asked) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        read => read.map(Some),
    });
    let bytes = bytes.await?.ok_or_else(|| refusal::unknown_page(StatusCode::NOT_FOUND))?;
    Ok(attachment(&name, "application/octet-stream", bytes))
}

/// A file to save. `name` is plain ASCII.
pub(super) fn attachment(name: &str, kind: &'static str, bytes: Vec<u8>) -> Response {
    let disposition = format!("attachment; filename=\"{name}\"");
    ([(header::CONTENT_TYPE, kind.to_owned()), (header::CONTENT_DISPOSITION, disposition)], bytes).into_response()
}

/// Work with the disk, away from the threads that answer.
pub(super) async fn apart<T: Send + 'static, E: Into<anyhow::Error> + Send + 'static>(
    programs: Programs,
    work: impl FnOnce(&Programs) -> Result<T, E> + Send + 'static,
) -> anyhow::Result<T> {
    tokio::task::spawn_blocking(move || work(&programs)).await?.map_err(Into::into)
}
