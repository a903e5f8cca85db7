//! A grade as pages show it: the letter with its colour in words, scores, caps, the plan for the next letter, and the ledger
//! whose shown points add up to 100. Owns no arithmetic of grades; only how figures are rounded for display.

use std::collections::HashMap;

use policies::grade::{
    Cap, CapState, Colour, Coverage, FixReason, Grade, LetterResult, Line, LineKind, MachineState, NoLetter, Plan,
    Points, disclaimer, ledger_title,
};
use policies::policy::Letter;
use policies::text;
use policies::text::visible;

use super::catalogue::Catalogue;
use super::number::{Numbers, share_out};

/// Most machines named in a line; the rest are counted.
const NAMED: usize = 200;

/// A letter in its colour, or the lack of one.
#[derive(Clone, Debug)]
pub(crate) struct Mark {
    /// `A` to `E`.
    pub(crate) letter: Option<&'static str>,
    /// The letter, or a dash.
    pub(crate) short: &'static str,
    /// Class of the colour.
    pub(crate) colour: &'static str,
    /// The letter's meaning and the colour, in words.
    pub(crate) words: String,
}

impl Mark {
    /// The mark of a result.
    pub(crate) fn new(t: Catalogue, result: LetterResult) -> Self {
        let letter = match result {
            LetterResult::Letter { letter, .. } => Some(letter),
            LetterResult::NoLetter { .. } => None,
        };
        Self::of(t, letter)
    }

    /// The mark of a letter.
    pub(crate) fn of(t: Catalogue, letter: Option<Letter>) -> Self {
        let colour = Colour::of(letter);
        let colour_word = t.pick(&colour.text()).to_owned();
        let words = match letter {
            Some(letter) => t.own(text!("{0} (màu {1})", "{0} ({1})", t.pick(&letter.text()), colour_word)),
            None => t.own(text!("chưa xếp loại (màu {0})", "no letter yet ({0})", colour_word)),
        };
        let letter = letter.map(Letter::code);
        Self { letter, short: letter.unwrap_or("–"), colour: colour.code(), words }
    }
}

/// A machine's name and, if it is enrolled, the id its page is found by.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    /// Made safe.
    pub(crate) name: String,
    /// Id of the enrolled machine.
    pub(crate) link: Option<String>,
}

/// Names by the ids that a grade uses.
pub(crate) type Names = HashMap<String, Named>;

/// The machines of a line.
#[derive(Debug)]
pub(crate) struct NamesView {
    /// Id of the element, so that it stays open when the page is refreshed.
    pub(crate) id: String,
    /// At most [`NAMED`].
    pub(crate) names: Vec<Named>,
    /// How many more there are, in words.
    pub(crate) more: String,
}

/// A grade as the template shows it.
#[derive(Debug)]
pub(crate) struct GradeView {
    pub(crate) mark: Mark,
    pub(crate) score: String,
    pub(crate) on_spot: Option<String>,
    pub(crate) without_waivers: Option<String>,
    pub(crate) covered: String,
    pub(crate) expected: String,
    pub(crate) coverage: String,
    /// Why there is no letter, or why it differs from that of the score.
    pub(crate) why: Option<String>,
    pub(crate) disclaimer: String,
    pub(crate) policy: Option<String>,
    pub(crate) caps: Vec<CapView>,
    pub(crate) plan: Option<PlanView>,
    pub(crate) ledger_title: String,
    pub(crate) ledger: Vec<LineView>,
    pub(crate) total: String,
}

/// A cap as the template shows it.
#[derive(Debug)]
pub(crate) struct CapView {
    pub(crate) title: String,
    pub(crate) at_most: String,
    pub(crate) when: String,
    pub(crate) lift: String,
    pub(crate) machines: NamesView,
}

/// A ledger line as the template shows it.
#[derive(Debug)]
pub(crate) struct LineView {
    pub(crate) title: String,
    pub(crate) kind: String,
    pub(crate) class: &'static str,
    pub(crate) explains: Vec<String>,
    pub(crate) count: String,
    pub(crate) machines: NamesView,
    pub(crate) lift: String,
    pub(crate) minutes: String,
    pub(crate) lifted_by: String,
    pub(crate) points: String,
}

