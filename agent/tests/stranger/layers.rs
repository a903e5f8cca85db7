//! Rule sets for stacked interfaces.

use super::{Case, Expected, USUAL, chain, input};

pub(crate) fn bridge() -> Vec<Case> {
    use Expected::{Any, KeptOut, LetIn};
    let case = |expected, name: &str, rules: String| Case { expected, ..Case::new(name, &rules) };
    let drop = |rules: &str| input("drop", &format!("{USUAL}{rules}"));
    vec![
        case(KeptOut, "a usual firewall", drop("")),
        case(LetIn, "by the bridge", drop("iifname br0 accept")),
        case(KeptOut, "not by its port", drop("iifname eth0 accept")),
        case(LetIn, "the port is not what is seen", input("accept", "iifname eth0 drop")),
        case(KeptOut, "the bridge is", input("accept", "iifname br0 meta l4proto tcp drop")),
        case(
            Any,
            "at the port",
            chain(
                "netdev own",
                "type filter hook ingress device eth0 priority 0",
                "accept",
                "ip protocol tcp drop\nip6 nexthdr tcp drop",
            ),
        ),
        case(
            Any,
            "in the bridge",
            chain("bridge own", "type filter hook input priority 0", "accept", "meta l4proto tcp drop"),
        ),
        case(Any, "what passes the bridge", chain("bridge own", "type filter hook forward priority 0", "drop", "")),
        case(
            LetIn,
            "all that comes out of another port",
            chain("bridge own", "type filter hook input priority 0", "accept", "iifname eth7 drop"),
        ),
    ]
}

pub(crate) fn stacked() -> Vec<Case> {
    use Expected::{Any, KeptOut, LetIn};
    let case = |expected, name: &str, rules: String| Case { expected, ..Case::new(name, &rules) };
    vec![
        case(LetIn, "by the upper one", input("drop", &format!("{USUAL}iifname lan0 accept"))),
        case(KeptOut, "not by the lower one", input("drop", &format!("{USUAL}iifname eth0 accept"))),
        case(LetIn, "the lower one is not what is seen", input("accept", "iif eth0 drop")),
        case(
            Any,
            "at the lower one",
            chain("netdev own", "type filter hook ingress device eth0 priority 0", "accept", "meta l4proto tcp drop"),
        ),
        case(
            Any,
            "at the upper one",
            chain("netdev own", "type filter hook ingress device lan0 priority 0", "accept", "meta l4proto tcp drop"),
        ),
    ]
}
