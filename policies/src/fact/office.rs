//! The facts of an office as a whole, `office.name` in controls with `for = "office"`. No machine sends them: the server derives them from
//! the machines ([`crate::office`]).

use super::{Fact, List};

record! {
    /// An address outside an approved list that machines use.
    ForeignAddress {
        /// The address.
        [address] String = "địa chỉ", "address";
        /// The machines that use it, by the names people know them by: hostile text.
        [machines] List<String> = "máy", "machines";
    }
}

record! {
    /// Everything known of one office.
    OfficeFacts {
        /// Default gateways in use that the office has not approved.
        [foreign_gateways] Fact<List<ForeignAddress>> = "cổng mặc định ngoài danh sách được duyệt", "gateways outside the approved list";
        /// Name servers in use that the office has not approved.
        [foreign_dns] Fact<List<ForeignAddress>> = "máy chủ DNS ngoài danh sách được duyệt", "DNS servers outside the approved list";
    }
}