/// The plan for the next letter as the template shows it.
#[derive(Debug)]
pub(crate) struct PlanView {
    pub(crate) title: String,
    pub(crate) summary: String,
    pub(crate) minutes: String,
    pub(crate) steps: Vec<StepView>,
}

/// A step of the plan.
#[derive(Debug)]
pub(crate) struct StepView {
    pub(crate) title: String,
    pub(crate) why: Option<String>,
    pub(crate) count: String,
    pub(crate) machines: NamesView,
    pub(crate) minutes: String,
    pub(crate) lifted_by: String,
}

/// Renders the grade of one office in words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grader<'a> {
    pub(crate) t: Catalogue,
    pub(crate) n: &'a Numbers,
    pub(crate) names: &'a Names,
    /// Titles of controls by id.
    pub(crate) titles: &'a HashMap<String, String>,
}

/// Points with two decimals, rounded down.
pub(crate) fn points(n: &Numbers, points: Points) -> String {
    n.hundredths_of(points.0)
}

/// How a machine counts, as a CSS colour class.
pub(crate) const fn state_class(state: MachineState) -> &'static str {
    match state {
        MachineState::Scored => "green",
        MachineState::Unscored | MachineState::Away => "grey",
        MachineState::Stale | MachineState::Pending => "yellow",
        MachineState::Unreported => "red",
    }
}

/// The share of machines with figures, in words.
pub(crate) fn coverage(n: &Numbers, coverage: Coverage) -> String {
    n.percent(coverage.covered, coverage.expected)
}

