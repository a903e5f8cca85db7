//! Generated rule sets, always the same, from a small grammar of firewall elements.

use crate::cases::Case;

/// A deterministic pseudo-random sequence (xorshift).
struct Row(u64);

impl Row {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end).unwrap()).unwrap()
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }
}

const MATCHES: [&str; 46] = [
    "ct state new",
    "ct state { established, related }",
    "ct state != invalid",
    "ct state != new",
    "iifname eth0",
    "iifname lo",
    "iifname != eth0",
    "iifname { lo, \"eth*\" }",
    "iif != lo",
    "meta nfproto ipv4",
    "meta nfproto ipv6",
    "meta l4proto tcp",
    "meta l4proto { udp, icmp }",
    "meta l4proto != tcp",
    "ip protocol tcp",
    "ip6 nexthdr tcp",
    "tcp dport 22",
    "tcp dport != 22",
    "tcp dport { 80, 443 }",
    "tcp dport 1024-65535",
    "tcp dport 10000-40000",
    "tcp dport < 1024",
    "udp dport 53",
    "th dport 1-65535",
    "ip saddr 10.0.0.0/8",
    "ip saddr != 10.0.0.0/8",
    "ip saddr 0.0.0.0/0",
    "ip saddr @some",
    "ip saddr != @some",
    "ip6 saddr ::/0",
    "ip6 saddr fe80::/10",
    "ip daddr 192.168.50.10",
    "ip daddr != 192.168.50.10",
    "ip6 daddr 2001:db8:1::/64",
    "tcp flags & (fin | syn | rst | ack) == syn",
    "tcp flags & (syn | ack) == ack",
    "meta mark 0",
    "meta mark 7",
    "meta pkttype host",
    "meta pkttype != host",
    "fib daddr type local",
    "fib daddr type != local",
    "fib saddr . iif oif missing",
    "ip saddr . tcp dport { 0.0.0.0/0 . 1-65535 }",
    "tcp dport . iifname { 1-65535 . eth0 }",
    "tcp dport @ports",
];

const VERDICTS: [&str; 9] =
    ["accept", "accept", "drop", "drop", "reject", "jump first", "jump second", "goto first", "return"];

const MAPS: [&str; 5] = [
    "ct state vmap { established : accept, related : accept, invalid : drop }",
    "iifname vmap { lo : accept, eth0 : jump second }",
    "meta nfproto vmap { ipv4 : drop, ipv6 : accept }",
    "tcp dport vmap { 22 : accept, 1-21 : drop, 23-65535 : jump second }",
    "meta mark vmap { 0 : accept, 7 : drop }",
];

/// The first `count` cases of the sequence.
pub(crate) fn cases(count: usize) -> Vec<Case> {
    let mut row = Row(0x7A11_5EED_0000_2026);
    (0..count).map(|index| Case::new(&format!("made up {index}"), &rule_set(&mut row))).collect()
}

fn rule_set(row: &mut Row) -> String {
    let mut text = String::new();
    for table in 0..=row.below(2) {
        let family = row.one(&["inet", "inet", "inet", "ip", "ip6"]);
        text += &format!("table {family} made{table} {{\n");
        text += "set some {\ntype ipv4_addr\nflags interval\nelements = { 198.51.100.0/24, 10.1.0.0/16 }\n}\n";
        text += "set ports {\ntype inet_service\nflags interval\nelements = { 25, 5000-65535 }\n}\n";
        text += &chain(row, "second", "", &["accept", "drop", "return", "continue"], family);
        text += &chain(row, "first", "", &["accept", "drop", "jump second", "return"], family);
        for (hook, name) in [("prerouting", "early"), ("input", "base")] {
            if hook == "input" || row.below(4) == 0 {
                let (priority, policy) = (row.one(&["-300", "-150", "0", "10"]), row.one(&["accept", "drop", "drop"]));
                // IPv6 neighbour discovery must be allowed, or nothing can connect.
                let place = format!(
                    "type filter hook {hook} priority {priority}; policy {policy};\nmeta l4proto ipv6-icmp accept\n"
                );
                text += &chain(row, name, &place, &VERDICTS, family);
            }
        }
        text += "}\n";
    }
    text
}

fn chain(row: &mut Row, name: &str, place: &str, verdicts: &[&str], family: &str) -> String {
    let fits = |rule: &str| match family {
        "ip" => !rule.contains("ip6") && !rule.contains("nfproto"),
        "ip6" => !rule.contains("ip ") && !rule.contains("nfproto"),
        _ => !(rule.contains("ip6 ") && rule.contains("ip ")),
    };
    let mut rules = String::new();
    for _ in 0..=row.below(5) {
        let rule = match row.below(8) {
            0 if place.is_empty() => "counter".to_owned(),
            0 => row.one(&MAPS).to_owned(),
            1 => format!(
                "{} {} {}",
                row.one(&MATCHES),
                row.one(&[
                    "limit rate 100/second accept",
                    "limit rate over 100/second drop",
                    "counter",
                    "meta mark set 7"
                ]),
                ""
            ),
            2 => format!("{} {} {}", row.one(&MATCHES), row.one(&MATCHES), row.one(verdicts)),
            _ => format!("{} {}", row.one(&MATCHES), row.one(verdicts)),
        };
        // nft refuses rules that contradict themselves.
        if fits(&rule) && !(rule.contains("udp") && rule.contains("tcp")) {
            rules += &format!("{rule}\n");
        }
    }
    format!("chain {name} {{\n{place}{rules}}}\n")
}
