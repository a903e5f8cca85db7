//! Gets the rules from sudo's own parser, provided that sudo itself would follow them.

use super::{Host, Sudoers};
use crate::linux::context::{CheckContext, optional};
use crate::linux::text::{capped, lines};
use os::{Answer, OsError, Program};

pub(super) const FILE: &str = "/etc/sudoers";
pub(super) const PROGRAM: &str = "/usr/bin/sudo";

/// Asks sudo's parser. `None` when sudo is not installed or rejects all of its files.
///
/// # Errors
/// When the parser cannot be run, or sudo itself would reject some of the files.
pub(in super::super) fn read(context: &CheckContext) -> Answer<Option<Sudoers>> {
    match (context.os.exists(PROGRAM), context.os.exists(FILE)) {
        (false, false) => return Ok(None),
        _ if !context.os.administrator() => return Err(OsError::Denied(FILE.to_owned())),
        (false, true) => return Err(failed("there are rules for a sudo that is elsewhere, or was removed")),
        (true, _) => {}
    }
    own_plugins(context)?;
    let elsewhere = sources(context)?;
    for file in files(context)? {
        if refused(context, &file)? {
            // Without its main file sudo does nothing; the effect of another rejected file is unknown.
            return if file == FILE && !elsewhere { Ok(None) } else { Err(failed(&format!("sudo refuses {file}"))) };
        }
    }
    let output = context.os.run(Program::Cvtsudoers, &["-e", "-f", "json", FILE])?;
    if output.status != Some(0) || output.cut {
        return Err(failed(output.stderr.lines().next().unwrap_or("cvtsudoers")));
    }
    let mut sudoers: Sudoers =
        serde_json::from_str(&output.stdout).map_err(|_| failed("cvtsudoers prints another form"))?;
    sudoers.elsewhere = elsewhere;
    let name = context.line("/proc/sys/kernel/hostname").unwrap_or_default();
    sudoers.host = Host { name, addresses: context.os.addresses()? };
    Ok(Some(sudoers))
}

fn failed(why: &str) -> OsError {
    OsError::Failed(FILE.to_owned(), capped(why))
}

/// True when a plug-in other than sudo's own, or another file, decides by rules that are not read here.
fn own_plugins(context: &CheckContext) -> Answer<()> {
    let text = optional(context.text("/etc/sudo.conf"))?.unwrap_or_default();
    let own = |line: &str| {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        words.first() != Some(&"Plugin") || (words.len() == 3 && words[2] == "sudoers.so")
    };
    if lines(&text).all(own) { Ok(()) } else { Err(failed("sudo.conf names another plug-in or file")) }
}

/// Whether rules also come from elsewhere: LDAP, or a domain joined with sssd.
fn sources(context: &CheckContext) -> Answer<bool> {
    let text = optional(context.text("/etc/nsswitch.conf"))?.unwrap_or_default();
    let Some(sources) = lines(&text).find_map(|line| line.strip_prefix("sudoers:")) else { return Ok(false) };
    let names: Vec<&str> = sources.split_ascii_whitespace().collect();
    if !names.contains(&"files") {
        return Err(failed("nsswitch.conf takes the rules from elsewhere"));
    }
    let joined = || {
        context.os.exists("/etc/sssd/sssd.conf")
            || context.os.list("/etc/sssd/conf.d").is_ok_and(|names| !names.is_empty())
    };
    Ok(names.contains(&"ldap") || names.contains(&"sss") && joined())
}

/// The files that sudo reads: `visudo -c` lists each with its verdict.
fn files(context: &CheckContext) -> Answer<Vec<String>> {
    let output = context.os.run(Program::Visudo, &["-c"])?;
    let mut files = Vec::new();
    for line in output.stdout.lines().chain(output.stderr.lines()) {
        let said = [": parsed OK", ": bad permissions, should be ", ": wrong owner (uid, gid) should be "];
        match said.iter().find_map(|said| line.split_once(said)) {
            Some((file, _)) => files.push(file.to_owned()),
            None if line.starts_with("visudo: ") => return Err(failed(line)),
            None => {}
        }
    }
    if output.cut || !files.iter().any(|file| file == FILE) {
        return Err(failed(output.stderr.lines().next().unwrap_or("visudo -c")));
    }
    Ok(files)
}

/// sudo only accepts files owned by root that nobody else may write to, except root's group.
fn refused(context: &CheckContext, file: &str) -> Answer<bool> {
    let owner = match context.os.owner(file) {
        // Its name is not text.
        Err(OsError::Missing(_)) => return Err(failed(&format!("sudo reads {file}"))),
        owner => owner?,
    };
    Ok(owner.user != 0 || owner.mode & 0o002 != 0 || (owner.mode & 0o020 != 0 && owner.group != 0))
}