impl Grader<'_> {
    /// Renders the whole grade.
    pub(crate) fn grade(&self, grade: &Grade, plan: Option<&Plan>) -> GradeView {
        let Self { t, n, .. } = *self;
        let lines: Vec<&Line> = grade.ledger.iter().collect();
        let parts: Vec<i64> = lines.iter().map(|line| line.points.0).collect();
        let shown = share_out(&parts, 10_000 - grade.score.0.div_euclid(10_000));
        GradeView {
            mark: Mark::new(t, grade.result),
            score: points(n, grade.score),
            on_spot: grade.on_spot.map(|score| points(n, score)),
            without_waivers: (grade.without_waivers != grade.score).then(|| points(n, grade.without_waivers)),
            covered: n.count(grade.coverage.covered),
            expected: n.count(grade.coverage.expected),
            coverage: coverage(n, grade.coverage),
            why: self.why(grade),
            disclaimer: t.pick(&disclaimer()).to_owned(),
            policy: None,
            caps: grade.caps.iter().enumerate().map(|(at, cap)| self.cap(at, cap)).collect(),
            plan: plan.map(|plan| self.plan(plan)),
            ledger_title: t.pick(&ledger_title()).to_owned(),
            ledger: lines.iter().zip(shown).enumerate().map(|(at, (line, shown))| self.line(at, line, shown)).collect(),
            total: n.hundredths(10_000),
        }
    }

    fn why(&self, grade: &Grade) -> Option<String> {
        let Self { t, n, .. } = *self;
        match grade.result {
            LetterResult::NoLetter { reason } => {
                let words = t.pick(&reason.text()).to_owned();
                Some(match reason {
                    NoLetter::StartUp { until: Some(until) } => {
                        format!(
                            "{words} {}",
                            t.own(text!(
                                "Xếp loại từ ngày {0}.",
                                "Letters begin on {0}.",
                                n.date(until.as_millisecond())
                            ))
                        )
                    }
                    _ => words,
                })
            }
            LetterResult::Letter { letter, by_score } if letter != by_score => Some(t.own(text!(
                "Theo điểm là loại {0}; bị giới hạn ở loại {1} vì lý do ghi ở mục dưới.",
                "The score alone is {0}; it is held at {1} for the reasons below.",
                by_score.code(),
                letter.code()
            ))),
            LetterResult::Letter { .. } => None,
        }
    }

    fn names(&self, id: String, machines: &[String]) -> NamesView {
        let unknown = |id: &String| Named { name: visible(id, 40), link: None };
        let names = machines.iter().take(NAMED).map(|id| self.names.get(id).cloned().unwrap_or_else(|| unknown(id)));
        let left = machines.len().saturating_sub(NAMED);
        let more = if left > 0 {
            self.t.own(text!(" và {0} máy khác", " and {0} more", self.n.count(left)))
        } else {
            String::new()
        };
        NamesView { id, names: names.collect(), more }
    }

    fn cap(&self, at: usize, cap: &Cap) -> CapView {
        let Self { t, n, .. } = *self;
        let when = match cap.state {
            CapState::Holding { since: Some(since) } => {
                t.own(text!("đang áp dụng từ {0}", "holds since {0}", n.moment(since.as_millisecond())))
            }
            CapState::Holding { since: None } => t.text("đang áp dụng", "holds now").to_owned(),
            CapState::Announced { from } => t.own(text!(
                "sẽ áp dụng từ {0} nếu chưa khắc phục",
                "will hold from {0} unless fixed",
                n.moment(from.as_millisecond())
            )),
        };
        CapView {
            title: t.pick(&cap.title).to_owned(),
            at_most: cap.at_most.code().to_owned(),
            when,
            lift: t.pick(&cap.lift).to_owned(),
            machines: self.names(format!("cap-{at}"), &cap.machines),
        }
    }

    fn line(&self, at: usize, line: &Line, shown: i64) -> LineView {
        let Self { t, n, .. } = *self;
        LineView {
            title: visible(t.pick(&line.title), 300),
            kind: t.pick(&line.kind.text()).to_owned(),
            class: line_class(line.kind),
            explains: line.explains.iter().map(|control| self.title(control)).collect(),
            count: match line.machines.len() {
                0 => t.text("cả cơ quan", "the whole office").to_owned(),
                machines => n.count(machines),
            },
            machines: self.names(format!("line-{at}"), &line.machines),
            lift: visible(t.pick(&line.lift), 600),
            minutes: if line.minutes > 0 { n.count(line.minutes) } else { String::new() },
            lifted_by: t.pick(&line.lifted_by.text()).to_owned(),
            points: n.hundredths(shown),
        }
    }

    fn title(&self, control: &str) -> String {
        self.titles.get(control).cloned().unwrap_or_else(|| visible(control, 80))
    }

    fn plan(&self, plan: &Plan) -> PlanView {
        let Self { t, n, .. } = *self;
        let mut summary = t.own(text!(
            "Tổng cộng khoảng {0} phút; khi xong, điểm chung dự kiến {1}, loại {2}.",
            "About {0} min in all; when done, the overall score is expected to be {1}, letter {2}.",
            n.count(plan.minutes),
            points(n, plan.score),
            plan.letter.code()
        ));
        if plan.letter > plan.target {
            summary = format!(
                "{summary} {}",
                t.own(text!(
                    "Chưa đủ để đạt loại {0}: phần còn lại cần kinh phí hoặc cấp trên.",
                    "It is not enough for a {0}: the rest needs money or a superior office.",
                    plan.target.code()
                ))
            );
        }
        if plan.foretold {
            summary = format!(
                "{summary} {}",
                t.text(
                    "Máy chưa gửi số liệu được ước tính bằng máy ở mức giữa.",
                    "Machines that never reported are taken to be like the middle machine."
                )
            );
        }
        PlanView {
            title: t.own(text!("Cần làm gì để đạt loại {0}", "What to do for a {0}", plan.target.code())),
            summary,
            minutes: n.count(plan.minutes),
            steps: plan
                .steps
                .iter()
                .enumerate()
                .map(|(at, step)| StepView {
                    title: visible(t.pick(&step.title), 300),
                    why: match step.why {
                        FixReason::Cap => Some(t.text("gỡ giới hạn xếp loại", "lifts a cap").to_owned()),
                        FixReason::Critical => Some(t.text("tiêu chí then chốt", "critical").to_owned()),
                        FixReason::Points => None,
                    },
                    count: n.count(step.machines.len()),
                    machines: self.names(format!("step-{at}"), &step.machines),
                    minutes: n.count(step.minutes),
                    lifted_by: t.pick(&step.lifted_by.text()).to_owned(),
                })
                .collect(),
        }
    }
}

const fn line_class(kind: LineKind) -> &'static str {
    match kind {
        LineKind::Cap | LineKind::Failed | LineKind::Unreported => "red",
        LineKind::Stale => "yellow",
        LineKind::Unknown | LineKind::Unscored | LineKind::NoMachine | LineKind::Attested => "grey",
    }
}
