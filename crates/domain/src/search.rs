//! Message search: how a text becomes tokens, and a keyword the question that finds them.
//!
//! Words are found by prefix, ignoring case and accents; Chinese, Japanese and Korean text by any
//! substring of one character or more. Tokens are ASCII letters and digits whatever the script, so
//! that no database applies rules of its own to them. Nothing here knows SQL.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// How much of a message is searchable, in characters of its normalised text. Ours: it keeps token
/// positions below PostgreSQL's 16,383, and one message from filling the index.
pub const MAX_INDEXED_CHARACTERS: usize = 8_000;

/// How much of a keyword is used, in characters of its normalised text. Ours. What follows is ignored, so a
/// longer keyword finds what its beginning finds.
pub const MAX_KEYWORD_CHARACTERS: usize = 256;

/// How tokens begin that are not made from text: not as any word, long word or CJK token does, nor as any
/// prefix of one. (`room` would not do: somebody searching for "ro" asks for the prefix `ro`.)
pub const RESERVED: &str = "xr";

/// Characters of one word token. A longer word is cut into tokens at adjacent positions: FTS5
/// and `tsvector` limit a token's bytes (32,768 and 2,046; 64 characters are at most 386).
const WORD_TOKEN_CHARACTERS: usize = 64;

/// One thing the keyword asks for. A message is found when all terms of the keyword are in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// Tokens that stand at adjacent positions, in this order. Never empty; `[a-z0-9]` only.
    pub tokens: Vec<String>,
    /// Whether the last token is only the beginning of what stands there. The others stand whole.
    pub last_is_prefix: bool,
}

/// The tokens of a message in the order of its text, with a space between any two; the place in this list is the position.
/// A token is of `[a-z0-9]`. Empty when nothing in the text can be searched for.
///
/// - A word is one token. In it `x` is written `xx`, and a character that is not an ASCII letter or digit is
///   `x` and five hexadecimal digits. No character's spelling begins another's, so a prefix
///   of a word is a prefix of its token and nothing else is.
/// - A word of more than 64 characters goes on in tokens that open with `xy`.
/// - Chinese, Japanese and Korean text gives, at each character, a token of it and the next one:
///   `xz` and five digits for each. The last character of a run stands alone. So adjacent pairs
///   are exactly a substring, and a prefix of a pair is exactly one character.
///
/// No token, and no prefix a term asks for, begins with [`RESERVED`]: an index may put tokens of its own beside
/// these under such names, and no keyword finds them.
///
/// At most [`MAX_INDEXED_CHARACTERS`] tokens. PostgreSQL remembers only the first 255 positions of one token in
/// one message: a phrase that occurs only behind 255 repetitions of one of its pairs is not found there. FTS5
/// has no such limit.
pub fn index_text(text: &str) -> String {
    // Most messages are written in ASCII, and each is indexed: without a list of anything this is several times cheaper.
    if text.is_ascii() {
        return ascii_index_text(text);
    }
    let mut tokens = Vec::new();
    for run in runs(text, MAX_INDEXED_CHARACTERS) {
        match run {
            Run::Word(word) => tokens.extend(word_tokens(&word)),
            Run::Cjk(characters) => {
                tokens.extend(pairs(&characters));
                tokens.extend(characters.last().map(|last| cjk_token(&[*last])));
            }
        }
    }
    tokens.join(" ")
}

/// As [`index_text`], of words that are spelt as they are but for `x`.
fn ascii_index_text(text: &str) -> String {
    let mut tokens = String::with_capacity(text.len() + 16);
    let mut length = 0;
    for byte in text.bytes().take(MAX_INDEXED_CHARACTERS) {
        if !byte.is_ascii_alphanumeric() {
            length = 0;
            continue;
        }
        if length == 0 && !tokens.is_empty() {
            tokens.push(' ');
        } else if length > 0 && length % WORD_TOKEN_CHARACTERS == 0 {
            tokens.push_str(" xy");
        }
        length += 1;
        match byte.to_ascii_lowercase() {
            b'x' => tokens.push_str("xx"),
            other => tokens.push(char::from(other)),
        }
    }
    tokens
}

