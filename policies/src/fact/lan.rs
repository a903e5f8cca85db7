//! Section `lan`: how the machine stands in its network. Lists that change by the minute are in `neighbours` and `ports`.

use super::{Fact, List, Transport};

choice! {
    /// Kind of a network interface.
    InterfaceKind {
        /// Ethernet.
        Wired = "wired", "có dây", "wired";
        /// Wi-Fi.
        Wireless = "wireless", "không dây", "wireless";
        /// VPN, bridge, container and other interfaces without hardware.
        Virtual = "virtual", "ảo", "virtual";
    }
}

choice! {
    /// Where an address comes from.
    Addressing {
        /// From a DHCP server.
        Dhcp = "dhcp", "cấp động (DHCP)", "DHCP";
        /// Set by hand.
        Static = "static", "đặt tĩnh", "static";
    }
}

choice! {
    /// What filters packets on the machine.
    FirewallKind {
        /// nftables.
        Nftables = "nftables", "nftables", "nftables";
        /// iptables.
        Iptables = "iptables", "iptables", "iptables";
        /// ufw.
        Ufw = "ufw", "ufw", "ufw";
        /// firewalld.
        Firewalld = "firewalld", "firewalld", "firewalld";
        /// The Windows firewall.
        Windows = "windows", "tường lửa Windows", "Windows firewall";
        /// A product of another maker, registered in Windows Security Center.
        Product = "product", "tường lửa của phần mềm khác", "another maker's firewall";
    }
}

choice! {
    /// The profiles of the Windows firewall: which one holds depends on the network a machine is in.
    FirewallProfile {
        /// In the network of the machine's domain.
        Domain = "domain", "mạng miền", "domain";
        /// In a network said to be private.
        Private = "private", "mạng riêng", "private";
        /// In any other network.
        Public = "public", "mạng công cộng", "public";
    }
}

choice! {
    /// What Windows takes a network for; the profile of its firewall follows it.
    NetworkCategory {
        /// A network of strangers.
        Public = "public", "công cộng", "public";
        /// A network said to be one's own.
        Private = "private", "riêng", "private";
        /// The network of the machine's domain.
        Domain = "domain", "miền", "domain";
    }
}

choice! {
    /// How a wireless network keeps others out.
    WirelessSecurity {
        /// Not at all.
        Open = "open", "không bảo vệ", "open";
        /// By WEP, which is broken.
        Wep = "wep", "WEP (đã bị phá)", "WEP (broken)";
        /// By WPA or TKIP, which are outdated.
        Wpa = "wpa", "WPA (lỗi thời)", "WPA (outdated)";
        /// By WPA2.
        Wpa2 = "wpa2", "WPA2", "WPA2";
        /// By WPA3.
        Wpa3 = "wpa3", "WPA3", "WPA3";
    }
}

choice! {
    /// Services by which a machine is managed or read from elsewhere.
    InboundService {
        /// Remote Desktop.
        Rdp = "rdp", "Remote Desktop", "Remote Desktop";
        /// Windows Remote Management.
        Winrm = "winrm", "quản trị từ xa WinRM", "WinRM";
        /// Shared folders.
        Smb = "smb", "chia sẻ tệp (SMB)", "file sharing (SMB)";
    }
}

record! {
    /// One interface that is up. Loopback is left out.
    Interface {
        /// Its name.
        [name] String = "tên cổng mạng", "interface";
        /// Its kind.
        [kind] InterfaceKind = "loại", "kind";
        /// Hardware address, lower-case with colons.
        [mac] Fact<String> = "địa chỉ MAC", "MAC address";
        /// Addresses with prefix length, such as `10.0.0.5/24`.
        [addresses] List<String> = "địa chỉ IP", "addresses";
        /// Where its IPv4 address comes from.
        [addressing] Fact<Addressing> = "cách cấp địa chỉ", "addressing";
        /// True when a default route leaves by it, or routes that together lead to a good part of the internet.
        [default_route] bool = "đường ra mặc định", "default route";
        /// What Windows takes the network for.
        #[no_reader(LINUX)]
        [category] Fact<NetworkCategory> = "loại mạng", "network category";
        /// Of a wireless interface, how its network keeps others out.
        #[no_reader(LINUX)]
        [wireless] Fact<WirelessSecurity> = "bảo vệ mạng không dây", "wireless security";
    }
}

