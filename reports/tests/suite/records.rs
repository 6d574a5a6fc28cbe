//! The format: what is written is read, and what is no records file is refused in one clear line.

use std::io::{BufReader, ErrorKind, Read};

use crate::common::{COMPARED, GATED, KILLED, RECEIPTS, VERIFIED, any_machine, any_record, sample};
use pathproof_reports::{
    Calibration, Compared, Comparison, End, Figure, Gate, Gated, MAX_LINE, Outcome, ReadError,
    Receipt, Record, Report, Run, SCHEMA, State, Survivor, Writer, read, read_from,
};
use proptest::collection::vec;
use proptest::prelude::*;

const MACHINE: &str = r#"{"record":"machine","schema":1,"arch":"x86_64","os":"linux","kernel":"6","cpu":"c","cores":2,"features":[],"program":"p 1","id":"0"}"#;
const END: &str = r#"{"record":"end","exit":0,"seconds":0.5,"verdict":"é \"done\""}"#;

fn read_text(text: &str) -> Result<Report, ReadError> {
    read_from(text.as_bytes(), "records.jsonl")
}

fn error_of(text: &str) -> String {
    read_text(text).unwrap_err().to_string()
}

#[test]
fn kept_files_of_schema_1_are_read() {
    let verified = sample(VERIFIED);
    assert_eq!(
        (verified.truncated, verified.outcome()),
        (false, Outcome::Verified)
    );
    assert_eq!(verified.machine().unwrap().id, "9c1f04ab");
    assert_eq!(verified.runs().count(), 1);
    assert_eq!(
        verified
            .paths()
            .filter(|path| path.state == State::Unavailable)
            .count(),
        4
    );
    assert_eq!(verified.end().unwrap().exit, 0);
    let counted = verified
        .figures()
        .filter(|figure| figure.quantity == "cases")
        .filter_map(|figure| figure.value);
    assert_eq!(counted.sum::<f64>() as u64, verified.tally().cases);

    let killed = sample(KILLED);
    assert!(killed.truncated && killed.end().is_none());
    assert_eq!(
        (killed.findings().count(), killed.outcome()),
        (2, Outcome::Unfinished)
    );
}

#[test]
fn a_kept_file_of_schema_2_is_read() {
    let report = sample(RECEIPTS);
    let machine = report.machine().unwrap();
    assert_eq!(
        (machine.schema, machine.libc.as_deref()),
        (2, Some("glibc 2.36"))
    );
    assert_eq!(
        (report.receipts().count(), report.survivors().count()),
        (72, 41)
    );
    assert_eq!(report.outcome(), Outcome::Failed);
    // A machine of schema 1 says nothing of its C library, and that is no error.
    assert_eq!(sample(VERIFIED).machine().unwrap().libc, None);
}

#[test]
fn a_kept_file_of_schema_3_is_read() {
    let report = sample(COMPARED);
    assert_eq!(report.machine().unwrap().schema, 3);
    let count = |verdict| {
        let of_it = |row: &&Comparison| row.verdict == verdict;
        report.comparisons().filter(of_it).count()
    };
    assert_eq!(Compared::ALL.map(count), [1, 6, 13, 16, 3, 1, 2]);
    assert_eq!(report.calibrations().count(), 76);
    assert_eq!(report.outcome(), Outcome::Failed);
    // The lines again, to the last digit.
    let lines = report
        .records
        .iter()
        .map(|record| serde_json::to_string(record).unwrap() + "\n");
    assert_eq!(lines.collect::<String>(), COMPARED);
}

#[test]
fn a_kept_file_of_schema_4_is_read() {
    let report = sample(GATED);
    assert_eq!(report.machine().unwrap().schema, SCHEMA);
    let count = |verdict| {
        let of_it = |row: &&Gated| row.verdict == verdict;
        report.gated().filter(of_it).count()
    };
    assert_eq!(Gate::ALL.map(count), [4, 2, 10]);
    assert_eq!(report.outcome(), Outcome::Failed);
    let lines = report
        .records
        .iter()
        .map(|record| serde_json::to_string(record).unwrap() + "\n");
    assert_eq!(lines.collect::<String>(), GATED);
}

