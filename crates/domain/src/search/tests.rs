use super::*;
use proptest::prelude::*;

fn term(tokens: &[&str], last_is_prefix: bool) -> Term {
    Term { tokens: tokens.iter().map(ToString::to_string).collect(), last_is_prefix }
}

fn index_tokens(text: &str) -> Vec<String> {
    index_text(text).split(' ').filter(|token| !token.is_empty()).map(str::to_owned).collect()
}

/// What a database does with tokens and positions.
fn found(text: &str, keyword: &str) -> bool {
    let tokens = index_tokens(text);
    let terms = query_terms(keyword);
    !terms.is_empty()
        && terms.iter().all(|term| {
            tokens.windows(term.tokens.len()).any(|part| {
                part.iter().zip(&term.tokens).enumerate().all(|(at, (there, wanted))| {
                    if term.last_is_prefix && at + 1 == term.tokens.len() {
                        there.starts_with(wanted.as_str())
                    } else {
                        there == wanted
                    }
                })
            })
        })
}

#[test]
fn mixed_text_is_cut_at_the_change_of_script() {
    assert_eq!(index_tokens("Hello世界abc x"), ["hello", "xz04e160754c", "xz0754c", "abc", "xx"]);
    assert_eq!(
        query_terms("世界大 Wör 界"),
        [term(&["xz04e160754c", "xz0754c05927"], false), term(&["wor"], true), term(&["xz0754c"], true)]
    );
}

#[test]
fn nothing_searchable_asks_for_nothing() {
    for keyword in ["", "  ", "!?*\"'", "🙂", "\u{301}", "。、", "\u{200d}"] {
        assert_eq!(query_terms(keyword), []);
        assert!(!matches("anything 🙂", keyword));
    }
}

#[test]
fn what_is_found_and_what_is_not() {
    let found_by = [
        ("The Quick fox", "qui"),
        ("The Quick fox", "FOX the"),
        ("Ångström", "angstro"),
        ("ångström", "ÅNG"),
        ("Straße", "STRASS"),
        ("Łódź", "lodz"),
        ("Σίσυφος", "σισυφοσ"),
        ("Ёлка", "елка"),
        ("ﬁnal ｆｕｌｌ", "final full"),
        ("don't", "don't"),
        ("co\u{ad}operate", "cooper"),
        ("1️⃣ one", "1"),
        ("今天天气很好", "天气"),
        ("今天天气很好", "好"),
        ("今天天气很好", "今天天气很好"),
        ("ｶﾞｯｺｳ", "ガッコ"),
        ("がっこう", "がっ"),
        ("안녕하세요", "녕하"),
        ("안녕하세요", "안녕"),
        ("𠮷野家", "𠮷"),
        ("用Rust写", "rus 写"),
        ("สวัสดี", "สวั"),
        ("नमस्ते", "नम"),
        ("ㄅㄆㄇ", "ㄆㄇ"),
    ];
    for (text, keyword) in found_by {
        assert!(matches(text, keyword) && found(text, keyword), "{text} by {keyword}");
    }
    let not_found_by = [
        ("The Quick fox", "uick"),
        ("The Quick fox", "the cat"),
        ("今天天气", "天今"),
        ("今天天气", "今天 很"),
        ("今天,天气", "天天"),
        ("今天", "今天天"),
        // A kana with its voice mark is another kana.
        ("がっこう", "か"),
        // A vowel sign is not an accent.
        ("नमस्ते", "नमसत"),
        // The spelling of tokens is not searchable.
        ("世界", "xz04e16"),
        ("世界", "x"),
        ("é", "x000e9"),
    ];
    for (text, keyword) in not_found_by {
        assert!(!matches(text, keyword) && !found(text, keyword), "{text} by {keyword}");
    }
}

#[test]
fn long_words_are_exact_beyond_one_token() {
    let word = format!("{}{}{}", "a".repeat(64), "b".repeat(64), "c");
    assert_eq!(index_tokens(&word).len(), 3);
    for length in 1..=word.len() {
        assert!(found(&word, &word[..length]), "{length}");
    }
    assert!(!found(&word, &format!("{}c", "a".repeat(64))));
    assert!(!found(&word, &format!("{word}c")));
    assert!(!found(&word, "b") && !found(&word, "c") && !found(&word, "xy"));
}

