//! Rule sets written by hand, and the expected answers.

mod iptables;
mod layers;

pub(crate) use iptables::iptables;
pub(crate) use layers::{bridge, stacked};

/// The answer the product should give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// Strangers are kept out, by an active firewall.
    KeptOut,
    /// Strangers are not kept out.
    LetIn,
    /// Strangers are not kept out, and there is no active firewall.
    NoFirewall,
    /// It cannot be determined.
    Unknown,
    /// Whatever the real connection shows, or unknown.
    Any,
}

pub(crate) struct Case {
    pub(crate) name: String,
    /// For `nft -f`.
    pub(crate) rules: String,
    /// For the shell, afterwards.
    pub(crate) commands: String,
    pub(crate) expected: Expected,
    /// The stranger's port; 0 for any.
    pub(crate) source_port: u16,
    /// A stranger gets in only sometimes: by chance, or with a packet that an ordinary program does not send.
    pub(crate) partly: bool,
}

impl Case {
    pub(crate) fn new(name: &str, rules: &str) -> Self {
        Self {
            name: name.to_owned(),
            rules: rules.to_owned(),
            commands: String::new(),
            expected: Expected::Any,
            source_port: 0,
            partly: false,
        }
    }

    pub(crate) fn shown(&self) -> String {
        format!("{}\n{}", self.rules, self.commands)
    }

    fn partly(mut self) -> Self {
        self.partly = true;
        self
    }

    fn sending_from(mut self, port: u16) -> Self {
        self.source_port = port;
        self
    }
}

/// A base chain of the family `inet` at `input`, with these rules, one per line.
pub(crate) fn input(policy: &str, rules: &str) -> String {
    chain("inet own", "type filter hook input priority 0", policy, rules)
}

pub(crate) fn chain(table: &str, place: &str, policy: &str, rules: &str) -> String {
    format!("table {table} {{\nchain base {{\n{place}; policy {policy};\n{rules}\n}}\n}}\n")
}

fn both(first: &str, second: &str) -> String {
    format!("{first}{second}")
}

pub(crate) const USUAL: &str = "ct state vmap { established : accept, related : accept, invalid : drop }\niifname lo accept\nmeta l4proto { icmp, ipv6-icmp } accept\ntcp dport 22 accept\n";