/// What a keyword asks for: every word by its beginning, every CJK run as a phrase, in any order.
/// Empty when nothing in the keyword can be searched for; such a search finds nothing.
pub fn query_terms(keyword: &str) -> Vec<Term> {
    let mut terms = Vec::new();
    for run in runs(keyword, MAX_KEYWORD_CHARACTERS) {
        let term = match run {
            Run::Word(word) => Term { tokens: word_tokens(&word), last_is_prefix: true },
            Run::Cjk(characters) if characters.len() == 1 => {
                Term { tokens: vec![cjk_token(&characters)], last_is_prefix: true }
            }
            Run::Cjk(characters) => Term { tokens: pairs(&characters).collect(), last_is_prefix: false },
        };
        if !terms.contains(&term) {
            terms.push(term);
        }
    }
    terms
}

/// Whether a message with this text is found by this keyword: the meaning, said without an index.
/// What a database answers by tokens must be this.
pub fn matches(text: &str, keyword: &str) -> bool {
    let text = runs(text, MAX_INDEXED_CHARACTERS);
    let keyword = runs(keyword, MAX_KEYWORD_CHARACTERS);
    !keyword.is_empty()
        && keyword.iter().all(|wanted| {
            text.iter().any(|there| match (there, wanted) {
                (Run::Word(there), Run::Word(wanted)) => there.starts_with(wanted),
                (Run::Cjk(there), Run::Cjk(wanted)) => there.windows(wanted.len()).any(|part| part == wanted),
                (Run::Word(_), Run::Cjk(_)) | (Run::Cjk(_), Run::Word(_)) => false,
            })
        })
}

/// A stretch of normalised text without a separator or a change of kind. Never empty.
#[derive(Debug)]
enum Run {
    Word(Vec<char>),
    Cjk(Vec<char>),
}

enum Kind {
    Word,
    Cjk,
    /// A combining mark: part of the word it stands in, nothing elsewhere.
    Mark,
    Separator,
}

/// Cuts a text into runs after normalising it; reads no more than `limit` characters.
fn runs(text: &str, limit: usize) -> Vec<Run> {
    if text.is_ascii() {
        // It is its own normal form, and to look that up costs most of what an index entry costs.
        return cut(text.chars().take(limit));
    }
    // The first limit bounds the work, the second what comes out of it: NFKC makes up to 18
    // characters of one. NFKC joins half-width and full-width forms, which are typed at random.
    cut(text.chars().take(limit).filter(|c| !is_ignorable(*c)).nfkc().take(limit))
}

fn cut(normalised: impl Iterator<Item = char>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut open = false;
    for c in normalised {
        match (kind(c), runs.last_mut().filter(|_| open)) {
            (Kind::Word, Some(Run::Word(word))) => fold_into(word, c),
            (Kind::Word, _) => {
                let mut word = Vec::new();
                fold_into(&mut word, c);
                // A character that folds to nothing opens no word.
                open = !word.is_empty();
                runs.extend(Some(Run::Word(word)).filter(|_| open));
            }
            (Kind::Mark, Some(Run::Word(word))) => fold_into(word, c),
            (Kind::Mark, _) => {}
            (Kind::Cjk, Some(Run::Cjk(characters))) => characters.push(c),
            (Kind::Cjk, _) => {
                runs.push(Run::Cjk(vec![c]));
                open = true;
            }
            (Kind::Separator, _) => open = false,
        }
    }
    runs
}

fn kind(c: char) -> Kind {
    if c.is_ascii() {
        if c.is_ascii_alphanumeric() { Kind::Word } else { Kind::Separator }
    } else if is_cjk(c) {
        Kind::Cjk
    } else if c.is_alphanumeric() {
        Kind::Word
    } else if is_combining_mark(c) {
        Kind::Mark
    } else {
        Kind::Separator
    }
}

/// Characters that change how their neighbours look and not what they say: soft hyphen, joiners,
/// byte-order mark, variation selectors.
fn is_ignorable(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{34f}' | '\u{200c}' | '\u{200d}' | '\u{2060}' | '\u{feff}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}

