//! What this machine is, and what it can prove. With `worker/system.rs`, the only file with code for one system only.

use std::time::{Duration, Instant};

use pathproof_reports::{Figure, Machine, SCHEMA};

use crate::case::crc32;
use crate::verdict::Verdict;
use crate::worker::{Host, libc, missing};

/// CPU features that SIMD kernels of codecs ask for, detected by std; the fingerprint names those that are there.
macro_rules! detected {
    ($detect:ident: $($feature:tt)*) => {
        [$(($feature, std::arch::$detect!($feature))),*]
    };
}

#[cfg(any(target_arch = "x86_64", target_arch = "x86"))]
fn detected() -> impl IntoIterator<Item = (&'static str, bool)> {
    detected!(is_x86_feature_detected: "sse2" "sse3" "ssse3" "sse4.1" "sse4.2" "popcnt" "pclmulqdq" "aes" "avx" "avx2" "bmi1" "bmi2"
        "fma" "lzcnt" "gfni" "vaes" "vpclmulqdq" "avx512f" "avx512bw" "avx512cd" "avx512dq" "avx512vl" "avx512ifma" "avx512vbmi"
        "avx512vbmi2" "avx512vnni" "avx512bitalg" "avx512vpopcntdq")
}

#[cfg(target_arch = "aarch64")]
fn detected() -> impl IntoIterator<Item = (&'static str, bool)> {
    detected!(is_aarch64_feature_detected: "neon" "aes" "sha2" "crc" "dotprod" "sve" "sve2")
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "x86", target_arch = "aarch64")))]
fn detected() -> impl IntoIterator<Item = (&'static str, bool)> {
    []
}

/// The value of a line `key : value` of /proc/cpuinfo, on systems that have it.
fn cpuinfo(key: &str) -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.split_once(':').filter(|(name, _)| name.trim() == key))?;
    Some(line.1.trim().to_string())
}

fn file(path: &str) -> Option<String> {
    std::fs::read_to_string(path)
        .ok()
        .map(|text| text.trim().to_string())
        .filter(|text| !text.is_empty())
}

/// Whether /proc/cpuinfo is that of another CPU than this program is for: qemu-aarch64 and its like hand on the host's. Of the
/// CPUs that Linux runs on, x86 alone has a line `flags`.
fn foreign() -> bool {
    is_foreign(std::env::consts::ARCH, cpuinfo("flags").as_deref())
}

fn is_foreign(arch: &str, flags: Option<&str>) -> bool {
    !matches!(arch, "x86" | "x86_64") && flags.is_some()
}

/// The machine's fingerprint, the first line of every records file.
pub(crate) fn fingerprint(program: &str) -> Machine {
    let features: Vec<String> = detected()
        .into_iter()
        .filter(|(_, has)| *has)
        .map(|(name, _)| name.to_string())
        .collect();
    let mut cpu = cpuinfo("model name").unwrap_or_else(|| "unknown".into());
    if foreign() {
        cpu = format!("emulated on {cpu}");
    }
    let guest =
        cpuinfo("flags").is_some_and(|flags| flags.split(' ').any(|flag| flag == "hypervisor"));
    let (arch, os) = (
        std::env::consts::ARCH.to_string(),
        std::env::consts::OS.to_string(),
    );
    let id = format!(
        "{:08x}",
        crc32(format!("{arch} {os} {cpu} {}", features.join(" ")).as_bytes())
    );
    Machine {
        schema: SCHEMA,
        kernel: file("/proc/sys/kernel/osrelease").unwrap_or_else(|| "unknown".into()),
        cores: std::thread::available_parallelism().map_or(1, |n| n.get() as u32),
        hypervisor: guest
            .then(|| file("/sys/class/dmi/id/sys_vendor").unwrap_or_else(|| "a hypervisor".into())),
        libc: libc(),
        rustc: option_env!("PATHPROOF_RUSTC").map(Into::into),
        program: format!("{program} (pathproof {})", env!("CARGO_PKG_VERSION")),
        arch,
        os,
        cpu,
        features,
        id,
    }
}

