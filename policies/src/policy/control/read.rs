//! Reads a control file: the keys, their bounds, and what must hold between controls (unique ids, no cycle of causes).

use toml::Spanned;
use toml::de::DeTable;

use super::{Clause, Control, ControlSource, Fix, Policy};
use crate::fact::{Field, OfficeFacts};
use crate::policy::condition::read::{Scope, read as condition};
use crate::policy::condition::words;
use crate::policy::error::PolicyErrors;
use crate::policy::part::Whom;
use crate::policy::source::{Source, Span, read_file};
use crate::policy::table::{Node, Table, items, number, text, unknown_name};
use crate::policy::{Duty, LiftedBy, Role, Severity};
use crate::text::{Text, visible};

/// The version of the language that this reader knows.
pub const FORMAT: i64 = 1;
/// The most controls of one file.
pub const MOST_CONTROLS: usize = 500;
/// The most steps of one remedy.
pub const MOST_STEPS: usize = 6;
const MOST_MINUTES: i64 = 100_000;
const LONGEST_TITLE: usize = 200;
const LONGEST_STEP: usize = 400;

/// Reads the source of the controls of all roles.
pub(super) fn shared(file: &str, bytes: &[u8]) -> Result<ControlSource, PolicyErrors> {
    let source = Source::open(file, bytes)?;
    let read = source.parsed().and_then(|whole| {
        let part = |role| {
            let part = Whom::Machines(role).part(&source, &whole);
            document(&source, part.get_ref(), part.span())
        };
        let (workstation, server) = (part(Role::Workstation), part(Role::Server));
        let office = office_part(&source, &whole, OfficeFacts::FIELDS);
        Some(ControlSource { workstation: workstation?, server: server?, office: office? })
    });
    source.end(read)
}

/// The controls for an office, which use `facts`. Having none is not an error.
fn office_part<'t>(source: &Source<'t>, whole: &Spanned<DeTable<'t>>, facts: &'static [Field]) -> Option<Vec<Control>> {
    let part = Whom::Office.part(source, whole);
    match Table::new(source, part.get_ref(), part.span()).get("control") {
        Some(node) => controls(source, items(source, node, 0, MOST_CONTROLS)?, Scope::Office(facts)),
        None => Some(Vec::new()),
    }
}

/// Reads a control file.
pub(super) fn policy(file: &str, bytes: &[u8]) -> Result<Policy, PolicyErrors> {
    read_file(file, bytes, document)
}

fn document<'s>(source: &'s Source<'s>, entries: &'s DeTable<'s>, span: Span) -> Option<Policy> {
    // A missing key of the whole file is reported at its start.
    let table = Table::new(source, entries, span.start..span.start);
    format(&table);
    let id = identifier(&table, "id");
    let title = table.sentence("title", LONGEST_TITLE);
    let role = table.word("for", Role::ALL, Role::code);
    let controls = match table.get("control") {
        Some(node) => items(source, node, 1, MOST_CONTROLS).map(|nodes| controls(source, nodes, Scope::Facts)),
        None => {
            source.error(
                &table.span,
                Text::new("không có tiêu chí nào ([[control]])", "there is no control ([[control]])"),
            );
            None
        }
    };
    table.end();
    Some(Policy { id: id?, title: title?, role: role?, controls: controls?? })
}

/// The version of the language; reports an error when it is another one.
pub(crate) fn format(table: &Table<'_, '_>) {
    let Some(node) = table.need("format") else { return };
    let version = number(table.source, node, 1, i64::MAX);
    if let Some(version) = version.filter(|version| *version != FORMAT) {
        table.source.error(
            &node.span(),
            Text::new(
                format!(
                    "phần mềm này chỉ đọc được định dạng {FORMAT}, không đọc được {version}; hãy cập nhật phần mềm"
                ),
                format!("this program reads format {FORMAT} and not {version}; update the program"),
            ),
        );
    }
}

/// Lower-case letters, digits and hyphens: safe in file names, addresses and documents.
pub(crate) fn identifier(table: &Table<'_, '_>, key: &'static str) -> Option<String> {
    let node = table.need(key)?;
    let name = text(table.source, node, 64)?;
    let starts = name.starts_with(|first: char| first.is_ascii_lowercase());
    if starts && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-') {
        return Some(name.to_owned());
    }
    let shown = visible(name, 64);
    table.source.error(
        &node.span(),
        Text::new(
            format!("mã `{shown}` chỉ được có chữ thường không dấu, chữ số và dấu gạch ngang, bắt đầu bằng chữ"),
            format!("the id `{shown}` may hold lower-case letters, digits and hyphens only and starts with a letter"),
        ),
    );
    None
}

/// An id with the places of its definition and of the cause it names.
struct Names<'s> {
    id: Option<&'s Node<'s>>,
    implied_by: Option<&'s Node<'s>>,
}

