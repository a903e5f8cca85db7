//! The page `/programs`: what offices install, with its SHA-256, and how to make each maker's antivirus allow it.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::catalogue::Catalogue;
use super::download::{download, download_begin};
use super::frame::{Frame, NavItem, render};
use super::refusal;
use super::visitor::{Session, Visitor};
use policies::text;

use crate::app::App;
use crate::app::programs::{NotOpened, Programs, Unfit};
use crate::web::error::PageError;

/// The antivirus makers found in offices, by their keys in the catalogue.
const MAKERS: [&str; 7] = ["bkav", "cmc", "viettel", "kaspersky", "eset", "microsoft", "other"];

#[derive(Template)]
#[template(path = "programs.html")]
struct ProgramsPage {
    t: Catalogue,
    frame: Frame,
    folder: String,
    programs: Vec<ProgramView>,
    unfit: Vec<UnfitView>,
    makers: Vec<MakerView>,
}

struct ProgramView {
    name: String,
    kind: String,
    size: String,
    digest: String,
}

struct UnfitView {
    name: String,
    why: String,
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
    let t = Catalogue::new(visitor.language);
    let frame = visitor.frame(&app, t.text("Phần mềm cho các máy", "Programs for the machines"), NavItem::Enrolment);
    let programs = app.pages.programs().clone();
    let folder = programs.path().display().to_string();
    let listed = apart(programs, |programs| programs.list()).await?;
    let why = |(name, unfit): (String, Unfit)| UnfitView { why: t.word("programs", unfit.word()), name };
    let unfit = listed.unfit.into_iter().map(why).collect();
    let programs = listed
        .programs
        .into_iter()
        .map(|program| ProgramView {
            kind: t.word("programs", program.kind.word()),
            size: t.own(text!("{0} kB", "{0} kB", frame.n.count(program.size.div_ceil(1000)))),
            digest: program.digest.to_string(),
            name: program.name,
        })
        .collect();
    let maker = |word: &&str| MakerView {
        name: t.word("programs", word),
        steps: t.word("programs_steps", word).split('\n').map(str::to_owned).collect(),
    };
    render(&ProgramsPage { folder, programs, unfit, makers: MAKERS.iter().map(maker).collect(), t, frame })
}

/// `GET /programs/{name}`
pub(crate) async fn program_get(
    State(app): State<App>,
    session: Session,
    Path(name): Path<String>,
) -> Result<Response, PageError> {
    let place = download_begin(&app, &session)?;
    let asked = name.clone();
    let opened = tokio::task::spawn_blocking({
        let programs = app.pages.programs().clone();
        move || programs.open(&asked)
    });
    let opened = opened.await?.map_err(|not| match not {
        NotOpened::Unknown => refusal::unknown_page(StatusCode::NOT_FOUND),
        NotOpened::Unfit(unfit) => {
            tracing::warn!(name, kind = unfit.word(), "a file in the folder of programs is not handed out");
            refusal::unfit_program(&name)
        }
    })?;
    Ok(place.held_by(download(&name, "application/octet-stream", opened.file, opened.size)))
}

/// Runs disk work off the threads that answer.
pub(super) async fn apart<T: Send + 'static, E: Into<anyhow::Error> + Send + 'static>(
    programs: Programs,
    work: impl FnOnce(&Programs) -> Result<T, E> + Send + 'static,
) -> anyhow::Result<T> {
    tokio::task::spawn_blocking(move || work(&programs)).await?.map_err(Into::into)
}
