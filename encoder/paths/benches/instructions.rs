//! Callgrind's count of one call of every path of Q64 that valgrind can run, at 64 and 4096 plain bytes: `cargo bench --bench instructions`.
//!
//! `cargo harness count` counts the same call in the same window, with AVX-512 too; this is the other counter, with its comparison of
//! the last run and its output formats. Each count holds the window's own instructions; the rows `empty` hold nothing else.
//!
//! Needs valgrind, and the runner of the very version of the library: `cargo install iai-callgrind-runner --version 0.16.1 --locked`.
// The macro makes a public module without a word.
#![allow(missing_docs, unreachable_pub)]

mod valgrind;

use std::process::Stdio;

use iai_callgrind::{
    Bench, BenchmarkId, BinaryBenchmark, BinaryBenchmarkConfig, BinaryBenchmarkGroup, Callgrind,
    Command, binary_benchmark_group, main,
};

const LENGTHS: [usize; 2] = [64, 4096];

fn every_path(group: &mut BinaryBenchmarkGroup) {
    installed();
    let paths = valgrind::listed("q64_*code/*").map(|list| valgrind::runnable(&list));
    let paths = paths.unwrap_or_else(|why| missing(&why));
    let mut operations: Vec<(&str, Vec<&str>)> = Vec::new();
    for path in &paths {
        let (operation, rest) = path.split_once('/').unwrap_or((path, ""));
        match operations.iter_mut().find(|(name, _)| *name == operation) {
            Some((_, paths)) => paths.push(rest),
            None => operations.push((operation, vec![rest])),
        }
    }
    for (operation, paths) in operations {
        let mut benchmark = BinaryBenchmark::new(operation);
        let mut add = |name: &str, path: &str, length: usize, also: &[&str]| {
            let id: String = name
                .chars()
                .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
                .collect();
            let call = Command::new(valgrind::PROGRAM)
                .args(["call", &format!("{operation}/{path}")])
                .args([length.to_string()])
                .args(also)
                .build();
            benchmark.bench(Bench::new(BenchmarkId::with_parameter(id, length)).command(call));
        };
        for path in &paths {
            for length in LENGTHS {
                add(path, path, length, &[]);
            }
        }
        // An empty path executes the same at every length; it is called as the path of its delivery is.
        for delivery in ["fills", "returns"] {
            let scalar = format!("scalar/{delivery}");
            if paths.contains(&scalar.as_str()) {
                add(
                    &format!("empty_{delivery}"),
                    &scalar,
                    LENGTHS[0],
                    &["--empty"],
                );
            }
        }
        group.binary_benchmark(benchmark);
    }
}

/// The library's own word for a runner that is missing is a page long.
fn installed() {
    let runner = option_env!("IAI_CALLGRIND_RUNNER").unwrap_or("iai-callgrind-runner");
    let started = std::process::Command::new(runner)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if let Err(e) = started {
        missing(&format!(
            "{runner} cannot be started ({e}): cargo install iai-callgrind-runner --version 0.16.1 --locked"
        ));
    }
}

fn missing(why: &str) -> ! {
    eprintln!("error: {why}");
    std::process::exit(2)
}

binary_benchmark_group!(
    name = instructions;
    config = BinaryBenchmarkConfig::default().tool(Callgrind::with_args(valgrind::WINDOW));
    benchmarks = |group: &mut BinaryBenchmarkGroup| every_path(group)
);
main!(binary_benchmark_groups = instructions);
