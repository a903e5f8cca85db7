//! Memory, processors and boot time of this machine (crate `sysinfo`).

use super::Hardware;

/// Implements [`super::Os::hardware`] natively.
pub(super) fn read() -> Hardware {
    let kinds = sysinfo::RefreshKind::nothing()
        .with_memory(sysinfo::MemoryRefreshKind::nothing().with_ram())
        .with_cpu(sysinfo::CpuRefreshKind::nothing());
    let booted_at = sysinfo::System::boot_time().ok().and_then(|at| i64::try_from(at).ok()).unwrap_or_default();
    let Ok(system) = sysinfo::System::new_with_specifics(kinds) else {
        return Hardware { booted_at, ..Hardware::default() };
    };
    Hardware {
        memory: system.total_memory(),
        processors: system.cpus().len() as u64,
        processor: system.cpus().first().map_or("", sysinfo::Cpu::brand).to_owned(),
        booted_at,
    }
}
