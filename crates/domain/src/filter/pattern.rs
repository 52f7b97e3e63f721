//! Regular expressions of filters.
//!
//! They run in linear time and bounded memory: what only a backtracking engine can do (look-around,
//! back-references) is not accepted. Many of them only look for a text, which a database can do.

use regex::{Regex, RegexBuilder};
use regex_syntax::ParserBuilder;

use super::needed::{folded, folds, needed};
use super::{MAX_PATTERN_BYTES, MAX_PATTERN_CHARACTERS};

/// A regular expression with its options, compiled.
#[derive(Debug, Clone)]
pub struct Pattern {
    source: String,
    options: Options,
    compiled: Regex,
    needed: Vec<String>,
}

/// `$options`, one letter each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Options {
    /// `i`
    ignore_case: bool,
    /// `m`: `^` and `$` match at each line.
    multi_line: bool,
    /// `s`: `.` matches a line end too.
    dot_all: bool,
    /// `x`: white space and comments in the pattern mean nothing.
    extended: bool,
}

/// A pattern that asks for no more of a text than this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Literal {
    /// What the text holds, to the character; if its case does not matter, folded as [`Pattern::needed`] says.
    pub text: String,
    /// Where it stands.
    pub place: Place,
    /// Does case not matter?
    pub any_case: bool,
}

/// Where in a text something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Somewhere.
    Anywhere,
    /// At the beginning.
    Start,
    /// It is the text.
    Whole,
}

/// Two patterns are equal when they are written alike.
impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source && self.options == other.options
    }
}

impl Pattern {
    /// Compiles a pattern with the letters of `$options` (`i m s x`; `u` changes nothing, patterns know
    /// Unicode). `None`: an unknown letter, a NUL, a pattern beyond [`MAX_PATTERN_CHARACTERS`] or
    /// [`MAX_PATTERN_BYTES`], or one the engine does not take.
    pub fn new(source: &str, letters: &str) -> Option<Self> {
        let mut options = Options::default();
        for letter in letters.chars() {
            match letter {
                'i' => options.ignore_case = true,
                'm' => options.multi_line = true,
                's' => options.dot_all = true,
                'x' => options.extended = true,
                'u' => {}
                _ => return None,
            }
        }
        if source.chars().nth(MAX_PATTERN_CHARACTERS).is_some() || source.contains('\0') {
            return None;
        }
        let compiled = RegexBuilder::new(source)
            .case_insensitive(options.ignore_case)
            .multi_line(options.multi_line)
            .dot_matches_new_line(options.dot_all)
            .ignore_whitespace(options.extended)
            .size_limit(MAX_PATTERN_BYTES)
            .dfa_size_limit(MAX_PATTERN_BYTES)
            .build()
            .ok()?;
        let read = ParserBuilder::new()
            .case_insensitive(options.ignore_case)
            .multi_line(options.multi_line)
            .dot_matches_new_line(options.dot_all)
            .ignore_whitespace(options.extended)
            .build()
            .parse(source)
            .ok()?;
        Some(Self { source: source.to_owned(), options, compiled, needed: needed(&read) })
    }

    /// Whether it is found in the text. Linear in the text's length.
    pub fn is_match(&self, text: &str) -> bool {
        self.compiled.is_match(text)
    }

    /// The pattern without its options.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Texts of which every text it is found in holds at least one. Empty: nothing is known. Both are folded before:
    /// `A` to `Z` become `a` to `z`, U+017F (long s) becomes `s`, U+212A (kelvin) becomes `k`, all else stays.
    pub fn needed(&self) -> &[String] {
        &self.needed
    }

