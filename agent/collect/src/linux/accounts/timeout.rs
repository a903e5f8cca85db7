//! `TMOUT` as a login shell would end up with: from `/etc/environment` and the start-up files, in the order in which they run. What
//! only a shell could work out is unknown; to ask one would be to run foreign code.

use policies::fact::{Fact, Reason, Seconds};

use crate::linux::scene::{Scene, unknown};
use crate::linux::text::{assigned, unquoted};
use os::{Answer, OsError};

const NAME: &str = "TMOUT";

/// The variable while the files are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Variable {
    /// Seconds, 0 when it is not set; `None` when that cannot be told.
    value: Option<i64>,
    /// Once it is read-only it stays as it is.
    fixed: bool,
}

/// Seconds without use after which a text session ends.
pub(super) fn shell_timeout(scene: &Scene) -> Fact<Seconds> {
    match read(scene) {
        Ok(Variable { value: Some(value), .. }) => Fact::Known(Seconds(value)),
        Ok(_) => Fact::unknown(Reason::NoReader, "only a shell could tell what TMOUT is"),
        Err(error) => unknown(&error),
    }
}

fn read(scene: &Scene) -> Answer<Variable> {
    let text = |path: &str| match scene.text(path) {
        Err(OsError::Missing(_)) => Ok(String::new()),
        text => text,
    };
    let mut variable = Variable { value: Some(0), fixed: false };
    if let Some(value) = assigned(&text("/etc/environment")?, NAME) {
        variable.value = number(value);
    }
    let profile = match scene.text("/etc/profile") {
        Err(OsError::Missing(_)) => ". /etc/profile.d/*.sh\n".to_owned(),
        text => text?,
    };
    // What it reads in stands between what it says before and after.
    let mut rest = profile.as_str();
    let (mut own, mut read_folder) = (Script::default(), false);
    while let Some((line, more)) = rest.split_once('\n').or((!rest.is_empty()).then_some((rest, ""))) {
        rest = more;
        let code = uncommented(line);
        if code.contains("/etc/profile.d") && !std::mem::replace(&mut read_folder, true) {
            for (_, text) in scene.texts("/etc/profile.d", ".sh")? {
                Script::default().run(&text, &mut variable);
            }
        } else if let Some(path) = ["/etc/bash.bashrc", "/etc/bashrc"]
            .iter()
            .find(|path| [". ", "source "].iter().any(|word| code.contains(&format!("{word}{path}"))))
        {
            Script::default().run(&text(path)?, &mut variable);
        }
        own.run(line, &mut variable);
    }
    Ok(variable)
}

/// The blocks that are open: whether each holds for everybody who sits at a terminal.
#[derive(Default)]
struct Script(Vec<bool>);

impl Script {
    fn run(&mut self, text: &str, variable: &mut Variable) {
        for line in text.replace("\\\n", " ").lines() {
            for statement in uncommented(line).split(';') {
                self.statement(statement.trim(), variable);
            }
        }
    }

    fn statement(&mut self, statement: &str, variable: &mut Variable) {
        let (first, rest) = statement.split_once(char::is_whitespace).unwrap_or((statement, ""));
        match first {
            "then" | "else" | "do" | "{" => return self.statement(rest.trim_start(), variable),
            "if" | "while" | "until" | "for" | "case" => return self.0.push(for_all(rest)),
            "elif" => {
                self.0.pop();
                return self.0.push(for_all(rest));
            }
            "fi" | "done" | "esac" | "}" => {
                self.0.pop();
                return;
            }
            _ if statement.ends_with('{') => return self.0.push(false),
            _ => {}
        }
        if !statement.contains(NAME) {
            return;
        }
        let mut conditions: Vec<&str> =
            statement.split("&&").flat_map(|part| part.split("||")).map(str::trim).collect();
        let last = conditions.pop().unwrap_or_default();
        // A branch of `case` begins with its pattern.
        let last =
            last.split_once(") ").filter(|(pattern, _)| !pattern.contains(['(', '='])).map_or(last, |(_, rest)| rest);
        let reached = self.0.iter().all(|holds| *holds) && conditions.into_iter().all(for_all);
        if let Some(changed) = assign(last, *variable).filter(|_| !variable.fixed) {
            *variable = if reached { changed } else { Variable { value: None, fixed: false } };
        }
    }
}

/// True for a condition that everybody at a terminal fulfils, or that asks only whether the variable is set.
fn for_all(condition: &str) -> bool {
    ["$PS1", "${PS1", "$-", NAME, "BASH_VERSION"].iter().any(|word| condition.contains(word))
}