pub(crate) fn plain() -> Vec<Case> {
    use Expected::{Any, KeptOut, LetIn, NoFirewall, Unknown};
    let drop = |rules: &str| input("drop", &format!("{USUAL}{rules}"));
    let accept = |rules: &str| input("accept", &format!("{USUAL}{rules}"));
    let case = |expected, name: &str, rules: String| Case { expected, ..Case::new(name, &rules) };
    let shipped = "flush ruleset\ntable inet filter {\nchain input {\ntype filter hook input priority filter;\n}\nchain forward {\ntype filter hook forward priority filter;\n}\nchain output {\ntype filter hook output priority filter;\n}\n}\n";
    let set = |kind: &str, elements: &str, rules: &str| {
        format!(
            "table inet own {{\nset known {{\ntype {kind}\nflags interval\nelements = {{ {elements} }}\n}}\nchain base {{\ntype filter hook input priority 0; policy drop;\n{rules}\n}}\n}}\n"
        )
    };
    let jump = |policy: &str, other: &str, rules: &str| {
        format!(
            "table inet own {{\nchain other {{\n{other}\n}}\nchain base {{\ntype filter hook input priority 0; policy {policy};\n{rules}\n}}\n}}\n"
        )
    };
    let place = |table: &str, place: &str, policy: &str, rules: &str| chain(table, place, policy, rules);
    let open = |rules: &str| case(LetIn, rules, drop(rules));
    let shut = |rules: &str| case(KeptOut, rules, drop(rules));
    let raw = "type filter hook prerouting priority raw";
    vec![
        case(NoFirewall, "nothing at all", String::new()),
        case(NoFirewall, "what Debian ships", shipped.to_owned()),
        case(NoFirewall, "accepts only", input("accept", USUAL)),
        case(
            NoFirewall,
            "a program that bans addresses",
            place(
                "inet f2b-table",
                "type filter hook input priority -1",
                "accept",
                "ip saddr { 198.51.100.4, 198.51.100.9 } tcp dport 22 reject",
            ),
        ),
        case(KeptOut, "a usual firewall", drop("")),
        case(KeptOut, "a usual firewall that rejects", accept("reject with icmpx admin-prohibited")),
        case(LetIn, "one port is kept shut", accept("tcp dport 3389 drop")),
        // Conditions that hold for everyone.
        case(LetIn, "local destinations, then drop", input("accept", "fib daddr type local accept\ncounter drop")),
        open("fib daddr type local accept"),
        open("fib daddr . iif type local accept"),
        open("limit rate 100/second accept"),
        open("ct state new limit rate 10/second burst 20 packets accept"),
        open("meta pkttype host accept"),
        open("ip daddr 192.168.50.10 accept"),
        open("ip6 daddr 2001:db8:1::/64 accept"),
        open("meta mark 0 accept"),
        open("meta mark & 0xff != 0x10 accept"),
        open("ct mark 0 accept"),
        open("ct state new accept"),
        open("ct state { new, untracked } accept"),
        open("ct state != { established, related } accept"),
        open("ct direction original accept"),
        open("meta l4proto tcp accept"),
        open("ip protocol tcp accept"),
        open("ip6 nexthdr 6 accept"),
        open("meta nfproto ipv6 accept"),
        open("meta protocol ip accept"),
        open("tcp flags syn accept"),
        open("tcp flags & (fin | syn | rst | ack) == syn accept"),
        open("tcp flags != ack accept"),
        open("tcp dport 1024-65535 accept"),
        open("tcp dport >= 1024 accept"),
        open("tcp dport != 25 accept"),
        open("th dport { 1-20000, 30000-65535 } accept"),
        open("tcp sport >= 0 accept"),
        open("iifname eth0 accept"),
        open("iifname != lo accept"),
        open("iif eth0 accept"),
        open("iifname \"e*\" accept"),
        open("ip saddr 0.0.0.0/0 accept"),
        open("ip saddr != 192.168.0.0/16 accept"),
        open("ip6 saddr 2000::/3 accept"),
        open("ip saddr . tcp dport { 0.0.0.0/0 . 1-65535 } accept"),
        open("iifname . meta l4proto { eth0 . tcp } accept"),
        open("tcp dport vmap { 22 : drop, 1024-65535 : accept }"),
        open("iifname vmap { lo : accept, eth0 : accept }"),
        open("ct count 100 accept"),
        open("meta iifgroup 0 accept"),
        open("fib saddr . iif oif eth0 accept"),
        open("fib saddr . iif oif exists accept"),
        open("meta secpath missing accept"),
        open("log prefix \"new \" counter accept"),
        // Conditions that do not hold for a stranger, or for an ordinary port.
        shut("tcp dport { 80, 443, 8000-8100 } accept"),
        shut("ip saddr 192.168.0.0/16 accept"),
        shut("ip saddr { 10.0.0.0/8, 198.51.100.0/24 } accept"),
        shut("ip6 saddr fe80::/10 accept"),
        shut("ip saddr . tcp dport { 198.51.100.7 . 1-65535 } accept"),
        shut("udp dport 1-65535 accept"),
        shut("udp dport != 53 accept"),
        shut("meta pkttype { broadcast, multicast } accept"),
        shut("iifname wg0 accept"),
        shut("iifname { lo, \"wl*\" } accept"),
        shut("meta mark 0x10 accept"),
        shut("ct status dnat accept"),
        shut("ct state { established, related } accept"),
        shut("ct direction reply accept"),
        shut("tcp flags & (syn | ack) == (syn | ack) accept"),
        shut("fib daddr type { broadcast, multicast } accept"),
        shut("fib saddr . iif oif missing accept"),
        shut("meta secpath exists accept"),
        shut("ip daddr 192.168.60.0/24 accept"),
        // Conditions that can go either way, and some that cannot be determined.
        case(LetIn, "a limit that is passed over", accept("limit rate over 1/second drop")).partly(),
        case(LetIn, "few get in, but some do", drop("limit rate 1/day accept")).partly(),
        case(LetIn, "what he sends from is his choice", drop("tcp sport 53 accept")).sending_from(53),
        case(LetIn, "so is the time to live", drop("ip ttl > 5 accept")),
        case(LetIn, "by turns", drop("numgen inc mod 2 vmap { 0 : accept, 1 : drop }")).partly(),
        case(Unknown, "half of the world", drop("ip saddr 128.0.0.0/1 accept")),
        case(Unknown, "office hours", drop("meta hour \"07:00\"-\"17:00\" accept")),
        case(
            Unknown,
            "a set that rules fill",
            "table inet own {\nset seen {\ntype ipv4_addr\nflags dynamic\n}\nchain base {\ntype filter hook input priority 0; policy drop;\nadd @seen { ip saddr }\nip saddr @seen accept\n}\n}\n".to_owned(),
        ),
        // Named sets and maps.
        case(LetIn, "a named set with everybody", set("ipv4_addr", "0.0.0.0/0", "ip saddr @known accept")),
        case(KeptOut, "a named set with one", set("ipv4_addr", "198.51.100.0/24", "ip saddr @known accept")),
        case(LetIn, "all others than a named set", set("ipv4_addr", "198.51.100.0/24", "ip saddr != @known accept")),
        case(LetIn, "a named set of ports", set("inet_service", "80, 1000-65535", "tcp dport @known accept")),
        case(LetIn, "a named set of interfaces", set("ifname", "eth0, lo", "iifname @known accept")),
        case(
            LetIn,
            "a named map",
            "table inet own {\nmap ways {\ntype ifname : verdict\nelements = { lo : accept, eth0 : jump world }\n}\nchain world {\ntcp dport 1-65535 accept\n}\nchain base {\ntype filter hook input priority 0; policy drop;\niifname vmap @ways\n}\n}\n".to_owned(),
        ),
        case(
            KeptOut,
            "a named map to a chain that drops",
            "table inet own {\nmap ways {\ntype ifname : verdict\nelements = { lo : accept, eth0 : goto world }\n}\nchain world {\ntcp dport 22 accept\ndrop\n}\nchain base {\ntype filter hook input priority 0; policy accept;\niifname vmap @ways\n}\n}\n".to_owned(),
        ),
        case(
            KeptOut,
            "all that is left of a map",
            drop("ip saddr vmap { 198.51.100.7 : accept, * : drop }\nmeta nfproto ipv4 accept"),
        ),
        // Chains.
        case(LetIn, "returns before the drop", jump("accept", "fib daddr type local return\ndrop", "jump other")),
        case(KeptOut, "goes for good, to the policy", jump("drop", "tcp dport 22 accept", "goto other\naccept")),
        case(LetIn, "comes back from a jump", jump("drop", "tcp dport 22 accept", "jump other\naccept")),
        case(
            KeptOut,
            "comes back and is dropped",
            jump("accept", "tcp dport 22 accept\ncontinue\nreturn\naccept", "jump other\ndrop"),
        ),
        case(
            LetIn,
            "accepted two chains deep",
            jump("drop", "meta l4proto tcp accept", "meta nfproto ipv4 goto other"),
        ),
        case(Any, "comes again with a mark", jump("drop", "meta mark 7 accept\nmeta mark set 7", "jump other\njump other")),
        // IP versions.
        case(LetIn, "IPv6 was forgotten", place("ip own", "type filter hook input priority 0", "drop", "")),
        case(
            LetIn,
            "IPv4 was forgotten",
            place("ip6 own", "type filter hook input priority 0", "drop", "meta l4proto ipv6-icmp accept"),
        ),
        case(
            KeptOut,
            "one table for each",
            both(
                &place("ip own", "type filter hook input priority 0", "drop", ""),
                &place("ip6 own", "type filter hook input priority 0", "drop", "meta l4proto ipv6-icmp accept"),
            ),
        ),
        case(LetIn, "an address of IPv4 alone", accept("ip saddr != 10.0.0.0/8 drop")),
        // Hooks.
        case(
            KeptOut,
            "another table accepts before",
            both(&drop(""), &place("inet early", "type filter hook input priority -10", "accept", "accept")),
        ),
        case(
            KeptOut,
            "another table drops after",
            both(
                &accept(""),
                &place("inet late", "type filter hook input priority 10", "drop", "meta l4proto ipv6-icmp accept"),
            ),
        ),
        case(KeptOut, "dropped before all else", place("inet own", raw, "accept", "iifname eth0 tcp dport != 22 drop")),
        case(KeptOut, "in no state yet", place("inet own", raw, "accept", "ct state invalid meta l4proto tcp drop")),
        case(LetIn, "in no state yet, not new", place("inet own", raw, "accept", "ct state new drop")),
        case(
            KeptOut,
            "in its state",
            place("inet own", "type filter hook prerouting priority mangle", "accept", "ct state new drop"),
        ),
        case(LetIn, "only what is forwarded", place("inet own", "type filter hook forward priority 0", "drop", "")),
        case(
            LetIn,
            "only what goes out",
            place("inet own", "type filter hook output priority 0", "accept", "tcp dport 25 drop"),
        ),
        case(
            Any,
            "at the device",
            place(
                "netdev own",
                "type filter hook ingress device eth0 priority 0",
                "accept",
                "meta protocol { ip, ip6 } meta l4proto tcp drop",
            ),
        ),
        case(
            Any,
            "at another device",
            place("netdev own", "type filter hook ingress device lo priority 0", "drop", ""),
        ),
        case(
            Any,
            "at the device, both versions",
            place("inet own", "type filter hook ingress device eth0 priority 0", "accept", "meta l4proto tcp drop"),
        ),
        // Marks and tracking.
        case(
            Any,
            "marked before",
            both(
                &place("inet early", "type filter hook prerouting priority mangle", "accept", "meta mark set 0x10"),
                &drop("meta mark 0x10 accept"),
            ),
        ),
        case(
            KeptOut,
            "others are marked",
            both(
                &place(
                    "inet early",
                    "type filter hook prerouting priority mangle",
                    "accept",
                    "udp dport 53 meta mark set 0x10",
                ),
                &drop("meta mark 0x10 accept"),
            ),
        ),
        case(
            Any,
            "not tracked",
            both(&place("inet early", raw, "accept", "notrack"), &drop("ct state untracked accept")),
        ),
        case(
            Any,
            "sent to another port",
            both(
                &place(
                    "inet early",
                    "type nat hook prerouting priority dstnat",
                    "accept",
                    "tcp dport 1-65535 redirect to :12345",
                ),
                &drop("tcp dport 12345 accept"),
            ),
        ),
        // Dormant tables.
        case(
            Any,
            "a table that sleeps",
            "table inet own {\nflags dormant\nchain base {\ntype filter hook input priority 0; policy drop;\n}\n}\n".to_owned(),
        ),
        case(
            KeptOut,
            "one sleeps, one does not",
            both(
                "table inet sleeps {\nflags dormant\nchain base {\ntype filter hook input priority 0; policy drop;\n}\n}\n",
                &drop(""),
            ),
        ),
    ]
}
