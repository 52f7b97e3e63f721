//! Filters callers write: the subset of MongoDB's query language that `q` and `pref` take.
//!
//! A filter is data: parsed once, bounded, then either turned into SQL by the store or applied here to one
//! document. It never holds code, and what the subset does not name is an error and never ignored.

mod needed;
mod parse;
mod pattern;

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;

use serde_json::Value;

pub use parse::FilterError;
pub use pattern::{Literal, Pattern, Place};

/// Deepest nesting of `$and`, `$or`, `$nor` and `$not`, the filter itself counted. Ours.
pub const MAX_DEPTH: usize = 8;
/// Most tests in one filter, and most branches of `$and`, `$or` and `$nor` together. Ours.
pub const MAX_TESTS: usize = 64;
/// Most entries of one `$in`, `$nin` or `$all`. Ours: as many as ids fit into a request.
pub const MAX_ENTRIES: usize = 200;
/// Longest regular expression, in characters. Ours.
pub const MAX_PATTERN_CHARACTERS: usize = 512;
/// Largest compiled regular expression, in bytes. Ours; a pattern that needs more is refused.
pub const MAX_PATTERN_BYTES: usize = 1024 * 1024;
/// Longest name in a field path, in characters. Ours: as long as the name of a custom field may be.
pub const MAX_NAME_CHARACTERS: usize = 255;
/// Most names in one field path. Ours.
pub const MAX_PATH_SEGMENTS: usize = 4;

/// What a document must be to be listed.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// Every one holds; an empty list always does. Several members of one object, or `$and`.
    All(Vec<Filter>),
    /// At least one holds; an empty list never does. `$or`.
    Any(Vec<Filter>),
    /// None of them holds. `$nor`.
    NoneOf(Vec<Filter>),
    /// It does not hold. `$not`.
    Not(Box<Filter>),
    /// One test of one field.
    Field {
        /// Which field.
        path: FieldPath,
        /// What is asked of it.
        test: Test,
    },
}

/// What is asked of a field. Where the field holds a list, one entry that passes is enough (as in MongoDB); `Ne`
/// and `Nin` are exact negations of `Eq` and `In`, so there every entry must differ.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// `$eq`, or the bare value. `Null` holds for a missing field too.
    Eq(Scalar),
    /// `$ne`.
    Ne(Scalar),
    /// `$gt`. Numbers compare with numbers, texts with texts (by code point), booleans with booleans;
    /// anything else is not comparable, and the test fails.
    Gt(Scalar),
    /// `$gte`; with `Null`, as `Eq`.
    Gte(Scalar),
    /// `$lt`.
    Lt(Scalar),
    /// `$lte`; with `Null`, as `Eq`.
    Lte(Scalar),
    /// `$in`: equal to one of them; with no entries, never.
    In(Vec<Scalar>),
    /// `$nin`.
    Nin(Vec<Scalar>),
    /// `$all`: equal to each of them; with no entries, never.
    HasAll(Vec<Scalar>),
    /// `$exists`: present, be it `null`.
    Exists(bool),
    /// `$type`. A list is of type array, and of the types of its entries.
    Type(JsonType),
    /// `$regex` with `$options`: found in a text.
    Regex(Pattern),
}

/// A value to compare with.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number without a fraction.
    Int(i64),
    /// Any other number. Never NaN, never infinite.
    Real(f64),
    /// A text without NUL.
    Text(String),
}

impl Scalar {
    /// The number, as a double: what numbers compare as, in MongoDB's shell and in JavaScript. Whole
    /// numbers are exact up to 2^53, so times in milliseconds are.
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Int(number) => Some(*number as f64),
            Self::Real(number) => Some(*number),
            Self::Null | Self::Bool(_) | Self::Text(_) => None,
        }
    }
}

/// The types `$type` tells apart, after MongoDB's aliases and numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonType {
    /// `string`, 2.
    Text,
    /// `bool`, 8.
    Bool,
    /// `number`.
    Number,
    /// `int`, 16, and `long`, 18: a number without a fraction, within 64 bits. JSON has no widths.
    Whole,
    /// `double`, 1: any other number.
    Fraction,
    /// `null`, 10: present and `null`.
    Null,
    /// `array`, 4.
    Array,
    /// `object`, 3.
    Object,
    /// `date`, 9. JSON has none; the store knows which of its columns are times.
    Date,
}

