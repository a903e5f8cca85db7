//! The files an SSH server reads, and the callers for whom its `Match` blocks may change settings: `sshd -T` is asked for each.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use crate::linux::context::{CheckContext, optional};
use crate::linux::text::{capped, fits, unquoted};
use os::{Answer, OsError};

/// The most callers simulated for one server.
const MOST: usize = 24;
/// An account that no block names, from an address that no office uses.
const STRANGER: &str = "stranger";
const ELSEWHERE: &str = "203.0.113.77";

/// The files of one server.
#[derive(Debug, Default)]
pub(super) struct Configuration {
    files: Vec<String>,
    blocks: Vec<Block>,
}

/// One `Match` block: whom it matches, and which keywords it sets.
#[derive(Debug, Default)]
struct Block {
    criteria: Vec<(String, String)>,
    keywords: BTreeSet<String>,
}

/// A simulated connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Caller {
    /// The account being logged in to.
    pub(super) user: String,
    host: String,
    address: String,
    local_address: String,
    local_port: String,
    domain: Option<String>,
}

impl Caller {
    fn stranger(user: &str) -> Self {
        Self {
            user: user.to_owned(),
            host: "stranger.invalid".to_owned(),
            address: ELSEWHERE.to_owned(),
            local_address: "198.51.100.1".to_owned(),
            local_port: "22".to_owned(),
            domain: None,
        }
    }

    /// The form that `sshd -C` takes.
    pub(super) fn specification(&self) -> String {
        let Self { user, host, address, local_address, local_port, domain } = self;
        let domain = domain.as_ref().map(|domain| format!(",rdomain={domain}")).unwrap_or_default();
        format!("user={user},host={host},addr={address},laddr={local_address},lport={local_port}{domain}")
    }
}

impl Configuration {
    /// Reads `file` and its includes.
    ///
    /// # Errors
    /// When one of them cannot be read, or an `Include` cannot be resolved.
    pub(super) fn read(context: &CheckContext, file: &str) -> Answer<Self> {
        let mut configuration = Self::default();
        configuration.read_into(context, file, None, 8)?;
        Ok(configuration)
    }

    /// `within` is the block that contains the `Include`.
    fn read_into(&mut self, context: &CheckContext, path: &str, within: Option<usize>, depth: u8) -> Answer<()> {
        let text = context.text(path)?;
        self.files.push(path.to_owned());
        // A block ends with its file.
        let mut block = within;
        for (keyword, value) in directives(&text) {
            match keyword.as_str() {
                "match" => {
                    let outer = within.map(|at| self.blocks[at].criteria.clone()).unwrap_or_default();
                    self.blocks.push(Block { criteria: [outer, criteria(&value)].concat(), keywords: BTreeSet::new() });
                    block = Some(self.blocks.len() - 1);
                }
                "include" if depth == 0 => {
                    return Err(OsError::Failed(path.to_owned(), "includes too deep".to_owned()));
                }
                "include" => {
                    for pattern in value.split_ascii_whitespace() {
                        for file in expand(context, unquoted(pattern))? {
                            self.read_into(context, &file, block, depth - 1)?;
                        }
                    }
                }
                _ => {
                    if let Some(at) = block {
                        self.blocks[at].keywords.insert(keyword);
                    }
                }
            }
        }
        Ok(())
    }

    /// A file changed after `read_at`, when the server had read it.
    pub(super) fn changed_since(&self, context: &CheckContext, read_at: Option<Timestamp>) -> Option<String> {
        // The boot time is known only to the second.
        let read_at = read_at?.checked_add(SignedDuration::from_secs(2)).ok()?.as_millisecond();
        let later = |file: &&String| context.os.stat(file).is_ok_and(|stat| stat.modified_at > read_at);
        self.files.iter().find(later).cloned()
    }

    /// The callers to ask for, and the keywords that blocks set for callers who cannot be simulated. Without blocks all
    /// callers are alike.
    pub(super) fn callers(&self, context: &CheckContext) -> (Vec<Option<Caller>>, BTreeSet<String>) {
        let blocks = || self.blocks.iter().filter(|block| !block.keywords.is_empty());
        if blocks().next().is_none() {
            return (vec![None], BTreeSet::new());
        }
        let mut callers = vec![Caller::stranger("root"), Caller::stranger(STRANGER)];
        let mut open = BTreeSet::new();
        for block in blocks() {
            match block.callers(context) {
                Some(own) => {
                    callers.extend(own.into_iter().filter(|caller| !callers.contains(caller)).collect::<Vec<_>>())
                }
                None => open.extend(block.keywords.iter().cloned()),
            }
            if callers.len() > MOST {
                callers.truncate(MOST);
                open.extend(block.keywords.iter().cloned());
            }
        }
        (callers.into_iter().map(Some).collect(), open)
    }
}

