//! Sensitive words: what the platform's keyword list does to a text.
//!
//! Every occurrence of every keyword becomes as many `*` as it had characters. A text is never
//! refused, never shortened, and nobody is told: this is a filter and not a verdict.

use std::borrow::Cow;

use aho_corasick::nfa::contiguous::NFA;
use aho_corasick::{Anchored, MatchKind, automaton::Automaton};
use serde_json::Value;

/// Most keywords in one list, after empty and repeated ones are left out. Ours: ten times the
/// longest list in use, and an automaton of some megabytes.
pub const MAX_WORDS: usize = 20_000;

/// Longest keyword, in characters. Ours: the longest id or name is as long.
pub const MAX_WORD_CHARACTERS: usize = 255;

/// All keywords together, in bytes of UTF-8. Ours: it bounds the automaton's memory for lists made
/// to blow it up, and is twice what [`MAX_WORDS`] ordinary words need.
pub const MAX_TOTAL_BYTES: usize = 512 * 1024;

/// How many keywords may end in one another (`ass`, `bass`, …). Ours: every state of the automaton lists
/// the keywords that end there, so lists made of endings of each other cost memory by the square.
pub const MAX_NESTED: usize = 16;

/// Why a keyword list cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TooManyWords {
    /// More than [`MAX_WORDS`] different keywords.
    #[error("there are more than {MAX_WORDS} keywords")]
    Words,
    /// A keyword of more than [`MAX_WORD_CHARACTERS`].
    #[error("a keyword has more than {MAX_WORD_CHARACTERS} characters")]
    Characters,
    /// More than [`MAX_NESTED`] keywords of which each ends in the one before.
    #[error("more than {MAX_NESTED} keywords end in one another")]
    Nested,
    /// More than [`MAX_TOTAL_BYTES`] in all.
    #[error("the keywords together have more than {MAX_TOTAL_BYTES} bytes")]
    Bytes,
}

/// A keyword list, ready to be applied (rest.md §6, EFFECTS N-28). Case-sensitive, as ruled (Q19).
///
/// Immutable: a changed list is a new filter. Building takes milliseconds to tens of them, so it is
/// done beside the requests and not in one.
#[derive(Debug, Clone, Default)]
pub struct WordFilter {
    /// The NFA and not the full DFA: a thirtieth of the memory, and faster for it (MEASURED §E).
    /// `None`: no keywords.
    automaton: Option<NFA>,
}

impl WordFilter {
    /// Builds the filter. Empty and repeated keywords are ignored.
    pub fn new(words: &[String]) -> Result<Self, TooManyWords> {
        if words.iter().any(|word| word.chars().count() > MAX_WORD_CHARACTERS) {
            return Err(TooManyWords::Characters);
        }
        let mut words: Vec<&str> = words.iter().map(String::as_str).filter(|word| !word.is_empty()).collect();
        words.sort_unstable();
        words.dedup();
        if words.len() > MAX_WORDS {
            return Err(TooManyWords::Words);
        }
        if words.iter().map(|word| word.len()).sum::<usize>() > MAX_TOTAL_BYTES {
            return Err(TooManyWords::Bytes);
        }
        if nesting(&words) > MAX_NESTED {
            return Err(TooManyWords::Nested);
        }
        if words.is_empty() {
            return Ok(Self::default());
        }
        // `Standard` is the kind that sees every occurrence. Leftmost-longest would skip what
        // overlaps a hit: of "abc" and "cde" in "abcde" it leaves "de" to be read.
        // The build fails only beyond 2^31 states, of which the bounds above allow half a million.
        let automaton =
            NFA::builder().match_kind(MatchKind::Standard).build(&words).map_err(|_| TooManyWords::Bytes)?;
        Ok(Self { automaton: Some(automaton) })
    }

    /// Whether the list holds no keyword, so that every text passes unchanged.
    pub fn is_empty(&self) -> bool {
        self.automaton.is_none()
    }