fn controls<'s>(source: &'s Source<'s>, nodes: &'s [Node<'s>], scope: Scope) -> Option<Vec<Control>> {
    let mut read: Vec<Option<Control>> = Vec::with_capacity(nodes.len());
    let mut names: Vec<Names<'s>> = Vec::with_capacity(nodes.len());
    for node in nodes {
        let Some(table) = Table::of(source, node) else {
            read.push(None);
            names.push(Names { id: None, implied_by: None });
            continue;
        };
        names.push(Names { id: table.get("id"), implied_by: table.get("implied_by") });
        read.push(control(source, table, scope));
    }
    let ids: Vec<Option<&str>> = names.iter().map(|names| names.id.and_then(|node| node.get_ref().as_str())).collect();
    for (index, id) in ids.iter().enumerate() {
        let Some(id) = id else { continue };
        if ids[..index].contains(&Some(id))
            && let Some(node) = names[index].id
        {
            let shown = visible(id, 64);
            source.error(
                &node.span(),
                Text::new(format!("mã `{shown}` đã dùng cho tiêu chí khác"), format!("the id `{shown}` is used twice")),
            );
        }
    }
    let causes: Vec<Option<usize>> = names.iter().map(|names| cause(source, names.implied_by?, &ids)).collect();
    for (index, names) in names.iter().enumerate() {
        if let Some(node) = names.implied_by
            && in_circle(&causes, index)
        {
            source.error(
                &node.span(),
                Text::new(
                    "`implied_by` tạo thành vòng: một tiêu chí không thể là nguyên nhân của chính nó",
                    "`implied_by` goes in a circle: a control cannot be its own cause",
                ),
            );
        }
    }
    let mut controls: Vec<Control> = read.into_iter().collect::<Option<_>>()?;
    for (control, cause) in controls.iter_mut().zip(&causes) {
        control.implied_by = *cause;
        control.implied_by_id = cause.and_then(|cause| ids[cause]).map(str::to_owned);
    }
    Some(controls)
}

fn cause(source: &Source<'_>, node: &Node<'_>, ids: &[Option<&str>]) -> Option<usize> {
    let name = text(source, node, 64)?;
    let found = ids.iter().position(|id| *id == Some(name));
    if found.is_none() {
        source.error(&node.span(), unknown_name("tiêu chí", "control", name, ids.iter().flatten().copied()));
    }
    found
}

/// True when following the causes from `start` comes back to it.
fn in_circle(causes: &[Option<usize>], start: usize) -> bool {
    let mut at = causes[start];
    for _ in 0..causes.len() {
        match at {
            Some(index) if index == start => return true,
            Some(index) => at = causes[index],
            None => return false,
        }
    }
    false
}

fn control<'s>(source: &'s Source<'s>, table: Table<'s, 's>, scope: Scope) -> Option<Control> {
    let id = identifier(&table, "id");
    let title = table.sentence("title", LONGEST_TITLE);
    let clauses = table.items("clauses", 1, 20).and_then(|nodes| {
        let clauses: Vec<Option<Clause>> = nodes.iter().map(|node| clause(source, node)).collect();
        clauses.into_iter().collect::<Option<Vec<_>>>()
    });
    let severity = table.word("severity", Severity::ALL, Severity::code);
    let duty = table.word("duty", Duty::ALL, Duty::code);
    let lifted_by = table.word("lifted_by", LiftedBy::ALL, LiftedBy::code);
    let minutes = table.number("minutes", 0, MOST_MINUTES).and_then(|minutes| u32::try_from(minutes).ok());
    let applies = table.get("applies").map(|node| condition(source, node, scope));
    let require = table.need("require").and_then(|node| condition(source, node, scope));
    let fixes = table.items("fix", 1, 20).and_then(|nodes| fixes(source, nodes, scope));
    if severity == Some(Severity::Critical) {
        critical_is_fair(&table, duty, lifted_by);
    }
    table.allow(["implied_by"]);
    table.end();
    let require = require?;
    Some(Control {
        id: id?,
        title: title?,
        clauses: clauses?,
        severity: severity?,
        duty: duty?,
        lifted_by: lifted_by?,
        minutes: minutes?,
        // An unreadable condition has been reported; without it the control must not apply everywhere.
        applies: match applies {
            Some(condition) => Some(condition?),
            None => None,
        },
        wanted: words::wanted(&require),
        require,
        implied_by: None,
        implied_by_id: None,
        fixes: fixes?,
    })
}

/// Checks that a critical control is a duty and can be fixed on the spot, because only that may cap a letter.
fn critical_is_fair(table: &Table<'_, '_>, duty: Option<Duty>, lifted_by: Option<LiftedBy>) {
    let Some(node) = table.get("severity") else { return };
    if duty == Some(Duty::Suggested) {
        table.source.error(
            &node.span(),
            Text::new(
                "mức gợi ý (`duty = \"suggested\"`) không được xếp `critical`",
                "a suggested value (`duty = \"suggested\"`) must not be `critical`",
            ),
        );
    }
    if lifted_by.is_some_and(|lifted_by| lifted_by != LiftedBy::OnSpot) {
        table.source.error(
            &node.span(),
            Text::new(
                "chỉ tiêu chí khắc phục được tại chỗ (`lifted_by = \"on_spot\"`) mới được xếp `critical`",
                "only what can be fixed on the spot (`lifted_by = \"on_spot\"`) may be `critical`",
            ),
        );
    }
}

