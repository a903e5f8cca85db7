//! The words of the command line and their help, in the requested language.
//!
//! The language must be known before the help is built, so it is looked up first: `--lang`, else TRAM_AN_LANG, else
//! Vietnamese.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command as ClapCommand, value_parser};
use policies::fact::Section;
use policies::text::Language;

use super::{
    CheckOptions, Command, EnrolOptions, Exit, ExportOptions, FactsOptions, ImportOptions, Invocation, OnceOptions,
    ReceiptsOptions, Role, RunOptions, StatusOptions, UninstallOptions,
};
use crate::cli::terminal::Terminal;
use crate::enrol::Invitation;
use crate::install::{Plan, Removal};
use crate::state::DEFAULT;

/// Parses the command line. On `--help`, `--version` or a mistake the message is already printed and only the exit status
/// is returned.
pub(super) fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Invocation, Exit> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let language = Language::of_command_line(&arguments, std::env::var("TRAM_AN_LANG").ok().as_deref());
    let matches = command(language).try_get_matches_from(&arguments).map_err(|error| {
        // clap knows which stream each kind of message goes to.
        let wrong = error.use_stderr();
        if wrong {
            let see = "Lệnh chưa đúng. Xem: posture-agent --help";
            Terminal::new(language).complain(language.text(see, "Wrong command line. See: posture-agent --help"));
        }
        drop(error.print());
        if wrong { Exit::Impossible } else { Exit::Fine }
    })?;
    command_of(&matches).map(|command| Invocation { language, command }).ok_or(Exit::Impossible)
}

fn command_of(matches: &ArgMatches) -> Option<Command> {
    let path = |matches: &ArgMatches, name: &str| matches.get_one::<PathBuf>(name).cloned();
    let text = |matches: &ArgMatches, name: &str| matches.get_one::<String>(name).cloned();
    // The options come together.
    let invitation = |matches: &ArgMatches| {
        Some(Invitation {
            server: text(matches, "server")?,
            token: text(matches, "token")?,
            fingerprint: text(matches, "fingerprint")?,
            place: text(matches, "place").unwrap_or_default(),
        })
    };
    let (name, given) = matches.subcommand()?;
    Some(match name {
        "facts" => Command::Facts(FactsOptions {
            json: given.get_flag("json"),
            sections: given
                .get_many::<String>("section")
                .unwrap_or_default()
                .filter_map(|name| Section::ALL.iter().copied().find(|section| section.name() == name))
                .collect(),
        }),
        "check" => Command::Check(CheckOptions {
            policy: path(given, "policy")?,
            facts: path(given, "facts"),
            role: text(given, "role").and_then(|code| Role::from_code(&code)),
            json: given.get_flag("json"),
        }),
        "enrol" => Command::Enrol(EnrolOptions {
            invitation: invitation(given)?,
            state: path(given, "state")?,
            config: path(given, "config"),
            json: given.get_flag("json"),
        }),
        "once" => Command::Once(OnceOptions {
            state: path(given, "state")?,
            config: path(given, "config"),
            json: given.get_flag("json"),
        }),
        "export" => Command::Export(ExportOptions {
            file: path(given, "file")?,
            invitation: path(given, "invitation"),
            place: text(given, "place").unwrap_or_default(),
            not_secret: given.get_flag("not-secret"),
            state: path(given, "state")?,
            config: path(given, "config"),
            json: given.get_flag("json"),
        }),
        "import" => Command::Import(ImportOptions {
            file: path(given, "file")?,
            state: path(given, "state")?,
            config: path(given, "config"),
            json: given.get_flag("json"),
        }),
        "status" => Command::Status(StatusOptions {
            state: path(given, "state")?,
            output: path(given, "output"),
            text: given.get_flag("text"),
            json: given.get_flag("json"),
        }),
        "receipts" => Command::Receipts(ReceiptsOptions {
            state: path(given, "state")?,
            export: path(given, "export"),
            json: given.get_flag("json"),
        }),
        "run" => Command::Run(RunOptions { state: path(given, "state")?, config: path(given, "config") }),
        // Without an invitation only the program is replaced.
        "install" => Command::Install(Plan { invitation: invitation(given), state: path(given, "state")? }),
        "setup" => Command::Setup,
        "uninstall" => Command::Uninstall(UninstallOptions {
            state: path(given, "state")?,
            what: match (given.get_flag("state-only"), given.get_flag("keep-identity")) {
                (true, _) => Removal::StateOnly,
                (false, true) => Removal::KeepIdentity,
                (false, false) => Removal::All,
            },
        }),
        _ => return None,
    })
}

