//! Members of the local administrators that are not accounts of the machine: domain or Entra accounts and groups, and groups that
//! everyone belongs to. They are identified by SID (learn.microsoft.com, "Well-known SIDs"); names are for display only.
//!
//! Members of domain groups are not looked up: that would require the domain.

use policies::fact::{DomainAdministrator, Fact, List, MemberKind, Reason};

use super::people::{ADMINISTRATORS, authority, own_authority};
use crate::text::capped;
use crate::windows::context::{CheckContext, answered};
use os::windows::Member;

/// Everyone, anonymous, anyone logged on (over the network, interactively, at all), guests and users of the machine.
const EVERYBODY: [&str; 7] = ["S-1-1-0", "S-1-5-7", "S-1-5-2", "S-1-5-4", "S-1-5-11", "S-1-5-32-546", "S-1-5-32-545"];
/// Relative ids of a domain's users and guests.
const ALL_OF_A_DOMAIN: [u32; 2] = [513, 514];
/// Prefix of Entra accounts and roles.
const ENTRA: &str = "S-1-12-1-";
/// `SID_NAME_USE`: user, group, group of a domain's own kind.
const USER: u32 = 1;
const GROUPS: [u32; 2] = [2, 4];
/// Maximum length of the first part of a local account's name.
const NETBIOS: usize = 15;

/// The members by identifier.
pub(super) fn list(context: &CheckContext) -> Fact<List<DomainAdministrator>> {
    answered(context.os.members(ADMINISTRATORS), |mut members| {
        // The built-in administrator cannot be removed from the group.
        if members.is_empty() {
            return Fact::unknown(Reason::Unreadable, "the group of the administrators is told to be empty");
        }
        members.sort_unstable_by(|one, other| one.sid.cmp(&other.sid));
        let mut found = Vec::new();
        for member in &members {
            match kind(context, member, &members) {
                Some(Fact::Known(kind)) => {
                    found.push(DomainAdministrator { name: capped(&member.name), sid: capped(&member.sid), kind })
                }
                Some(Fact::Unknown(why)) => return Fact::Unknown(why),
                None => {}
            }
        }
        Fact::Known(List::capped(found))
    })
}

/// The kind of the member; `None` for those of the machine itself and of Windows (services).
fn kind(context: &CheckContext, member: &Member, members: &[Member]) -> Option<Fact<MemberKind>> {
    if EVERYBODY.contains(&member.sid.as_str()) {
        return Some(Fact::Known(MemberKind::Everyone));
    }
    let told = match member.kind {
        USER => MemberKind::User,
        kind if GROUPS.contains(&kind) => MemberKind::Group,
        _ => MemberKind::Other,
    };
    if member.sid.starts_with(ENTRA) {
        return Some(Fact::Known(told));
    }
    let (of, number) = authority(&member.sid)?;
    let here = match own_authority(members) {
        Some(own) => Some(own == of),
        // Two built-in administrators, one of them a domain's; or none is reported. A local account's name begins with the machine's.
        None => begins_with_the_machine(context, &member.name),
    };
    match here {
        Some(true) => None,
        Some(false) if ALL_OF_A_DOMAIN.contains(&number) => Some(Fact::Known(MemberKind::Everyone)),
        Some(false) => Some(Fact::Known(told)),
        None => Some(Fact::unknown(Reason::Unreadable, "whose account a member is cannot be told")),
    }
}

/// `None` when the name says nothing.
fn begins_with_the_machine(context: &CheckContext, name: &str) -> Option<bool> {
    let (start, _) = name.split_once('\\')?;
    let machine: String = context.os.computer_name().ok()?.to_uppercase().chars().take(NETBIOS).collect();
    Some(start.to_uppercase() == machine)
}

#[cfg(test)]
mod tests {
    use super::*;
    use os::windows::recorded::Recorded;

    fn collected(members: &[(&str, u32, &str)]) -> Fact<List<DomainAdministrator>> {
        let members = members
            .iter()
            .map(|&(sid, kind, name)| Member { sid: sid.to_owned(), kind, name: name.to_owned() })
            .collect();
        let mut os = Recorded { computer_name: Some("Văn-thư-phường-01".to_owned()), ..Recorded::new() };
        os.members.insert(ADMINISTRATORS.to_owned(), members);
        list(&CheckContext::of(os))
    }

    fn kinds(members: &[(&str, u32, &str)]) -> Vec<(String, MemberKind)> {
        let found = collected(members);
        found.known().unwrap().items.iter().map(|member| (member.name.clone(), member.kind)).collect()
    }

    const OWN: (&str, u32, &str) = ("S-1-5-21-1-2-3-500", 1, r"VĂN-THƯ-PHƯỜNG-\Administrator");

    #[test]
    fn members_from_elsewhere_are_listed_with_what_they_are() {
        let found = kinds(&[
            OWN,
            ("S-1-5-21-1-2-3-1001", 1, r"VĂN-THƯ-PHƯỜNG-\hoà"),
            ("S-1-5-21-7-8-9-512", 2, r"TỈNH\Domain Admins"),
            ("S-1-5-21-7-8-9-513", 2, r"TỈNH\Domain Users"),
            ("S-1-5-21-7-8-9-1105", 1, r"TỈNH\đặng.văn.ân"),
            ("S-1-5-21-7-8-9-2000", 8, ""),
            ("S-1-12-1-1-2-3-4", 8, ""),
            ("S-1-5-11", 5, r"NT AUTHORITY\Authenticated Users"),
            ("S-1-5-18", 5, r"NT AUTHORITY\SYSTEM"),
            ("S-1-5-80-1-2-3-4-5", 5, r"NT SERVICE\x"),
        ]);
        let expected = [
            (r"NT AUTHORITY\Authenticated Users", MemberKind::Everyone),
            ("", MemberKind::Other),
            (r"TỈNH\đặng.văn.ân", MemberKind::User),
            ("", MemberKind::Other),
            (r"TỈNH\Domain Admins", MemberKind::Group),
            (r"TỈNH\Domain Users", MemberKind::Everyone),
        ];
        let mut found: Vec<(&str, MemberKind)> = found.iter().map(|(name, kind)| (name.as_str(), *kind)).collect();
        let mut expected = expected.to_vec();
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected);
        assert!(kinds(&[OWN, ("S-1-5-21-1-2-3-513", 2, "")]).is_empty(), "a group of the machine is no domain's");
    }

    #[test]
    fn where_the_machine_cannot_be_told_by_number_the_name_tells() {
        let domain = ("S-1-5-21-7-8-9-500", 1, r"TINH\Administrator");
        assert_eq!(kinds(&[OWN, domain]), [(r"TINH\Administrator".to_owned(), MemberKind::User)]);
        let nameless = collected(&[OWN, ("S-1-5-21-7-8-9-500", 8, "")]);
        assert!(matches!(nameless, Fact::Unknown(why) if why.reason == Reason::Unreadable));
    }

    #[test]
    fn no_outsider_is_an_empty_list_and_no_answer_none() {
        assert_eq!(collected(&[OWN]), Fact::Known(List::default()));
        assert!(collected(&[]).known().is_none());
        assert!(list(&CheckContext::of(Recorded::new())).known().is_none());
        // Malformed SIDs are ignored.
        assert_eq!(
            collected(&[("", 1, "x"), ("S-1-5-21-", 1, "y"), ("S-1-5-21-x", 1, "z")]),
            Fact::Known(List::default())
        );
    }
}
