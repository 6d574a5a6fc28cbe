//! What this machine is, and what it can prove and measure. What it asks of one system only is here, in `perf.rs` and in
//! `worker/system.rs`.

use std::time::{Duration, Instant};

use pathproof_reports::{Figure, Machine, SCHEMA};

use crate::case::crc32;
use crate::perf;
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
    value(&text, key).map(Into::into)
}

fn value<'a>(cpuinfo: &'a str, key: &str) -> Option<&'a str> {
    let mut lines = cpuinfo.lines().filter_map(|line| line.split_once(':'));
    lines
        .find(|(name, _)| name.trim() == key)
        .map(|(_, value)| value.trim())
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

/// What this machine can prove and measure, each as a number or as the reason why there is none. The unit says what the number is
/// good for.
pub(crate) fn doctor(host: &mut Host) -> Vec<Figure> {
    let hidden = hidden_features();
    let lesser = hidden.value.is_some_and(|count| count > 0.0);
    let mut figures = vec![hidden];
    let mut add = |quantity: &str, got: Result<f64, String>, unit: &str| {
        figures.push(Figure::new(quantity, got, unit));
    };
    add(
        "cores",
        std::thread::available_parallelism()
            .map(|n| n.get() as f64)
            .map_err(|e| e.to_string()),
        "cores; `verify` keeps a worker busy on each",
    );
    add(
        "load",
        load().ok_or_else(|| "this system has no /proc/loadavg".into()),
        "runnable tasks, mean of a minute; `time` wants next to none",
    );
    add(
        "steal",
        steal().ok_or_else(|| "this system has no /proc/stat".into()),
        "% of the time since boot, taken by other guests; `time` wants next to none",
    );
    add(
        "timer",
        Ok(timer().as_secs_f64() * 1e9),
        "ns, the least step of the clock; `time` reads it around batches of 5 µs and more",
    );
    add(
        "emulation",
        emulation(lesser),
        "emulators noticed; under one, `time` says nothing",
    );
    add(
        "breakpoints",
        perf::breakpoint(),
        &format!(
            "of {} calls seen by a hardware breakpoint, which shows that a function ran; no verb needs one",
            perf::CALLS
        ),
    );
    add(
        "hardware counters",
        perf::instructions(),
        "instructions a round of a loop, by the CPU's own count; no verb needs it",
    );
    add(
        "stepping",
        crate::receipt::available(host),
        "instructions a second; `receipt`, `count` and `mutate` need it",
    );
    add(
        "guard pages",
        guarded(host),
        "planted over-read(s) of 1 byte, stopped and named; without, no verdict is worth anything",
    );
    add(
        "crash isolation",
        missing().map_or(Ok(1.0), |why| Err(why.into())),
        "= a crash, a hang or a chatty subject ends only its worker, and the verb goes on",
    );
    add(
        "worker",
        round_trip(host),
        "µs a round trip to a living worker, in which every verb calls its paths",
    );
    figures
}

/// The features that the kernel sees in this CPU and this program does not, since valgrind and emulators show it a lesser one.
fn hidden_features() -> Figure {
    let hidden = file("/proc/cpuinfo")
        .ok_or_else(|| "this system has no /proc/cpuinfo".into())
        .and_then(|cpuinfo| hidden(&cpuinfo, detected()));
    let names = hidden.as_ref().map(|names| names.join(" "));
    let names = names.unwrap_or_default();
    let unit = "CPU features that the kernel lists and this program is not shown";
    let mut figure = Figure::new(
        "hidden features",
        hidden.map(|names| names.len() as f64),
        unit,
    );
    if !names.is_empty() {
        figure.reason = Some(format!(
            "{names}; kept back by valgrind, rr or an emulator: paths that need them are unavailable in every process under it"
        ));
    }
    figure
}

