//! What a text must hold for a pattern to be found in it.
//!
//! Where a database looks for that first, most texts need not be read. It may be less than the pattern asks for, and
//! is never more.

use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, Hir, HirKind};

/// Most texts of which one is needed: beyond that nothing is known.
const MOST: usize = 16;

/// A text with the case of `A` to `Z` taken away, and of the two letters beyond that are a variant of one of them: the
/// long s and the sign of kelvin. A database can do the same.
pub(super) fn folded(text: &str) -> String {
    text.chars().map(fold).collect()
}

fn fold(c: char) -> char {
    match c {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        c => c.to_ascii_lowercase(),
    }
}

/// Do all that a pattern takes for this character when it ignores case fold to the same?
pub(super) fn folds(c: char) -> bool {
    let mut variants = ClassUnicode::new([ClassUnicodeRange::new(c, c)]);
    variants.try_case_fold_simple().is_ok() && one_of(&variants).is_some()
}

/// Texts of which every text the pattern is found in holds at least one, both folded. Empty: nothing is known.
pub(super) fn needed(pattern: &Hir) -> Vec<String> {
    let mut runs = Runs { now: String::new(), best: Vec::new() };
    runs.read(pattern);
    runs.cut();
    runs.best
}

/// Goes through a pattern from left to right.
struct Runs {
    /// What stands here, one character directly after the other.
    now: String,
    /// The longest so far; of several, the shortest counts.
    best: Vec<String>,
}

impl Runs {
    fn read(&mut self, pattern: &Hir) {
        match pattern.kind() {
            HirKind::Empty | HirKind::Look(_) => {}
            HirKind::Literal(literal) => match std::str::from_utf8(&literal.0) {
                Ok(text) => self.now.push_str(&folded(text)),
                Err(_) => self.cut(),
            },
            HirKind::Class(class) => match one_of_class(class) {
                Some(c) => self.now.push(c),
                None => self.cut(),
            },
            HirKind::Capture(capture) => self.read(&capture.sub),
            HirKind::Concat(parts) => parts.iter().for_each(|part| self.read(part)),
            HirKind::Repetition(repetition) => {
                self.cut();
                if repetition.min > 0 {
                    self.read(&repetition.sub);
                    self.cut();
                }
            }
            HirKind::Alternation(branches) => {
                self.cut();
                let each: Vec<Vec<String>> = branches.iter().map(needed).collect();
                if each.iter().all(|branch| !branch.is_empty()) {
                    self.keep(each.concat());
                }
            }
        }
    }

    /// Here anything may stand.
    fn cut(&mut self) {
        let run = std::mem::take(&mut self.now);
        self.keep(vec![run]);
    }

    fn keep(&mut self, found: Vec<String>) {
        let shortest = |texts: &[String]| texts.iter().map(String::len).min().unwrap_or_default();
        // PostgreSQL cannot be asked for NUL, which no stored text holds.
        let askable = found.len() <= MOST && found.iter().all(|text| !text.contains('\0'));
        if askable && shortest(&found) > shortest(&self.best) {
            self.best = found;
        }
    }
}

fn one_of_class(class: &Class) -> Option<char> {
    match class {
        Class::Unicode(class) => one_of(class),
        Class::Bytes(class) => one_of(&class.to_unicode_class()?),
    }
}

/// What all characters of a class fold to, if that is one.
fn one_of(class: &ClassUnicode) -> Option<char> {
    let mut all = class.iter().flat_map(|range| range.start()..=range.end()).map(fold);
    let first = all.next()?;
    all.all(|c| c == first).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::super::Pattern;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_a_pattern_needs_is_seen() {
        for (source, letters, texts) in [
            ("^ann.*Smith$", "", &["smith"][..]),
            ("^(ann|bob)$", "", &["ann", "bob"]),
            ("(com|org)\\.example", "", &[".example"]),
            (r"\bNo\. ?\d+", "i", &["no."]),
            ("(?i)Kim S", "", &["kim s"]),
            ("(ab)+c", "", &["ab"]),
            ("(ab)*c", "", &["c"]),
            ("客戶.", "i", &["客戶"]),
            ("Élan", "i", &["lan"]),
            ("Élan", "", &["Élan"]),
            ("a|.", "", &[]),
            (r"abc\x00|[\x00]", "", &[]),
            (r"\d{3}", "", &[]),
            ("", "", &[]),
        ] {
            assert_eq!(Pattern::new(source, letters).unwrap().needed(), texts, "{source}");
        }
    }

    #[test]
    fn letters_that_fold_are_all_that_a_pattern_takes_for_them() {
        for c in ('\0'..='\u{7f}').chain(['客', 'ا', 'ſ', '\u{212a}', '🙂']) {
            assert!(folds(c), "{c}");
        }
        for c in ['é', 'É', 'ß', 'σ', 'я', 'µ'] {
            assert!(!folds(c), "{c}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn no_text_is_passed_over(
            source in r"(\(\?i\))?\^?([aKsé客.]|\.\*|a\+|\(ab\|s\)|\(k\)\?|[ks]\{2\}|\[kK\]|\[\^a\]){0,4}\$?",
            letters in "[ims]{0,2}",
            text in "[aAbkKK\u{212a}sSſéÉ客\n]{0,6}",
        ) {
            let pattern = Pattern::new(&source, &letters).unwrap();
            let (needed, held) = (pattern.needed(), folded(&text));
            if pattern.is_match(&text) && !needed.is_empty() {
                prop_assert!(needed.iter().any(|needed| held.contains(needed.as_str())), "{:?}", pattern);
            }
        }
    }
}