impl Block {
    /// One caller for each way to meet the criteria; `None` when one of them cannot be simulated.
    fn callers(&self, context: &CheckContext) -> Option<Vec<Caller>> {
        let named = self.criteria.iter().any(|(kind, _)| kind == "user" || kind == "group");
        let anybody =
            if named { vec![Caller::stranger(STRANGER)] } else { ["root", STRANGER].map(Caller::stranger).into() };
        let mut callers = anybody;
        for (kind, patterns) in &self.criteria {
            let values = match kind.as_str() {
                "all" => continue,
                "group" => members(context, patterns)?,
                "user" | "host" | "address" | "localaddress" | "localport" | "rdomain" => examples(kind, patterns)?,
                _ => return None,
            };
            let with = |caller: &Caller, value: &String| {
                let mut caller = caller.clone();
                let field = match kind.as_str() {
                    "user" | "group" => &mut caller.user,
                    "host" => &mut caller.host,
                    "address" => &mut caller.address,
                    "localaddress" => &mut caller.local_address,
                    "localport" => &mut caller.local_port,
                    _ => caller.domain.insert(String::new()),
                };
                field.clone_from(value);
                caller
            };
            callers = callers.iter().flat_map(|caller| values.iter().map(move |value| with(caller, value))).collect();
            if callers.len() > MOST {
                return None;
            }
        }
        Some(callers)
    }
}

/// Parses `User a,b Address 10.0.0.0/8`: each kind in lower case with its patterns. A kind without patterns stands alone,
/// like `all`.
fn criteria(text: &str) -> Vec<(String, String)> {
    let text = text.replace('=', " ");
    let mut words = text.split_ascii_whitespace();
    let mut criteria = Vec::new();
    while let Some(kind) = words.next() {
        let kind = kind.to_ascii_lowercase();
        let patterns = if kind == "all" { "" } else { words.next().unwrap_or_default() };
        criteria.push((kind, unquoted(patterns).to_owned()));
    }
    criteria
}

/// A matching value for each pattern that is not negated; `None` when a pattern is not understood.
fn examples(kind: &str, patterns: &str) -> Option<Vec<String>> {
    let mut values = Vec::new();
    for pattern in patterns.split(',').filter(|pattern| !pattern.starts_with('!')) {
        match kind {
            // For everyone: root is checked separately from people.
            "user" if pattern.contains('*') && fits(pattern, "root") => {
                values
                    .extend(["root", STRANGER].iter().filter(|name| fits(pattern, name)).map(|&name| name.to_owned()));
            }
            // Every network contains its first address.
            "address" | "localaddress" => {
                let (first, _) = pattern.split_once('/').unwrap_or((pattern, ""));
                values.push(first.replace(['*', '?'], "1"));
            }
            _ => values.push(pattern.replace(['*', '?'], "1")),
        }
    }
    let plain = |value: &String| {
        !value.is_empty() && value.chars().all(|letter| letter.is_ascii_alphanumeric() || ".:_-@\\$+".contains(letter))
    };
    values.iter().all(plain).then_some(values)
}

/// A member of each matching local group; `None` when a group is not local.
fn members(context: &CheckContext, patterns: &str) -> Option<Vec<String>> {
    let (groups, passwd) = (context.text("/etc/group").ok()?, context.text("/etc/passwd").ok()?);
    let mut names = Vec::new();
    for pattern in patterns.split(',').filter(|pattern| !pattern.starts_with('!')) {
        let mut local = false;
        for line in groups.lines() {
            let [name, _, id, members] = line.split(':').collect::<Vec<&str>>()[..] else { continue };
            if !fits(pattern, name) {
                continue;
            }
            local = true;
            let first_group = passwd.lines().filter_map(|line| {
                let fields: Vec<&str> = line.split(':').collect();
                (fields.get(3) == Some(&id)).then(|| fields[0])
            });
            let own = members.split(',').map(str::trim).chain(first_group).filter(|name| !name.is_empty());
            // Root is checked separately from people.
            let (root, others): (Vec<&str>, Vec<&str>) = own.partition(|&name| name == "root");
            names.extend(root.into_iter().take(1).chain(others.into_iter().take(1)).map(str::to_owned));
        }
        if !local {
            return None;
        }
    }
    Some(names)
}

/// Parses `Keyword value` or `Keyword=value`: comments and quotes removed, keywords in lower case, obsolete keywords
/// replaced.
fn directives(text: &str) -> impl Iterator<Item = (String, String)> {
    text.lines().filter_map(|line| {
        let line = line.split(" #").next().unwrap_or_default().trim();
        if line.is_empty() || line.starts_with('#') {
            return None;
        }
        let (keyword, value) = line.split_once(|character: char| character.is_whitespace() || character == '=')?;
        let value = unquoted(value.trim_start_matches([' ', '\t', '=']).trim());
        let keyword = match keyword.to_lowercase().as_str() {
            "challengeresponseauthentication" | "skeyauthentication" => "kbdinteractiveauthentication".to_owned(),
            other => other.to_owned(),
        };
        Some((keyword, value.to_owned()))
    })
}

