//! What was measured, as a table for people and as JSON for programs.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::Result;

/// What a figure should be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Aim {
    /// Smaller is better.
    AtMost(f64),
    /// Larger is better.
    AtLeast(f64),
}

impl Aim {
    /// How much of what the aim allows is used: up to 1 it is met, whichever way it points.
    pub(crate) fn used(self, measured: f64) -> f64 {
        match self {
            // Of something that must not be, none is just allowed.
            Self::AtMost(0.0) => 1.0 + measured,
            Self::AtMost(aim) => measured / aim,
            Self::AtLeast(aim) => aim / measured.max(f64::MIN_POSITIVE),
        }
    }

    /// Whether it is met.
    pub(crate) fn met(self, measured: f64) -> bool {
        match self {
            Self::AtMost(aim) => measured <= aim,
            Self::AtLeast(aim) => measured >= aim,
        }
    }

    fn text(self) -> String {
        match self {
            Self::AtMost(aim) => format!("≤ {aim}"),
            Self::AtLeast(aim) => format!("≥ {aim}"),
        }
    }
}

/// One thing measured beside another.
#[derive(Debug, Clone)]
pub(crate) struct Figure {
    /// Dotted, from the general to the particular: `lists.my.unchanged`.
    pub(crate) name: String,
    /// `sqlite` or `postgres`.
    pub(crate) store: &'static str,
    /// What was measured, in `unit`.
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    /// What it is compared with, in the same unit unless the name says otherwise.
    pub(crate) reference: f64,
    pub(crate) against: String,
    /// `value / reference`, the median over the rounds.
    pub(crate) ratio: f64,
    /// What the aim is about: the ratio, unless it is about the value.
    pub(crate) aim: Option<Aim>,
    pub(crate) aim_is_for_value: bool,
    /// Why this run cannot tell whether the aim is met.
    pub(crate) unsure: Option<String>,
    /// Whatever else was seen.
    pub(crate) details: Map<String, Value>,
}

impl Figure {
    /// A figure without an aim.
    pub(crate) fn new(
        name: impl Into<String>,
        store: &'static str,
        (value, unit): (f64, &'static str),
        (reference, against): (f64, &str),
        ratio: f64,
    ) -> Self {
        Self {
            name: name.into(),
            store,
            value,
            unit,
            reference,
            against: against.to_owned(),
            ratio,
            aim: None,
            aim_is_for_value: false,
            unsure: None,
            details: Map::new(),
        }
    }

    /// With an aim for the ratio.
    pub(crate) fn aim(mut self, aim: Aim) -> Self {
        self.aim = Some(aim);
        self
    }

    /// With an aim for the value itself.
    pub(crate) fn aim_value(mut self, aim: Aim) -> Self {
        self.aim = Some(aim);
        self.aim_is_for_value = true;
        self
    }

    /// With a reason not to judge it by this run, if there is one.
    pub(crate) fn unsure(mut self, reason: Option<&str>) -> Self {
        self.unsure = reason.map(str::to_owned);
        self
    }

    /// With something more to know.
    pub(crate) fn detail(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }

    /// What the aim looks at.
    pub(crate) fn judged(&self) -> f64 {
        if self.aim_is_for_value { self.value } else { self.ratio }
    }

    /// Whether the aim is met, if there is one and this run can tell.
    pub(crate) fn met(&self) -> Option<bool> {
        if self.unsure.is_some() {
            return None;
        }
        self.aim.map(|aim| aim.met(self.judged()))
    }

    fn json(&self) -> Value {
        json!({
            "name": self.name, "store": self.store, "value": rounded(self.value), "unit": self.unit,
            "reference": rounded(self.reference), "against": self.against, "ratio": rounded(self.ratio),
            "aim": self.aim.map(Aim::text), "aimIsFor": self.aim.map(|_| if self.aim_is_for_value { "value" } else { "ratio" }),
            "met": self.met(), "unsure": self.unsure, "details": self.details,
        })
    }
}

/// All of one run.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) figures: Vec<Figure>,
    /// The machine and how the run was made.
    pub(crate) facts: Map<String, Value>,
    /// Sentences a reader needs.
    pub(crate) notes: Vec<String>,
}