fn hidden(
    cpuinfo: &str,
    detected: impl IntoIterator<Item = (&'static str, bool)>,
) -> Result<Vec<&'static str>, String> {
    let key = match std::env::consts::ARCH {
        "x86" | "x86_64" => "flags",
        "aarch64" => "Features",
        other => return Err(format!("no features of {other} are looked for")),
    };
    let listed = value(cpuinfo, key)
        .ok_or_else(|| format!("/proc/cpuinfo has no line `{key}`: it is that of another CPU"))?;
    let listed: Vec<String> = listed.split_whitespace().map(plain).collect();
    let hidden = detected
        .into_iter()
        .filter(|(feature, has)| !has && listed.contains(&plain(kernel_name(feature))));
    Ok(hidden.map(|(feature, _)| feature).collect())
}

/// What /proc/cpuinfo calls a feature of std's.
fn kernel_name(feature: &str) -> &str {
    match feature {
        "sse3" => "pni",
        "lzcnt" => "abm",
        "neon" => "asimd",
        "crc" => "crc32",
        "dotprod" => "asimddp",
        same => same,
    }
}

/// `sse4.1` and `sse4_1`, `avx512vbmi2` and `avx512_vbmi2` are the same.
fn plain(feature: &str) -> String {
    feature.replace(['_', '.'], "")
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

/// Emulators hide CPU features or swallow signals, so their presence is said. They are known by their name, or by a CPU that is
/// not the kernel's.
fn emulation(lesser: bool) -> Result<f64, String> {
    let maps = file("/proc/self/maps").unwrap_or_default();
    if maps.contains("valgrind") || maps.contains("vgpreload") {
        return Err("valgrind is at work: no time means anything under it".into());
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
    if lesser {
        return Err(
            "this program is shown a lesser CPU than the kernel's, as by qemu-x86_64; no time means anything under it".into(),
        );
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

    #[test]
    fn an_emulator_is_known_by_a_cpu_that_is_not_the_kernels() {
        assert!(emulation(true).is_err());
    }

    /// Every feature, by Linux's name: arch/x86/include/asm/cpufeatures.h, arch/arm64/kernel/cpuinfo.c.
    #[cfg(any(target_arch = "x86_64", target_arch = "x86"))]
    const CPUINFO: &str = "processor\t: 0\nvendor_id\t: AuthenticAMD\nflags\t\t: fpu sse sse2 pni pclmulqdq ssse3 fma sse4_1 \
        sse4_2 popcnt aes avx abm bmi1 avx2 bmi2 avx512f avx512dq avx512ifma avx512cd avx512bw avx512vl avx512vbmi avx512_vbmi2 \
        gfni vaes vpclmulqdq avx512_vnni avx512_bitalg avx512_vpopcntdq\nbugs\t\t: spectre_v1\n\nprocessor\t: 1\n";
    #[cfg(target_arch = "aarch64")]
    const CPUINFO: &str =
        "processor\t: 0\nFeatures\t: fp asimd aes sha1 sha2 crc32 asimddp sve sve2\n";

    #[cfg(any(target_arch = "x86_64", target_arch = "x86", target_arch = "aarch64"))]
    #[test]
    fn a_feature_that_the_kernel_lists_and_detection_has_not_is_hidden() {
        let all: Vec<_> = detected().into_iter().map(|(name, _)| name).collect();
        let shown = |but: &[&str]| -> Vec<_> {
            all.iter()
                .map(|name| (*name, !but.contains(name)))
                .collect()
        };
        assert_eq!(hidden(CPUINFO, shown(&[])), Ok(vec![]));
        for name in &all {
            assert_eq!(hidden(CPUINFO, shown(&[name])), Ok(vec![*name]));
        }
        assert_eq!(hidden(CPUINFO, shown(&all)), Ok(all.clone()));
        // What the kernel does not list either, nobody hides.
        let listed = |flags: &str| format!("flags\t: {flags}\nFeatures\t: {flags}\n");
        assert_eq!(hidden(&listed("fpu"), shown(&all)), Ok(vec![]));
        assert_eq!(hidden(&listed(""), shown(&all)), Ok(vec![]));
        let foreign = hidden("processor\t: 0\nisa\t: rv64\n", shown(&all));
        assert!(foreign.is_err_and(|why| why.contains("another CPU")));
    }
}
