//! The service's name on Windows.

/// Its registry key, its event source, its folders under Program Files and ProgramData. The Linux unit is called `posture-agent`.
pub const SERVICE: &str = "TramAn";