/// The name of a field: at most [`MAX_PATH_SEGMENTS`] names joined by dots, each of any characters but NUL. The
/// first does not begin with `$`, as no field does.
///
/// A path leads through objects only. Unlike in MongoDB it does not enter lists, by number or otherwise. A field whose
/// name holds a dot has no path.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FieldPath(String);

impl FieldPath {
    /// Reads a path. `None`: it is not one.
    pub fn new(path: &str) -> Option<Self> {
        let named =
            |name: &str| !name.is_empty() && !name.contains('\0') && name.chars().nth(MAX_NAME_CHARACTERS).is_none();
        let valid =
            !path.starts_with('$') && path.split('.').count() <= MAX_PATH_SEGMENTS && path.split('.').all(named);
        valid.then(|| Self(path.to_owned()))
    }

    /// The path as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The names from the outermost inwards; at least one.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('.')
    }

    /// The value at the end of the path in a document. `None`: missing.
    pub fn find_in<'v>(&self, document: &'v Value) -> Option<&'v Value> {
        self.segments().try_fold(document, |value, name| value.as_object()?.get(name))
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl Filter {
    /// The filter every document passes.
    pub fn always() -> Self {
        Self::All(Vec::new())
    }

    /// The filter no document passes.
    pub fn never() -> Self {
        Self::Any(Vec::new())
    }

    /// Whether a document passes; `lookup` gives its fields, `None` for a missing one.
    ///
    /// This is the meaning of a filter. SQL made from it must answer the same.
    pub fn matches(&self, lookup: &dyn Fn(&FieldPath) -> Option<Value>) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.matches(lookup)),
            Self::Any(parts) => parts.iter().any(|part| part.matches(lookup)),
            Self::NoneOf(parts) => !parts.iter().any(|part| part.matches(lookup)),
            Self::Not(part) => !part.matches(lookup),
            Self::Field { path, test } => test.holds(lookup(path).as_ref()),
        }
    }

    /// The filter with the tests of one field answered: every document holds this value there.
    #[must_use]
    pub fn settled(self, name: &str, value: &Value) -> Self {
        let all = |parts: Vec<Self>| parts.into_iter().map(|part| part.settled(name, value)).collect();
        match self {
            Self::All(parts) => Self::All(all(parts)),
            Self::Any(parts) => Self::Any(all(parts)),
            Self::NoneOf(parts) => Self::NoneOf(all(parts)),
            Self::Not(part) => Self::Not(Box::new(part.settled(name, value))),
            Self::Field { path, test } if path.as_str() == name => {
                if test.holds(Some(value)) {
                    Self::always()
                } else {
                    Self::never()
                }
            }
            Self::Field { path, test } => Self::Field { path, test },
        }
    }

    /// The fields it asks about.
    #[must_use]
    pub fn paths(&self) -> BTreeSet<&FieldPath> {
        match self {
            Self::All(parts) | Self::Any(parts) | Self::NoneOf(parts) => parts.iter().flat_map(Self::paths).collect(),
            Self::Not(part) => part.paths(),
            Self::Field { path, .. } => BTreeSet::from([path]),
        }
    }

    /// Does it hold whatever the document?
    #[must_use]
    pub fn is_always(&self) -> bool {
        matches!(self, Self::All(parts) if parts.iter().all(Self::is_always))
    }

    /// The same filter with callers' names of our own fields replaced by ours: `(theirs, ours)`. Ours
    /// are then written `$name`, which no caller can write, so they never meet a custom field.
    #[must_use]
    pub fn renamed(self, names: &[(&str, &str)]) -> Self {
        let all = |parts: Vec<Self>| parts.into_iter().map(|part| part.renamed(names)).collect();
        match self {
            Self::All(parts) => Self::All(all(parts)),
            Self::Any(parts) => Self::Any(all(parts)),
            Self::NoneOf(parts) => Self::NoneOf(all(parts)),
            Self::Not(part) => Self::Not(Box::new(part.renamed(names))),
            Self::Field { path, test } => {
                let ours = names.iter().find(|(theirs, _)| *theirs == path.as_str());
                let path = ours.map_or(path, |(_, ours)| FieldPath(format!("${ours}")));
                Self::Field { path, test }
            }
        }
    }
}

