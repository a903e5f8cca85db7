//! What a quickstart answers: the office with its letter and ledger, this machine with its outcomes, the page.

use std::collections::BTreeMap;

use policies::grade::{Colour, Grade, LetterResult, Line, NoLetter, Points};
use policies::outcome::Verdict;
use policies::policy::Letter;
use policies::text::Text;
use serde::{Deserialize, Serialize, Serializer};

/// The one JSON object of `--json`.
#[derive(Clone, Debug, Serialize)]
pub struct Answer {
    /// The office.
    pub office: Office,
    /// This machine.
    pub machine: Machine,
    /// Where its page is.
    pub url: String,
}

/// The office's grade.
#[derive(Clone, Debug, Serialize)]
pub struct Office {
    /// Its name.
    pub name: String,
    /// Its letter; null when there is none.
    pub letter: Option<Letter>,
    /// Its score; 100 together with the points of the ledger.
    #[serde(serialize_with = "as_number")]
    pub score: Points,
    /// Every point lost.
    pub ledger: Vec<Loss>,
    /// Why there is no letter.
    #[serde(skip)]
    pub no_letter: Option<NoLetter>,
    /// The score over what can be fixed on the spot.
    #[serde(skip)]
    pub on_spot: Option<Points>,
}

impl Office {
    /// The colour of the letter.
    pub fn colour(&self) -> Colour {
        Colour::of(self.letter)
    }
}

/// One line of the ledger.
#[derive(Clone, Debug, Serialize)]
pub struct Loss {
    /// The control; null where the line is about machines as a whole.
    pub control: Option<String>,
    /// Points lost.
    #[serde(serialize_with = "as_number")]
    pub points: Points,
    /// Names of the machines.
    pub machines: Vec<String>,
    /// Minutes to lift it.
    pub minutes: u64,
    /// What it is.
    #[serde(skip)]
    pub line: Line,
}

/// This machine.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// Its name.
    pub name: String,
    /// Its score; null when no control applies.
    #[serde(serialize_with = "as_number_or_null")]
    pub score: Option<Points>,
    /// Every control.
    pub outcomes: Vec<Outcome>,
}

/// One control on this machine.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// Its id.
    pub control: String,
    /// The verdict.
    pub outcome: Verdict,
    /// What was found.
    pub found: Text,
    /// What is wanted.
    pub wanted: Text,
    /// Its title.
    #[serde(skip)]
    pub title: Text,
}

/// `posture-server office show --json`, the part used here.
#[derive(Debug, Deserialize)]
pub struct Shown {
    office: ShownOffice,
    grade: Option<Grade>,
    machines: Vec<ShownMachine>,
}

#[derive(Debug, Deserialize)]
struct ShownOffice {
    name: String,
}

#[derive(Debug, Deserialize)]
struct ShownMachine {
    id: String,
    name: String,
    #[serde(default)]
    outcomes: Vec<ShownOutcome>,
}

#[derive(Debug, Deserialize)]
struct ShownOutcome {
    control: String,
    verdict: Verdict,
    found: Text,
    wanted: Text,
    title: Text,
}

impl Answer {
    /// The answer, once this machine is graded; its page is not known here.
    pub fn read(shown: Shown) -> Option<Self> {
        let grade = shown.grade?;
        let machine = shown.machines.iter().find(|machine| !machine.outcomes.is_empty())?;
        let graded = grade.machines.iter().find(|graded| graded.id == machine.id && graded.score.is_some())?;
        let names: BTreeMap<&str, &str> =
            shown.machines.iter().map(|machine| (machine.id.as_str(), machine.name.as_str())).collect();
        let name_of = |id: &String| names.get(id.as_str()).map_or_else(|| id.clone(), |&name| name.to_owned());
        let machine = Machine {
            name: machine.name.clone(),
            score: graded.score,
            outcomes: machine.outcomes.iter().map(ShownOutcome::outcome).collect(),
        };
        let office = Office {
            name: shown.office.name,
            letter: grade.letter(),
            score: grade.score,
            no_letter: match grade.result {
                LetterResult::NoLetter { reason } => Some(reason),
                LetterResult::Letter { .. } => None,
            },
            on_spot: grade.on_spot,
            ledger: grade
                .ledger
                .into_iter()
                .map(|line| Loss {
                    control: line.control.clone(),
                    points: line.points,
                    machines: line.machines.iter().map(name_of).collect(),
                    minutes: line.minutes,
                    line,
                })
                .collect(),
        };
        Some(Self { office, machine, url: String::new() })
    }
}

impl ShownOutcome {
    fn outcome(&self) -> Outcome {
        Outcome {
            control: self.control.clone(),
            outcome: self.verdict,
            found: self.found.clone(),
            wanted: self.wanted.clone(),
            title: self.title.clone(),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "at most 100,000,000, far below 2^53")]
fn number(points: Points) -> f64 {
    points.0 as f64 / Points::ONE.0 as f64
}

fn as_number<S: Serializer>(points: &Points, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(number(*points))
}

#[expect(clippy::ref_option, reason = "serde hands over a reference to the field")]
fn as_number_or_null<S: Serializer>(points: &Option<Points>, serializer: S) -> Result<S::Ok, S::Error> {
    points.map(number).serialize(serializer)
}