/// The variable after the statement; `None` when it changes nothing.
fn assign(statement: &str, before: Variable) -> Option<Variable> {
    let mut words = statement.split_ascii_whitespace().peekable();
    let first = words.next()?;
    let flags: String = words.clone().take_while(|word| word.starts_with('-')).collect();
    let declares = ["export", "readonly", "declare", "typeset", "local"].contains(&first);
    let fixes = first == "readonly" || (declares && first != "export" && flags.contains('r'));
    if first == "unset" && words.any(|word| word == NAME) {
        return Some(Variable { value: Some(0), fixed: false });
    }
    if first == ":" {
        let rest = statement.split_once("${TMOUT:=").or_else(|| statement.split_once("${TMOUT="))?.1;
        let value = number(rest.split('}').next().unwrap_or_default());
        return (before.value == Some(0)).then_some(Variable { value, fixed: false });
    }
    if let Some((head, rest)) = statement.split_once("TMOUT=") {
        return match head.chars().next_back() {
            Some(letter) if letter.is_alphanumeric() || letter == '_' => None,
            None => Some(Variable { value: number(rest), fixed: false }),
            Some(letter) if letter.is_whitespace() && declares => Some(Variable { value: number(rest), fixed: fixes }),
            // Inside quotes, behind `eval` and the like.
            _ => Some(Variable { value: None, fixed: false }),
        };
    }
    (fixes && words.any(|word| word == NAME)).then_some(Variable { fixed: true, ..before })
}

/// A number, in quotes or not, or a product or sum of such in `$((...))`; nothing is 0.
fn number(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Some(sum) = text.strip_prefix("$((").and_then(|rest| rest.split_once("))")) {
        let product = |text: &str| {
            text.split('*').try_fold(1_i64, |product, factor| product.checked_mul(factor.trim().parse().ok()?))
        };
        return sum.0.split('+').try_fold(0_i64, |sum, part| sum.checked_add(product(part)?));
    }
    let word = text.split_ascii_whitespace().next().unwrap_or_default();
    match unquoted(word) {
        "" => Some(0),
        digits => digits.parse().ok().filter(|seconds| *seconds >= 0),
    }
}

/// The line without a comment at its start or behind a blank.
fn uncommented(line: &str) -> &str {
    let line = line.trim();
    if line.starts_with('#') { "" } else { line.split(" #").next().unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use os::recorded::Recorded;

    fn of(os: Recorded) -> Option<i64> {
        shell_timeout(&Scene::new(Arc::new(os), jiff::Timestamp::UNIX_EPOCH)).known().map(|seconds| seconds.0)
    }

    fn timeout(text: &str) -> Option<i64> {
        of(Recorded::new().file("/etc/profile.d/tmout.sh", text))
    }

    #[test]
    fn the_ways_of_setting_a_timeout_are_read() {
        for (text, seconds) in [
            ("TMOUT=900\r\nreadonly TMOUT\r\nexport TMOUT\r\n", 900),
            ("declare -xr TMOUT=600\nTMOUT=0\n", 600),
            ("typeset -r TMOUT=600\nunset TMOUT\n", 600),
            ("TMOUT=900; readonly TMOUT; TMOUT=5", 900),
            ("export TMOUT=\"300\"\nTMOUT=120\n", 120),
            ("TMOUT='900'\n", 900),
            (": ${TMOUT:=900}\n: \"${TMOUT:=5}\"\n", 900),
            ("TMOUT=$((15*60))\n", 900),
            ("TMOUT=$(( 15 * 60 + 0 )) # a quarter\n", 900),
            ("TMOUT=900\nunset TMOUT\n", 0),
            ("[ -z \"$TMOUT\" ] && readonly TMOUT=900\n", 900),
            ("if [ -n \"$PS1\" ]; then\n  TMOUT=900\nfi\n", 900),
            ("case $- in\n*i*) TMOUT=900 ;;\nesac\n", 900),
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
    fn the_files_run_in_their_order() {
        let environment = Recorded::new().file("/etc/environment", "TMOUT=900\n");
        assert_eq!(of(environment.clone()), Some(900));
        let profile =
            "if [ -d /etc/profile.d ]; then\n  for i in /etc/profile.d/*.sh; do\n    . $i\n  done\nfi\nunset TMOUT\n";
        let part = environment.file("/etc/profile.d/a.sh", "TMOUT=600\n");
        assert_eq!(of(part.clone().file("/etc/profile", profile)), Some(0));
        assert_eq!(of(part.clone().file("/etc/profile", profile.replace("unset TMOUT\n", ""))), Some(600));
        assert_eq!(of(part.file("/etc/profile", "umask 022\n")), Some(900), "it does not read the folder");
    }
}
