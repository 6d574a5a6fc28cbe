//! Numbers as people read them.

/// The number in groups of three digits.
pub(crate) fn grouped(number: u64, separator: char) -> String {
    group(&number.to_string(), separator)
}

/// A measured value: whole if it is whole, else with about four significant digits.
#[cfg(feature = "charts")]
pub(crate) fn measured(value: f64, separator: char) -> String {
    let size = value.abs();
    if !value.is_finite() || size >= 1e15 || (size > 0.0 && size < 0.001) {
        return format!("{value:e}");
    }
    let decimals = match size {
        _ if value.fract() == 0.0 => 0,
        _ if size >= 1000.0 => 0,
        _ if size >= 10.0 => 2,
        _ => 3,
    };
    let digits = format!("{size:.decimals$}");
    let (whole, rest) = digits.split_at(digits.find('.').unwrap_or(digits.len()));
    let sign = if value < 0.0 { "-" } else { "" };
    format!("{sign}{}{rest}", group(whole, separator))
}

fn group(digits: &str, separator: char) -> String {
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(separator);
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_three() {
        let shown = [0, 999, 1000, 12_345_678].map(|n| grouped(n, ','));
        assert_eq!(shown, ["0", "999", "1,000", "12,345,678"]);
    }

    #[test]
    #[cfg(feature = "charts")]
    fn measured_values() {
        let shown = [52_000.0, 1_234.56, 12.3456, -0.5, 0.0, 2e-5, 3e18, f64::NAN]
            .map(|v| measured(v, ','));
        assert_eq!(
            shown,
            [
                "52,000", "1,235", "12.35", "-0.500", "0", "2e-5", "3e18", "NaN"
            ]
        );
    }
}
