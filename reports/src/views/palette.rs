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
//! grey. The eight of instruction sets were found in the same way, with contrast enough for a thin
//! line, and those of peers too, all of them muted: lines have marks and dashes besides, and a label
//! each.

use plotters::style::RGBColor;

use super::times::{Row, Who};
use crate::compared::Compared;

/// Red, green, blue in sRGB.
type Rgb = (u8, u8, u8);

/// A colour in both schemes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ink {
    name: &'static str,
    light: Rgb,
    dark: Rgb,
    /// Of lines in this colour, as in SVG's `stroke-dasharray`; empty if they are whole.
    dashes: &'static str,
}

impl Ink {
    const fn new(name: &'static str, light: u32, dark: u32) -> Self {
        Ink {
            name,
            light: rgb(light),
            dark: rgb(dark),
            dashes: "",
        }
    }

    /// plotters draws no dashes: [`themed`] adds them.
    const fn dashed(mut self, dashes: &'static str) -> Self {
        self.dashes = dashes;
        self
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

/// CPU features from what every CPU has to what few have: each step stands out more from the surface
/// than the one before it, so that a path's kind is seen without reading.
const FEATURES: [(&[&str], Ink); 6] = [
    (&["x86-64"], Ink::new("feature-1", 0xA8_AC_B1, 0x52_54_59)),
    (
        &[
            "sse3",
            "ssse3",
            "sse4.1",
            "sse4.2",
            "sse4a",
            "popcnt",
            "lzcnt",
            "bmi1",
            "bmi2",
            "adx",
            "movbe",
            "aes",
            "pclmulqdq",
            "sha",
        ],
        Ink::new("feature-2", 0x8B_93_0F, 0x66_6D_00),
    ),
    (
        &["avx", "f16c", "fma"],
        Ink::new("feature-3", 0x50_7C_76, 0x63_90_8A),
    ),
    (
        &["avx2", "avxvnni", "vaes", "vpclmulqdq"],
        Ink::new("feature-4", 0x04_5F_D4, 0x42_8C_FE),
    ),
    (
        &["avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl"],
        Ink::new("feature-5", 0x49_36_72, 0xC1_AF_F6),
    ),
    (
        &[
            "avx512ifma",
            "avx512vbmi",
            "avx512vbmi2",
            "avx512vnni",
            "avx512bitalg",
            "avx512vpopcntdq",
            "avx512bf16",
            "avx512fp16",
            "gfni",
        ],
        Ink::new("feature-6", 0x67_00_1D, 0xFD_D6_D8),
    ),
];

/// Which step a feature is on, and its place there.
fn step(feature: &str) -> Option<(usize, usize)> {
    FEATURES.iter().enumerate().find_map(|(step, (names, _))| {
        let place = names.iter().position(|name| *name == feature)?;
        Some((step, place))
    })
}

/// The order of features in a bar, a list and the legend: the rarest first, those that are not known
/// last.
pub(super) fn rank_of_feature(feature: &str) -> impl Ord + use<> {
    std::cmp::Reverse(step(feature))
}

/// The colour of a feature.
pub(super) fn feature(feature: &str) -> Ink {
    step(feature).map_or(OTHER, |(step, _)| FEATURES[step].1)
}

/// What became of mutants.
pub(super) const KILLED: Ink = Ink::new("killed", 0x2B_6C_8F, 0x6F_B3_D6);
pub(super) const ACCEPTED: Ink = Ink::new("accepted", 0xA9_AF_B9, 0x5A_61_6C);
pub(super) const OPEN: Ink = Ink::new("open", 0xB9_3A_0A, 0xFF_8A_4C);

/// What a comparison amounts to; marks have a shape besides.
const SLOWER: Ink = Ink::new("slower", 0xB5_2D_18, 0xF3_AB_4C);
const FASTER: Ink = Ink::new("faster", 0x02_5B_C6, 0x5B_8F_EC);
const SAME: Ink = Ink::new("same", 0x7C_83_8D, 0x92_99_99);
const UNCLEAR: Ink = Ink::new("unclear", 0x6E_34_6A, 0xFE_BB_E2);

/// The colour of a verdict.
pub(super) fn verdict(verdict: Compared) -> Ink {
    match verdict {
        Compared::Slower => SLOWER,
        Compared::Faster => FASTER,
        Compared::Same | Compared::Identical => SAME,
        Compared::Inconclusive | Compared::Void | Compared::NoBase => UNCLEAR,
    }
}

/// The colour and the mark of a line that is no path's, by its place; a lesser one is dashed.
pub(super) fn series(place: usize, lesser: bool) -> (Ink, Shape) {
    let (_, ink, shape) = ISAS[place % ISAS.len()];
    match lesser {
        true => (PEERS[place % PEERS.len()], Shape::Circle),
        false => (ink, shape),
    }
}

/// Of words upon a colour: the one of text and surface that can be read there, in light and dark.
pub(super) fn upon(ink: Ink) -> Ink {
    let weak = [FEATURES[0].1, FEATURES[1].1, ACCEPTED];
    if weak.contains(&ink) { TEXT } else { SURFACE }
}

/// Instruction sets by slot: a path keeps its colour and its mark in every chart.
const ISAS: [(&str, Ink, Shape); 8] = [
    (
        "scalar",
        Ink::new("isa-1", 0x64_2D_00, 0xC0_61_13),
        Shape::Circle,
    ),
    (
        "sse2",
        Ink::new("isa-2", 0x35_6E_0F, 0xA2_F7_79),
        Shape::Square,
    ),
    (
        "ssse3",
        Ink::new("isa-3", 0x0A_73_A6, 0x7B_CA_FD),
        Shape::Up,
    ),
    (
        "avx2",
        Ink::new("isa-4", 0xD8_79_05, 0xE2_A8_7A),
        Shape::Diamond,
    ),
    (
        "avx512",
        Ink::new("isa-5", 0xA6_6F_F4, 0x8F_2E_EF),
        Shape::Down,
    ),
    (
        "avx512vbmi",
        Ink::new("isa-6", 0x00_0B_BE, 0x4A_68_A9),
        Shape::Square,
    ),
    (
        "avx512gfni",
        Ink::new("isa-7", 0xC6_1E_73, 0xCC_00_73),
        Shape::Up,
    ),
    (
        "neon",
        Ink::new("isa-8", 0x68_08_79, 0xCB_76_DC),
        Shape::Circle,
    ),
];

/// The dispatcher, whose line lies upon that of the path that it chooses.
const AUTO: Ink = Ink::new("auto", 0x1D_20_25, 0xE7_E9_EC).dashed("2 4");

/// What the memory system allows: no codec, so no colour.
const ROOFLINE: Ink = Ink::new("roofline", 0x98_9D_A6, 0x96_9C_A6);

/// Peers by their place in the records: muted, and each with its own dashes.
const PEERS: [Ink; 6] = [
    Ink::new("peer-1", 0x69_89_A8, 0x56_6B_81).dashed("7 3"),
    Ink::new("peer-2", 0x5E_4E_3E, 0x9D_83_68).dashed("3 3"),
    Ink::new("peer-3", 0x8E_7E_55, 0xA3_9D_8C).dashed("10 3 2 3"),
    Ink::new("peer-4", 0x40_3E_49, 0xAE_A9_C6).dashed("5 2"),
    Ink::new("peer-5", 0x83_98_83, 0xC3_CA_C3).dashed("12 4"),
    Ink::new("peer-6", 0x56_68_7B, 0x6C_89_A8).dashed("6 2 2 2 2 2"),
];

/// The mark of a value on a line, for readers who cannot tell the colours apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Circle,
    Square,
    Up,
    Down,
    Diamond,
}

/// A path's slot: a name may follow the instruction set behind a slash, as in `avx2/streaming`.
fn slot(isa: &str) -> Option<&'static (&'static str, Ink, Shape)> {
    let set = isa.split('/').next();
    ISAS.iter().find(|(name, ..)| Some(*name) == set)
}

