//! Every colour that is shown, in one place.
//!
//! A colour is a CSS variable with a value for light and one for dark surroundings. The charts are
//! drawn with the light values, which are all different, and [`themed`] turns them into the
//! variables.
//!
//! The nine colours of kinds were found by a search (simulated annealing) for the greatest least
//! distance in OKLab between any two of them, on both surfaces, for normal sight and for protanopia
//! and deuteranopia (Machado, Oliveira and Fernandes 2009), with the same hue in light and dark;
//! the tests below measure what came out. Nine are as many as stay apart; further kinds share a
//! grey.

use plotters::style::RGBColor;

/// Red, green, blue in sRGB.
type Rgb = (u8, u8, u8);

/// A colour in both schemes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ink {
    name: &'static str,
    light: Rgb,
    dark: Rgb,
}

impl Ink {
    const fn new(name: &'static str, light: u32, dark: u32) -> Self {
        Ink {
            name,
            light: rgb(light),
            dark: rgb(dark),
        }
    }

    /// For plotters: the light value, which [`themed`] recognises.
    pub(super) fn drawn(self) -> RGBColor {
        RGBColor(self.light.0, self.light.1, self.light.2)
    }

    /// For CSS.
    pub(super) fn var(self) -> String {
        format!("var(--{})", self.name)
    }
}

pub(super) const SURFACE: Ink = Ink::new("surface", 0xFC_FC_FB, 0x1B_1D_21);
pub(super) const RAISED: Ink = Ink::new("raised", 0xF1_F2_F4, 0x26_29_2F);
pub(super) const TEXT: Ink = Ink::new("text", 0x1C_1F_24, 0xE6_E8_EB);
pub(super) const MUTED: Ink = Ink::new("muted", 0x59_60_6B, 0xA4_AB_B6);
pub(super) const LINE: Ink = Ink::new("line", 0xD9_DC_E1, 0x3A_3F_47);
pub(super) const GOOD: Ink = Ink::new("good", 0x0B_6B_3A, 0x5F_CF_8D);
pub(super) const BAD: Ink = Ink::new("bad", 0xB4_23_18, 0xFF_8A_7A);
pub(super) const WARN: Ink = Ink::new("warn", 0x85_54_00, 0xE9_B4_4C);

/// Kinds of check by slot; a kind keeps its colour in every chart.
const KINDS: [(&str, Ink); 9] = [
    ("flush end", Ink::new("kind-1", 0x06_7F_82, 0x08_8E_7F)),
    ("flush start", Ink::new("kind-2", 0x8C_91_F9, 0x9E_B6_FB)),
    ("aligned", Ink::new("kind-3", 0xA8_AB_1A, 0xC6_C0_25)),
    ("rows", Ink::new("kind-4", 0x71_61_05, 0x75_65_2A)),
    ("shapes", Ink::new("kind-5", 0x6C_3B_78, 0xA7_75_D8)),
    ("random", Ink::new("kind-6", 0x5D_90_35, 0x83_A1_36)),
    ("mutated", Ink::new("kind-7", 0x48_6E_C9, 0x21_60_B6)),
    ("laws", Ink::new("kind-8", 0x1C_4D_2F, 0x59_C7_A3)),
    ("positions", Ink::new("kind-9", 0xD0_8F_B3, 0x78_4C_74)),
];

/// Every kind that has no colour of its own.
pub(super) const OTHER: Ink = Ink::new("kind-other", 0x8B_90_99, 0x8A_90_9A);

/// The place of a kind in a bar, a table and the legend: known kinds in a fixed order, the others
/// after them.
pub(super) fn rank(kind: &str) -> usize {
    KINDS
        .iter()
        .position(|(name, _)| *name == kind)
        .unwrap_or(KINDS.len())
}

/// The colour of a kind of check.
pub(super) fn kind(kind: &str) -> Ink {
    KINDS.get(rank(kind)).map_or(OTHER, |(_, ink)| *ink)
}

fn all() -> impl Iterator<Item = Ink> {
    let named = [SURFACE, RAISED, TEXT, MUTED, LINE, GOOD, BAD, WARN, OTHER];
    named
        .into_iter()
        .chain(KINDS.into_iter().map(|(_, ink)| ink))
}

/// The variables, light by default and dark where the reader prefers it.
pub(super) fn css() -> String {
    let list = |value: fn(Ink) -> Rgb| -> String {
        all()
            .map(|ink| format!("--{}:{};", ink.name, hex(value(ink))))
            .collect()
    };
    let (light, dark) = (list(|ink| ink.light), list(|ink| ink.dark));
    format!(
        ":root{{color-scheme:light dark;{light}}}\n@media (prefers-color-scheme:dark){{:root{{{dark}}}}}\n"
    )
}

/// An SVG drawn in light values, in variables. The light value stays as what a viewer without
/// variables shows.
pub(super) fn themed(svg: &str) -> String {
    all().fold(svg.to_owned(), |svg, ink| {
        let value = hex(ink.light);
        // In the text of an element a quotation mark is `&quot;`, so this matches attributes alone.
        svg.replace(
            &format!("\"{value}\""),
            &format!("\"var(--{}, {value})\"", ink.name),
        )
    })
}

const fn rgb(hex: u32) -> Rgb {
    let [_, r, g, b] = hex.to_be_bytes();
    (r, g, b)
}