/// The files of an `Include`: a path, relative to `/etc/ssh`, whose last part may hold `*` and `?`.
fn expand(context: &CheckContext, pattern: &str) -> Answer<Vec<String>> {
    let pattern = if pattern.starts_with('/') { pattern.to_owned() } else { format!("/etc/ssh/{pattern}") };
    let Some((folder, last)) = pattern.rsplit_once('/') else { return Ok(Vec::new()) };
    if folder.contains(['*', '?', '[', '{']) || last.contains(['[', '{']) {
        return Err(OsError::Failed("/etc/ssh/sshd_config".to_owned(), format!("Include {}", capped(&pattern))));
    }
    let names = optional(context.os.list(folder))?.unwrap_or_default();
    let meant = |name: &&String| !name.starts_with('.') && fits(last, name);
    Ok(names.iter().filter(meant).map(|name| format!("{folder}/{name}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use os::recorded::Recorded;

    const FILE: &str = "/etc/ssh/sshd_config";

    fn callers(text: &str) -> (Vec<String>, Vec<String>) {
        let os = Recorded::new()
            .file(FILE, text)
            .file("/etc/group", "root:x:0:\nsftp:x:1100:lan,mai\nempty:x:1200:\n")
            .file("/etc/passwd", "root:x:0:0::/root:/bin/sh\nlan:x:1000:1000::/home/lan:/bin/sh\n");
        let context = CheckContext::of(os);
        let (callers, open) = Configuration::read(&context, FILE).unwrap().callers(&context);
        let shown = callers.into_iter().map(|caller| match caller {
            Some(caller) => format!("{} {} {}", caller.user, caller.address, caller.local_port),
            None => "all".to_owned(),
        });
        (shown.collect(), open.into_iter().collect())
    }

    const BOTH: [&str; 2] = ["root 203.0.113.77 22", "stranger 203.0.113.77 22"];

    #[test]
    fn each_condition_is_played() {
        let none: Vec<String> = Vec::new();
        assert_eq!(callers("PermitRootLogin no\n"), (vec!["all".to_owned()], none.clone()));
        let of = |text: &str, more: &[&str]| {
            let (callers, open) = callers(text);
            assert_eq!(callers, [&BOTH[..], more].concat(), "{text}");
            assert_eq!(open, none, "{text}");
        };
        of(
            "match ADDRESS 10.0.0.0/8,!10.1.0.0/16\n X11Forwarding yes\n",
            &["root 10.0.0.0 22", "stranger 10.0.0.0 22"],
        );
        of("Match User git,adm?\nX11Forwarding yes\n", &["git 203.0.113.77 22", "adm1 203.0.113.77 22"]);
        of(
            "Match User *,!root LocalPort 2222\nX11Forwarding yes\n",
            &["root 203.0.113.77 2222", "stranger 203.0.113.77 2222"],
        );
        of("Match Group sftp\nX11Forwarding yes\n", &["lan 203.0.113.77 22"]);
        of("Match Group empty\nX11Forwarding yes\nMatch all\nX11Forwarding no\n", &[]);
        of("Match User x\n# nothing\nMatch user=y\nX11Forwarding no\n", &["y 203.0.113.77 22"]);
    }

    #[test]
    fn what_cannot_be_played_leaves_its_keywords_open() {
        for text in ["Match Exec true", "Match Group domain-users", "Match User a;b", "Match Version x"] {
            let (callers, open) = callers(&format!("{text}\nPermitEmptyPasswords yes\n"));
            assert_eq!((callers, open), (BOTH.map(str::to_owned).to_vec(), vec!["permitemptypasswords".to_owned()]));
        }
        let many: Vec<String> = (0..40).map(|number| format!("u{number}")).collect();
        assert_eq!(callers(&format!("Match User {}\nUsePAM no\n", many.join(","))).1, ["usepam"]);
    }

    #[test]
    fn includes_are_followed_and_end() {
        let read = |os: Recorded| {
            let context = CheckContext::of(os);
            Configuration::read(&context, FILE).map(|configuration| configuration.files)
        };
        let os = Recorded::new()
            .file(FILE, "Include /etc/ssh/sshd_config.d/*.conf\r\n")
            .file("/etc/ssh/sshd_config.d/50-a.conf", "Match User x\nInclude other\n")
            .file("/etc/ssh/sshd_config.d/readme.txt", "")
            .file("/etc/ssh/other", "");
        assert_eq!(read(os).unwrap(), [FILE, "/etc/ssh/sshd_config.d/50-a.conf", "/etc/ssh/other"]);
        assert!(read(Recorded::new().file(FILE, "Include sshd_config\n")).is_err());
        assert!(read(Recorded::new().file(FILE, "Include /etc/*/x\n")).is_err());
        assert!(read(Recorded::new()).is_err());
    }
}