/// The mark of a path's values; instruction sets that are not known share one.
pub(super) fn shape(isa: &str) -> Shape {
    slot(isa).map_or(Shape::Diamond, |(.., shape)| *shape)
}

/// The colour of a row of figures; `peers` are all peers of the report, in its order.
pub(super) fn of(row: &Row<'_>, peers: &[&str]) -> Ink {
    path(row.isa, row.who, peers)
}

/// The colour of a path or peer.
pub(super) fn path(isa: &str, who: Who, peers: &[&str]) -> Ink {
    match who {
        Who::Path => slot(isa).map_or(OTHER, |(_, ink, _)| *ink),
        Who::Auto => AUTO,
        Who::Roofline => ROOFLINE,
        Who::Peer => {
            let place = peers.iter().position(|peer| *peer == isa);
            place.map_or(OTHER, |place| PEERS[place % PEERS.len()])
        }
    }
}

fn all() -> impl Iterator<Item = Ink> {
    let named = [
        SURFACE, RAISED, TEXT, MUTED, LINE, GOOD, BAD, WARN, OTHER, AUTO, ROOFLINE, KILLED,
        ACCEPTED, OPEN, SLOWER, FASTER, SAME, UNCLEAR,
    ];
    named
        .into_iter()
        .chain(KINDS.into_iter().map(|(_, ink)| ink))
        .chain(ISAS.into_iter().map(|(_, ink, _)| ink))
        .chain(PEERS)
        .chain(FEATURES.into_iter().map(|(_, ink)| ink))
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

/// An SVG drawn in light values, in variables, and its dashed lines dashed. The light value stays
/// as what a viewer without variables shows.
pub(super) fn themed(svg: &str) -> String {
    all().fold(svg.to_owned(), |svg, ink| {
        let value = hex(ink.light);
        let var = format!("\"var(--{}, {value})\"", ink.name);
        // In the text of an element a quotation mark is `&quot;`, so this matches attributes alone.
        let svg = if ink.dashes.is_empty() {
            svg
        } else {
            svg.replace(
                &format!("stroke=\"{value}\""),
                &format!("stroke={var} stroke-dasharray=\"{}\"", ink.dashes),
            )
        };
        svg.replace(&format!("\"{value}\""), &var)
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
    fn instruction_sets_stay_apart_for_every_sight_and_from_the_surface() {
        for scheme in schemes() {
            let colors = ISAS.map(|(_, ink, _)| scheme(ink));
            let least = least_distance(&colors);
            assert!(least > 0.1, "{least}");
            for (i, &a) in colors.iter().enumerate() {
                // Most readers see no deficient colours: for them they are further apart.
                for &b in &colors[..i] {
                    assert!(distance(a, b, SIGHTS[0]) > 0.18, "{a:?} {b:?}");
                }
                for other in [AUTO, ROOFLINE].into_iter().chain(PEERS) {
                    let least = least_distance(&[a, scheme(other)]);
                    assert!(least > 0.06, "{a:?} {} {least}", other.name);
                }
                assert!(contrast(a, scheme(SURFACE)) >= 3.0, "{a:?}");
            }
            for ink in PEERS.into_iter().chain([AUTO]) {
                assert!(
                    contrast(scheme(ink), scheme(SURFACE)) >= 3.0,
                    "{}",
                    ink.name
                );
            }
            assert!(contrast(scheme(ROOFLINE), scheme(SURFACE)) >= 2.2);
        }
    }

    #[test]
    fn features_are_a_scale_that_every_sight_can_tell_apart() {
        for scheme in schemes() {
            let colors = FEATURES.map(|(_, ink)| scheme(ink));
            let least = least_distance(&colors);
            assert!(least > 0.13, "{least}");
            // Ordered: each stands out more than the one before.
            let ranks = colors.map(|color| contrast(color, scheme(SURFACE)));
            assert!(ranks[0] >= 2.2, "{ranks:?}");
            for pair in ranks.windows(2) {
                assert!(pair[1] > pair[0] * 1.07, "{ranks:?}");
            }
            // The grey of features that are not known is another one.
            let greys = [colors[0], scheme(OTHER)];
            assert!(least_distance(&greys) > 0.09, "{}", least_distance(&greys));
        }
    }

    #[test]
    fn the_fate_of_mutants_can_be_told_by_every_sight() {
        for scheme in schemes() {
            let colors = [KILLED, ACCEPTED, OPEN].map(scheme);
            assert!(
                least_distance(&colors) > 0.15,
                "{}",
                least_distance(&colors)
            );
            for color in colors {
                assert!(contrast(color, scheme(SURFACE)) >= 2.1, "{color:?}");
            }
        }
    }

    #[test]
    fn verdicts_can_be_told_by_every_sight() {
        for scheme in schemes() {
            let colors = [SLOWER, FASTER, SAME, UNCLEAR].map(scheme);
            let least = least_distance(&colors);
            assert!(least > 0.13, "{least}");
            for color in colors {
                assert!(contrast(color, scheme(SURFACE)) >= 3.0, "{color:?}");
            }
        }
    }

    #[test]
    fn words_upon_a_bar_can_be_read() {
        let features = FEATURES.into_iter().map(|(_, ink)| ink);
        for ink in features.chain([KILLED, ACCEPTED, OPEN]) {
            for scheme in schemes() {
                let contrast = contrast(scheme(upon(ink)), scheme(ink));
                assert!(contrast >= 4.5, "{} {contrast}", ink.name);
            }
        }
    }

    #[test]
    fn the_rarest_feature_comes_first_and_the_unknown_last() {
        let mut names = ["x86-64", "avx10", "avx2", "gfni", "avx512f", "avx", "bmi2"];
        names.sort_by_key(|name| rank_of_feature(name));
        let want = ["gfni", "avx512f", "avx2", "avx", "bmi2", "x86-64", "avx10"];
        assert_eq!(names, want);
        assert_eq!((feature("avx10"), feature("avx2")), (OTHER, FEATURES[3].1));
    }

    #[test]
    fn lines_of_like_colours_differ_in_their_dashes_or_marks() {
        let dashes: HashSet<&str> = PEERS.iter().map(|ink| ink.dashes).collect();
        assert_eq!(dashes.len(), PEERS.len());
        assert!(PEERS.iter().all(|ink| !ink.dashes.is_empty()));
        for pair in ISAS.windows(2) {
            assert_ne!(pair[0].2, pair[1].2, "{} {}", pair[0].0, pair[1].0);
        }
    }

    #[test]
    fn a_name_behind_the_instruction_set_keeps_its_colour() {
        assert_eq!(slot("avx2/streaming"), slot("avx2"));
        assert!(slot("avx2/streaming").is_some() && slot("avx").is_none());
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
        let value = hex(PEERS[0].light);
        let dashed = format!(
            "<line stroke=\"var(--peer-1, {value})\" stroke-dasharray=\"{}\"/>",
            PEERS[0].dashes
        );
        assert_eq!(themed(&format!("<line stroke=\"{value}\"/>")), dashed);
    }
}
