//! The policy: one file that says what a change must keep. Every mistake in it is told with its line.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

use crate::cmd::parse_shard;
use crate::count::{Tolerances, bounded};
use crate::select::{any, known, matches_nothing, nearest, promised, select};
use crate::worker::protocol::Catalog;

/// What is asked for: each section is a check, and a check without a section is not made.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Policy {
    pub(crate) verification: Option<Verification>,
    pub(crate) counts: Option<Counts>,
    pub(crate) times: Option<Times>,
    pub(crate) mutation: Option<Mutation>,
}

/// Every path against the reference, with receipts.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Verification {
    /// Which paths; all by default.
    pub(crate) filter: Option<Spanned<String>>,
    /// ISAs, or paths by their whole name, that must have been verified on this machine.
    #[serde(default)]
    pub(crate) require: Vec<Spanned<String>>,
    /// A file of paths that the program must have, one a line, whether or not this machine can run them.
    pub(crate) promised: Option<Spanned<PathBuf>>,
    /// What stands in it.
    #[serde(skip)]
    pub(crate) promised_paths: Vec<String>,
    /// Whether a path without a receipt is a failure, also where none can be had.
    #[serde(default)]
    pub(crate) receipts: bool,
    #[serde(default)]
    pub(crate) exhaustive: bool,
    /// Random cases per operation.
    pub(crate) cases: Option<Spanned<u64>>,
}

/// Exact instructions.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Counts {
    pub(crate) filter: Option<Spanned<String>>,
    /// Records that `count` wrote. Without it, both sides of the comparison of times are counted.
    pub(crate) base: Option<Spanned<PathBuf>>,
    /// Plain bytes a call, with `base`.
    #[serde(default)]
    pub(crate) sizes: Vec<Spanned<usize>>,
    /// Percent by which a count may grow; none by default.
    pub(crate) tolerance: Option<Spanned<f64>>,
    /// The same of single operations.
    #[serde(default)]
    pub(crate) tolerances: BTreeMap<Spanned<String>, f64>,
}

impl Counts {
    pub(crate) fn tolerances(&self) -> Tolerances {
        let of = self.tolerances.iter();
        Tolerances {
            usual: self.tolerance.as_ref().map_or(0.0, |of| *of.get_ref()),
            of: of.map(|(name, of)| (name.get_ref().clone(), *of)).collect(),
        }
    }
}

/// Times against a base revision.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Times {
    pub(crate) filter: Option<Spanned<String>>,
    /// The revision, where the command line names none.
    pub(crate) base: Option<String>,
    /// How much is still the same, in percent.
    pub(crate) margin: Option<Spanned<f64>>,
    /// Plain bytes a call.
    #[serde(default)]
    pub(crate) sizes: Vec<Spanned<usize>>,
    /// Seconds a row, and seconds after which no row is begun.
    pub(crate) budget: Option<Spanned<f64>>,
    pub(crate) within: Option<Spanned<f64>>,
    /// The command that builds the base, where it is not cargo's usual one.
    pub(crate) build: Option<String>,
    #[serde(default)]
    pub(crate) allow_no_base: bool,
    /// Whether a row without a verdict is a failure.
    #[serde(default)]
    pub(crate) fail_inconclusive: bool,
}

/// Changes of the machine code that the verification must notice.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Mutation {
    pub(crate) filter: Option<Spanned<String>>,
    /// Percent of a path's mutants that must be noticed.
    pub(crate) score: Option<Spanned<f64>>,
    /// Whether each that is not noticed must be on the client's list of accepted ones.
    #[serde(default)]
    pub(crate) accepted_only: bool,
    /// Only share I of N of them, as in 1/4.
    pub(crate) shard: Option<Spanned<String>>,
}

/// Whether this machine has been shown to see a margin, as a share.
pub(crate) type Supported<'a> = &'a dyn Fn(f64) -> Result<(), String>;

/// The margin where a policy says none, in percent: that of `compare`.
pub(crate) const MARGIN: f64 = 1.0;

