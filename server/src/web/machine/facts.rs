//! The facts of a machine as its page shows them: by section, with personal ones marked, the reason for each unknown, and
//! when they were observed and received. Everything here comes from the machine and is made safe to show.

use jiff::Timestamp;
use policies::fact::{Facts, Field, Kind, Record, Section, Unknown, Value};
use policies::phrase::{field_value, plain_value};
use policies::text;
use policies::text::visible;

use crate::store::section::Sections;
use crate::web::catalogue::Catalogue;
use crate::web::number::Numbers;

/// The longest text of a fact on a page.
const LONGEST: usize = 300;

/// A section.
#[derive(Debug)]
pub(super) struct SectionView {
    pub(super) name: &'static str,
    pub(super) title: String,
    /// When it was observed and received; `None` when it never was.
    pub(super) times: Option<String>,
    pub(super) facts: Vec<FactView>,
}

/// A fact.
#[derive(Debug)]
pub(super) struct FactView {
    pub(super) label: &'static str,
    pub(super) personal: bool,
    pub(super) shown: FactShown,
}

/// The value shown next to a fact's label.
#[derive(Debug)]
pub(super) enum FactShown {
    Value(String),
    Unknown(String),
    /// A list of texts, and how many more there were.
    Items(Vec<String>, String),
    Table(Table),
}

/// A list of records.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) labels: Vec<String>,
    pub(super) rows: Vec<Vec<String>>,
    pub(super) more: String,
}

/// Shows facts in one language, as of one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shower<'a> {
    pub(super) t: Catalogue,
    pub(super) n: &'a Numbers,
    pub(super) now: Timestamp,
}

impl Shower<'_> {
    /// Every section, in the order of the vocabulary.
    pub(super) fn sections(&self, facts: &Facts, states: Option<&Sections>) -> Vec<SectionView> {
        Section::ALL
            .iter()
            .map(|&section| {
                let state = states.and_then(|states| states.0.get(section.name()));
                let times = state.map(|state| {
                    let (observed, received) = (self.n.second(state.observed_at), self.n.second(state.received_at));
                    self.t.own(text!("ghi nhận {0}, nhận {1}", "observed {0}, received {1}", observed, received))
                });
                let title = section.title();
                SectionView {
                    name: section.name(),
                    title: if self.t.is_vietnamese() { title.0 } else { title.1 }.to_owned(),
                    times: times.or_else(|| Some(self.t.text("chưa nhận", "not received").to_owned())),
                    facts: self.facts(facts.section(section)),
                }
            })
            .collect()
    }

    fn facts(&self, record: &dyn Record) -> Vec<FactView> {
        let fields = record.fields().iter().enumerate();
        fields
            .map(|(index, field)| FactView {
                label: self.label(field),
                personal: field.tells_of_people(),
                shown: self.fact(field, &record.value(index)),
            })
            .collect()
    }

    fn label(&self, field: &Field) -> &'static str {
        if self.t.is_vietnamese() { field.vi } else { field.en }
    }

    fn fact(&self, field: &Field, value: &Value<'_>) -> FactShown {
        match value {
            Value::Unknown(unknown) => FactShown::Unknown(self.unknown(unknown)),
            Value::List(items, left_out) => self.list(field, items, *left_out),
            other => FactShown::Value(self.value(field, other)),
        }
    }

    fn unknown(&self, unknown: &Unknown) -> String {
        let reason = unknown.reason.text();
        let reason = self.t.pick(&reason);
        if unknown.detail.is_empty() {
            self.t.own(text!("chưa xác định: {0}", "unknown: {0}", reason))
        } else {
            self.t.own(text!(
                "chưa xác định: {0} ({1})",
                "unknown: {0} ({1})",
                reason,
                visible(&unknown.detail, LONGEST)
            ))
        }
    }

    fn value(&self, field: &Field, value: &Value<'_>) -> String {
        match value {
            Value::Text(text) => visible(text, LONGEST),
            Value::Instant(at) => self.n.second(at.as_millisecond()),
            Value::Unknown(unknown) => self.unknown(unknown),
            other => self.t.pick(&field_value(field, other, self.now)).to_owned(),
        }
    }

    fn list(&self, field: &Field, items: &[Value<'_>], left_out: u32) -> FactShown {
        let more = if left_out > 0 {
            self.t.own(text!(
                "và {0} mục khác không được gửi",
                "and {0} more that were not sent",
                self.n.count(left_out)
            ))
        } else {
            String::new()
        };
        let item_kind = match field.kind {
            Kind::List(item) => *item,
            other => other,
        };
        if let Kind::Record(fields) = item_kind
            && !items.is_empty()
        {
            let mark = |field: &Field| {
                let mark = if field.personal {
                    format!(" {}", self.t.text("(cá nhân)", "(personal)"))
                } else {
                    String::new()
                };
                format!("{}{mark}", self.label(field))
            };
            let rows = items.iter().map(|item| match item {
                Value::Record(record) => {
                    let cells = fields.iter().enumerate();
                    cells.map(|(index, field)| self.cell(field, &record.value(index))).collect()
                }
                other => vec![self.t.pick(&plain_value(item_kind, other, self.now)).to_owned()],
            });
            let table = Table { labels: fields.iter().map(mark).collect(), rows: rows.collect(), more };
            return FactShown::Table(table);
        }
        let texts = items.iter().map(|item| match item {
            Value::Text(text) => visible(text, LONGEST),
            other => self.t.pick(&plain_value(item_kind, other, self.now)).to_owned(),
        });
        FactShown::Items(texts.collect(), more)
    }

    fn cell(&self, field: &Field, value: &Value<'_>) -> String {
        match value {
            Value::List(items, left_out) => {
                let mut texts: Vec<String> = items
                    .iter()
                    .map(|item| match item {
                        Value::Text(text) => visible(text, LONGEST),
                        other => self.t.pick(&plain_value(field.kind, other, self.now)).to_owned(),
                    })
                    .collect();
                if *left_out > 0 {
                    texts.push(self.t.own(text!(
                        "và {0} mục khác không được gửi",
                        "and {0} more that were not sent",
                        self.n.count(*left_out)
                    )));
                }
                texts.join(", ")
            }
            other => self.value(field, other),
        }
    }
}
