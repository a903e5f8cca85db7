//! `posture-agent facts`: shows everything that would be sent, gives the reason for each unknown fact and marks personal
//! facts. `--json` prints what `check --facts` reads back with [`read`].

use std::path::Path;

use anyhow::Context;
use jiff::Timestamp;
use policies::fact::{Facts, Field, Reason, Record, SCHEMA_VERSION, Section, Value};
use policies::phrase;
use policies::text;
use policies::text::visible;
use serde_json::value::RawValue;

use crate::cli::terminal::Terminal;
use crate::cli::{Exit, FactsOptions};
use crate::platform::{self, clock::Clock};
use collect::Collector;

/// The most bytes of a recorded facts file: far above the largest a machine can produce.
const FILE_CAP: u64 = 64 << 20;

/// The JSON member with the schema version of the facts; a file written by hand may lack it.
const SCHEMA: &str = "schema_version";

/// The most characters of one text shown on screen; no fact holds a longer one.
const LINE: usize = 1_000;

/// Collects the requested sections and prints them.
///
/// # Errors
/// When the output cannot be written.
pub(crate) fn run(options: &FactsOptions, terminal: &Terminal) -> anyhow::Result<Exit> {
    let now = Clock::system().instant();
    let sections = if options.sections.is_empty() { Section::ALL } else { &options.sections };
    let facts = Collector::of_this_machine(platform::door()).collect(sections, now);
    let text = if options.json { json(&facts, sections, now)? } else { table(&facts, sections, now, terminal) };
    terminal.print(&text)?;
    Ok(Exit::Fine)
}

/// One JSON object: the schema version, when the facts were observed, and one member per section.
fn json(facts: &Facts, sections: &[Section], now: Timestamp) -> anyhow::Result<String> {
    let mut object = serde_json::Map::new();
    object.insert(SCHEMA.to_owned(), SCHEMA_VERSION.into());
    object.insert("observed_at".to_owned(), now.as_millisecond().into());
    for &section in sections {
        object.insert(section.name().to_owned(), serde_json::from_str(&facts.encode(section)?)?);
    }
    Ok(serde_json::to_string_pretty(&object)?)
}

/// Reads facts printed by `facts --json`. A section missing from the file counts as not collected; members that are no
/// section are ignored. The output of an older agent is upgraded as on the server.
///
/// # Errors
/// When the file cannot be read, is not such an object, or holds a malformed section; names the file and the
/// section.
pub(crate) fn read(path: &Path) -> anyhow::Result<Facts> {
    use std::io::Read;
    let mut text = Vec::new();
    let file = std::fs::File::open(path).with_context(|| format!("open {}", path.display()))?;
    file.take(FILE_CAP + 1).read_to_end(&mut text).with_context(|| format!("read {}", path.display()))?;
    anyhow::ensure!(text.len() as u64 <= FILE_CAP, "{} is larger than {} MiB", path.display(), FILE_CAP >> 20);
    parse(&text).with_context(|| format!("{} does not hold facts as `facts --json` prints them", path.display()))
}

fn parse(text: &[u8]) -> anyhow::Result<Facts> {
    let object: std::collections::BTreeMap<String, &RawValue> = serde_json::from_slice(text)?;
    let mut facts = Facts::unknown(Reason::NotCollected);
    let mut found = false;
    for (name, value) in &object {
        if let Some(section) = Section::from_name(name) {
            facts.decode(section, value.get().as_bytes()).with_context(|| format!("section `{name}`"))?;
            found = true;
        }
    }
    anyhow::ensure!(found, "there is no section in it");
    if let Some(schema) = object.get(SCHEMA) {
        facts.forget_misread(serde_json::from_str(schema.get()).with_context(|| format!("`{SCHEMA}`"))?);
    }
    Ok(facts)
}

fn table(facts: &Facts, sections: &[Section], now: Timestamp, terminal: &Terminal) -> String {
    let mut lines = Vec::new();
    for &section in sections {
        let (vi, en) = section.title();
        lines.push(format!("{} ({})", terminal.text(vi, en), section.name()));
        for (position, field) in section.fields().iter().enumerate() {
            show(field, &facts.section(section).value(position), now, terminal, &mut lines);
        }
        lines.push(String::new());
    }
    let personal = terminal.text(
        "Mục có dấu * là thông tin về cá nhân. Ngoài các mục trên, phần mềm chỉ gửi thêm sự kiện của chính nó: khởi động, dừng, bị gỡ, \
         đồng hồ bị chỉnh, từ chối bộ tiêu chí, sửa tệp hỏng.",
        "Entries marked * are about a person. Nothing else is collected; only the agent's own events are sent besides: started, stopped, \
         removed, clock set, policy refused, damaged file repaired.",
    );
    lines.push(personal.to_owned());
    lines.join("\n")
}