/// Reads a policy, and holds it against what the program has and the machine can see.
///
/// # Errors
/// The file and the line, and what was expected there.
pub(crate) fn read(
    file: &Path,
    catalog: &Catalog,
    supported: Supported<'_>,
) -> Result<Policy, String> {
    let text = std::fs::read_to_string(file).map_err(|e| {
        format!(
            "cannot read the policy {}: {e}; --policy FILE names another",
            file.display()
        )
    })?;
    let told = |(span, why): Wrong| match span {
        Some(span) => format!("{}:{}: {why}", file.display(), line(&text, &span)),
        None => format!("{}: {why}", file.display()),
    };
    let mut policy = parse(&text, catalog, supported).map_err(told)?;
    // Files that a policy names lie beside it.
    let beside = |path: &Path| file.parent().unwrap_or(Path::new("")).join(path);
    if let Some(of) = &mut policy.verification
        && let Some(list) = &of.promised
    {
        of.promised_paths = promised(&beside(list.get_ref()))
            .map_err(at(list))
            .map_err(told)?;
    }
    if let Some(base) = policy.counts.as_ref().and_then(|of| of.base.as_ref()) {
        let records = pathproof_reports::read(&beside(base.get_ref()));
        records.map_err(|e| told(at(base)(e.to_string())))?;
    }
    Ok(policy)
}

/// The number of the line in which a span begins.
fn line(text: &str, span: &Range<usize>) -> usize {
    let before = text.bytes().take(span.start);
    1 + before.filter(|byte| *byte == b'\n').count()
}

type Wrong = (Option<Range<usize>>, String);

fn parse(text: &str, catalog: &Catalog, supported: Supported<'_>) -> Result<Policy, Wrong> {
    let policy: Policy = toml::from_str(text).map_err(|e| {
        let message = e.message().lines().collect::<Vec<_>>().join(" ");
        (e.span(), message)
    })?;
    policy.check(catalog, supported)?;
    Ok(policy)
}

impl Policy {
    fn check(&self, catalog: &Catalog, supported: Supported<'_>) -> Result<(), Wrong> {
        let Self {
            verification,
            counts,
            times,
            mutation,
        } = self;
        if verification.is_none() && counts.is_none() && times.is_none() && mutation.is_none() {
            let sections = "[verification], [counts], [times], [mutation]";
            return Err((
                None,
                format!("it asks for nothing: at least one of {sections} was expected"),
            ));
        }
        let filters = [
            verification.as_ref().and_then(|of| of.filter.as_ref()),
            counts.as_ref().and_then(|of| of.filter.as_ref()),
            times.as_ref().and_then(|of| of.filter.as_ref()),
            mutation.as_ref().and_then(|of| of.filter.as_ref()),
        ];
        for filter in filters.into_iter().flatten() {
            let glob = Some(filter.get_ref().as_str());
            if !any(&select(catalog, glob).map_err(at(filter))?) {
                return Err(at(filter)(matches_nothing(catalog, glob)));
            }
        }
        for name in verification.iter().flat_map(|of| &of.require) {
            known(catalog, name.get_ref()).map_err(at(name))?;
        }
        if let Some(counts) = counts {
            counts.check(catalog, times.is_some())?;
        }
        if let Some(of) = verification {
            ranged(of.cases.as_ref(), 0..=10_000_000, ("cases", "random cases"))?;
        }
        if let Some(times) = times {
            times.check(supported)?;
        }
        if let Some(mutation) = mutation {
            mutation.check()?;
        }
        Ok(())
    }
}

/// A number of a policy, where there is one. The verbs take no others; told here, it is told with its line and before anything runs.
fn ranged<T: Copy + PartialOrd + std::fmt::Display>(
    value: Option<&Spanned<T>>,
    range: std::ops::RangeInclusive<T>,
    (key, unit): (&str, &str),
) -> Result<(), Wrong> {
    match value.filter(|value| !range.contains(value.get_ref())) {
        None => Ok(()),
        Some(value) => Err(at(value)(format!(
            "{key} = {}: from {} to {} {unit} was expected",
            value.get_ref(),
            range.start(),
            range.end()
        ))),
    }
}

/// An error at a value's place.
fn at<T>(value: &Spanned<T>) -> impl Fn(String) -> Wrong {
    let span = value.span();
    move |why| (Some(span.clone()), why)
}

impl Times {
    fn check(&self, supported: Supported<'_>) -> Result<(), Wrong> {
        ranged(self.margin.as_ref(), 0.05..=50.0, ("margin", "percent"))?;
        ranged(self.budget.as_ref(), 0.1..=3600.0, ("budget", "seconds"))?;
        ranged(self.within.as_ref(), 0.0..=1e6, ("within", "seconds"))?;
        for size in &self.sizes {
            ranged(Some(size), 1..=64 << 20, ("sizes", "bytes"))?;
        }
        match &self.margin {
            Some(margin) => supported(margin.get_ref() / 100.0).map_err(at(margin)),
            None => supported(MARGIN / 100.0).map_err(|why| {
                (
                    None,
                    format!("[times] margin = {MARGIN}, its default: {why}"),
                )
            }),
        }
    }
}