/// All commands and options with their help.
fn command(language: Language) -> ClapCommand {
    let t = |vi: &'static str, en: &'static str| language.text(vi, en);
    let flag = |name: &'static str, help: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue).help(help);
    let json = || flag("json", t("In JSON để chương trình khác đọc", "Print JSON for another program to read"));
    let state = || {
        Arg::new("state")
            .long("state")
            .value_name(t("THƯ MỤC", "DIR"))
            .value_parser(value_parser!(PathBuf))
            .default_value(DEFAULT)
            .help(t("Thư mục trạng thái của phần mềm trên máy này", "The agent's state folder on this machine"))
    };
    let config = || {
        Arg::new("config").long("config").value_name(t("TỆP", "FILE")).value_parser(value_parser!(PathBuf)).help(t(
            "Tệp cấu hình; nếu không nêu thì dùng agent.toml trong thư mục trạng thái (khi có)",
            "Configuration file (default: agent.toml in the state folder, if it exists)",
        ))
    };
    let facts = ClapCommand::new("facts")
        .about(t("Xem mọi thông tin ghi nhận sẽ được gửi đi", "Show all facts that would be sent"))
        .long_about(t(
            "Thu thập và in mọi thông tin ghi nhận mà phần mềm sẽ gửi về máy chủ, kèm lý do bên cạnh từng thông tin chưa xác định. \
             Thông tin cá nhân được đánh dấu. Không gửi gì, không thay đổi gì trên máy.",
            "Collects and prints all facts that would be sent to the server, with the reason for each unknown one. Personal facts are marked. Sends \
             nothing and changes nothing on the machine.",
        ))
        .arg(json())
        .arg(
            Arg::new("section")
                .long("section")
                .value_name(t("NHÓM", "SECTION"))
                .action(ArgAction::Append)
                .value_parser(PossibleValuesParser::new(Section::ALL.iter().map(|section| section.name())))
                .help(t("Chỉ nhóm thông tin này (có thể nêu nhiều lần)", "Only this section (may be repeated)")),
        );
    let check = ClapCommand::new("check")
        .about(t("Đối chiếu máy này với một bộ tiêu chí, không cần máy chủ", "Check this machine against a policy, without a server"))
        .long_about(t(
            "Đối chiếu máy này, hoặc thông tin đã ghi, với một tệp tiêu chí. Từng tiêu chí nêu rõ hiện trạng và mức cần đạt.\n\
             Mã kết thúc: 0 không có tiêu chí nào chưa đạt; 1 có tiêu chí chưa đạt; 2 không thực hiện được hoặc không tiêu chí nào áp dụng.",
            "Checks this machine, or recorded facts, against a control file. Each control shows what was found and what is wanted.\n\
             Exit status: 0 no control fails; 1 some control fails; 2 it could not be done or no control applies.",
        ))
        .arg(
            Arg::new("policy")
                .long("policy")
                .required(true)
                .value_name(t("TỆP", "FILE"))
                .value_parser(value_parser!(PathBuf))
                .help(t("Tệp tiêu chí (TOML), có thể chưa ký", "Control file (TOML); may be unsigned")),
        )
        .arg(
            Arg::new("facts")
                .long("facts")
                .value_name(t("TỆP", "FILE"))
                .value_parser(value_parser!(PathBuf))
                .help(t("Thông tin đã ghi (kết quả của facts --json) thay cho máy này", "Recorded facts (output of facts --json) instead of this machine")),
        )
        .arg(Arg::new("role").long("role").value_name(t("VAI TRÒ", "ROLE")).value_parser(["workstation", "server"]).help(t(
            "Vai trò của máy: workstation (máy trạm) hoặc server (máy chủ)",
            "The machine's role: workstation or server",
        )))
        .arg(json());
    let server = || {
        Arg::new("server")
            .long("server")
            .value_name("HOST:PORT")
            .help(t("Địa chỉ máy chủ, ví dụ may-chu.xa.gov.vn:8443", "Server address, such as server.example:8443"))
    };
    let token = || {
        Arg::new("token")
            .long("token")
            .value_name(t("MÃ", "TOKEN"))
            .env("TRAM_AN_TOKEN")
            .hide_env_values(true)
            .help(t("Mã đăng ký máy do cán bộ phụ trách cấp", "Enrolment token from the officer in charge"))
    };
    let fingerprint = || {
        Arg::new("fingerprint").long("fingerprint").value_name("SHA-256").help(t(
            "Dấu vân tay SHA-256 của chứng thư gốc máy chủ (64 chữ số thập lục phân)",
            "SHA-256 fingerprint of the server's CA (64 hexadecimal digits)",
        ))
    };
    let place = || {
        Arg::new("place").long("place").value_name(t("PHÒNG, NGƯỜI", "ROOM, PERSON")).help(t(
            "Phòng và người sử dụng như trong danh mục máy tính, ví dụ: \"Văn phòng, Nguyễn Văn A\"",
            "Room and person as on the office's roster, such as \"Office, Nguyễn Văn A\"",
        ))
    };
    let enrol = ClapCommand::new("enrol")
        .about(t("Kết nối máy này với máy chủ của cơ quan", "Connect this machine to the office's server"))
        .long_about(t(
            "Tạo khoá trên máy này, kiểm tra máy chủ bằng dấu vân tay rồi mới gửi mã đăng ký, và nhận chứng thư của máy. Chạy lại \
             với cùng mã là an toàn: không tốn thêm lượt. Máy xử lý bí mật nhà nước không được kết nối.",
            "Creates a key on this machine, verifies the server by its fingerprint before sending the token, and receives the machine's certificate. \
             Running it again with the same token is safe and does not use it up again. Machines for state secrets must not be enrolled.",
        ))
        .args([server(), token(), fingerprint()].map(|argument| argument.required(true)))
        .arg(place())
        .arg(state())
        .arg(config())
        .arg(json());
    let once = ClapCommand::new("once")
        .about(t("Kiểm tra một lần, gửi báo cáo và xem kết quả", "Check once, report and show the result"))
        .long_about(t(
            "Thu thập, gửi báo cáo về máy chủ (mất kết nối thì giữ lại để gửi sau) và đối chiếu với bộ tiêu chí đã ký.\n\
             Mã kết thúc: 0 không có tiêu chí nào chưa đạt; 1 có tiêu chí chưa đạt; 2 không thực hiện được hoặc không tiêu chí nào áp dụng.",
            "Collects facts, reports to the server (if it is unreachable, the report is kept for later) and judges by the signed policy.\n\
             Exit status: 0 no control fails; 1 some control fails; 2 it could not be done or no control applies.",
        ))
        .arg(state())
        .arg(config())
        .arg(json());
    let file = |help: &'static str| {
        Arg::new("file").required(true).value_name(t("TỆP", "FILE")).value_parser(value_parser!(PathBuf)).help(help)
    };
    let export = ClapCommand::new("export")
        .about(t("Máy không nối mạng: xuất tệp cho máy chủ", "For a machine without a network: write a file for the server"))
        .long_about(t(
            "Dành cho máy không được phép nối mạng. Lần đầu (kèm --invitation) ghi yêu cầu đăng ký máy; sau khi nhập trả lời thì thu thập, lập báo cáo \
             và ghi mọi báo cáo chưa được máy chủ xác nhận. Tệp được mã hoá cho máy chủ và ký bằng khoá của máy; xuất nhiều lần là an toàn.\n\
             Máy xử lý bí mật nhà nước không được xuất: lệnh hỏi trước khi làm, hoặc cần nêu --not-secret.",
            "For a machine that must not be connected. The first time (with --invitation) it writes an enrolment request; after the answer was \
             imported it collects facts and writes all reports that the server has not confirmed. The file is encrypted for the server and signed by \
             the machine; exporting again is safe.\n\
             A machine for state secrets must not be exported: the command asks first, or needs --not-secret.",
        ))
        .arg(file(t("Tệp cần ghi, ví dụ trên thẻ nhớ USB", "File to write, for example on a USB stick")))
        .arg(Arg::new("invitation").long("invitation").value_name(t("TỆP", "FILE")).value_parser(value_parser!(PathBuf)).help(t(
            "Thư mời do cán bộ phụ trách giao (posture-server token add ... --file)",
            "Invitation file from the officer (posture-server token add ... --file)",
        )))
        .arg(place())
        .arg(flag("not-secret", t(
            "Xác nhận máy này không xử lý bí mật nhà nước (không hỏi lại)",
            "Confirm that this machine does not process state secrets (no question is asked)",
        )))
        .arg(state())
        .arg(config())
        .arg(json());
    let import = ClapCommand::new("import")
        .about(t("Máy không nối mạng: nhập tệp trả lời của máy chủ", "For a machine without a network: import the server's answer"))
        .long_about(t(
            "Kiểm tra chữ ký của máy chủ trên tệp trả lời và tệp có đúng cho máy này không, rồi nhận chứng thư, bộ tiêu chí và biên nhận, bỏ các báo cáo đã \
             được nhận khỏi hàng chờ, và in kết quả đánh giá máy. Tệp sai, hỏng hoặc cũ không làm mất gì.",
            "Checks the server's signature on the answer and that it is meant for this machine, imports the certificate, policy and receipts, removes \
             confirmed reports from the queue, and prints this machine's result. A wrong, damaged or older file loses nothing.",
        ))
        .arg(file(t("Tệp trả lời của máy chủ", "The server's answer")))
        .arg(state())
        .arg(config())
        .arg(json());
    let run = ClapCommand::new("run")
        .about(t("Chạy thường trực: kiểm tra theo lịch và khi có thay đổi", "Run as a daemon: check on a schedule and when something changes"))
        .long_about(t(
            "Chạy thường trực và yên lặng: kiểm tra toàn bộ theo lịch, kiểm tra lại ngay nhóm thông tin có thay đổi, gửi báo cáo, \
             giữ báo cáo khi mất kết nối. Kết thúc bằng SIGTERM hoặc Ctrl-C.",
            "Runs in the background: a full check on a schedule, an immediate check of each section that changes, delivery of reports, which are kept \
             while the server is unreachable. Ends on SIGTERM or Ctrl-C.",
        ))
        .arg(state())
        .arg(config());
    let status = ClapCommand::new("status")
        .about(t("Xem kết quả gần nhất của máy này và cách khắc phục", "Show this machine's last result and how to fix problems"))
        .long_about(t(
            "Mở trang kết quả kiểm tra gần nhất của máy này kèm hướng dẫn khắc phục, không cần quyền quản trị, không kiểm tra lại.\n\
             Mã kết thúc: 0 đã hiện kết quả; 2 chưa có kết quả hoặc không đọc được.",
            "Opens a page with this machine's last result and the steps to fix it. Needs no administrator rights and checks nothing again.\n\
             Exit status: 0 shown; 2 there is no result yet or it cannot be read.",
        ))
        .arg(
            Arg::new("output")
                .long("output")
                .value_name(t("TỆP", "FILE"))
                .value_parser(value_parser!(PathBuf))
                .help(t("Ghi trang vào tệp này, không mở", "Write the page to this file instead of opening it")),
        )
        .arg(flag("text", t("In tại cửa sổ lệnh, không mở trang", "Print in the terminal instead of opening the page")).conflicts_with("output"))
        .arg(state())
        .arg(json().conflicts_with_all(["output", "text"]));
    let receipts = ClapCommand::new("receipts")
        .about(t("Xem biên nhận và mốc đối chứng máy này đang giữ", "Show the receipts and checkpoints kept on this machine"))
        .long_about(t(
            "Kiểm tra lại từng biên nhận đang giữ, các mốc đối chứng theo ngày, và nêu mọi mâu thuẫn với nhật ký đối chứng của máy chủ.\n\
             Mã kết thúc: 0 không có mâu thuẫn; 1 có mâu thuẫn; 2 không đọc được.",
            "Checks every kept receipt again, lists the checkpoints by day, and names whatever contradicts the server's evidence log.\n\
             Exit status: 0 no contradiction; 1 there is one; 2 they cannot be read.",
        ))
        .arg(
            Arg::new("export").long("export").value_name(t("TỆP", "FILE")).value_parser(value_parser!(PathBuf)).help(t(
                "Ghi khoá, mốc và bằng chứng (C2SP tlog-proof) để người khác kiểm tra",
                "Write key, checkpoints and proofs (C2SP tlog-proof) for somebody else to check",
            )),
        )
        .arg(state())
        .arg(json());
    let install = ClapCommand::new("install")
        .about(t("Cài đặt thành dịch vụ của Windows và kết nối", "Install as a Windows service and connect"))
        .long_about(t(
            "Chép chương trình vào Program Files, tạo dịch vụ tự khởi động và kết nối máy với máy chủ; mất mạng thì dịch vụ tự thử lại. \
             Chạy bằng quyền quản trị. Chạy lại để nâng cấp tại chỗ (giữ nguyên mã máy); khi đó không cần --server, --token, --fingerprint.\n\
             Mã kết thúc: 0 đã cài đặt (dòng in ra nói đã kết nối hay chưa); 2 không thực hiện được, hoặc máy chủ từ chối.",
            "Copies the program to Program Files, creates a service that starts automatically and connects the machine; if the server is unreachable, \
             the service keeps trying. Needs administrator rights. Run it again to upgrade in place (the identity is kept); --server, --token and \
             --fingerprint are not needed then.\n\
             Exit status: 0 installed (the output says whether it is connected yet); 2 it could not be done, or the server refused.",
        ))
        .args([server().requires("token").requires("fingerprint"), token().requires("server"), fingerprint().requires("server")])
        .arg(place().requires("server"))
        .arg(state());
    let setup = ClapCommand::new("setup")
        .about(t("Cài đặt từ thư mục USB (bấm đúp \"Cài đặt\")", "Install from the folder on a USB stick (double-click \"Cài đặt\")"))
        .long_about(t(
            "Đọc tệp ket-noi.json cạnh chương trình, xin quyền quản trị, hỏi phòng và người sử dụng, cài đặt và kết nối.\n\
             Mã kết thúc: như install.",
            "Reads ket-noi.json next to the program, asks for administrator rights, room and person, installs and connects.\n\
             Exit status: as for install.",
        ));
    let uninstall = ClapCommand::new("uninstall")
        .about(t("Gỡ dịch vụ khỏi Windows", "Remove the Windows service"))
        .long_about(t(
            "Báo cho máy chủ, dừng và xoá dịch vụ, xoá chương trình, khoá registry và thư mục trạng thái. Chạy bằng quyền quản trị; chạy lại là \
             an toàn.",
            "Informs the server, stops and deletes the service, removes the program, registry keys and state folder. Needs administrator rights; \
             running it again is safe.",
        ))
        .arg(state())
        .arg(flag("keep-identity", t("Giữ lại khoá và mã máy để cài lại sau này", "Keep the key and identity for a later install")))
        .arg(
            flag("state-only", t("Chỉ xoá trạng thái và khoá registry; dịch vụ và chương trình do bộ cài MSI gỡ", "Remove only state and registry keys; the MSI removes the service and the program"))
                .conflicts_with("keep-identity"),
        );
    let words = ClapCommand::new("posture-agent")
        .version(env!("CARGO_PKG_VERSION"))
        .about(t(
            "Trạm An - phần mềm theo dõi an ninh mạng máy tính (phần trên máy). Chỉ đọc, không thay đổi máy.",
            "Trạm An agent: monitors the security posture of this computer. It only reads and never changes the machine.",
        ))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .arg(
            Arg::new("lang")
                .long("lang")
                .global(true)
                .value_parser(["vi", "en"])
                .value_name("vi|en")
                .hide_possible_values(true)
                .env("TRAM_AN_LANG")
                .hide_env(true)
                .help(t("Ngôn ngữ của thông báo (mặc định vi)", "Language of messages (default vi)")),
        )
        .subcommands(
            [facts, check, enrol, once, run, status, receipts, export, import, install, setup, uninstall]
                .map(|words| dressed(words, language)),
        );
    dressed(words, language)
}