#[test]
fn rows_of_a_gate_that_contradict_themselves_are_neither_written_nor_read() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::create(&folder.path().join("records.jsonl")).unwrap();
    let good = sample(GATED);
    writer.write(&good.records[0]).unwrap();
    type Damage = fn(&mut Gated);
    let damages: [(Gate, Damage, &str); 11] = [
        (
            Gate::Passes,
            |row| row.exit = 3,
            "it passes with exit code 3",
        ),
        (
            Gate::Passes,
            |row| row.verdict = Gate::Fails,
            "it fails with exit code 0",
        ),
        (
            Gate::Fails,
            |row| row.verdict = Gate::Passes,
            "it passes with exit code 4",
        ),
        (Gate::Fails, |row| row.exit = 5, "it fails with exit code 5"),
        (
            Gate::Fails,
            |row| row.command = None,
            "it fails without a command",
        ),
        (
            Gate::Fails,
            |row| row.command = Some(" ".into()),
            "it fails without a command",
        ),
        (
            Gate::Inconclusive,
            |row| row.exit = 1,
            "it is inconclusive with exit code 1",
        ),
        (Gate::Passes, |row| row.check.clear(), "an empty check"),
        (Gate::Passes, |row| row.subject.clear(), "an empty subject"),
        (Gate::Passes, |row| row.found = " ".into(), "an empty found"),
        (Gate::Fails, |row| row.allowed.clear(), "an empty allowed"),
    ];
    for (verdict, damage, want) in damages {
        let row = good.gated().find(|row| row.verdict == verdict);
        let mut row = row.unwrap().clone();
        damage(&mut row);
        let want = format!("gate's row of \"{}\": {want}", row.name());
        let record = Record::Gated(row);
        let error = writer.write(&record).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains(&want), "{want}: {error}");
        let line = serde_json::to_string(&record).unwrap();
        let error = error_of(&format!("{MACHINE}\n{line}\n"));
        let want = format!("records.jsonl line 2: {want}");
        assert!(error.starts_with(&want), "{want}: {error}");
    }
}

#[test]
fn comparisons_that_contradict_themselves_are_neither_written_nor_read() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::create(&folder.path().join("records.jsonl")).unwrap();
    let good = sample(COMPARED);
    writer.write(&sample(GATED).records[0]).unwrap();
    let slower = good
        .comparisons()
        .find(|row| row.verdict == Compared::Slower);
    let calibration = good.calibrations().next().unwrap();
    type Damage<T> = fn(&mut T);
    let comparisons: [(Damage<Comparison>, &str); 8] = [
        (
            |c| c.verdict = Compared::Same,
            "the verdict same does not follow",
        ),
        (
            |c| c.verdict = Compared::Identical,
            "the verdict identical code does not follow",
        ),
        (|c| c.ratio = None, "the verdict slower does not follow"),
        (
            |c| c.control = c.ratio,
            "the verdict slower does not follow",
        ),
        (|c| c.margin = 0.2, "the verdict slower does not follow"),
        (|c| c.margin = 0.0, "a margin of 0"),
        (|c| c.confidence = 1.0, "a confidence of 1"),
        (
            |c| c.ratio.as_mut().unwrap().low = -1.0,
            "are not all positive",
        ),
    ];
    let calibrations: [(Damage<Calibration>, &str); 3] = [
        (
            |c| (c.slower, c.faster, c.same, c.inconclusive, c.void) = (0, 0, 0, 0, 0),
            "of no comparison",
        ),
        (|c| c.effect = -0.1, "an effect of -0.1"),
        (|c| c.margin = 1.0, "a margin of 1"),
    ];
    let mut bad = Vec::new();
    for (damage, want) in comparisons {
        let mut comparison = slower.unwrap().clone();
        damage(&mut comparison);
        bad.push((Record::Comparison(comparison), want));
    }
    for (damage, want) in calibrations {
        let mut calibration = calibration.clone();
        damage(&mut calibration);
        bad.push((Record::Calibration(calibration), want));
    }
    for (record, want) in bad {
        let error = writer.write(&record).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains(want), "{want}: {error}");
        let line = serde_json::to_string(&record).unwrap();
        let error = error_of(&format!("{MACHINE}\n{line}\n"));
        assert!(error.contains(want), "{want}: {error}");
    }
    // What JSON has no word for would be read as nothing, if at all.
    let numbers: [Damage<Comparison>; 4] = [
        |c| c.seconds = f64::INFINITY,
        |c| c.least = Some(f64::NAN),
        |c| c.head.nanos = Some(f64::INFINITY),
        |c| c.layout_spread = Some([0.9, f64::NAN]),
    ];
    for damage in numbers {
        let mut comparison = slower.unwrap().clone();
        damage(&mut comparison);
        let error = writer.write(&Record::Comparison(comparison)).unwrap_err();
        assert!(error.to_string().contains("a number of "), "{error}");
    }
    for effect in [f64::NAN, f64::INFINITY] {
        let calibration = Calibration {
            effect,
            ..calibration.clone()
        };
        assert!(writer.write(&Record::Calibration(calibration)).is_err());
    }
}

