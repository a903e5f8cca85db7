//! Rule sets of legacy and nft-based iptables.

use super::{Case, Expected, USUAL, input};

pub(crate) fn iptables() -> Vec<Case> {
    use Expected::{Any, KeptOut, LetIn, NoFirewall};
    let mut cases = Vec::new();
    for tool in ["legacy", "nft"] {
        let mut add = |expected, name: &str, rules: &str| {
            let four = rules.replace("REJECT6", "REJECT --reject-with icmp-host-prohibited");
            let six = rules.replace("REJECT6", "REJECT --reject-with icmp6-adm-prohibited");
            // IPv6 neighbour discovery uses packets that a firewall must let through.
            let commands = format!(
                "iptables-{tool}-restore <<'END'\n{four}\nEND\nip6tables-{tool}-restore <<'END'\n{six}\nEND\nip6tables-{tool} -I INPUT -p icmpv6 -j ACCEPT\n"
            );
            cases.push(Case { expected, commands, ..Case::new(&format!("{tool}: {name}"), "") });
        };
        let filter = |policy: &str, rules: &str| {
            format!("*filter\n:INPUT {policy}\n:FORWARD ACCEPT\n:OUTPUT ACCEPT\n{rules}\nCOMMIT")
        };
        let open = [
            "-m limit --limit 100/sec",
            "-m conntrack --ctstate NEW -m limit --limit 10/sec --limit-burst 20",
            "-m pkttype --pkt-type unicast",
            "-m addrtype --dst-type LOCAL",
            "-m mark --mark 0x0",
            "-m mark ! --mark 0x1/0xff",
            "-i eth+",
            "! -i lo",
            "-p tcp --syn",
            "-p tcp -m multiport --dports 1:65535",
            "-p tcp --dport 1024:",
            "-p tcp -m tcp ! --dport 22",
            "-p all",
            "-m state ! --state INVALID",
            "-m policy --dir in --pol none",
            "-m comment --comment \"cho phép -j DROP\"",
            "-m connlimit --connlimit-upto 50",
            "-m hashlimit --hashlimit-name b --hashlimit-upto 50/sec",
            "-m conntrack ! --ctstate ESTABLISHED,RELATED",
        ];
        for rule in open {
            add(LetIn, rule, &filter("DROP", &format!("-A INPUT {rule} -j ACCEPT")));
        }
        let shut = [
            "-i lo",
            "-p udp --dport 1:65535",
            "-p tcp --dport 22",
            "-p tcp -m multiport --dports 80,443,8000:8100",
            "-m conntrack --ctstate ESTABLISHED,RELATED",
            "-m pkttype --pkt-type broadcast",
            "-m addrtype --dst-type MULTICAST",
            "-m mark --mark 0x1",
            "-m policy --dir in --pol ipsec",
            "-p icmp",
            "-m conntrack --ctstate DNAT",
        ];
        for rule in shut {
            add(KeptOut, rule, &filter("DROP", &format!("-A INPUT {rule} -j ACCEPT")));
        }
        add(
            KeptOut,
            "the last rule rejects",
            &filter(
                "ACCEPT",
                "-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n-A INPUT -p tcp --dport 22 -m conntrack --ctstate NEW -j ACCEPT\n-A INPUT -j REJECT6",
            ),
        );
        add(NoFirewall, "empty", &filter("ACCEPT", ""));
        add(
            NoFirewall,
            "a program that bans addresses",
            &filter(
                "ACCEPT",
                ":f2b-sshd -\n-A INPUT -p tcp -m multiport --dports 22 -j f2b-sshd\n-A f2b-sshd -j RETURN",
            ),
        );
        add(
            NoFirewall,
            "containers",
            "*nat\n:PREROUTING ACCEPT\n:DOCKER -\n-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER\nCOMMIT\n*filter\n:INPUT ACCEPT\n:FORWARD DROP\n:OUTPUT ACCEPT\n:DOCKER -\n:DOCKER-USER -\n-A FORWARD -j DOCKER-USER\n-A FORWARD -o docker0 -j DOCKER\n-A DOCKER-USER -j RETURN\n-A DOCKER ! -i docker0 -o docker0 -j DROP\nCOMMIT",
        );
        add(KeptOut, "ufw denies", &filter("DROP", UFW));
        add(NoFirewall, "ufw allows", &filter("ACCEPT", UFW));
        add(LetIn, "ufw allows from any", &filter("DROP", &format!("{UFW}\n-A ufw-user-input -j ACCEPT")));
        add(
            LetIn,
            "returns",
            &filter("ACCEPT", ":own -\n-A INPUT -j own\n-A own -m addrtype --dst-type LOCAL -j RETURN\n-A own -j DROP"),
        );
        add(
            KeptOut,
            "goes for good",
            &filter("DROP", ":own -\n-A INPUT -g own\n-A INPUT -j ACCEPT\n-A own -p tcp --dport 22 -j ACCEPT"),
        );
        add(
            KeptOut,
            "in the raw table",
            "*raw\n:PREROUTING ACCEPT\n:OUTPUT ACCEPT\n-A PREROUTING -i eth0 -p tcp -m tcp ! --dport 22 -j DROP\nCOMMIT",
        );
        add(
            KeptOut,
            "in the mangle table",
            "*mangle\n:PREROUTING ACCEPT\n:INPUT ACCEPT\n:OUTPUT ACCEPT\n-A PREROUTING -m conntrack --ctstate NEW -p tcp -j DROP\nCOMMIT",
        );
        add(
            Any,
            "marked",
            "*mangle\n:PREROUTING ACCEPT\n:INPUT ACCEPT\n:OUTPUT ACCEPT\n-A PREROUTING -j MARK --set-mark 1\nCOMMIT\n*filter\n:INPUT DROP\n:FORWARD ACCEPT\n:OUTPUT ACCEPT\n-A INPUT -m mark --mark 1 -j ACCEPT\nCOMMIT",
        );
        add(
            Any,
            "seen before",
            &filter("DROP", "-A INPUT -m recent --name seen --set\n-A INPUT -m recent --name seen --rcheck -j ACCEPT"),
        );
        add(
            Any,
            "not tracked",
            "*raw\n:PREROUTING ACCEPT\n:OUTPUT ACCEPT\n-A PREROUTING -j CT --notrack\nCOMMIT\n*filter\n:INPUT DROP\n:FORWARD ACCEPT\n:OUTPUT ACCEPT\n-A INPUT -m conntrack --ctstate UNTRACKED -j ACCEPT\nCOMMIT",
        );
    }
    let four = |rules: &str| format!("iptables-legacy-restore <<'END'\n{rules}\nEND\n");
    let drop = "*filter\n:INPUT DROP\n:FORWARD ACCEPT\n:OUTPUT ACCEPT\nCOMMIT";
    cases.push(Case { expected: LetIn, commands: four(drop), ..Case::new("legacy: IPv6 was forgotten", "") });
    let rules = input("accept", "meta nfproto ipv6 meta l4proto tcp drop");
    cases.push(Case {
        expected: KeptOut,
        commands: four(drop),
        ..Case::new("legacy for IPv4, nftables for IPv6", &rules)
    });
    cases.push(Case {
        expected: KeptOut,
        commands: four("*filter\n:INPUT ACCEPT\n:FORWARD ACCEPT\n:OUTPUT ACCEPT\n-A INPUT -j ACCEPT\nCOMMIT"),
        ..Case::new("legacy accepts, nftables drops", &input("drop", USUAL))
    });
    cases
}

/// ufw's own chains, shortened.
const UFW: &str = ":ufw-before-input -\n:ufw-not-local -\n:ufw-user-input -\n:ufw-after-input -\n:ufw-reject-input -\n\
-A INPUT -j ufw-before-input\n-A INPUT -j ufw-after-input\n-A INPUT -j ufw-reject-input\n\
-A ufw-before-input -i lo -j ACCEPT\n-A ufw-before-input -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n\
-A ufw-before-input -m conntrack --ctstate INVALID -j DROP\n-A ufw-before-input -j ufw-not-local\n-A ufw-before-input -j ufw-user-input\n\
-A ufw-not-local -m addrtype --dst-type LOCAL -j RETURN\n-A ufw-not-local -m addrtype --dst-type MULTICAST -j RETURN\n\
-A ufw-not-local -m limit --limit 3/min --limit-burst 10 -j RETURN\n-A ufw-not-local -j DROP\n\
-A ufw-user-input -p tcp --dport 22 -j ACCEPT\n-A ufw-after-input -p udp --dport 137 -j RETURN";