/// What this machine can prove, each as a number or as the reason why there is none.
pub(crate) fn doctor(host: &mut Host) -> Vec<Figure> {
    let mut figures = Vec::new();
    let mut add = |quantity: &str, got: Result<f64, String>, unit: &str| {
        figures.push(Figure::new(quantity, got, unit));
    };
    add(
        "cores",
        std::thread::available_parallelism()
            .map(|n| n.get() as f64)
            .map_err(|e| e.to_string()),
        "cores",
    );
    add(
        "load",
        load().ok_or_else(|| "this system has no /proc/loadavg".into()),
        "runnable tasks, mean of a minute",
    );
    add(
        "steal",
        steal().ok_or_else(|| "this system has no /proc/stat".into()),
        "% of the time since boot, taken by other guests",
    );
    add(
        "timer",
        Ok(timer().as_secs_f64() * 1e9),
        "ns, the least step of the clock",
    );
    add("emulation", emulation(), "emulators noticed");
    add(
        "guard pages",
        guarded(host),
        "planted over-read(s) of 1 byte, stopped and named",
    );
    add(
        "crash isolation",
        missing().map_or(Ok(1.0), |why| Err(why.into())),
        "= a crash, a hang or a chatty subject ends only its worker",
    );
    add(
        "worker",
        round_trip(host),
        "µs a round trip to a living worker",
    );
    figures
}

fn load() -> Option<f64> {
    file("/proc/loadavg")?.split(' ').next()?.parse().ok()
}

fn steal() -> Option<f64> {
    let text = file("/proc/stat")?;
    let ticks: Vec<f64> = text
        .lines()
        .next()?
        .split_whitespace()
        .skip(1)
        .filter_map(|t| t.parse().ok())
        .collect();
    // user, nice, system, idle, iowait, irq, softirq, steal
    Some(100.0 * ticks.get(7)? / ticks.iter().take(8).sum::<f64>())
}

fn timer() -> Duration {
    let step = || {
        let start = Instant::now();
        loop {
            let now = start.elapsed();
            if !now.is_zero() {
                return now;
            }
        }
    };
    (0..100).map(|_| step()).min().unwrap_or_default()
}

/// Emulators hide CPU features or swallow signals, so their presence is said.
fn emulation() -> Result<f64, String> {
    let maps = file("/proc/self/maps").unwrap_or_default();
    if maps.contains("valgrind") || maps.contains("vgpreload") {
        return Err(
            "valgrind is at work: it hides AVX-512, so those paths are unavailable here".into(),
        );
    }
    if cpuinfo("model name").is_some_and(|cpu| cpu.contains("QEMU")) {
        return Err(
            "the CPU is emulated by QEMU, which has no AVX-512; no time means anything here".into(),
        );
    }
    if foreign() {
        return Err(format!(
            "an x86 CPU emulates this {} one; no time means anything here",
            std::env::consts::ARCH
        ));
    }
    Ok(0.0)
}

/// Has a worker read one byte too far, and sees whether the guard page stops it and the verdict names it.
fn guarded(host: &mut Host) -> Result<f64, String> {
    match host.probe()? {
        Verdict::ReadOutside(stray) if (stray.by, stray.of.as_str()) == (1, "input") => Ok(1.0),
        other => Err(format!("a planted over-read was not recognised: {other}")),
    }
}

fn round_trip(host: &mut Host) -> Result<f64, String> {
    host.catalog()?;
    let start = Instant::now();
    for _ in 0..100 {
        host.ping()?;
    }
    Ok(start.elapsed().as_secs_f64() * 1e6 / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_emulator_is_known_by_the_cpu_below_it() {
        assert!(is_foreign("aarch64", Some("fpu sse2 hypervisor")));
        assert!(!is_foreign("x86_64", Some("fpu sse2 hypervisor")));
        assert!(!is_foreign("aarch64", None));
    }
}
