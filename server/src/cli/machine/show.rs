//! `machine show`: one machine with its last contact and its agent's events. A look, entered in the audit log first.

use serde::Serialize;

use crate::act::look::machine_look_now;
use crate::cli::context::CommandContext;
use crate::cli::terminal::{Terminal, moment};
use crate::store::Scope;
use crate::store::machine::Machine;
use crate::store::machine::contact::Contact;
use crate::view::{MachineEvents, machine_events};

/// A machine as it is shown.
#[derive(Debug, Serialize)]
struct Shown {
    #[serde(flatten)]
    machine: Machine,
    /// When its newest report came, milliseconds UTC.
    received_at: Option<i64>,
    contact: Contact,
    #[serde(flatten)]
    events: MachineEvents,
}

/// Shows a machine.
///
/// # Errors
/// There is no such machine, or the database fails: then nothing is shown.
pub(super) async fn machine_show(id: &str, context: &CommandContext, terminal: &Terminal) -> anyhow::Result<()> {
    let scope = Scope::whole();
    let mut tx = context.db.read().await?;
    let shown = Shown {
        machine: tx.machine_require(&scope, id).await?,
        received_at: tx.head_get(&scope, id).await?.map(|head| head.received_at),
        contact: tx.contact_get(&scope, id).await?,
        events: machine_events(&mut tx, &scope, id).await?,
    };
    drop(tx);
    machine_look_now(&context.db, &context.by(), &shown.machine).await?;
    terminal.answer(&shown, |terminal| text(&shown, context, terminal))
}

fn text(shown: &Shown, context: &CommandContext, terminal: &Terminal) -> String {
    let at = |at: Option<i64>| at.map_or_else(|| "-".to_owned(), |at| moment(at, &context.zone));
    let line = |vi, en, value: String| format!("{}: {value}\n", terminal.text(vi, en));
    let mut text = super::machines_table(std::slice::from_ref(&shown.machine), &context.zone, terminal);
    text.push_str("\n\n");
    text.push_str(&line("Báo cáo gần nhất", "Newest report", at(shown.received_at)));
    text.push_str(&line("Liên lạc gần nhất qua mạng", "Last contact over the network", at(shown.contact.called_at)));
    text.push_str(&line("Tệp nhập gần nhất", "Last file brought", at(shown.contact.imported_at)));
    text.push_str(&line("Sự kiện máy chủ không nhận được", "Events that never came", shown.events.missing.to_string()));
    let heads = [
        ("Giờ của máy", "By the machine's clock"),
        ("Nhận lúc", "Received"),
        ("Sự kiện", "Event"),
        ("Giá trị", "Value"),
    ];
    let rows = shown.events.events.iter().map(|event| {
        let kind = serde_json::to_value(event.kind).ok().and_then(|kind| kind.as_str().map(str::to_owned));
        vec![
            moment(event.at, &context.zone),
            moment(event.received_at, &context.zone),
            kind.unwrap_or_default(),
            event.value.map_or_else(String::new, |value| value.to_string()),
        ]
    });
    text.push('\n');
    text.push_str(&terminal.table(&heads, rows));
    text
}
