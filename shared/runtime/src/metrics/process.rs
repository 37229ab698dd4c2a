//! What the kernel knows of the process.

use procfs::process::{LimitValue, Process};
use procfs::{ProcResult, WithCurrentSystemInfo, boot_time_secs, ticks_per_second};
use tollkeeper_telemetry::process::{
    CPU, MOST_OPEN_FILES, OPEN_FILES, RESIDENT_MEMORY, STARTED_AT, THREADS, VIRTUAL_MEMORY,
};

use super::text;

/// Tells what can be read; what cannot stays as it was.
pub(super) fn tell(text: &mut String) {
    if let Err(error) = read(text) {
        tracing::debug!(%error, "the process cannot be looked at");
    }
}

fn read(text: &mut String) -> ProcResult<()> {
    let process = Process::myself()?;
    let stat = process.stat()?;
    let ticks = ticks_per_second() as f64;
    text::seconds(text, &CPU, (stat.utime + stat.stime) as f64 / ticks);
    RESIDENT_MEMORY.handle().set(stat.rss_bytes().get() as f64);
    VIRTUAL_MEMORY.handle().set(stat.vsize as f64);
    THREADS.handle().set(stat.num_threads as f64);
    let started_at = boot_time_secs()? as f64 + stat.starttime as f64 / ticks;
    STARTED_AT.handle().set(started_at);
    OPEN_FILES.handle().set(process.fd_count()? as f64);
    let most = match process.limits()?.max_open_files.soft_limit {
        LimitValue::Value(most) => most,
        LimitValue::Unlimited => u64::MAX,
    };
    MOST_OPEN_FILES.handle().set(most as f64);
    Ok(())
}