/// One line for a plain fact; for a list of records, one line per record with all its fields.
fn show(field: &Field, value: &Value<'_>, now: Timestamp, terminal: &Terminal, lines: &mut Vec<String>) {
    let mark = if field.personal { "*" } else { "" };
    let label = format!("  {}{mark}", terminal.text(field.vi, field.en));
    match value {
        Value::List(items, left_out) if !items.is_empty() => {
            lines.push(format!("{label}: {}", items.len() + *left_out as usize));
            lines.extend(items.iter().map(|item| format!("    - {}", said(field, item, now, terminal))));
            if *left_out > 0 {
                lines.push(terminal.own(text!("    chưa liệt kê: {left_out}", "    not listed: {left_out}")));
            }
        }
        value => lines.push(format!("{label}: {}", said(field, value, now, terminal))),
    }
}

fn said(field: &Field, value: &Value<'_>, now: Timestamp, terminal: &Terminal) -> String {
    match value {
        Value::Text(text) if !text.is_empty() => visible(text, LINE),
        Value::Record(record) => fields(*record, now, terminal),
        Value::Unknown(unknown) if !unknown.detail.is_empty() => {
            let reason = phrase::field_value(field, value, now);
            format!("{} [{}]", reason.get(terminal.language), visible(&unknown.detail, LINE))
        }
        Value::List(items, _) if !items.is_empty() => {
            items.iter().map(|item| said(field, item, now, terminal)).collect::<Vec<_>>().join(", ")
        }
        value => phrase::field_value(field, value, now).get(terminal.language).to_owned(),
    }
}

fn fields(record: &dyn Record, now: Timestamp, terminal: &Terminal) -> String {
    let shown = record.fields().iter().enumerate().map(|(position, field)| {
        let mark = if field.personal { "*" } else { "" };
        let value = said(field, &record.value(position), now, terminal);
        format!("{}{mark}: {value}", terminal.text(field.vi, field.en))
    });
    shown.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use policies::fact::{Account, Fact, List};
    use policies::text::Language;

    use super::*;

    fn sample() -> Facts {
        let mut facts = Facts::unknown(Reason::SourceMissing);
        facts.system.name = Fact::Known("xã\u{202e}txt.exe".to_owned());
        facts.system.memory = Fact::Known(policies::fact::Mebibytes(8192));
        facts.patches.pending = Fact::unknown(Reason::NeedsAdministrator, "/x\u{1b}[2J");
        let account = Account {
            name: "canbo".to_owned(),
            id: 1000,
            administrator: Fact::Known(true),
            enabled: Fact::Known(true),
            empty_password: Fact::Known(false),
            last_logon_at: Fact::unknown(Reason::NoReader, ""),
            password_changed_at: Fact::Known(Timestamp::UNIX_EPOCH),
            password_never_expires: Fact::Known(false),
            hash_method: Fact::unknown(Reason::NeedsAdministrator, ""),
            last_used_at: Fact::Known(Timestamp::UNIX_EPOCH),
            password_required: Fact::Known(true),
        };
        facts.accounts.users = Fact::Known(List { items: vec![account], left_out: 2 });
        facts
    }

    #[test]
    fn what_is_printed_reads_back() {
        let facts = sample();
        let printed = json(&facts, Section::ALL, Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(parse(printed.as_bytes()).unwrap(), facts);
        let one = json(&facts, &[Section::System], Timestamp::UNIX_EPOCH).unwrap();
        let read = parse(one.as_bytes()).unwrap();
        assert_eq!(read.system, facts.system);
        assert_eq!(read.lan, Facts::unknown(Reason::NotCollected).lan);
    }

    #[test]
    fn what_an_older_agent_printed_is_not_believed_where_it_read_wrongly() {
        let printed = |schema: &str| {
            let text = format!(
                r#"{{{schema}"system":{{"family":{{"known":"windows"}}}},"accounts":{{"uac":{{"known":true}}}}}}"#
            );
            parse(text.as_bytes()).unwrap().accounts.uac
        };
        assert!(matches!(printed(r#""schema_version":1,"#), Fact::Unknown(why) if why.reason == Reason::AgentTooOld));
        assert_eq!(printed(r#""schema_version":2,"#), Fact::Known(true));
        assert_eq!(printed(""), Fact::Known(true));
    }

    #[test]
    fn what_is_no_file_of_facts_is_refused() {
        for text in
            ["", "[]", "{}", "{\"schema_version\":1}", "{\"system\":5}", "{\"system\":{\"name\":{\"known\":[]}}}"]
        {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
        assert!(parse("{\"colour\":1,\"system\":{\"shade\":1}}".as_bytes()).is_ok());
    }

    #[test]
    fn a_person_sees_values_reasons_and_personal_marks() {
        let shown = table(&sample(), Section::ALL, Timestamp::UNIX_EPOCH, &Terminal::new(Language::Vi));
        for part in [
            "Hệ điều hành và phần cứng (system)",
            "  tên máy*: xã⟨U+202E⟩txt.exe",
            "  bộ nhớ: 8,0 GiB",
            "cần quyền quản trị để đọc) [/x␛[2J]",
            "  tài khoản: 3",
            "    - tên tài khoản*: canbo; mã số: 1000; có quyền quản trị: có",
            "    chưa liệt kê: 2",
        ] {
            assert!(shown.contains(part), "{part}\n{shown}");
        }
        let english = table(&sample(), &[Section::System], Timestamp::UNIX_EPOCH, &Terminal::new(Language::En));
        assert!(english.contains("  machine name*: ") && !english.contains("accounts"), "{english}");
    }
}