#[test]
fn evidence_that_contradicts_itself_is_neither_written_nor_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records.jsonl");
    let mut writer = Writer::create(&path).unwrap();
    let good = sample(RECEIPTS);
    writer.write(&sample(GATED).records[0]).unwrap();
    let receipt = good.receipts().last().unwrap().clone();
    let survivor = good.survivors().last().unwrap().clone();
    let name = "receipt of \"q64_decode/avx512vbmi/fills\": ";
    type Damage<T> = fn(&mut T);
    let receipts: [(Damage<Receipt>, &str); 6] = [
        (|r| r.own += 1, "the features add up to 243, and own is 244"),
        (
            |r| *r.features.get_mut("x86-64").unwrap() -= 1,
            "the features add up to 242, and own is 243",
        ),
        (
            |r| drop(r.mnemonics.pop_first()),
            "the mnemonics add up to ",
        ),
        (
            |r| r.elsewhere_features = [("avx2".to_owned(), 3)].into(),
            "the elsewhere_features add up to 3, and elsewhere is 0",
        ),
        // A sum that would be right if it wrapped.
        (
            |r| {
                r.own = 0;
                r.features = [("a".to_owned(), u64::MAX), ("b".to_owned(), 1)].into();
            },
            "the features add up to 18446744073709551616, and own is 0",
        ),
        (|r| r.allocated = 64, "64 bytes allocated by 0 allocations"),
    ];
    let survivors: [(Damage<Survivor>, &str); 6] = [
        (|s| s.bytes.clear(), "bytes \"\" are no pairs of hex digits"),
        (|s| s.bytes = "c5f".to_owned(), "bytes \"c5f\" are no pairs"),
        (
            |s| s.bytes = "c5 fd".to_owned(),
            "bytes \"c5 fd\" are no pairs",
        ),
        (|s| s.function.clear(), "an empty function"),
        (|s| s.change = " ".to_owned(), "an empty change"),
        (|s| s.accepted = Some(String::new()), "an empty reason"),
    ];
    let mut bad = Vec::new();
    for (damage, want) in receipts {
        let mut receipt = receipt.clone();
        damage(&mut receipt);
        bad.push((Record::Receipt(receipt), format!("{name}{want}")));
    }
    for (damage, want) in survivors {
        let mut survivor = survivor.clone();
        damage(&mut survivor);
        let name = "survivor of \"q64_decode/avx2/fills\": ";
        bad.push((Record::Survivor(survivor), format!("{name}{want}")));
    }
    for (record, want) in &bad {
        let error = writer.write(record).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains(want), "{want}: {error}");
        let line = serde_json::to_string(record).unwrap();
        let error = error_of(&format!("{MACHINE}\n{line}\n"));
        assert!(
            error.contains(&format!("records.jsonl line 2: {want}")),
            "{want}: {error}"
        );
    }
    // Libraries that are counted and not decoded are no contradiction.
    let counted = Receipt {
        elsewhere: 7,
        ..receipt
    };
    writer.write(&Record::Receipt(counted)).unwrap();
    assert_eq!(read(&path).unwrap().records.len(), 2);
}