record! {
    /// One host firewall.
    Firewall {
        /// What it is.
        [kind] FirewallKind = "loại tường lửa", "kind";
        /// True when its rules are in force.
        [active] bool = "đang bật", "active";
        /// True when a packet that no rule allows is dropped on its way in.
        #[no_reader(WINDOWS)]
        [blocks_inbound] Fact<bool> = "mặc định chặn kết nối vào", "blocks inbound by default";
        /// Profiles of the Windows firewall that are switched off; empty for firewalls without profiles.
        [profiles_off] Fact<List<FirewallProfile>> = "loại mạng đang tắt tường lửa", "profiles switched off";
    }
}

record! {
    /// A name that the hosts file gives an address, other than the machine's own and the loopback names.
    HostOverride {
        /// The name.
        [name] String = "tên miền", "name";
        /// The address.
        [address] String = "địa chỉ", "address";
    }
}

record! {
    /// A port of the machine's address that leads to a container or another machine behind it.
    PublishedPort {
        /// Transport.
        [transport] Transport = "giao thức", "transport";
        /// Port number.
        [port] i64 = "cổng", "port";
    }
}

section! {
    /// Addresses, name servers, gateway, firewall, proxy.
    Lan = "lan" ("Mạng nội bộ", "Local network") {
        /// Interfaces that are up.
        [interfaces] List<Interface> = "cổng mạng", "interfaces";
        /// Name servers in use, in order. A local stub is followed to its upstream servers where they are certain.
        [dns_servers] List<String> = "máy chủ DNS", "DNS servers";
        /// Default gateways (IPv4 and IPv6), and those of routes that lead to a good part of the internet, as VPN programs set them;
        /// `0.0.0.0` or `::` for a way out without a gateway.
        [gateways] List<String> = "cổng mặc định", "default gateways";
        /// Hardware address of the IPv4 gateway.
        [gateway_mac] String = "địa chỉ MAC của cổng mặc định", "gateway MAC";
        /// Host firewalls found.
        [firewalls] List<Firewall> = "tường lửa trên máy", "host firewalls";
        /// True when some host firewall is in force.
        [firewall_active] bool = "tường lửa đang bật", "firewall active";
        /// True when inbound packets that no rule allows are dropped.
        // Another maker's firewall tells Security Center that it is on, and nobody by which rules.
        #[no_reader(WINDOWS)]
        [firewall_blocks_inbound] bool = "tường lửa mặc định chặn kết nối vào", "firewall blocks inbound by default";
        /// Proxies set for the whole machine, as `host:port`, never with credentials.
        [proxies] List<String> = "máy chủ proxy", "proxies";
        /// Names that the hosts file overrides.
        [host_overrides] List<HostOverride> = "tên miền bị ghi đè trong tệp hosts", "names overridden in hosts";
        /// Services that the Windows firewall leaves open to every address, in the networks the machine is in: by a rule, by letting in
        /// what no rule is for, or because it is off.
        // On Linux nobody names the services of hand-written firewalls' rules.
        #[no_reader(LINUX, WINDOWS)]
        [open_inbound] List<InboundService> = "dịch vụ tường lửa mở cho mọi địa chỉ", "services open to every address";
        /// True when names are asked of everybody in the network (LLMNR), which lets anybody answer.
        #[no_reader(LINUX)]
        [llmnr] bool = "hỏi tên máy qua LLMNR", "LLMNR";
        /// True when NetBIOS over TCP/IP is on at some interface.
        #[no_reader(LINUX)]
        [netbios] bool = "NetBIOS qua TCP/IP", "NetBIOS over TCP/IP";
        /// True when the machine forwards packets between interfaces.
        [forwards] bool = "chuyển tiếp gói tin giữa các mạng", "forwards packets";
        /// TCP ports that rules for address translation lead on, as those of containers, and that no firewall keeps from
        /// strangers: what is kept out of the machine itself is not kept out of them.
        // Ports of virtual machines: portproxy and NAT networks have no reader.
        #[no_reader(WINDOWS)]
        [published_ports] List<PublishedPort> = "cổng mở ra ngoài cho máy ảo, container", "ports published for containers";
    }
}
