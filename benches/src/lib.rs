//! Measuring processes: CPU time and memory, as the kernel counts them.

use std::fs;
use std::time::Duration;

/// What a process has used so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct Used {
    /// CPU time, user and system.
    pub cpu: Duration,
    /// The most memory that it held at a time, bytes.
    pub peak: u64,
}

/// What the process `pid` has used; nothing when it is gone.
#[must_use]
pub fn used(pid: u32) -> Used {
    let read = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
    let stat = read("stat");
    // The fields after the name, which may hold blanks: state is the first, utime and stime are 12 and 13.
    let fields: Vec<&str> =
        stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace().collect()).unwrap_or_default();
    let ticks: u64 = fields.iter().skip(11).take(2).filter_map(|t| t.parse::<u64>().ok()).sum();
    let per_second = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK).ok().flatten().unwrap_or(100);
    let status = read("status");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: u64 = peak.and_then(|p| p.trim().strip_suffix(" kB")).and_then(|n| n.parse().ok()).unwrap_or(0);
    let millis = ticks.saturating_mul(1000) / per_second.unsigned_abs().max(1);
    Used { cpu: Duration::from_millis(millis), peak: kib * 1024 }
}