#[test]
fn each_record_is_in_the_file_as_soon_as_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records.jsonl");
    let mut writer = Writer::create(&path).unwrap();
    let want = sample(GATED).records;
    for (i, record) in want.iter().enumerate() {
        writer.write(record).unwrap();
        assert_eq!(
            std::fs::read_to_string(&path).unwrap().lines().count(),
            i + 1
        );
    }
    assert_eq!(read(&path).unwrap().records, want);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), GATED);
}

#[test]
fn the_writer_refuses_what_the_reader_would() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records.jsonl");
    let mut writer = Writer::create(&path).unwrap();
    let [Record::Machine(machine), rest @ ..] = &sample(GATED).records[..] else {
        panic!()
    };
    let figure = |value, reason: Option<&str>| {
        let [operation, isa, delivery, unit] = ["", "", "", "s"].map(str::to_owned);
        let (quantity, reason) = ("time".to_owned(), reason.map(str::to_owned));
        Record::Figure(Figure {
            operation,
            isa,
            delivery,
            quantity,
            split: None,
            value,
            unit,
            reason,
        })
    };
    let mut refused = |record: &Record| {
        let error = writer.write(record).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        error.to_string()
    };
    assert!(refused(&rest[0]).ends_with("the first record must be the machine"));
    let mut future = machine.clone();
    future.schema = SCHEMA + 1;
    assert!(refused(&Record::Machine(future)).ends_with("this crate writes schema 4, not 5"));
    writer.write(&Record::Machine(machine.clone())).unwrap();
    let mut refused = |record: &Record| writer.write(record).unwrap_err().to_string();
    assert!(
        refused(&Record::Machine(machine.clone()))
            .ends_with("the machine is the first record only")
    );
    assert!(refused(&figure(Some(f64::NAN), None)).contains("is NaN"));
    assert!(refused(&figure(None, None)).contains("neither value nor reason"));
    let endless = End {
        exit: 0,
        seconds: f64::INFINITY,
        verdict: String::new(),
    };
    assert!(refused(&Record::End(endless)).contains("inf s"));
    assert!(refused(&figure(None, Some(&"x".repeat(MAX_LINE)))).contains("can be read back"));
    // None of them left a trace.
    assert_eq!(
        read(&path).unwrap().records,
        [Record::Machine(machine.clone())]
    );
}

#[test]
fn a_file_that_cannot_be_made_or_opened_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nowhere/records.jsonl");
    for error in [
        Writer::create(&path).unwrap_err().to_string(),
        read(&path).unwrap_err().to_string(),
    ] {
        assert!(
            error.contains("nowhere/records.jsonl: No such file"),
            "{error}"
        );
    }
}

#[test]
fn a_file_is_written_by_one_run_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records.jsonl");
    let mut first = Writer::create(&path).unwrap();
    first.write(&sample(GATED).records[0]).unwrap();
    let second = Writer::create(&path).unwrap_err();
    assert_eq!(second.kind(), ErrorKind::ResourceBusy);
    assert!(second.to_string().contains("another run writes it"));
    assert_eq!(read(&path).unwrap().records.len(), 1);
    drop(first);
    Writer::create(&path).unwrap();
}

#[test]
fn every_cut_of_a_good_file_can_be_read() {
    let text = format!("{MACHINE}\n{}\n{END}\n", KILLED.lines().nth(1).unwrap());
    let first = MACHINE.len();
    for cut in 0..text.len() {
        let result = read_from(&text.as_bytes()[..cut], "records.jsonl");
        if cut < first {
            let error = result.unwrap_err().to_string();
            assert!(
                error.contains(if cut == 0 { "is empty" } else { "cut off" }),
                "{cut}: {error}"
            );
            continue;
        }
        let report = result.unwrap_or_else(|error| panic!("{cut}: {error}"));
        // A line that lacks its newline alone is whole.
        let rest = text[..text.floor_char_boundary(cut)]
            .lines()
            .last()
            .unwrap();
        let whole = text.lines().any(|line| line == rest);
        assert_eq!(report.truncated, !whole, "{cut}");
        assert_eq!(report.end().is_some(), cut + 1 >= text.len(), "{cut}");
    }
}