impl Report {
    /// Adds a figure and says so, for runs are long.
    pub(crate) fn add(&mut self, figure: Figure) {
        eprintln!("  {}", row(&figure).join("  "));
        self.figures.push(figure);
    }

    /// Adds a sentence, once.
    pub(crate) fn note(&mut self, sentence: impl Into<String>) {
        let sentence = sentence.into();
        if !self.notes.contains(&sentence) {
            self.notes.push(sentence);
        }
    }

    /// The table for the terminal.
    pub(crate) fn table(&self) -> String {
        let head = ["figure", "store", "value", "reference", "ratio", "aim", "met"].map(str::to_owned);
        let rows: Vec<[String; 7]> = std::iter::once(head).chain(self.figures.iter().map(row)).collect();
        let mut widths = [0; 7];
        for row in &rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.chars().count().max(*width);
            }
        }
        let mut text = String::new();
        for row in &rows {
            let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
            text.push_str(cells.join("  ").trim_end());
            text.push('\n');
        }
        for note in &self.notes {
            text.push_str("· ");
            text.push_str(note);
            text.push('\n');
        }
        text
    }

    /// Writes the JSON.
    pub(crate) fn write_json(&self, path: &Path) -> Result<()> {
        let figures: Vec<Value> = self.figures.iter().map(Figure::json).collect();
        let all = json!({ "facts": self.facts, "figures": figures, "notes": self.notes });
        fs::write(path, serde_json::to_string_pretty(&all)?)?;
        Ok(())
    }
}

fn row(figure: &Figure) -> [String; 7] {
    let met = match figure.met() {
        Some(true) => "yes",
        Some(false) => "NO",
        None if figure.unsure.is_some() => "?",
        None => "",
    };
    let aim = figure
        .aim
        .map(|aim| if figure.aim_is_for_value { format!("{} {}", aim.text(), figure.unit) } else { aim.text() });
    [
        figure.name.clone(),
        figure.store.to_owned(),
        format!("{} {}", short(figure.value), figure.unit),
        format!("{} {}", short(figure.reference), figure.against),
        short(figure.ratio),
        aim.unwrap_or_default(),
        met.to_owned(),
    ]
}

/// Three digits that matter.
pub(crate) fn short(value: f64) -> String {
    let size = value.abs();
    if size >= 100.0 || size == 0.0 {
        format!("{value:.0}")
    } else if size >= 10.0 {
        format!("{value:.1}")
    } else if size >= 0.1 {
        format!("{value:.2}")
    } else {
        format!("{value:.4}")
    }
}

fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_aim_is_used_up_at_one() {
        assert!(Aim::AtMost(2.0).met(2.0) && !Aim::AtMost(2.0).met(2.1));
        assert!(Aim::AtLeast(3.0).met(3.0) && !Aim::AtLeast(3.0).met(2.9));
        assert_eq!(Aim::AtMost(2.0).used(1.0), 0.5);
        assert!(Aim::AtMost(0.0).met(0.0) && !Aim::AtMost(0.0).met(1.0));
        assert_eq!(Aim::AtMost(0.0).used(0.0), 1.0);
        assert_eq!(Aim::AtLeast(3.0).used(6.0), 0.5);
    }

    #[test]
    fn a_disturbed_run_gives_no_verdict() {
        let figure = Figure::new("a", "sqlite", (6.0, "/s"), (2.0, "/s"), 3.0).aim(Aim::AtLeast(3.0));
        assert_eq!(figure.met(), Some(true));
        assert_eq!(figure.unsure(Some("noise")).met(), None);
    }

    #[test]
    fn the_table_has_a_row_a_figure() {
        let mut report = Report::default();
        report.add(Figure::new("a.b", "sqlite", (1.5, "µs"), (1.0, "µs fixed"), 1.5).aim(Aim::AtMost(1.4)));
        report.note("a note");
        let table = report.table();
        assert_eq!(table.lines().count(), 3);
        assert!(table.contains("NO") && table.contains("≤ 1.4") && table.contains("· a note"));
    }
}