/// The words around the help, which clap only has in English.
fn dressed(words: ClapCommand, language: Language) -> ClapCommand {
    let t = |vi: &'static str, en: &'static str| language.text(vi, en);
    let options = t("Tuỳ chọn", "Options");
    let help =
        Arg::new("help").short('h').long("help").action(ArgAction::Help).help(t("In hướng dẫn này", "Print this help"));
    let words = words.disable_help_flag(true).disable_version_flag(true).arg(help);
    let words = if words.get_version().is_some() {
        let help = t("In phiên bản", "Print the version");
        words.arg(Arg::new("version").short('V').long("version").action(ArgAction::Version).help(help))
    } else {
        words
    };
    words
        .mut_args(|argument| argument.help_heading(options))
        .subcommand_help_heading(t("Lệnh", "Commands"))
        .subcommand_value_name(t("LỆNH", "COMMAND"))
        .help_template(t(
            "{about-with-newline}\nCách dùng: {usage}\n\n{all-args}",
            "{about-with-newline}\nUsage: {usage}\n\n{all-args}",
        ))
}

#[cfg(test)]
mod told;

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Invocation {
        read(line.split(' ').map(OsString::from)).unwrap()
    }

    #[test]
    fn the_words_are_consistent_in_both_languages() {
        command(Language::Vi).debug_assert();
        command(Language::En).debug_assert();
    }

    #[test]
    fn every_command_is_understood() {
        assert_eq!(
            parsed("a facts --section lan --section system --json").command,
            Command::Facts(FactsOptions { json: true, sections: vec![Section::Lan, Section::System] })
        );
        let Command::Check(check) = parsed("a check --policy p.toml --role server").command else {
            panic!("not check")
        };
        assert_eq!((check.role, check.facts), (Some(Role::Server), None));
        let Command::Enrol(enrol) = parsed("a enrol --server h:1 --token secret-word --fingerprint ab").command else {
            panic!("not enrol")
        };
        assert_eq!(enrol.state, PathBuf::from(DEFAULT));
        assert!(!format!("{enrol:?}").contains("secret-word"));
        let Command::Export(export) = parsed("a export f --invitation i --not-secret").command else {
            panic!("not export")
        };
        assert_eq!((export.file, export.invitation), (PathBuf::from("f"), Some(PathBuf::from("i"))));
        assert!(export.not_secret);
        assert!(matches!(parsed("a import f").command, Command::Import(ImportOptions { json: false, .. })));
        assert_eq!(
            parsed("a run --state s --lang en").command,
            Command::Run(RunOptions { state: PathBuf::from("s"), config: None })
        );
        let Command::Install(install) = parsed("a install --server h:1 --token secret-word --fingerprint ab").command
        else {
            panic!("not install")
        };
        assert_eq!(install.invitation.as_ref().unwrap().server, "h:1");
        assert!(!format!("{install:?}").contains("secret-word"));
        let Command::Install(upgrade) = parsed("a install").command else { panic!("not install") };
        assert_eq!(upgrade.invitation, None);
        assert_eq!(
            parsed("a uninstall --keep-identity").command,
            Command::Uninstall(UninstallOptions { state: PathBuf::from(DEFAULT), what: Removal::KeepIdentity })
        );
    }

    #[test]
    fn mistakes_end_with_two_and_help_with_zero() {
        let exit = |line: &str| read(line.split(' ').map(OsString::from)).unwrap_err();
        assert_eq!(exit("a nothing"), Exit::Impossible);
        assert_eq!(exit("a check"), Exit::Impossible);
        assert_eq!(exit("a install --server h:1"), Exit::Impossible);
        assert_eq!(exit("a run --help"), Exit::Fine);
        assert_eq!(exit("a --version"), Exit::Fine);
    }
}