#[test]
fn errors_say_where_what_and_what_to_do() {
    let cases = [
        (
            String::new(),
            "records.jsonl is empty: expected the record of a machine in line 1",
        ),
        (
            MACHINE.replace(":1,", ":7,") + "\n",
            "records.jsonl line 1: schema 7, this program reads schemas 1 to 4: read it with the program that wrote it, or a newer one",
        ),
        (
            MACHINE.replace(":1,", ":0,") + "\n",
            "records.jsonl line 1: schema 0, this program reads schemas 1 to 4: run it again with this program",
        ),
        // In another schema the rest may be anything.
        (
            "{\"record\":\"machine\",\"schema\":5}\n".into(),
            "schema 5, this program reads schemas 1 to 4",
        ),
        (
            "{\"record\":\"machine\"}\n".into(),
            "a machine without a schema",
        ),
        (
            "{\"record\":\"machine\",\"schema\":1}\n".into(),
            "records.jsonl line 1: missing field `arch`; expected the record of a machine",
        ),
        (
            format!("{END}\n"),
            "records.jsonl line 1: a record of kind \"end\"; expected the record of a machine",
        ),
        (
            "hello\n".into(),
            "records.jsonl line 1: column 1, expected value; expected the record of a machine",
        ),
        (
            format!("{MACHINE}\n{{\"record\":\"end\",\"exit\":300}}\n{END}\n"),
            "records.jsonl line 2: invalid value: integer `300`, expected u8; expected one whole record",
        ),
        (
            format!("{MACHINE}\n{END}\n{{\"record\":\n{END}\n"),
            "records.jsonl line 3 column 10: EOF while parsing a value; expected one whole record",
        ),
        (
            format!("{MACHINE}\n\n{END}\n"),
            "records.jsonl line 2: EOF while parsing a value",
        ),
        // Wrong before its end, so not cut off.
        (
            format!("{MACHINE}\n{{\"record\":\"weather\"}}"),
            "unknown variant `weather`",
        ),
        (
            format!("{MACHINE}\n{END}\n{MACHINE}\n"),
            "records.jsonl line 3: a second machine: two files joined?",
        ),
    ];
    for (text, want) in cases {
        let error = error_of(&text);
        assert!(error.contains(want), "{text:?}: {error}");
        assert_eq!(error.lines().count(), 1);
    }
}

#[test]
fn a_line_without_end_is_refused_at_the_bound() {
    let start = format!("{MACHINE}\n");
    let mut endless = std::io::repeat(b' ').take(1 << 30);
    let input = BufReader::new(start.as_bytes().chain(&mut endless));
    let error = read_from(input, "records.jsonl").unwrap_err().to_string();
    assert!(
        error.contains("line 2: a line of more than 4194304 bytes"),
        "{error}"
    );
    // Not a byte more was asked for than the bound and what BufReader takes at a time.
    let taken = (1 << 30) - endless.limit();
    assert!(taken <= (MAX_LINE + (64 << 10)) as u64, "{taken}");

    let long = |spaces: usize| format!("{MACHINE}\n{}{END}\n", " ".repeat(spaces));
    let most = MAX_LINE - END.len() - 1;
    assert!(read_text(&long(most)).is_ok());
    assert!(read_text(&long(most + 1)).is_err());
}

