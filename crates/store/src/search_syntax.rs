//! How search tokens and terms are spelt for each database.
//!
//! Both spellings say the same: all terms, each a phrase of adjacent tokens. What a token is and
//! what a term means is decided in [`banter_domain::search`]; nothing here looks into a token.

use banter_domain::search::Term;

/// Tokens, as [`banter_domain::search::index_text`] gives them, as `tsvector` input, to be bound and cast (`$1::text::tsvector`): positions count from 1.
///
/// Not `to_tsvector`, whose parser reads numbers and addresses into tokens. A token may have 2,046 bytes and a
/// position 16,383, which [`banter_domain::search::index_text`] keeps; beyond 255 positions of one token
/// PostgreSQL forgets the further ones.
pub(crate) fn tsvector_text(tokens: &str) -> String {
    let mut text = String::new();
    for (position, token) in (1..).zip(tokens.split(' ')) {
        if position > 1 {
            text.push(' ');
        }
        text.push_str(&format!("{}:{position}", lexeme(token)));
    }
    text
}

/// Terms as an FTS5 `MATCH` expression, to be bound: `"a b" AND "c" *`. Empty for no terms, which
/// is not to be asked.
///
/// In FTS5 the star after a phrase makes its last token a prefix.
pub(crate) fn to_fts5(terms: &[Term]) -> String {
    let phrase = |term: &Term| {
        let tokens = term.tokens.join(" ").replace('"', "\"\"");
        format!("\"{tokens}\"{}", if term.last_is_prefix { " *" } else { "" })
    };
    terms.iter().map(phrase).collect::<Vec<_>>().join(" AND ")
}

/// Terms as `tsquery` input, to be bound and cast (`$1::text::tsquery`): `'a' <-> 'b' & 'c':*`.
/// Empty for no terms, which is not to be asked.
///
/// `<->` binds tighter than `&`, and asks for adjacent positions.
pub(crate) fn to_tsquery(terms: &[Term]) -> String {
    let phrase = |term: &Term| {
        let mut phrase = term.tokens.iter().map(|token| lexeme(token)).collect::<Vec<_>>().join(" <-> ");
        if term.last_is_prefix {
            phrase.push_str(":*");
        }
        phrase
    };
    terms.iter().map(phrase).collect::<Vec<_>>().join(" & ")
}

/// A token in PostgreSQL's quotes, in which a quote and a backslash are doubled.
fn lexeme(token: &str) -> String {
    format!("'{}'", token.replace('\\', "\\\\").replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use banter_domain::search::{index_text, matches, query_terms};
    use proptest::prelude::*;

    fn term(tokens: &[&str], last_is_prefix: bool) -> Term {
        Term { tokens: tokens.iter().map(ToString::to_string).collect(), last_is_prefix }
    }

    #[test]
    fn terms_are_spelt_for_each_database() {
        let terms = [term(&["a", "b"], false), term(&["c"], true), term(&["d", "e"], true)];
        assert_eq!(to_fts5(&terms), r#""a b" AND "c" * AND "d e" *"#);
        assert_eq!(to_tsquery(&terms), "'a' <-> 'b' & 'c':* & 'd' <-> 'e':*");
        assert_eq!(tsvector_text("a b"), "'a':1 'b':2");
    }

    #[test]
    fn quotes_stay_inside() {
        let odd = [term(&["a'b\\c\"d"], true)];
        assert_eq!(to_fts5(&odd), r#""a'b\c""d" *"#);
        assert_eq!(to_tsquery(&odd), r#"'a''b\\c"d':*"#);
    }

    /// An index of one message in the tokenizer named.
    fn index(tokenizer: &str) -> rusqlite::Connection {
        let sqlite = rusqlite::Connection::open_in_memory().unwrap();
        sqlite
            .execute_batch(&format!(
                "CREATE VIRTUAL TABLE t USING fts5(tokens, content='', contentless_delete=1, tokenize='{tokenizer}')"
            ))
            .unwrap();
        sqlite
    }

    fn found(sqlite: &rusqlite::Connection, text: &str, keyword: &str) -> bool {
        sqlite.execute("INSERT OR REPLACE INTO t(rowid, tokens) VALUES (1, ?1)", [index_text(text)]).unwrap();
        let terms = query_terms(keyword);
        !terms.is_empty()
            && sqlite
                .query_row("SELECT count(*) FROM t WHERE t MATCH ?1", [to_fts5(&terms)], |row| row.get::<_, i64>(0))
                .unwrap()
                > 0
    }

    #[test]
    fn fts5_finds_what_is_meant_in_samples() {
        for tokenizer in ["ascii", "unicode61"] {
            let sqlite = index(tokenizer);
            for keyword in ["天气", "天", "hel wor", "AND", "NOT", "1e", "\"", "*", "hel*", "a OR b", "col:x"] {
                let text = "hello NOT world, 今天天气 AND 1e5";
                assert_eq!(found(&sqlite, text, keyword), matches(text, keyword), "{keyword}");
            }
        }
    }

    proptest! {
        #[test]
        fn fts5_finds_what_is_meant(texts in prop::collection::vec("[abxé世界好 ]{0,20}", 1..8), keyword in "[abxé世界好 ]{1,4}") {
            let sqlite = index("ascii");
            for text in texts {
                prop_assert_eq!(found(&sqlite, &text, &keyword), matches(&text, &keyword), "{}", text);
            }
        }
    }
}
