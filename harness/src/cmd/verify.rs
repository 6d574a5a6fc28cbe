//! `verify` and `run`: every path against the reference.

use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use pathproof_reports::{Figure, Record};

use super::session::{Session, complain, default_out, program};
use super::{Common, VerifyArgs, count, time};
use crate::ledger::{Ledger, Owed, exit, totals};
use crate::machine;
use crate::plan::Check;
use crate::receipt::Taken;
use crate::select::{any, known, matches_nothing, missing, promised, select};
use crate::verdict::Verdict::{Agrees, Differs};
use crate::verify::{Event, Job};
use crate::worker::protocol::Catalog;
use crate::worker::{Host, Launch};

/// Verifies, and shows the ledger.
pub(super) fn verify(common: &Common, launch: &Launch, args: &VerifyArgs) -> Result<u8, String> {
    let prepared = Prepared::new(launch, args)?;
    if let Some(nothing) = prepared.nothing(args) {
        complain(nothing);
        return Ok(exit::NOTHING);
    }
    let mut session = Session::begin(common, "verify", Some(prepared.job.settings.seed), None)?;
    let verdict = prepared.go(common, &mut session);
    session.conclude(verdict)
}

/// The main job: the machine, the verification, the page.
pub(super) fn run(
    common: &Common,
    launch: &Launch,
    args: &VerifyArgs,
    out: Option<&Path>,
) -> Result<u8, String> {
    let out = out.map_or_else(default_out, Path::to_path_buf);
    std::fs::create_dir_all(&out).map_err(|e| {
        format!(
            "cannot make the folder {}: {e}; name another with --out DIR",
            out.display()
        )
    })?;
    let lock = out.join("lock");
    let lock = std::fs::File::create(&lock)
        .map_err(|e| format!("cannot write {}: {e}", lock.display()))?;
    if lock.try_lock().is_err() {
        return Err(format!(
            "another run is writing to {}; name another folder with --out DIR",
            out.display()
        ));
    }
    let mut prepared = Prepared::new(launch, args)?;
    if let Some(nothing) = prepared.nothing(args) {
        complain(nothing);
        return Ok(exit::NOTHING);
    }
    prepared.job.findings = out.join("findings");
    let (records, page) = (out.join("records.jsonl"), out.join("index.html"));
    let mut session = Session::begin(
        common,
        "run",
        Some(prepared.job.settings.seed),
        Some(&records),
    )?;
    // Whatever happens from here on, no page of an older run stands for this one.
    write_page(&page, &session)?;
    for figure in machine::doctor(&mut Host::new(launch, &prepared.job.settings)?) {
        session.put(Record::Figure(figure))?;
    }
    let verdict = prepared
        .go(common, &mut session)
        .and_then(|(code, sentence)| {
            // Nothing is timed beside a path that is wrong.
            if code == exit::FINDING {
                return Ok((code, sentence));
            }
            let Prepared { job, catalog, .. } = &prepared;
            if let n @ 1.. = count::short(common, job, catalog, &mut session)? {
                let sentence = format!("{n} call(s) to be counted died or disagreed");
                return Ok((exit::FINDING, sentence));
            }
            match time::short(
                common,
                launch,
                catalog,
                &job.selected,
                job.settings.seed,
                &mut session,
            )? {
                0 => Ok((code, sentence)),
                n => Ok((
                    exit::FINDING,
                    format!("{n} path(s) or peer(s) did not agree on the input to be timed"),
                )),
            }
        });
    let code = session.conclude(verdict);
    write_page(&page, &session)?;
    common.note(format_args!(
        "records: {}\npage:    {}",
        records.display(),
        address(&page)
    ));
    code
}

fn write_page(page: &Path, session: &Session<'_>) -> Result<(), String> {
    let html = pathproof_reports::page(std::slice::from_ref(session.report()));
    std::fs::write(page, html).map_err(|e| format!("cannot write {}: {e}", page.display()))
}

/// A file's address, for a terminal that opens what is clicked.
pub(super) fn address(path: &Path) -> String {
    let absolute = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    format!("file://{}", absolute.display())
}

/// A verification that is ready to go.
struct Prepared {
    job: Job,
    catalog: Catalog,
    owed: Owed,
}