impl Counts {
    fn check(&self, catalog: &Catalog, times: bool) -> Result<(), Wrong> {
        let both_sides =
            "without a base of records, what is counted are the rows of [times], which has their";
        if self.base.is_none() && !times {
            return Err((None, "[counts] needs a base, records that `count` wrote; or a section [times], whose comparison counts both sides".into()));
        }
        if let (None, Some(filter)) = (&self.base, &self.filter) {
            return Err(at(filter)(format!("{both_sides} filter")));
        }
        if let (None, Some(size)) = (&self.base, self.sizes.first()) {
            return Err(at(size)(format!("{both_sides} sizes")));
        }
        for size in &self.sizes {
            bounded(*size.get_ref()).map_err(at(size))?;
        }
        ranged(
            self.tolerance.as_ref(),
            0.0..=f64::MAX,
            ("tolerance", "percent"),
        )?;
        for (name, tolerance) in &self.tolerances {
            let known = || catalog.operations.iter().map(|of| of.name.clone());
            if !known().any(|of| of == *name.get_ref()) {
                let near = nearest(name.get_ref(), known());
                return Err(at(name)(format!(
                    "{}: no operation of this program; the nearest are {near}",
                    name.get_ref()
                )));
            }
            if !Tolerances::allows(*tolerance) {
                return Err(at(name)(format!(
                    "a tolerance of {tolerance}: a percentage from 0 on was expected"
                )));
            }
        }
        Ok(())
    }
}

impl Mutation {
    fn check(&self) -> Result<(), Wrong> {
        match &self.score {
            None if !self.accepted_only => Err((None, "[mutation] asks for nothing: a score, in percent, or accepted-only = true was expected".into())),
            Some(score) if !(0.0..=100.0).contains(score.get_ref()) => Err(at(score)(format!(
                "a score of {}: from 0 to 100 percent was expected",
                score.get_ref()
            ))),
            _ => Ok(()),
        }?;
        let shard = self.shard.as_ref();
        shard.map_or(Ok(()), |shard| {
            let parsed = parse_shard(shard.get_ref()).map_err(|why| format!("shard = {why}"));
            parsed.map(|_| ()).map_err(at(shard))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_margin_that_this_machine_does_not_see_is_told_with_its_line() {
        let catalog = Catalog {
            operations: Vec::new(),
        };
        let asked = std::cell::Cell::new(0.0);
        let refuses = |margin: f64| {
            asked.set(margin);
            Err("no margin below 2 % has been shown to be seen".to_string())
        };
        let text = "[times]\nbase = \"main\"\n\nmargin = 1.0\n";
        let (span, why) = parse(text, &catalog, &refuses).expect_err("a margin too narrow");
        assert_eq!(span.map(|span| line(text, &span)), Some(4));
        assert!(why.contains("no margin below 2 %"), "{why}");
        assert_eq!(asked.get(), 0.01);
        assert!(parse(text, &catalog, &|_| Ok(())).is_ok());
    }

    const WHOLE: &str = "[verification]\nrequire = []\nreceipts = true\n[counts]\ntolerance = 0.5\n[counts.tolerances]\n[times]\nmargin = 1\nsizes = [64]\n[mutation]\nscore = 90\n";

    proptest::proptest! {
        /// Whatever somebody writes, it is taken or told, at a line that the text has.
        #[test]
        fn no_text_ends_the_program(at in 0..WHOLE.len(), put in ".{0,8}", drop in 0..20usize) {
            let catalog = Catalog { operations: Vec::new() };
            let text = format!("{}{put}{}", &WHOLE[..at], &WHOLE[(at + drop).min(WHOLE.len())..]);
            for text in [text, put] {
                if let Err((Some(span), why)) = parse(&text, &catalog, &|_| Ok(())) {
                    let lines = text.bytes().filter(|byte| *byte == b'\n').count() + 1;
                    proptest::prop_assert!((1..=lines).contains(&line(&text, &span)) && !why.is_empty());
                }
            }
        }
    }
}