#[test]
fn the_exit_code_alone_is_not_believed() {
    let row = |state: State| {
        let mut row = sample(VERIFIED).paths().next().unwrap().clone();
        row.state = state;
        // Another path for each state: a later row of the same path would stand for the earlier one.
        row.isa = format!("isa {state}");
        Record::Path(row)
    };
    let end = |exit| {
        Record::End(End {
            exit,
            seconds: 1.0,
            verdict: String::new(),
        })
    };
    let outcome = |records: &[Record]| {
        Report {
            source: String::new(),
            records: records.to_vec(),
            truncated: false,
        }
        .outcome()
    };
    let (good, bad) = (row(State::Verified), row(State::Failed));
    let finding = Record::Finding(sample(KILLED).findings().next().unwrap().clone());
    let peer = {
        let mut peer = sample(VERIFIED).paths().next().unwrap().clone();
        peer.peer = true;
        Record::Path(peer)
    };
    let cases: [(&[Record], Outcome); 15] = [
        (&[good.clone(), end(0)], Outcome::Verified),
        (
            &[good.clone(), row(State::Unavailable), end(0)],
            Outcome::Verified,
        ),
        (&[good.clone(), bad.clone(), end(0)], Outcome::Failed),
        (&[good.clone(), finding, end(0)], Outcome::Failed),
        (
            &[good.clone(), row(State::NotExecuted), end(0)],
            Outcome::NotExecuted,
        ),
        (&[row(State::Unavailable), end(0)], Outcome::NotExecuted),
        (
            &[row(State::Unavailable), peer.clone(), end(0)],
            Outcome::NotExecuted,
        ),
        (&[peer, end(0)], Outcome::Verified),
        (&[end(0)], Outcome::NotExecuted),
        (&[good.clone(), end(4)], Outcome::Missing),
        (&[good.clone(), end(2)], Outcome::Failed),
        (&[good.clone(), end(5)], Outcome::Inconclusive),
        (&[good.clone(), end(130)], Outcome::Unfinished),
        (&[good.clone(), end(0), good.clone()], Outcome::Unfinished),
        (&[], Outcome::Unfinished),
    ];
    for (records, want) in cases {
        assert_eq!(outcome(records), want, "{records:?}");
    }
}

/// A run that owes no path passes, if it did something; no other run passes without a path.
#[test]
fn what_owes_no_path_is_not_called_not_executed() {
    let run = |verb: &str| {
        Record::Run(Run {
            verb: verb.to_owned(),
            args: Vec::new(),
            seed: Some(7),
            started: "2026-12-01T04:00:00Z".to_owned(),
        })
    };
    let figure = |quantity: &str, n: f64| Record::Figure(Figure::new(quantity, Ok(n), quantity));
    let row = |state| {
        let mut row = sample(VERIFIED).paths().next().unwrap().clone();
        (row.state, row.cases) = (state, 0);
        Record::Path(row)
    };
    let end = |exit| {
        let verdict = String::new();
        Record::End(End {
            exit,
            seconds: 1.5,
            verdict,
        })
    };
    let report = |records: &[Record]| Report {
        source: String::new(),
        records: records.to_vec(),
        truncated: false,
    };
    let outcome = |records: &[Record]| report(records).outcome();
    let (mutate, fuzz, verify) = (run("mutate"), run("fuzz"), run("verify"));
    let (mutants, inputs) = (figure("mutants", 602.0), figure("inputs", 5e6));
    let finding = Record::Finding(sample(KILLED).findings().next().unwrap().clone());
    let calibration = Record::Calibration(sample(COMPARED).calibrations().next().unwrap().clone());
    let passed: [&[Record]; 4] = [
        &[mutate.clone(), mutants.clone(), end(0)],
        &[
            mutate.clone(),
            mutants.clone(),
            row(State::Unavailable),
            end(0),
        ],
        &[fuzz.clone(), inputs.clone(), end(0)],
        &[run("calibrate"), calibration.clone(), end(0)],
    ];
    for records in passed {
        assert_eq!(outcome(records), Outcome::Passed, "{records:?}");
    }
    let others: [(&[Record], Outcome); 14] = [
        // Nothing done, or the work of another verb.
        (&[mutate.clone(), end(0)], Outcome::NotExecuted),
        (
            &[mutate.clone(), figure("mutants", 0.0), end(0)],
            Outcome::NotExecuted,
        ),
        (
            &[mutate.clone(), inputs.clone(), end(0)],
            Outcome::NotExecuted,
        ),
        (&[fuzz.clone(), end(0)], Outcome::NotExecuted),
        // The fuzzer of an operation owes its paths.
        (
            &[
                fuzz.clone(),
                inputs.clone(),
                row(State::Unavailable),
                end(0),
            ],
            Outcome::NotExecuted,
        ),
        (
            &[
                mutate.clone(),
                mutants.clone(),
                row(State::NotExecuted),
                end(0),
            ],
            Outcome::NotExecuted,
        ),
        // Verbs that owe paths, whatever else they have.
        (
            &[
                verify.clone(),
                mutants.clone(),
                inputs.clone(),
                calibration,
                end(0),
            ],
            Outcome::NotExecuted,
        ),
        (
            &[mutate.clone(), verify.clone(), mutants.clone(), end(0)],
            Outcome::NotExecuted,
        ),
        (&[verify, end(0)], Outcome::NotExecuted),
        (&[mutants.clone(), end(0)], Outcome::NotExecuted),
        // What is wrong stays wrong.
        (
            &[mutate.clone(), mutants.clone(), finding, end(0)],
            Outcome::Failed,
        ),
        (&[mutate.clone(), mutants.clone(), end(1)], Outcome::Failed),
        (
            &[mutate.clone(), mutants.clone(), end(4)],
            Outcome::NotExecuted,
        ),
        (&[mutate.clone(), mutants.clone()], Outcome::Unfinished),
    ];
    for (records, want) in others {
        assert_eq!(outcome(records), want, "{records:?}");
    }
    let summary = |records: &[Record]| report(records).summary();
    let row = row(State::Unavailable);
    assert_eq!(
        summary(&[mutate.clone(), mutants.clone(), end(0)]),
        "passed: 1.5 s; seed 7"
    );
    assert_eq!(
        summary(&[mutate, mutants, row, end(0)]),
        "passed: 1 unavailable; 1.5 s; seed 7"
    );
}

