//! The pages through the real router, on both databases: people with browsers, machines that sign their reports.

mod browser;
mod enrolment;
mod guesses;
mod hold;
mod hostile;
mod lan;
mod login;
mod looks;
mod machine;
mod notice;
mod office;
mod scope;
mod snapshots;
mod stream;
mod waiver;

use std::collections::BTreeMap;

use axum::Router;
use policies::fact::{Facts, Section};

use self::browser::Browser;
use crate::act::By;
use crate::act::office::{NewOffice, SetUp, office_add};
use crate::act::person::{NewPerson, person_add};
use crate::act::roster::{NewLine, roster_add, roster_declare};
use crate::app::App;
use crate::audit::Actor;
use crate::ingest::tests as reports;
use crate::jobs::grader::grades_catch_up;
use crate::store::Scope;
use crate::store::office::OfficeKind;
use crate::store::person::PersonRole;
use crate::store::test_database::TestDatabase;

/// The password every person of these tests chose.
pub(super) const PASSWORD: &str = "hoa sữa tháng mười";

/// A server with the pages, and an office to begin with.
pub(super) struct Site {
    test_server: reports::TestServer,
    pub(super) app: App,
    router: Router,
    office: String,
}

impl Site {
    /// A server that has a policy and one office.
    pub(super) async fn open(test_database: &TestDatabase) -> Self {
        let test_server = reports::TestServer::open(test_database).await;
        test_server.publish().await;
        Self::over(test_server)
    }

    fn over(test_server: reports::TestServer) -> Self {
        let app = test_server.app.clone();
        Self { router: crate::serve::router(app.clone()), office: test_server.office.clone(), app, test_server }
    }

    fn by(&self) -> By {
        By { actor: Actor::Operator("root".to_owned()), scope: Scope::whole(), at: self.app.clock.now_ms() }
    }

    /// An office below `parent`.
    async fn office(&self, name: &str, parent: Option<&str>) -> String {
        let new = NewOffice {
            name: name.to_owned(),
            kind: OfficeKind::Commune,
            parent: parent.map(str::to_owned),
            set_up: SetUp::Over,
        };
        office_add(&self.app.db, &self.by(), &new).await.unwrap().id
    }

    /// A person with a first password, as an administrator makes one.
    async fn newcomer(&self, login: &str, role: PersonRole, office: Option<&str>) -> String {
        let new = NewPerson {
            login: login.to_owned(),
            name: format!("Người dùng {login}"),
            role,
            office: office.map(str::to_owned),
        };
        person_add(&self.app.db, &self.by(), &new).await.unwrap().1
    }

    /// A person who is logged in and has their own password.
    pub(super) async fn person(&self, login: &str, role: PersonRole, office: Option<&str>) -> Browser {
        let first = self.newcomer(login, role, office).await;
        let mut browser = self.browser();
        assert_eq!(browser.login(login, &first).await.location(), "/");
        browser.get("/password").await;
        let form = [("current", first.as_str()), ("new", PASSWORD), ("again", PASSWORD)];
        assert_eq!(browser.post("/password", &form).await.location(), "/");
        browser
    }

    pub(super) fn browser(&self) -> Browser {
        Browser::new(self.router.clone())
    }

    /// Puts machines on the roster of `office` and declares it.
    async fn roster(&self, office: &str, labels: &[&str]) -> Vec<String> {
        let line = |label: &&str| NewLine {
            room: "Phòng Văn hoá - Xã hội".to_owned(),
            person: "Trần Thị Lan".to_owned(),
            ..NewLine::named(label)
        };
        let lines: Vec<NewLine> = labels.iter().map(line).collect();
        let lines = roster_add(&self.app.db, &self.by(), office, &lines).await.unwrap();
        roster_declare(&self.app.db, &self.by(), office, 2).await.unwrap();
        lines.into_iter().map(|line| line.id).collect()
    }

    /// A machine of the first office that reported `facts`.
    async fn machine(&self, facts: &Facts) -> reports::Machine {
        let mut machine = self.test_server.machine().await;
        machine.sections = sections(facts);
        self.report(&mut machine).await;
        machine
    }

    /// One more report of a machine.
    async fn report(&self, machine: &mut reports::Machine) {
        machine.made_at = self.app.clock.now_ms();
        let report = machine.full();
        self.test_server.accepted(machine, &report).await;
    }

    /// Makes every grade that is due.
    async fn grade(&self) {
        let published = self.app.policies.current().unwrap();
        grades_catch_up(&self.app.db, &published.judge, self.app.clock.now_ms()).await.unwrap();
    }
}

/// Facts in their wire form, section by section.
fn sections(facts: &Facts) -> BTreeMap<String, String> {
    Section::ALL.iter().map(|&section| (section.name().to_owned(), facts.encode(section).unwrap())).collect()
}
