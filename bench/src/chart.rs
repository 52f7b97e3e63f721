//! The run as one picture: for each figure with an aim, how much of what the aim allows is used.
//!
//! One scale for all: left of the line in the middle the aim is met, whichever way it points.

use std::fmt::Write as _;

use crate::report::{Report, short};

const ROW: f64 = 22.0;
const LABEL: f64 = 330.0;
const WIDTH: f64 = 480.0;
const TEXT: f64 = 250.0;
const TOP: f64 = 64.0;
/// The scale is logarithmic, from a tenth of the aim to ten times of it.
const DECADES: f64 = 1.0;

/// Draws it.
pub(crate) fn svg(report: &Report) -> String {
    let rows: Vec<_> = report.figures.iter().filter_map(|figure| Some((figure, figure.aim?))).collect();
    let height = TOP + ROW * rows.len() as f64 + 30.0;
    let width = LABEL + WIDTH + TEXT;
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(
        out,
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="system-ui, sans-serif" font-size="12">
<title>Banter: what was measured against what was aimed at</title>
<rect width="{width}" height="{height}" fill="#ffffff"/>
<text x="12" y="24" font-size="16" font-weight="600" fill="#1c2430">Banter bench: share of each aim that is used</text>
<text x="12" y="44" fill="#5a6472">Left of the line: met. Grey: this run cannot tell. Ratios within one run; the scale is logarithmic, 0.1 to 10.</text>"##
    );
    for tick in [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0] {
        let x = LABEL + place(tick) * WIDTH;
        let colour = if tick == 1.0 { "#1c2430" } else { "#e3e7ec" };
        let bottom = height - 24.0;
        let _ = writeln!(
            out,
            r##"<line x1="{x:.1}" y1="{TOP}" x2="{x:.1}" y2="{bottom}" stroke="{colour}"/><text x="{x:.1}" y="{:.1}" text-anchor="middle" fill="#5a6472">{tick}</text>"##,
            height - 8.0
        );
    }
    for (number, (figure, aim)) in rows.iter().enumerate() {
        let y = TOP + ROW * number as f64;
        let used = aim.used(figure.judged());
        let colour = match figure.met() {
            Some(true) => "#2f8f5b",
            Some(false) => "#c8452f",
            None => "#a9b1bc",
        };
        let (from, to) = (place(0.1), place(used));
        let _ = writeln!(
            out,
            r##"<text x="{:.1}" y="{:.1}" text-anchor="end" fill="#1c2430">{} · {}</text>
<rect x="{:.1}" y="{:.1}" width="{:.1}" height="14" rx="2" fill="{colour}"/>
<text x="{:.1}" y="{:.1}" fill="#1c2430">{}</text>"##,
            LABEL - 10.0,
            y + 15.0,
            escaped(&figure.name),
            figure.store,
            LABEL + from * WIDTH,
            y + 4.0,
            ((to - from) * WIDTH).max(2.0),
            LABEL + WIDTH + 10.0,
            y + 15.0,
            escaped(&says(figure.judged(), if figure.aim_is_for_value { figure.unit } else { "×" }, *aim)),
        );
    }
    out.push_str("</svg>\n");
    out
}

fn says(judged: f64, unit: &str, aim: crate::report::Aim) -> String {
    use crate::report::Aim::{AtLeast, AtMost};
    let (word, aim) = match aim {
        AtMost(aim) => ("at most", aim),
        AtLeast(aim) => ("at least", aim),
    };
    format!("{} {unit} (aim: {word} {aim})", short(judged))
}

/// Where a share of the aim lies on the scale, 0 to 1.
fn place(used: f64) -> f64 {
    let decades = used.max(f64::MIN_POSITIVE).log10().clamp(-DECADES, DECADES);
    (decades + DECADES) / (2.0 * DECADES)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Aim, Figure};

    #[test]
    fn the_scale_has_the_aim_in_the_middle() {
        assert_eq!(place(1.0), 0.5);
        assert_eq!(place(0.1), 0.0);
        assert_eq!(place(1000.0), 1.0);
        assert_eq!(place(0.0), 0.0);
    }

    #[test]
    fn figures_with_an_aim_are_drawn() {
        let mut report = Report::default();
        report.add(Figure::new("a<b", "sqlite", (1.0, "µs"), (1.0, "µs"), 1.0).aim(Aim::AtMost(1.4)));
        report.add(Figure::new("none", "sqlite", (1.0, "µs"), (1.0, "µs"), 1.0));
        let drawn = svg(&report);
        assert!(drawn.contains("a&lt;b") && !drawn.contains("none"));
    }
}