fn clause<'s>(source: &'s Source<'s>, node: &'s Node<'s>) -> Option<Clause> {
    let table = Table::of(source, node)?;
    let (standard, clause) = (table.text("standard", 100), table.text("clause", 100));
    table.end();
    Some(Clause { standard: standard?.to_owned(), clause: clause?.to_owned() })
}

fn fixes<'s>(source: &'s Source<'s>, nodes: &'s [Node<'s>], scope: Scope) -> Option<Vec<Fix>> {
    let mut fixes = Vec::with_capacity(nodes.len());
    for (index, node) in nodes.iter().enumerate() {
        let last = index + 1 == nodes.len();
        fixes.push(fix(source, node, last, scope));
    }
    fixes.into_iter().collect()
}

fn fix<'s>(source: &'s Source<'s>, node: &'s Node<'s>, last: bool, scope: Scope) -> Option<Fix> {
    let table = Table::of(source, node)?;
    let when = table.get("when");
    match (when, last) {
        (Some(node), true) => source.error(
            &node.span(),
            Text::new(
                "mục `fix` cuối cùng không được có `when`: phải luôn có hướng dẫn cho mọi máy",
                "the last `fix` must not have `when`: there must be steps for every machine",
            ),
        ),
        (None, false) => source.error(
            &table.span,
            Text::new(
                "mục `fix` không có `when` phải đứng cuối, vì các mục sau nó không bao giờ được dùng",
                "a `fix` without `when` must be the last, because those behind it are never used",
            ),
        ),
        _ => {}
    }
    let when = match when {
        Some(node) => Some(condition(source, node, scope)?),
        None => None,
    };
    let (vi, en) = (steps(source, &table, "vi"), steps(source, &table, "en"));
    let (vi, en) = (vi?, en?);
    if vi.len() != en.len() {
        source.error(
            &table.span,
            Text::new(
                format!("`vi` có {} bước nhưng `en` có {} bước", vi.len(), en.len()),
                format!("`vi` has {} steps and `en` has {}", vi.len(), en.len()),
            ),
        );
        return None;
    }
    table.end();
    Some(Fix { when, steps: vi.into_iter().zip(en).map(|(vi, en)| Text::new(vi, en)).collect() })
}

fn steps<'s>(source: &Source<'s>, table: &Table<'s, 's>, key: &'static str) -> Option<Vec<&'s str>> {
    let steps: Vec<Option<&str>> =
        table.items(key, 1, MOST_STEPS)?.iter().map(|node| text(source, node, LONGEST_STEP)).collect();
    steps.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fact::{Kind, Unit};
    use crate::policy::condition::{Condition, Subject};
    use crate::text::Language;

    const FACTS: &[Field] = &[
        Field {
            name: "gateways",
            kind: Kind::List(&Kind::Text),
            vi: "a",
            en: "gateways",
            gaps: &[],
            personal: false,
            doc: "",
        },
        Field {
            name: "networks",
            kind: Kind::Integer(Unit::Count),
            vi: "b",
            en: "networks",
            gaps: &[],
            personal: false,
            doc: "",
        },
    ];

    fn read(require: &str) -> Result<Vec<Control>, String> {
        let control = |whom: &str, require: &str| {
            format!(
                "[[control]]\nid = \"x\"{whom}\ntitle = {{ vi = \"a\", en = \"a\" }}\nclauses = [{{ standard = \"s\", clause = \"c\" }}]\n\
                 severity = \"low\"\nduty = \"standard\"\nlifted_by = \"on_spot\"\nminutes = 1\n\
                 fix = [{{ vi = [\"a\"], en = [\"a\"] }}]\nrequire = {require}\n"
            )
        };
        let text = control("\nfor = \"office\"", require) + &control("", "{ fact = \"lan.forwards\", is = false }");
        let source = Source::open("a.toml", text.as_bytes()).map_err(|errors| errors.show(Language::En))?;
        let read = source.parsed().and_then(|whole| office_part(&source, &whole, FACTS));
        source.end(read).map_err(|errors| errors.show(Language::En))
    }

    #[test]
    fn a_control_for_an_office_speaks_of_the_facts_of_an_office_alone() {
        let controls = read("{ fact = \"office.networks\", at_most = 2 }").unwrap();
        assert_eq!(controls.len(), 1, "the other is for machines");
        let Condition::Test(test) = controls[0].require() else { panic!("{:?}", controls[0]) };
        assert!(matches!(test.subject, Subject::Field { index: 1, .. }));
        assert!(read("{ fact = \"office.gateways\", none = { is = \"x\" } }").is_ok());
        let refused = |require: &str| read(require).unwrap_err();
        assert!(refused("{ fact = \"office.network\", is = 1 }").contains("did you mean `office.networks`?"));
        let of_machine = refused("{ fact = \"lan.gateways\", none = { is = \"x\" } }");
        assert!(of_machine.contains("did you mean `office.gateways`?"), "{of_machine}");
        assert!(of_machine.contains("it is a fact of a machine"), "{of_machine}");
        assert!(refused("{ field = \"networks\", is = 1 }").contains("use `fact` here"));
    }
}