    /// The text with every character that belongs to an occurrence of a keyword replaced by `*`.
    ///
    /// The number of characters (`char`s) never changes. Without a hit the text is borrowed. One pass over the
    /// bytes, whatever the list. A keyword that itself holds `*` may appear anew in the answer.
    pub fn mask<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let hits = self.hits(text);
        if hits.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut masked = String::with_capacity(text.len());
        let mut done = 0;
        for (start, end) in hits {
            // Keywords are whole characters of UTF-8, so a hit starts and ends between characters.
            masked.push_str(text.get(done..start).unwrap_or_default());
            masked.extend(text.get(start..end).unwrap_or_default().chars().map(|_| '*'));
            done = end;
        }
        masked.push_str(text.get(done..).unwrap_or_default());
        Cow::Owned(masked)
    }

    /// Masks every string inside `value`, but not the names of members: those are structure.
    ///
    /// It recurses as deep as the value; what was parsed by `serde_json` is at most 128 deep.
    pub fn mask_json(&self, value: &mut Value) {
        if self.is_empty() {
            return;
        }
        match value {
            Value::String(text) => {
                if let Cow::Owned(masked) = self.mask(text) {
                    *text = masked;
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.mask_json(item)),
            Value::Object(members) => members.values_mut().for_each(|member| self.mask_json(member)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// The union of all occurrences, as byte ranges that rise and neither overlap nor touch.
    fn hits(&self, text: &str) -> Vec<(usize, usize)> {
        let mut hits: Vec<(usize, usize)> = Vec::new();
        let Some(automaton) = &self.automaton else {
            return hits;
        };
        let Ok(mut state) = automaton.start_state(Anchored::No) else {
            return hits;
        };
        for (at, byte) in text.bytes().enumerate() {
            state = automaton.next_state(Anchored::No, state, byte);
            if !automaton.is_match(state) {
                continue;
            }
            // A state lists its longest keyword first; the others that end here lie inside it. So
            // one look per byte is enough, where a list of "a", "aa", … would otherwise cost hundreds.
            let end = at + 1;
            let mut start = end.saturating_sub(automaton.pattern_len(automaton.match_pattern(state, 0)));
            while let Some((before, _)) = hits.pop_if(|(_, before_end)| *before_end >= start) {
                start = start.min(before);
            }
            hits.push((start, end));
        }
        hits
    }
}

/// The longest chain of different words in which each ends in the one before; a single word is one.
fn nesting(words: &[&str]) -> usize {
    // Spelt backwards and sorted, a word's endings stand right before it, shortest first.
    let mut backwards: Vec<Vec<u8>> = words.iter().map(|word| word.bytes().rev().collect()).collect();
    backwards.sort_unstable();
    let mut chain: Vec<&[u8]> = Vec::new();
    let mut longest = 0;
    for word in &backwards {
        while chain.pop_if(|ending| !word.starts_with(ending)).is_some() {}
        chain.push(word);
        longest = longest.max(chain.len());
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn filter(words: &[&str]) -> WordFilter {
        WordFilter::new(&words.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn each_character_of_a_hit_becomes_one_star() {
        assert_eq!(filter(&["bad", "坏话"]).mask("a bad word, 说坏话的"), "a *** word, 说**的");
    }

    #[test]
    fn overlapping_keywords_are_all_masked() {
        assert_eq!(filter(&["abc", "cde"]).mask("xabcdex"), "x*****x");
        assert_eq!(filter(&["b", "abcd", "cd"]).mask("abc bcd abcd"), "a*c *** ****");
    }

    #[test]
    fn case_decides() {
        assert_eq!(filter(&["Bad"]).mask("bad Bad BAD"), "bad *** BAD");
    }

    #[test]
    fn a_text_without_a_hit_is_not_copied() {
        assert!(matches!(filter(&["bad"]).mask("good"), Cow::Borrowed("good")));
        assert!(matches!(filter(&["", ""]).mask("good"), Cow::Borrowed("good")));
        assert!(filter(&[""]).is_empty() && WordFilter::default().is_empty());
    }

    #[test]
    fn strings_in_json_are_masked_and_names_are_not() {
        let mut value = json!({"bad": ["bad", 1, null, {"x": "so bad"}], "y": true});
        filter(&["bad"]).mask_json(&mut value);
        assert_eq!(value, json!({"bad": ["***", 1, null, {"x": "so ***"}], "y": true}));
    }

    #[test]
    fn lists_beyond_the_limits_are_refused() {
        let many =
            |count: usize, length: usize| -> Vec<String> { (0..count).map(|n| format!("{n:0length$}")).collect() };
        assert!(WordFilter::new(&many(MAX_WORDS, 5)).is_ok());
        assert_eq!(WordFilter::new(&many(MAX_WORDS + 1, 5)).unwrap_err(), TooManyWords::Words);
        assert!(WordFilter::new(&["好".repeat(MAX_WORD_CHARACTERS)]).is_ok());
        assert_eq!(WordFilter::new(&["好".repeat(MAX_WORD_CHARACTERS + 1)]).unwrap_err(), TooManyWords::Characters);
        assert_eq!(WordFilter::new(&many(2_100, 250)).unwrap_err(), TooManyWords::Bytes);
        assert!(WordFilter::new(&vec!["same".to_owned(); MAX_WORDS * 2]).is_ok());
        let nested = |count: usize| (1..=count).map(|length| "a".repeat(length)).collect::<Vec<_>>();
        assert!(WordFilter::new(&nested(MAX_NESTED)).is_ok());
        assert_eq!(WordFilter::new(&nested(MAX_NESTED + 1)).unwrap_err(), TooManyWords::Nested);
        assert_eq!(nesting(&["ass", "bass", "s", "b", "brass", "glass"]), 3);
    }

    /// What `mask` means, said plainly: mark each character of each occurrence.
    fn plainly(words: &[String], text: &str) -> String {
        let characters: Vec<char> = text.chars().collect();
        let mut masked = characters.clone();
        for word in words.iter().filter(|word| !word.is_empty()) {
            let word: Vec<char> = word.chars().collect();
            for (at, window) in characters.windows(word.len()).enumerate() {
                if window == word {
                    masked[at..at + word.len()].fill('*');
                }
            }
        }
        masked.into_iter().collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn it_does_what_it_says(words in prop::collection::vec("[ab*好é]{0,4}", 0..8), text in "[ab*好é]{0,24}") {
            let filter = WordFilter::new(&words).unwrap();
            let masked = filter.mask(&text);
            prop_assert_eq!(&*masked, plainly(&words, &text));
            prop_assert_eq!(masked.chars().count(), text.chars().count());
        }

        #[test]
        fn no_keyword_without_a_star_is_left_and_twice_is_once(
            words in prop::collection::vec("[ab好é🙂]{1,4}", 0..8), text in "[ab*好é🙂]{0,24}",
        ) {
            let filter = WordFilter::new(&words).unwrap();
            let masked = filter.mask(&text);
            for word in &words {
                prop_assert!(!masked.contains(word.as_str()));
            }
            prop_assert_eq!(filter.mask(&masked), &*masked);
            // Unchanged exactly when there was nothing to hide.
            prop_assert_eq!(*masked == *text, !words.iter().any(|word| text.contains(word.as_str())));
        }

        #[test]
        fn any_text_and_any_words_are_taken(words in prop::collection::vec(any::<String>(), 0..4), text in any::<String>()) {
            if let Ok(filter) = WordFilter::new(&words) {
                prop_assert_eq!(&*filter.mask(&text), plainly(&words, &text));
            }
        }
    }
}
