//! Section `neighbours`: devices heard on the same network. Changes by the minute, so it is sent at most hourly.

use super::List;

record! {
    /// A device that answered on the same network.
    Neighbour {
        /// Its address.
        [address] String = "địa chỉ IP", "address";
        /// Its hardware address.
        [mac] String = "địa chỉ MAC", "MAC address";
        /// The interface it was heard on.
        [interface] String = "cổng mạng", "interface";
    }
}

section! {
    /// The machine's neighbour table; nothing is sent to fill it.
    Neighbours = "neighbours" ("Thiết bị lân cận", "Neighbours") {
        /// Devices heard.
        [seen] List<Neighbour> = "thiết bị lân cận", "neighbours";
    }
}