/// Scripts written without spaces between words that are found by substring: Han with its
/// extensions and radicals, Kana, Hangul, Bopomofo. Compatibility and half-width forms are gone by now.
fn is_cjk(c: char) -> bool {
    matches!(c,
        '\u{1100}'..='\u{11ff}' | '\u{a960}'..='\u{a97f}' | '\u{ac00}'..='\u{d7ff}' // Hangul
        | '\u{3130}'..='\u{318f}' // Hangul letters
        | '\u{2e80}'..='\u{2fdf}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' // Han
        | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}'
        | '\u{3005}'..='\u{3007}' | '\u{3021}'..='\u{3029}' | '\u{3031}'..='\u{3035}' | '\u{3038}'..='\u{303c}'
        | '\u{3041}'..='\u{309a}' | '\u{309d}'..='\u{309f}' // Hiragana, with its voice marks
        | '\u{30a1}'..='\u{30fa}' | '\u{30fc}'..='\u{30ff}' | '\u{31f0}'..='\u{31ff}' // Katakana
        | '\u{1aff0}'..='\u{1afff}' | '\u{1b000}'..='\u{1b16f}'
        | '\u{3105}'..='\u{312f}' | '\u{31a0}'..='\u{31bf}' // Bopomofo
    )
}

/// Latin, Greek, Cyrillic and digits: the scripts whose accents are ignored. In others
/// a mark is often a vowel, and without it the word is another.
fn drops_accents(c: char) -> bool {
    matches!(c, '\0'..='\u{52f}' | '\u{1c80}'..='\u{1c8f}' | '\u{1d00}'..='\u{1dbf}' | '\u{1e00}'..='\u{1fff}'
        | '\u{2c60}'..='\u{2c7f}' | '\u{a640}'..='\u{a69f}' | '\u{a720}'..='\u{a7ff}' | '\u{ab30}'..='\u{ab6f}')
        && !is_combining_mark(c)
}

/// Appends a character to a word as search sees it: decomposed, without accents, in lower case.
fn fold_into(word: &mut Vec<char>, c: char) {
    if c.is_ascii() {
        word.push(c.to_ascii_lowercase());
        return;
    }
    for part in std::iter::once(c).nfkd() {
        if is_combining_mark(part) {
            if word.last().is_some_and(|last| !drops_accents(*last)) {
                word.push(part);
            }
            continue;
        }
        for lower in part.to_lowercase() {
            match lower {
                // Letters that Unicode does not decompose and that people type without the stroke.
                'ß' => word.extend(['s', 's']),
                'æ' => word.extend(['a', 'e']),
                'œ' => word.extend(['o', 'e']),
                'þ' => word.extend(['t', 'h']),
                'ø' => word.push('o'),
                'đ' | 'ð' => word.push('d'),
                'ħ' => word.push('h'),
                'ı' => word.push('i'),
                'ł' => word.push('l'),
                'ŧ' => word.push('t'),
                'ς' => word.push('σ'),
                mark if is_combining_mark(mark) => {}
                other => word.push(other),
            }
        }
    }
}

fn word_tokens(word: &[char]) -> Vec<String> {
    let mut tokens = Vec::new();
    for part in word.chunks(WORD_TOKEN_CHARACTERS) {
        let mut token = String::from(if tokens.is_empty() { "" } else { "xy" });
        for c in part {
            match c {
                'x' => token.push_str("xx"),
                'a'..='z' | '0'..='9' => token.push(*c),
                other => push_digits(&mut token, "x", *other),
            }
        }
        tokens.push(token);
    }
    tokens
}

fn pairs(characters: &[char]) -> impl Iterator<Item = String> {
    characters.windows(2).map(cjk_token)
}

fn cjk_token(characters: &[char]) -> String {
    let mut token = String::from("xz");
    characters.iter().for_each(|c| push_digits(&mut token, "", *c));
    token
}

/// Five hexadecimal digits. Six would be needed only in the last private plane, which has no letters.
fn push_digits(token: &mut String, before: &str, c: char) {
    token.push_str(&format!("{before}{:05x}", u32::from(c)));
}

#[cfg(test)]
mod tests;
