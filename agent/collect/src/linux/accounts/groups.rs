//! Who may act as root other than through sudo: by a group equivalent to root, or polkit.

use crate::linux::context::CheckContext;
use crate::linux::text::lines;
use os::Answer;

/// Groups whose members can become root at will: by the defaults of sudo and polkit, by a container with the whole disk
/// mounted (docker, lxd, incus), by a virtual machine with it (libvirt), or by raw disk access.
const EQUAL_ROOT: [&str; 10] =
    ["root", "sudo", "wheel", "admin", "docker", "lxd", "incus-admin", "incus", "libvirt", "disk"];

/// A person with the names and ids of their groups.
pub(super) struct Person<'a> {
    pub(super) name: &'a str,
    pub(super) id: u32,
    pub(super) groups: Vec<(&'a str, u32)>,
}

/// Group name, number, members.
pub(super) type Group = (String, u32, Vec<String>);

/// The lines of `/etc/group`.
pub(super) fn groups(text: &str) -> Vec<Group> {
    let group = |line: &str| {
        let mut fields = line.split(':');
        let (name, id) = (fields.next()?, fields.nth(1)?.parse().ok()?);
        let members = fields.next()?.split(',').map(|member| member.trim().to_owned()).collect();
        Some((name.to_owned(), id, members))
    };
    lines(text).filter_map(group).collect()
}

impl<'a> Person<'a> {
    /// The person called `name` with the primary group `group`.
    pub(super) fn new(name: &'a str, id: u32, group: u32, all: &'a [Group]) -> Self {
        let own = |(_, id, members): &&Group| *id == group || members.iter().any(|member| member == name);
        Self { name, id, groups: all.iter().filter(own).map(|(name, id, _)| (name.as_str(), *id)).collect() }
    }

    /// True for a member of a group equivalent to root.
    pub(super) fn equals_root(&self) -> bool {
        self.groups.iter().any(|(name, _)| EQUAL_ROOT.contains(name))
    }

    /// True when `names` contains the person or one of their groups.
    pub(super) fn is_named(&self, names: &[Named]) -> bool {
        names.iter().any(|named| match named {
            Named::User(name) => name == self.name || name.parse() == Ok(self.id),
            Named::Group(name) => self.groups.iter().any(|(own, id)| own == name || name.parse() == Ok(*id)),
        })
    }
}

/// A user or a group, by name or number.
pub(super) enum Named {
    User(String),
    Group(String),
}

/// Whose own password polkit accepts in place of root's: `unix-group:sudo` and the like in its administrator rules.
pub(super) fn polkit(context: &CheckContext) -> Answer<Vec<Named>> {
    let mut names = Vec::new();
    for (folder, suffix, mark) in [
        ("/etc/polkit-1/rules.d", ".rules", "addAdminRule"),
        ("/usr/share/polkit-1/rules.d", ".rules", "addAdminRule"),
        ("/etc/polkit-1/localauthority.conf.d", ".conf", "AdminIdentities"),
    ] {
        for (_, text) in context.texts(folder, suffix)?.into_iter().filter(|(_, text)| text.contains(mark)) {
            for line in lines(&text).filter(|line| !line.starts_with("//")) {
                for (kind, named) in [("unix-user:", Named::User as fn(String) -> Named), ("unix-group:", Named::Group)]
                {
                    let end = |rest: &str| rest.find(['"', '\'', ';', ',', ' ', ']']).unwrap_or(rest.len());
                    names.extend(line.split(kind).skip(1).map(|rest| named(rest[..end(rest)].to_owned())));
                }
            }
        }
    }
    Ok(names)
}