fn hex((r, g, b): Rgb) -> String {
    format!("#{r:02X}{g:02X}{b:02X}")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    type Linear = [f64; 3];

    fn linear((r, g, b): Rgb) -> Linear {
        [r, g, b].map(|v| {
            let v = f64::from(v) / 255.0;
            if v <= 0.040_45 {
                v / 12.92
            } else {
                ((v + 0.055) / 1.055).powf(2.4)
            }
        })
    }

    fn times(m: [[f64; 3]; 3], v: Linear) -> Linear {
        m.map(|row| row[0] * v[0] + row[1] * v[1] + row[2] * v[2])
    }

    /// OKLab (Ottosson 2020), from linear sRGB.
    fn oklab(v: Linear) -> Linear {
        let lms = times(
            [
                [0.412_221_470_8, 0.536_332_536_3, 0.051_445_992_9],
                [0.211_903_498_2, 0.680_699_545_1, 0.107_396_956_6],
                [0.088_302_461_9, 0.281_718_837_6, 0.629_978_700_5],
            ],
            v,
        );
        times(
            [
                [0.210_454_255_3, 0.793_617_785_0, -0.004_072_046_8],
                [1.977_998_495_1, -2.428_592_205_0, 0.450_593_709_9],
                [0.025_904_037_1, 0.782_771_766_2, -0.808_675_766_0],
            ],
            lms.map(|v| v.max(0.0).cbrt()),
        )
    }

    /// Machado et al. 2009, severity 1.
    const SIGHTS: [[[f64; 3]; 3]; 3] = [
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
        [
            [0.152_286, 1.052_583, -0.204_868],
            [0.114_503, 0.786_281, 0.099_216],
            [-0.003_882, -0.048_116, 1.051_998],
        ],
        [
            [0.367_322, 0.860_646, -0.227_968],
            [0.280_085, 0.672_501, 0.047_413],
            [-0.011_820, 0.042_940, 0.968_881],
        ],
    ];

    fn distance(a: Rgb, b: Rgb, sight: [[f64; 3]; 3]) -> f64 {
        let [a, b] = [a, b].map(|v| oklab(times(sight, linear(v)).map(|v| v.clamp(0.0, 1.0))));
        a.iter()
            .zip(b)
            .map(|(a, b)| (a - b).powi(2))
            .sum::<f64>()
            .sqrt()
    }

    fn contrast(a: Rgb, b: Rgb) -> f64 {
        let [a, b] = [a, b]
            .map(linear)
            .map(|v| 0.2126 * v[0] + 0.7152 * v[1] + 0.0722 * v[2] + 0.05);
        a.max(b) / a.min(b)
    }

    fn schemes() -> [fn(Ink) -> Rgb; 2] {
        [|ink| ink.light, |ink| ink.dark]
    }

    /// The least distance between any two of these colours, over all kinds of sight.
    fn least_distance(colors: &[Rgb]) -> f64 {
        let mut least = f64::MAX;
        for (i, &a) in colors.iter().enumerate() {
            for &b in &colors[..i] {
                SIGHTS
                    .iter()
                    .for_each(|&sight| least = least.min(distance(a, b, sight)));
            }
        }
        least
    }

    #[test]
    fn kinds_stay_apart_for_every_sight_and_from_the_surface() {
        for scheme in schemes() {
            let colors = KINDS.map(|(_, ink)| scheme(ink));
            let least = least_distance(&colors);
            assert!(least > 0.1, "{least}");
            for pair in colors.windows(2) {
                // Neighbours in a bar touch, so they must differ more.
                assert!(
                    least_distance(pair) > 0.15,
                    "{pair:?} {}",
                    least_distance(pair)
                );
            }
            for color in colors.into_iter().chain([scheme(OTHER)]) {
                assert!(contrast(color, scheme(SURFACE)) > 2.2, "{color:?}");
            }
        }
    }

    #[test]
    fn the_measure_finds_colours_that_some_cannot_tell_apart() {
        // A red and a green of like lightness: far apart for most, near for a deuteranope.
        let pair = [(0xC0, 0x50, 0x3A), (0x7C, 0x7A, 0x20)];
        assert!(distance(pair[0], pair[1], SIGHTS[0]) > 0.1);
        assert!(least_distance(&pair) < 0.1, "{}", least_distance(&pair));
    }

    #[test]
    fn words_can_be_read() {
        for scheme in schemes() {
            for ink in [TEXT, MUTED, GOOD, BAD, WARN] {
                for ground in [SURFACE, RAISED] {
                    assert!(
                        contrast(scheme(ink), scheme(ground)) >= 4.5,
                        "{} on {}",
                        ink.name,
                        ground.name
                    );
                }
            }
        }
    }

    #[test]
    fn light_values_are_all_different_so_that_they_can_be_recognised() {
        let values: HashSet<_> = all().map(|ink| ink.light).collect();
        assert_eq!(values.len(), all().count());
    }

    #[test]
    fn attributes_become_variables_and_text_stays() {
        let svg = r##"<rect fill="#067F82"/><text fill="#123456">#067F82</text>"##;
        let want = r##"<rect fill="var(--kind-1, #067F82)"/><text fill="#123456">#067F82</text>"##;
        assert_eq!(themed(svg), want);
    }
}
