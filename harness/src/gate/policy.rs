//! The policy: one file that says what a change must keep. Every mistake in it is told with its line.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

use crate::count::Tolerances;
use crate::select::{any, known, matches_nothing, nearest, select};
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
    /// Whether a path without a receipt is a failure, also where none can be had.
    #[serde(default)]
    pub(crate) receipts: bool,
    #[serde(default)]
    pub(crate) exhaustive: bool,
    /// Random cases per operation.
    pub(crate) cases: Option<u64>,
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
    pub(crate) sizes: Vec<usize>,
    /// Percent by which a count may grow.
    #[serde(default)]
    pub(crate) tolerance: f64,
    /// The same of single operations.
    #[serde(default)]
    pub(crate) tolerances: BTreeMap<Spanned<String>, f64>,
}

impl Counts {
    pub(crate) fn tolerances(&self) -> Tolerances {
        let of = self.tolerances.iter();
        Tolerances {
            usual: self.tolerance,
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
    pub(crate) sizes: Vec<usize>,
    /// Seconds a row, and seconds after which no row is begun.
    pub(crate) budget: Option<f64>,
    pub(crate) within: Option<f64>,
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
    pub(crate) shard: Option<String>,
}

/// Whether this machine has been shown to see a margin, as a share.
pub(crate) type Supported<'a> = &'a dyn Fn(f64) -> Result<(), String>;

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
    parse(&text, catalog, supported).map_err(|(span, why)| match span {
        Some(span) => format!("{}:{}: {why}", file.display(), line(&text, &span)),
        None => format!("{}: {why}", file.display()),
    })
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
        if let Some(margin) = times.as_ref().and_then(|times| times.margin.as_ref()) {
            if !(0.05..=50.0).contains(margin.get_ref()) {
                let why = format!(
                    "a margin of {}: from 0.05 to 50 percent was expected",
                    margin.get_ref()
                );
                return Err(at(margin)(why));
            }
            supported(margin.get_ref() / 100.0).map_err(at(margin))?;
        }
        if let Some(mutation) = mutation {
            mutation.check()?;
        }
        Ok(())
    }
}

/// An error at a value's place.
fn at<T>(value: &Spanned<T>) -> impl Fn(String) -> Wrong {
    let span = value.span();
    move |why| (Some(span.clone()), why)
}

impl Counts {
    fn check(&self, catalog: &Catalog, times: bool) -> Result<(), Wrong> {
        if self.base.is_none() && !times {
            return Err((None, "[counts] needs a base, records that `count` wrote; or a section [times], whose comparison counts both sides".into()));
        }
        if self.base.is_none() && !self.sizes.is_empty() {
            return Err((None, "[counts] sizes are of a base of records; without one, it is [times] that has the sizes".into()));
        }
        if !Tolerances::allows(self.tolerance) {
            return Err((
                None,
                format!(
                    "[counts] tolerance = {}: a percentage from 0 on was expected",
                    self.tolerance
                ),
            ));
        }
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
        }
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
}