#[test]
fn a_gate_passes_only_if_it_says_so_and_no_row_says_otherwise() {
    let gate = Record::Run(sample(GATED).runs().next().unwrap().clone());
    let row = |verdict, exit| {
        let good = sample(GATED);
        let row = good.gated().find(|row| row.verdict == verdict);
        let mut row = row.unwrap().clone();
        row.exit = exit;
        Record::Gated(row)
    };
    let (passes, fails) = (row(Gate::Passes, 0), row(Gate::Fails, 3));
    let unclear = |exit| row(Gate::Inconclusive, exit);
    let path = |state| {
        let mut row = sample(VERIFIED).paths().next().unwrap().clone();
        row.state = state;
        Record::Path(row)
    };
    let verify = Record::Run(sample(VERIFIED).runs().next().unwrap().clone());
    let outcome = |run: &Record, rows: &[Record], exit| {
        let (seconds, verdict) = (1.5, String::new());
        let end = Record::End(End {
            exit,
            seconds,
            verdict,
        });
        let rows = rows.iter().cloned();
        Report {
            source: String::new(),
            records: [run.clone()].into_iter().chain(rows).chain([end]).collect(),
            truncated: false,
        }
        .outcome()
    };
    let alone = std::slice::from_ref(&passes);
    let cases: [(&[Record], u8, Outcome); 13] = [
        (alone, 0, Outcome::Passed),
        (&[passes.clone(), unclear(0)], 0, Outcome::Passed),
        // Its end is not believed.
        (&[passes.clone(), fails.clone()], 0, Outcome::Failed),
        (&[passes.clone(), fails.clone()], 4, Outcome::Failed),
        (&[passes.clone(), fails], 5, Outcome::Failed),
        (&[passes.clone(), unclear(5)], 0, Outcome::Inconclusive),
        (&[passes.clone(), unclear(5)], 5, Outcome::Inconclusive),
        // Nothing that was told is no pass.
        (&[unclear(0), unclear(0)], 0, Outcome::Inconclusive),
        (&[], 0, Outcome::NotExecuted),
        (alone, 4, Outcome::NotExecuted),
        (alone, 3, Outcome::Failed),
        (
            &[passes.clone(), path(State::NotExecuted)],
            0,
            Outcome::NotExecuted,
        ),
        (alone, 130, Outcome::Unfinished),
    ];
    for (rows, exit, want) in cases {
        assert_eq!(outcome(&gate, rows, exit), want, "{rows:?}, exit {exit}");
    }
    // Of another verb the rows of a gate are no work.
    assert_eq!(outcome(&verify, alone, 0), Outcome::NotExecuted);
    assert_eq!(
        sample(GATED).summary(),
        "failed: 16 rows of the gate: 4 fails, 2 inconclusive, 10 passes; 512.4 s; seed 20261201"
    );
}

