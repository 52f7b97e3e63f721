//! Rows of one table, written several at once: a statement for each costs about as much as writing its row.

use crate::sql::Value;
use crate::{Result, Tx};

/// So many rows go in one statement, as long as there are so many.
const SIZES: [usize; 3] = [16, 4, 1];

/// How rows of a table are written.
pub(crate) struct RowsOf {
    /// For each of [`SIZES`].
    texts: [String; SIZES.len()],
    /// How many values a row has beside the app.
    width: usize,
}

impl RowsOf {
    /// `columns`: each with the place of its value in a row. The column `app` comes before them.
    pub(crate) fn new(table: &str, columns: &[(&str, usize)]) -> Self {
        let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
        let width = columns.iter().map(|(_, place)| place + 1).max().unwrap_or_default();
        let row = |row: usize| {
            let places = columns.iter().map(|(_, place)| format!(", ${}", 2 + row * width + place));
            format!("($1{})", places.collect::<String>())
        };
        let text = |rows: usize| {
            let rows: Vec<String> = (0..rows).map(row).collect();
            format!("INSERT INTO {table} (app, {}) VALUES {}", names.join(", "), rows.join(", "))
        };
        Self { texts: SIZES.map(text), width }
    }
}

impl Tx {
    /// Writes rows of a table, each given by its values beside the app.
    pub(crate) async fn put_rows(&mut self, of: &RowsOf, rows: Vec<Vec<Value>>) -> Result<()> {
        let mut rows = rows.into_iter();
        for (size, text) in SIZES.into_iter().zip(&of.texts) {
            while rows.len() >= size {
                let mut values = Vec::with_capacity(1 + size * of.width);
                values.push(self.view.app.into());
                values.extend(rows.by_ref().take(size).flatten());
                self.view.session.put(text, values).await?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_names_each_value_where_it_stands() {
        let rows = RowsOf::new("t", &[("a", 0), ("b", 1), ("c", 1)]);
        assert_eq!(rows.texts[2], "INSERT INTO t (app, a, b, c) VALUES ($1, $2, $3, $3)");
        assert_eq!(
            rows.texts[1],
            "INSERT INTO t (app, a, b, c) VALUES ($1, $2, $3, $3), ($1, $4, $5, $5), ($1, $6, $7, $7), ($1, $8, $9, $9)"
        );
    }
}
