//! The category of each connected network (`INetworkListManager`).
#![expect(unsafe_code, reason = "COM is asked through its interfaces")]

use windows::Win32::Networking::NetworkListManager::{INetworkConnection, INetworkListManager, NetworkListManager};

use super::com::Com;
use super::refused;
use crate::Answer;
use crate::windows::{NetworkCategory, decode};

const WHAT: &str = "networks";

/// [`super::super::WindowsOs::network_categories`].
pub(super) fn categories() -> Answer<Vec<NetworkCategory>> {
    let com = Com::begin()?;
    let manager: INetworkListManager = com.object(WHAT, &NetworkListManager)?;
    // SAFETY: the manager is alive, in a thread with COM initialised.
    let connections = unsafe { manager.GetNetworkConnections() }.map_err(|error| refused(WHAT, &error))?;
    let mut categories = Vec::new();
    loop {
        let mut place = [None];
        let mut count = 0;
        // SAFETY: as above; the pointer is passed with its length of one.
        let answer = unsafe { connections.Next(&mut place, Some(&raw mut count)) };
        answer.map_err(|error| refused(WHAT, &error))?;
        let [Some(connection)] = place else { return Ok(categories) };
        categories.push(category(&connection).map_err(|error| refused(WHAT, &error))?);
    }
}

fn category(connection: &INetworkConnection) -> windows::core::Result<NetworkCategory> {
    // SAFETY: the connection is alive, in a thread with COM initialised.
    let (adapter, category) = unsafe { (connection.GetAdapterId()?, connection.GetNetwork()?.GetCategory()?) };
    Ok(NetworkCategory { adapter: decode::guid(adapter.to_u128()), category: category.0.cast_unsigned() })
}
