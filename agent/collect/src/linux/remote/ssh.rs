//! Asking the SSH servers of this machine for their settings, as they apply to everyone who may connect.

use std::collections::BTreeSet;

use policies::fact::{Fact, Reason, Unknown};

use crate::linux::context::{CheckContext, unknown};
use crate::linux::ssh_settings::{Settings, Ssh};
use crate::linux::text::capped;
use os::{Answer, OsError, Output, Program};

mod matches;
mod servers;
mod unit;

use matches::{Caller, Configuration};
use servers::Server;

/// The servers' answers; they are asked once per check.
pub(in crate::linux) fn answers(context: &CheckContext) -> &Ssh {
    context.ssh(ask)
}

/// Finds the servers and asks each.
fn ask(context: &CheckContext) -> Ssh {
    let found = servers::find(context);
    let mut ssh = Ssh {
        serves: found.serves,
        installed: found.serves || servers::is_installed(context),
        answers: Vec::new(),
        trouble: found.trouble,
        open: BTreeSet::new(),
    };
    for server in &found.servers {
        if let Err(trouble) = ask_one(&mut ssh, context, server) {
            ssh.trouble.get_or_insert(trouble);
        }
    }
    if ssh.answers.is_empty() && ssh.trouble.is_none() {
        ssh.trouble = Some(cause(&OsError::Missing(Program::Sshd.paths()[0].to_owned())));
    }
    ssh
}

fn ask_one(ssh: &mut Ssh, context: &CheckContext, server: &Server) -> Result<(), Unknown> {
    let configuration = Configuration::read(context, &server.file);
    let configuration = match configuration {
        // Only root may read it; for other users the server itself may still answer.
        Err(OsError::Denied(_)) if !context.os.administrator() => {
            return Err(Unknown { reason: Reason::NeedsAdministrator, detail: server.file.clone() });
        }
        configuration => configuration.map_err(|error| cause(&error))?,
    };
    if let Some(file) = configuration.changed_since(context, server.read_at) {
        let detail = format!("{} was changed after the server had read it", capped(&file));
        return Err(Unknown { reason: Reason::Unreadable, detail });
    }
    let (callers, open) = configuration.callers(context);
    ssh.open.extend(open);
    for caller in callers {
        let text = print(context, &server.options, caller.as_ref())?;
        ssh.answers.push(Settings::printed(&text, caller.map(|caller| caller.user)));
    }
    Ok(())
}

fn cause(error: &OsError) -> Unknown {
    match unknown::<()>(error) {
        Fact::Unknown(unknown) => unknown,
        Fact::Known(()) => Unknown { reason: Reason::Unreadable, detail: String::new() },
    }
}

/// The server's printed settings. Newer servers also print them where a full test is refused because their folder under `/run`
/// is only created with the first connection, or because their keys cannot be read.
fn print(context: &CheckContext, options: &[String], caller: Option<&Caller>) -> Result<String, Unknown> {
    let ask = |modes: &[&str]| -> Answer<Output> {
        let mut arguments = modes.to_vec();
        arguments.extend(options.iter().map(String::as_str));
        let specification = caller.map(Caller::specification);
        if let Some(specification) = &specification {
            arguments.extend(["-C", specification]);
        }
        context.os.run(Program::Sshd, &arguments)
    };
    let whole = |output: &Output| output.status == Some(0) && !output.cut;
    let test = ask(&["-T"]).map_err(|error| cause(&error))?;
    if whole(&test) {
        return Ok(test.stdout);
    }
    match ask(&["-T", "-G"]) {
        Ok(output) if whole(&output) => Ok(output.stdout),
        _ if !context.os.administrator() => {
            Err(Unknown { reason: Reason::NeedsAdministrator, detail: "sshd -T".to_owned() })
        }
        _ => {
            let said = test.stderr.lines().next().unwrap_or_default();
            Err(Unknown { reason: Reason::Unreadable, detail: format!("sshd -T: {}", capped(&place(said))) })
        }
    }
}

/// The server's complaint about a line of its file, without that line's content, which is private.
fn place(said: &str) -> String {
    match said.split_once(" line ") {
        Some((file, rest)) => {
            let number: String = rest.chars().take_while(char::is_ascii_digit).collect();
            format!("{file} line {number}")
        }
        None => said.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_a_file_is_not_repeated() {
        assert_eq!(
            place("/etc/ssh/sshd_config: line 12: Bad configuration option: matkhau"),
            "/etc/ssh/sshd_config: line 12"
        );
        assert_eq!(
            place("Missing privilege separation directory: /run/sshd"),
            "Missing privilege separation directory: /run/sshd"
        );
    }
}