impl Test {
    fn holds(&self, value: Option<&Value>) -> bool {
        match self {
            Self::Eq(wanted) => equals(value, wanted),
            Self::Ne(wanted) => !equals(value, wanted),
            Self::Gt(wanted) => compares(value, wanted, Ordering::is_gt),
            Self::Gte(wanted) => compares(value, wanted, Ordering::is_ge),
            Self::Lt(wanted) => compares(value, wanted, Ordering::is_lt),
            Self::Lte(wanted) => compares(value, wanted, Ordering::is_le),
            Self::In(wanted) => wanted.iter().any(|wanted| equals(value, wanted)),
            Self::Nin(wanted) => !wanted.iter().any(|wanted| equals(value, wanted)),
            Self::HasAll(wanted) => !wanted.is_empty() && wanted.iter().all(|wanted| equals(value, wanted)),
            Self::Exists(wanted) => value.is_some() == *wanted,
            Self::Type(wanted) => {
                value.is_some_and(|value| is_of(value, *wanted))
                    || entries(value).iter().any(|value| is_of(value, *wanted))
            }
            Self::Regex(pattern) => {
                entries(value).iter().any(|value| value.as_str().is_some_and(|text| pattern.is_match(text)))
            }
        }
    }
}

/// What a test looks at: the entries of a list, or the value alone.
fn entries(value: Option<&Value>) -> &[Value] {
    match value {
        Some(Value::Array(entries)) => entries,
        Some(value) => std::slice::from_ref(value),
        None => &[],
    }
}

fn equals(value: Option<&Value>, wanted: &Scalar) -> bool {
    if *wanted == Scalar::Null && value.is_none() {
        return true;
    }
    entries(value).iter().any(|value| match (value, wanted) {
        (Value::Null, Scalar::Null) => true,
        (value, wanted) => compare(value, wanted).is_some_and(Ordering::is_eq),
    })
}

fn compares(value: Option<&Value>, wanted: &Scalar, passes: impl Fn(Ordering) -> bool) -> bool {
    if *wanted == Scalar::Null {
        return passes(Ordering::Equal) && equals(value, wanted);
    }
    entries(value).iter().any(|value| compare(value, wanted).is_some_and(&passes))
}

/// How a value stands to a scalar of its kind. `None`: of another kind.
fn compare(value: &Value, wanted: &Scalar) -> Option<Ordering> {
    match (value, wanted) {
        (Value::Bool(value), Scalar::Bool(wanted)) => Some(value.cmp(wanted)),
        (Value::String(value), Scalar::Text(wanted)) => Some(value.as_str().cmp(wanted)),
        (Value::Number(value), wanted) => value.as_f64()?.partial_cmp(&wanted.number()?),
        _ => None,
    }
}

fn is_of(value: &Value, wanted: JsonType) -> bool {
    match wanted {
        JsonType::Text => value.is_string(),
        JsonType::Bool => value.is_boolean(),
        JsonType::Number => value.is_number(),
        JsonType::Whole => is_whole(value),
        JsonType::Fraction => value.is_number() && !is_whole(value),
        JsonType::Null => value.is_null(),
        JsonType::Array => value.is_array(),
        JsonType::Object => value.is_object(),
        JsonType::Date => false,
    }
}

/// A number that a 64-bit integer can be; `1.0` is, as it is for JavaScript.
fn is_whole(value: &Value) -> bool {
    const BEYOND: f64 = 9_223_372_036_854_775_808.0;
    value.is_i64()
        || (!value.is_u64() && value.as_f64().is_some_and(|n| n.fract() == 0.0 && (-BEYOND..BEYOND).contains(&n)))
}

#[cfg(test)]
mod tests;