impl Prepared {
    fn new(launch: &Launch, args: &VerifyArgs) -> Result<Self, String> {
        let settings = args.settings()?;
        let catalog = Host::new(launch, &settings)?.catalog()?;
        for name in &args.require {
            known(&catalog, name).map_err(|why| format!("--require {why}"))?;
        }
        let promised = args.promised.as_deref().map(promised).transpose()?;
        let promised = promised.unwrap_or_default();
        let owed = Owed {
            require: args.require.clone(),
            receipts: args.require_receipts,
            missing: missing(&catalog, &promised)
                .into_iter()
                .map(str::to_owned)
                .collect(),
        };
        let job = Job {
            launch: launch.clone(),
            selected: select(&catalog, args.filter.as_deref())?,
            jobs: args.jobs()?,
            findings: default_out().join("findings"),
            program: program(),
            settings,
        };
        Ok(Self { job, catalog, owed })
    }

    fn nothing(&self, args: &VerifyArgs) -> Option<String> {
        (!any(&self.job.selected)).then(|| matches_nothing(&self.catalog, args.filter.as_deref()))
    }

    fn go(&self, common: &Common, session: &mut Session<'_>) -> Result<(u8, String), String> {
        common.note(format_args!("seed {}", self.job.settings.seed));
        if let Agrees | Differs(_) = Host::new(&self.job.launch, &self.job.settings)?.probe()? {
            return Err(
                "a planted read beyond a guard page was not stopped: this system can prove nothing"
                    .into(),
            );
        }
        let mut ledger = Ledger::new(&self.catalog, &self.job.selected);
        for record in ledger.promised() {
            session.put(record)?;
        }
        for record in self.rows_left_out() {
            session.put(record)?;
        }
        let bar = self.bar(common);
        let verified = crate::verify::verify(&self.job, &self.catalog, &mut |event| {
            match &event {
                Event::Ran { cases } => bar.inc(*cases),
                Event::Checked {
                    operation, check, ..
                } => {
                    bar.set_message(format!(
                        "{}: {}",
                        self.catalog.operations[*operation].name,
                        check.name()
                    ));
                }
                _ => {}
            }
            ledger
                .enter(event)
                .into_iter()
                .try_for_each(|record| session.put(record))
        });
        bar.finish_and_clear();
        let sums = verified?;
        for record in totals(&sums) {
            session.put(record)?;
        }
        // Nothing is stepped that has just crashed or disagreed.
        let failed = |o, s| ledger.failed(o, s);
        let taken = take_receipts(common, &self.job, &self.catalog, &failed)?;
        for taken in taken {
            ledger
                .evidence(taken)
                .into_iter()
                .try_for_each(|record| session.put(record))?;
        }
        Ok(ledger.verdict(&self.owed))
    }

    /// The user's rows, where an operation does not take as many bytes.
    fn rows_left_out(&self) -> Vec<Record> {
        let Some((_, row)) = self.job.settings.data else {
            return Vec::new();
        };
        let selected = self.catalog.operations.iter().zip(&self.job.selected);
        let refuses = selected.filter(|(of, selected)| selected.contains(&true) && !of.takes(row));
        let left_out = refuses.map(|(of, _)| {
            let most = of.longest.unwrap_or_default();
            let why = format!("rows of {row} bytes, and it takes at most {most}");
            let figure = Figure::new("cases", Err(why), "cases").of(&of.name, "", "");
            Record::Figure(figure.split(Check::Data.name()))
        });
        left_out.collect()
    }

    fn bar(&self, common: &Common) -> ProgressBar {
        let entries = self.catalog.operations.iter().zip(&self.job.selected);
        let cases = entries
            .filter(|(_, selected)| selected.contains(&true))
            .flat_map(|(entry, _)| &entry.checks);
        // Drawn on a terminal only; elsewhere indicatif draws nothing.
        let target = if common.quiet {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr()
        };
        let bar = ProgressBar::with_draw_target(Some(cases.map(|(_, count)| count).sum()), target);
        let style = ProgressStyle::with_template(
            "verifying {wide_bar} {human_pos} of {human_len} cases, {eta} left; done: {msg}",
        );
        bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
    }
}

/// Takes receipts, with a spinner that counts them on a terminal.
pub(super) fn take_receipts(
    common: &Common,
    job: &Job,
    catalog: &Catalog,
    skip: &dyn Fn(usize, usize) -> bool,
) -> Result<Vec<Taken>, String> {
    let target = if common.quiet {
        ProgressDrawTarget::hidden()
    } else {
        ProgressDrawTarget::stderr()
    };
    let bar = ProgressBar::with_draw_target(None, target);
    bar.set_style(
        ProgressStyle::with_template("stepping {spinner} {pos} calls in {elapsed}")
            .unwrap_or_else(|_| ProgressStyle::default_spinner()),
    );
    let taken = crate::receipt::take(job, catalog, skip, &mut || bar.inc(1));
    bar.finish_and_clear();
    taken
}

/// Where `report` writes its page if nobody says.
pub(super) fn page_beside(records: &Path) -> PathBuf {
    records.with_file_name("index.html")
}
