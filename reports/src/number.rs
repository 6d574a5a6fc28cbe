//! Numbers as people read them.

/// The number in groups of three digits, as every view writes it: `12,345,678`.
#[must_use]
pub fn grouped(number: u64, separator: char) -> String {
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

/// A ratio or a throughput: three significant digits, as far as they are not before the point.
#[cfg(feature = "charts")]
pub(crate) fn significant(value: f64) -> String {
    let size = value.abs();
    // Rounded first: 9.996 is 10.0, not 10.00.
    let decimals = match size {
        _ if !(0.001..1e6).contains(&size) => return measured(value, '\u{202f}'),
        _ if size >= 99.95 => 0,
        _ if size >= 9.995 => 1,
        _ if size >= 0.9995 => 2,
        _ => 3,
    };
    format!("{value:.decimals$}")
}

/// A number of bytes: in KiB or MiB where that is exact in one decimal.
#[cfg(feature = "charts")]
pub(crate) fn size(bytes: u64) -> String {
    for (unit, name) in [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")] {
        let half = bytes % unit == unit / 2 && bytes > unit;
        if bytes >= unit && (bytes.is_multiple_of(unit) || half) {
            let rest = if half { ".5" } else { "" };
            return format!("{}{rest} {name}", grouped(bytes / unit, '\u{202f}'));
        }
    }
    format!("{} B", grouped(bytes, '\u{202f}'))
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
    fn three_significant_digits() {
        let shown = [
            51.84,
            9.996,
            1.0,
            0.9996,
            0.8519,
            131.6,
            12_345.6,
            2e-5,
            f64::INFINITY,
        ]
        .map(significant);
        let want = [
            "51.8", "10.0", "1.00", "1.00", "0.852", "132", "12346", "2e-5", "inf",
        ];
        assert_eq!(shown, want);
    }

    #[test]
    #[cfg(feature = "charts")]
    fn sizes_are_exact() {
        let shown = [
            0,
            64,
            384,
            1000,
            1024,
            1536,
            1537,
            65_536,
            1 << 20,
            3 << 19,
            64 << 20,
        ];
        let want = [
            "0 B",
            "64 B",
            "384 B",
            "1\u{202f}000 B",
            "1 KiB",
            "1.5 KiB",
            "1\u{202f}537 B",
            "64 KiB",
            "1 MiB",
            "1.5 MiB",
            "64 MiB",
        ];
        assert_eq!(shown.map(size), want);
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