    /// What the pattern looks for, if that is one text: `abc`, `.*abc.*`, `^abc`, `^abc$`, with `\.` for a dot and so
    /// on; where case does not matter, without letters beyond `A` to `Z` that have one. `None`: it may be more.
    pub fn literal(&self) -> Option<Literal> {
        if self.options.extended {
            return None;
        }
        let (starts, mut rest) = match self.source.strip_prefix('^') {
            Some(rest) => (true, rest),
            None => (false, self.source.as_str()),
        };
        // In front of what may stand anywhere, "anything" says nothing. Behind a `^` it would.
        while let Some(further) = rest.strip_prefix(".*").filter(|_| !starts) {
            rest = further;
        }
        let mut text = String::new();
        let mut ends = false;
        let mut characters = rest.chars();
        while let Some(c) = characters.next() {
            match c {
                '\\' => text.push(characters.next().filter(|c| r"\.+*?()|[]{}^$#&-~/".contains(*c))?),
                '$' if characters.as_str().is_empty() => ends = true,
                '.' => {
                    // Only "anything" up to the end.
                    let tail = characters.as_str().strip_prefix('*')?;
                    if !tail.replace(".*", "").is_empty() {
                        return None;
                    }
                    break;
                }
                '+' | '*' | '?' | '(' | ')' | '|' | '[' | ']' | '{' | '}' | '^' | '$' => return None,
                _ => text.push(c),
            }
        }
        let place = match (starts, ends) {
            (false, false) => Place::Anywhere,
            _ if self.options.multi_line => return None,
            (true, false) => Place::Start,
            (true, true) => Place::Whole,
            (false, true) => return None,
        };
        match self.options.ignore_case {
            false => Some(Literal { text, place, any_case: false }),
            true if text.chars().all(folds) => Some(Literal { text: folded(&text), place, any_case: true }),
            true => None,
        }
    }
}

impl Literal {
    /// Whether a text is as asked.
    pub fn is_match(&self, text: &str) -> bool {
        let folded = self.any_case.then(|| folded(text));
        let text = folded.as_deref().unwrap_or(text);
        match self.place {
            Place::Anywhere => text.contains(&self.text),
            Place::Start => text.starts_with(&self.text),
            Place::Whole => text == self.text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn plain_patterns_are_seen_as_texts() {
        let literal = |source| Pattern::new(source, "").and_then(|pattern| pattern.literal());
        let at = |place, text: &str| Some(Literal { text: text.to_owned(), place, any_case: false });
        let contains = |text: &str| at(Place::Anywhere, text);
        assert_eq!(literal(".*AB.*"), contains("AB"));
        assert_eq!(literal("a b-c"), contains("a b-c"));
        assert_eq!(literal(r"a\.b\\"), contains(r"a.b\"));
        assert_eq!(literal(""), contains(""));
        assert_eq!(literal("^ab.*"), at(Place::Start, "ab"));
        assert_eq!(literal("^ab$"), at(Place::Whole, "ab"));
        for more in ["ab$", "^.*ab", "a.b", "a|b", "ab*", r"\d", r"\babc", "a.*b", ".*?ab", "[ab]", "a{2}"] {
            assert_eq!(literal(more), None, "{more}");
        }
        let any_case = Some(Literal { text: "ask 客".into(), place: Place::Start, any_case: true });
        assert_eq!(Pattern::new("^aSK 客", "i").unwrap().literal(), any_case);
        assert_eq!(Pattern::new("é", "i").unwrap().literal(), None);
        assert_eq!(Pattern::new("a b", "x").unwrap().literal(), None);
        assert_eq!(Pattern::new("^ab", "m").unwrap().literal(), None);
        assert_eq!(Pattern::new("ab", "ms").unwrap().literal(), contains("ab"));
    }

    #[test]
    fn what_cannot_be_run_in_bounds_is_refused() {
        assert!(Pattern::new("a", "imsxu").is_some());
        for (source, options) in
            [("a", "g"), ("(?=a)", ""), (r"(a)\1", ""), ("(", ""), ("a\0", ""), (r"(\w{100}){1000}", "")]
        {
            assert!(Pattern::new(source, options).is_none(), "{source}");
        }
        assert!(Pattern::new(&"好".repeat(MAX_PATTERN_CHARACTERS), "").is_some());
        assert!(Pattern::new(&"好".repeat(MAX_PATTERN_CHARACTERS + 1), "").is_none());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn a_literal_asks_the_same(source in r"\^?(\.\*)?[abKsé.*$^\\+\n]{0,4}(\.\*)?\$?", letters in "[ims]{0,2}", text in "[abBkK\u{212a}sSſéÉ.*$^\\\\+\n]{0,6}") {
            if let Some(pattern) = Pattern::new(&source, &letters)
                && let Some(literal) = pattern.literal()
            {
                prop_assert_eq!(literal.is_match(&text), pattern.is_match(&text), "{:?} {:?}", literal, pattern);
            }
        }
    }
}