#[test]
fn no_keyword_asks_for_reserved_tokens() {
    for keyword in ["x", "xr", "r", "xroom", "xr1", "X R", "ＸＲ"] {
        for token in query_terms(keyword).iter().flat_map(|term| &term.tokens) {
            assert!(!token.starts_with(RESERVED) && !RESERVED.starts_with(token.as_str()), "{token}");
        }
    }
}

#[test]
fn bounds_hold() {
    let endless = "好".repeat(MAX_INDEXED_CHARACTERS * 2);
    assert_eq!(index_tokens(&endless).len(), MAX_INDEXED_CHARACTERS);
    // One character that normalises to eighteen.
    assert!(index_tokens(&"\u{fdfa}".repeat(MAX_INDEXED_CHARACTERS)).len() <= MAX_INDEXED_CHARACTERS);
    assert!(query_terms(&endless)[0].tokens.len() < MAX_KEYWORD_CHARACTERS);
    let wide = "\u{1d17}".repeat(300);
    assert!(index_tokens(&wide).iter().all(|token| token.len() <= 386));
}

/// Few letters of many kinds, so that hits are likely.
fn letters(length: std::ops::Range<usize>) -> impl Strategy<Value = String> {
    let letters: Vec<char> = "abxXzyéÉe\u{301}ß世界好がか\u{3099}ー安안ﾊ  ,.'1ωΩЖй\u{e31}ดक\u{94d}".chars().collect();
    prop::collection::vec(prop::sample::select(letters), length).prop_map(|letters| letters.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn the_index_answers_what_is_meant(
        text in letters(0..24), keyword in letters(0..4),
    ) {
        prop_assert_eq!(found(&text, &keyword), matches(&text, &keyword), "{:?}", index_tokens(&text));
    }

    #[test]
    fn cjk_is_found_by_exactly_its_substrings(text in "[世界好안が]{0,12}", keyword in "[世界好안が]{1,4}") {
        prop_assert_eq!(found(&text, &keyword), text.contains(&keyword));
    }

    #[test]
    fn ascii_words_are_found_by_exactly_their_beginnings(text in "[abx0 ]{0,16}", keyword in "[abx0]{1,3}") {
        let meant = text.split(' ').any(|word| word.starts_with(&keyword));
        prop_assert_eq!(found(&text, &keyword), meant);
    }

    #[test]
    fn ascii_is_its_own_normal_form(text in "[ -~\\n]{0,40}") {
        // A joiner says nothing, and is not ASCII.
        prop_assert_eq!(index_tokens(&text), index_tokens(&format!("{text}\u{200d}")));
    }

    #[test]
    fn tokens_are_ascii_whatever_comes(text in any::<String>(), keyword in any::<String>()) {
        let terms = query_terms(&keyword);
        for token in index_tokens(&text).iter().chain(terms.iter().flat_map(|term| &term.tokens)) {
            prop_assert!(!token.is_empty() && token.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()));
        }
        prop_assert!(terms.iter().all(|term| !term.tokens.is_empty()));
        let wanted = terms.iter().flat_map(|term| &term.tokens);
        prop_assert!(wanted.chain(&index_tokens(&text)).all(|t| !t.starts_with(RESERVED) && !RESERVED.starts_with(t.as_str())));
        prop_assert_eq!(found(&text, &keyword), matches(&text, &keyword));
        // A text is found by itself, unless nothing in it can be searched for.
        prop_assert_eq!(found(&text, &text), !index_tokens(&text).is_empty());
    }

    #[test]
    fn ascii_is_indexed_as_any_other_text(text in "[ -~]{0,300}|[a-zX ]{0,300}|[xa]{60,140}") {
        let mut tokens = Vec::new();
        for run in runs(&text, MAX_INDEXED_CHARACTERS) {
            if let Run::Word(word) = run {
                tokens.extend(word_tokens(&word));
            }
        }
        prop_assert_eq!(index_text(&text), tokens.join(" "));
    }
}
