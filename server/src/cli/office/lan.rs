//! `office lan`: the gateways and DNS servers an office approves of, what its machines use, and for which of them it is not known.

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::super::context::CommandContext;
use super::super::terminal::{Terminal, moment, visible};
use super::super::{Help, text};
use crate::act::office::lan::{LanChange, office_lan_change};
use crate::store::Scope;
use crate::store::approved_address::{AddressKind, ApprovedAddress};
use crate::view::lan::{LanAddress, LanList, LanPage, LanPlace, UnclearMachine, lan_page};

/// The most machines that a line names.
const NAMED: usize = 10;

/// The command line of `office lan`.
pub(super) fn command(help: Help) -> Command {
    let address = |name, words| -> Arg {
        help.option(name, help.text("ĐỊA-CHỈ", "ADDRESS"), words).action(ArgAction::Append)
    };
    Command::new("lan")
        .about(help.text(
            "Mạng nội bộ: cổng mặc định và máy chủ DNS được duyệt, và địa chỉ các máy đang dùng",
            "The local network: approved gateways and DNS servers, and what the machines use",
        ))
        .long_about(help.text(
            "Không có tuỳ chọn: xem danh sách được duyệt, địa chỉ các máy đang dùng và máy chưa xác định được. Địa chỉ ghi như 192.168.1.1 hoặc dải \
             192.168.1.0/24; mỗi tuỳ chọn dùng được nhiều lần. Đơn vị không có danh sách của mình theo danh sách của cấp trên gần nhất.",
            "Without options it shows what is approved, what the machines use and for which it is not known. Write an address as 192.168.1.1 \
             or a range as 192.168.1.0/24; each option may be repeated. An office without a list of its own has that of the nearest office above.",
        ))
        .arg(help.office())
        .arg(address("add-gateway", help.text("Duyệt một cổng mặc định", "Approve a default gateway")))
        .arg(address("add-dns", help.text("Duyệt một máy chủ DNS", "Approve a DNS server")))
        .arg(address("remove-gateway", help.text("Bỏ một cổng mặc định khỏi danh sách", "Take a gateway off the list")))
        .arg(address("remove-dns", help.text("Bỏ một máy chủ DNS khỏi danh sách", "Take a DNS server off the list")))
        .arg(help.option(
            "document",
            help.text("VĂN-BẢN", "DOCUMENT"),
            help.text("Số và ngày của văn bản duyệt, nếu có", "Number and date of the document that approves, if any"),
        ))
}

/// Changes the lists if asked to, and shows them.
///
/// # Errors
/// There is no such office, the change is refused, or the database fails.
pub(super) async fn perform(given: &ArgMatches, context: &CommandContext, terminal: &Terminal) -> anyhow::Result<()> {
    let office = text(given, "office");
    let typed = |name, kind| {
        let all = given.get_many::<String>(name).into_iter().flatten();
        all.map(move |address| (kind, address.clone()))
    };
    let both = |gateways, dns| typed(gateways, AddressKind::Gateway).chain(typed(dns, AddressKind::Dns)).collect();
    let change = LanChange {
        add: both("add-gateway", "add-dns"),
        remove: both("remove-gateway", "remove-dns"),
        document: given.get_one::<String>("document").cloned().unwrap_or_default(),
    };
    if !change.add.is_empty() || !change.remove.is_empty() || !change.document.is_empty() {
        office_lan_change(&context.db, &context.by(), &office, &change).await?;
    }
    let policies = context.policies().await?;
    let mut tx = context.db.read().await?;
    let page = lan_page(&mut tx, policies.judge().as_deref(), &Scope::whole(), &office, context.clock.now()).await?;
    terminal.answer(&page, |terminal| {
        let lists = page.lists.iter().map(|list| list_text(&page, list, context, terminal));
        format!("{}\n{}", visible(&page.office.name), lists.collect::<String>())
    })
}

fn list_text(page: &LanPage, list: &LanList, context: &CommandContext, terminal: &Terminal) -> String {
    let (name, own) = match list.kind {
        AddressKind::Gateway => (terminal.text("Cổng mặc định được duyệt", "Approved gateways"), "--add-gateway"),
        AddressKind::Dns => (terminal.text("Máy chủ DNS được duyệt", "Approved DNS servers"), "--add-dns"),
    };
    let mut text = format!("\n{name}");
    if list.approved.is_empty() {
        text.push_str(&format!(": {} {own}\n", terminal.text("chưa có; duyệt bằng", "none; approve with")));
    } else {
        let above = list.approved.iter().any(|entry| entry.office != page.office.id);
        text.push_str(if above { terminal.text(" (theo cấp trên)", " (of an office above)") } else { "" });
        let row = |entry: &ApprovedAddress| {
            let by = visible(entry.added_by.split_once(':').map_or(entry.added_by.as_str(), |(_, name)| name));
            vec![entry.address.clone(), entry.document.clone(), moment(entry.added_at, &context.zone), by]
        };
        let heads = [("Địa chỉ", "Address"), ("Văn bản", "Document"), ("Lúc", "At"), ("Người duyệt", "By")];
        text.push_str(&format!("\n{}\n", terminal.table(&heads, list.approved.iter().map(row))));
    }
    let Some(in_use) = &list.in_use else { return text };
    if !in_use.is_empty() {
        let row = |used: &LanAddress| {
            let state = match (used.approved, list.approved.is_empty()) {
                (true, _) => terminal.text("được duyệt", "approved"),
                (false, true) => terminal.text("chưa có danh sách", "no list yet"),
                (false, false) => terminal.text("ngoài danh sách", "not on the list"),
            };
            vec![used.address.to_string(), state.to_owned(), names(&used.machines, terminal)]
        };
        let heads = [("Đang dùng", "In use"), ("Tình trạng", "State"), ("Máy", "Machines")];
        text.push_str(&format!("{}\n", terminal.table(&heads, in_use.iter().map(row))));
    }
    if list.left_out > 0 {
        text.push_str(&format!("{} {}\n", terminal.text("Địa chỉ không kể hết:", "More addresses:"), list.left_out));
    }
    if !list.unclear.is_empty() {
        let row = |one: &UnclearMachine| vec![one.machine.name.clone(), one.why.get(terminal.language).to_owned()];
        let heads = [("Máy chưa xác định được", "Not known for"), ("Lý do", "Why")];
        text.push_str(&format!("{}\n", terminal.table(&heads, list.unclear.iter().map(row))));
    }
    text
}

fn names(machines: &[LanPlace], terminal: &Terminal) -> String {
    let mut named: Vec<String> = machines.iter().take(NAMED).map(|machine| machine.name.clone()).collect();
    if let more @ 1.. = machines.len().saturating_sub(NAMED) {
        named.push(format!("+{more} {}", terminal.text("máy", "more")));
    }
    named.join(", ")
}