#[test]
fn the_summary_counts_comparisons() {
    assert_eq!(
        sample(COMPARED).summary(),
        "failed: 18 paths verified, 1 unavailable; 42 comparisons: 1 slower, 6 faster, 13 same, 16 identical code, 3 inconclusive, 1 void, 2 no base; 76 calibrations; 288 cases in 1834.2 s; seed 20261201; seed 20261202"
    );
    // A comparison that came out slower has failed, whatever the exit code says.
    let mut report = sample(COMPARED);
    let exit = |report: &mut Report, code| {
        if let Some(Record::End(end)) = report.records.last_mut() {
            end.exit = code;
        }
    };
    exit(&mut report, 0);
    assert_eq!(report.outcome(), Outcome::Failed);
    report.records.retain(
        |record| !matches!(record, Record::Comparison(of) if of.verdict == Compared::Slower),
    );
    assert_eq!(report.outcome(), Outcome::Verified);
    exit(&mut report, 5);
    assert_eq!(report.outcome(), Outcome::Inconclusive);
}

#[test]
fn the_summary_is_one_line_of_counts() {
    assert_eq!(
        sample(VERIFIED).summary(),
        "verified: 16 paths verified, 4 unavailable; 2,097,320 cases in 4.2 s; seed 20261124"
    );
    assert_eq!(
        sample(KILLED).summary(),
        "did not finish: 6 paths verified, 1 failed, 2 unavailable, 1 NOT EXECUTED; 2 findings; 778,373 cases; seed 7"
    );
}

proptest! {
    #[test]
    fn what_is_written_is_read(machine in any_machine(), records in vec(any_record(), 0..8)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("records.jsonl");
        let mut writer = Writer::create(&path).unwrap();
        let want: Vec<Record> = [machine].into_iter().chain(records).collect();
        for record in &want {
            writer.write(record).unwrap();
        }
        let report = read(&path).unwrap();
        prop_assert_eq!(report.records, want);
        prop_assert!(!report.truncated);
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in vec(any::<u8>(), 0..400)) {
        let _ = read_from(&bytes[..], "x");
        let behind = [MACHINE.as_bytes(), b"\n", &bytes].concat();
        let _ = read_from(&behind[..], "x");
    }

    #[test]
    fn no_damage_to_a_good_file_makes_the_reader_panic(
        damage in vec((any::<proptest::sample::Index>(), any::<u8>(), 0..3u8), 1..6),
    ) {
        let mut bytes = KILLED.as_bytes().to_vec();
        for (at, byte, how) in damage {
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => drop(bytes.remove(at)),
            }
        }
        if let Err(error) = read_from(&bytes[..], "x") {
            prop_assert_eq!(error.to_string().lines().count(), 1);
        }
    }
}

#[test]
fn the_last_row_of_a_path_is_the_one_that_holds() {
    let row = |isa: &str, state: &str, cases: u32| {
        format!(
            r#"{{"record":"path","operation":"o","isa":"{isa}","delivery":"fills","state":"{state}","cases":{cases},"peer":false}}"#
        )
    };
    let promised = [row("a", "not_executed", 0), row("b", "not_executed", 0)].join("\n");
    let report = read_text(&format!(
        "{MACHINE}\n{promised}\n{}\n",
        row("a", "verified", 7)
    ))
    .unwrap();
    let rows: Vec<_> = report
        .paths()
        .map(|row| (row.isa.as_str(), row.state, row.cases))
        .collect();
    assert_eq!(
        rows,
        [("a", State::Verified, 7), ("b", State::NotExecuted, 0)]
    );
}
