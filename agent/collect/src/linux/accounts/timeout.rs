//! `TMOUT` as a login shell would see it, where `/etc/environment` and the start-up files set it plainly, outside any condition, and all
//! to the same value. What only a shell could evaluate is unknown; asking one would mean running foreign code.

use policies::fact::{Fact, Reason, Seconds};

use crate::linux::context::{CheckContext, answered, optional};
use crate::linux::text::unquoted;
use os::Answer;

/// Idle seconds after which a text session ends.
pub(super) fn shell_timeout(context: &CheckContext) -> Fact<Seconds> {
    answered(texts(context), |texts| {
        let mut found = None;
        for text in texts {
            match plainly(&text) {
                Some(value) if value.is_none() || found.is_none() || found == value => found = found.or(value),
                _ => return Fact::unknown(Reason::NoReader, "only a shell could tell what TMOUT is"),
            }
        }
        Fact::Known(Seconds(found.unwrap_or(0)))
    })
}

/// The files that a login shell reads: those that `/etc/profile` names, and the whole folder if there is no such file.
fn texts(context: &CheckContext) -> Answer<Vec<String>> {
    let profile = optional(context.text("/etc/profile"))?.unwrap_or_else(|| ". /etc/profile.d/*.sh".to_owned());
    let mut texts = context.gathered(&["/etc/environment"])?;
    for (name, place) in [
        ("/etc/bash.bashrc", "/etc/bash.bashrc"),
        ("/etc/bashrc", "/etc/bashrc"),
        ("/etc/profile.d", "/etc/profile.d/*.sh"),
    ] {
        if profile.contains(name) {
            texts.extend(context.gathered(&[place])?);
        }
    }
    texts.push(profile);
    Ok(texts)
}

/// The one value that the text sets, if any; `None` when it may be different.
fn plainly(text: &str) -> Option<Option<i64>> {
    let (mut depth, mut found) = (0_u32, None);
    let text = text.replace("\\\n", " ");
    for statement in text.lines().flat_map(|line| uncommented(line).split(';')).map(str::trim) {
        match statement.split_ascii_whitespace().next().unwrap_or_default() {
            "if" | "case" | "for" | "while" | "until" | "select" => depth += 1,
            "fi" | "esac" | "done" | "}" => depth = depth.saturating_sub(1),
            _ if statement.ends_with('{') => depth += 1,
            _ if !names_it(statement) => {}
            _ if depth > 0 => return None,
            _ => {
                let value = set(statement)?;
                if found.is_some() && value.is_some() && value != found {
                    return None;
                }
                found = found.or(value);
            }
        }
    }
    Some(found)
}

fn names_it(statement: &str) -> bool {
    statement.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').any(|word| word == "TMOUT")
}

/// The number in `export TMOUT=900` and the like, 0 for nothing; none in `readonly TMOUT`; `None` for anything else.
fn set(statement: &str) -> Option<Option<i64>> {
    let how = |word: &&str| ["export", "readonly", "declare", "typeset"].contains(word) || word.starts_with('-');
    let words: Vec<&str> = statement.split_ascii_whitespace().skip_while(how).collect();
    match words[..] {
        ["TMOUT"] => Some(None),
        [word] => match unquoted(word.strip_prefix("TMOUT=")?) {
            "" => Some(Some(0)),
            digits => digits.parse().ok().filter(|seconds| *seconds >= 0).map(Some),
        },
        _ => None,
    }
}

/// The line without a comment, which begins at its start or after a blank.
fn uncommented(line: &str) -> &str {
    let line = line.trim();
    if line.starts_with('#') { "" } else { line.split(" #").next().unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use os::recorded::Recorded;

    fn of(os: Recorded) -> Option<i64> {
        shell_timeout(&CheckContext::of(os)).known().map(|seconds| seconds.0)
    }

    fn timeout(text: &str) -> Option<i64> {
        of(Recorded::new().file("/etc/profile.d/tmout.sh", text))
    }

    #[test]
    fn the_ways_of_setting_a_timeout_are_read() {
        for (text, seconds) in [
            ("TMOUT=900\r\nreadonly TMOUT\r\nexport TMOUT\r\n", 900),
            ("declare -xr TMOUT=600\n", 600),
            ("typeset -r TMOUT=600 # ten minutes\n", 600),
            ("TMOUT=900; readonly TMOUT; TMOUT=900", 900),
            ("if [ -n \"$PS1\" ]; then\n  PS1=x\nfi\nexport TMOUT=\"300\"\n", 300),
            ("TMOUT='900'\n", 900),
            ("# TMOUT=900\nMYTMOUT=5\n", 0),
            ("TMOUT=\n", 0),
            ("", 0),
        ] {
            assert_eq!(timeout(text), Some(seconds), "{text}");
        }
    }

    #[test]
    fn what_only_a_shell_could_tell_is_unknown() {
        for text in [
            "TMOUT=$X\n",
            "TMOUT=900\nunset TMOUT\n",
            "export TMOUT=300\nTMOUT=120\n",
            "TMOUT=900; readonly TMOUT; TMOUT=5",
            ": ${TMOUT:=900}\n",
            "TMOUT=$((15*60))\n",
            "[ -z \"$TMOUT\" ] && readonly TMOUT=900\n",
            "if [ -n \"$PS1\" ]; then\n  TMOUT=900\nfi\n",
            "case $- in\n*i*) TMOUT=900 ;;\nesac\n",
            "TMOUT=`cat /etc/t`\n",
            "eval \"TMOUT=900\"\n",
            "if [ \"$USER\" = test ]; then TMOUT=900; fi\n",
            "[ $UID -ge 1000 ] && TMOUT=900\n",
            "f() {\nTMOUT=900\n}\n",
        ] {
            assert_eq!(timeout(text), None, "{text}");
        }
    }

    #[test]
    fn only_files_that_are_read_count_and_all_must_agree() {
        let environment = Recorded::new().file("/etc/environment", "TMOUT=900\n");
        assert_eq!(of(environment.clone()), Some(900));
        let profile =
            "if [ -d /etc/profile.d ]; then\n  for i in /etc/profile.d/*.sh; do\n    . $i\n  done\nfi\nunset TMOUT\n";
        let part = environment.file("/etc/profile.d/a.sh", "TMOUT=600\n");
        assert_eq!(of(part.clone().file("/etc/profile", profile)), None);
        let alike = part.clone().file("/etc/environment", "TMOUT=600\n");
        assert_eq!(of(alike.file("/etc/profile", profile.replace("unset TMOUT\n", ""))), Some(600));
        assert_eq!(of(part.file("/etc/profile", "umask 022\n")), Some(900), "it does not read the folder");
    }
}
