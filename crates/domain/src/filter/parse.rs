//! Reading a filter from JSON.
//!
//! Everything is checked here, so that a [`Filter`] that exists is within its bounds. Nothing
//! unknown is skipped: a misspelt operator must not widen what is listed.

use serde_json::{Map, Value};

use super::{
    FieldPath, Filter, JsonType, MAX_DEPTH, MAX_ENTRIES, MAX_PATTERN_CHARACTERS, MAX_TESTS, Pattern, Scalar, Test,
};

/// Why a JSON value is not a filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// A filter, or a branch of one, that is not an object.
    #[error("a filter is a JSON object")]
    NotAnObject,
    /// A name that is no [`FieldPath`].
    #[error("a field name is not usable")]
    Field,
    /// An operator that is not among the documented ones.
    #[error("an operator is not known")]
    Operator,
    /// The operator named was given what it cannot work with.
    #[error("{0} was given something it cannot work with")]
    Operand(&'static str),
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("a filter is at most {MAX_DEPTH} levels deep")]
    TooDeep,
    /// More than [`MAX_TESTS`] tests or branches.
    #[error("a filter has at most {MAX_TESTS} tests")]
    TooManyTests,
    /// More than [`MAX_ENTRIES`] in one list.
    #[error("a list in a filter has at most {MAX_ENTRIES} entries")]
    TooManyEntries,
    /// Not a regular expression within bounds.
    #[error(
        "a pattern is a regular expression of at most {MAX_PATTERN_CHARACTERS} characters, without look-around and back-references"
    )]
    Pattern,
}

impl Filter {
    /// Reads a filter: `{"field": value}`, `{"field": {"$gt": 1, "$lt": 5}}`, `{"$or": [{…}, {…}]}`. Several
    /// members must all hold; `{}` always does.
    ///
    /// Operators: `$eq $ne $gt $gte $lt $lte $in $nin $regex $options $exists $type`, all that users are filtered by
    /// (rest.md §2.3), and `$all $not $and $or $nor`, for the caller's own rooms. Values are scalars; equality with a whole list or object is
    /// not offered.
    pub fn parse(value: &Value) -> std::result::Result<Self, FilterError> {
        Reader { tests: 0, branches: 0 }.object(value, 1)
    }
}

/// Counts while it reads.
struct Reader {
    tests: usize,
    branches: usize,
}

type Result<T> = std::result::Result<T, FilterError>;

impl Reader {
    fn object(&mut self, value: &Value, depth: usize) -> Result<Filter> {
        let members = value.as_object().ok_or(FilterError::NotAnObject)?;
        if depth > MAX_DEPTH {
            return Err(FilterError::TooDeep);
        }
        let parts = members.iter().map(|(name, value)| match name.as_str() {
            "$and" => self.branches(value, depth, "$and").map(Filter::All),
            "$or" => self.branches(value, depth, "$or").map(Filter::Any),
            "$nor" => self.branches(value, depth, "$nor").map(Filter::NoneOf),
            operator if operator.starts_with('$') => Err(FilterError::Operator),
            name => self.field(&FieldPath::new(name).ok_or(FilterError::Field)?, value, depth),
        });
        all(parts.collect::<Result<_>>()?)
    }

    fn branches(&mut self, value: &Value, depth: usize, operator: &'static str) -> Result<Vec<Filter>> {
        let branches = value.as_array().filter(|list| !list.is_empty()).ok_or(FilterError::Operand(operator))?;
        self.branches += branches.len();
        if self.branches > MAX_TESTS {
            return Err(FilterError::TooManyTests);
        }
        branches.iter().map(|branch| self.object(branch, depth + 1)).collect()
    }

    fn field(&mut self, path: &FieldPath, value: &Value, depth: usize) -> Result<Filter> {
        match value {
            Value::Object(operators) => self.operators(path, operators, depth),
            value => self.test(path, Test::Eq(scalar(value, "$eq")?)),
        }
    }

    fn operators(&mut self, path: &FieldPath, operators: &Map<String, Value>, depth: usize) -> Result<Filter> {
        if depth > MAX_DEPTH {
            return Err(FilterError::TooDeep);
        }
        // An object without operators would be equality with that object.
        if operators.is_empty() {
            return Err(FilterError::Operand("$eq"));
        }
        let mut parts = Vec::with_capacity(operators.len());
        for (operator, value) in operators {
            let test = match operator.as_str() {
                "$eq" => Test::Eq(scalar(value, "$eq")?),
                "$ne" => Test::Ne(scalar(value, "$ne")?),
                "$gt" => Test::Gt(scalar(value, "$gt")?),
                "$gte" => Test::Gte(scalar(value, "$gte")?),
                "$lt" => Test::Lt(scalar(value, "$lt")?),
                "$lte" => Test::Lte(scalar(value, "$lte")?),
                "$in" => Test::In(scalars(value, "$in")?),
                "$nin" => Test::Nin(scalars(value, "$nin")?),
                "$all" => Test::HasAll(scalars(value, "$all")?),
                "$exists" => Test::Exists(flag(value)?),
                "$type" => Test::Type(json_type(value)?),
                "$regex" => Test::Regex(pattern(value, operators.get("$options"))?),
                "$options" if operators.contains_key("$regex") => continue,
                "$options" => return Err(FilterError::Operand("$options")),
                "$not" => {
                    let inner = value.as_object().ok_or(FilterError::Operand("$not"))?;
                    parts.push(Filter::Not(Box::new(self.operators(path, inner, depth + 1)?)));
                    continue;
                }
                _ => return Err(FilterError::Operator),
            };
            parts.push(self.test(path, test)?);
        }
        all(parts)
    }

    fn test(&mut self, path: &FieldPath, test: Test) -> Result<Filter> {
        self.tests += 1;
        if self.tests > MAX_TESTS {
            return Err(FilterError::TooManyTests);
        }
        Ok(Filter::Field { path: path.clone(), test })
    }
}

/// All of them, without a wrapper around one.
fn all(mut parts: Vec<Filter>) -> Result<Filter> {
    match parts.pop() {
        Some(only) if parts.is_empty() => Ok(only),
        Some(last) => {
            parts.push(last);
            Ok(Filter::All(parts))
        }
        None => Ok(Filter::always()),
    }
}

fn scalar(value: &Value, operator: &'static str) -> Result<Scalar> {
    let scalar = match value {
        Value::Null => Some(Scalar::Null),
        Value::Bool(value) => Some(Scalar::Bool(*value)),
        Value::Number(number) => number.as_i64().map(Scalar::Int).or_else(|| number.as_f64().map(Scalar::Real)),
        // No stored text holds NUL, and PostgreSQL cannot be asked for one.
        Value::String(text) => Some(Scalar::Text(text.clone())).filter(|_| !text.contains('\0')),
        Value::Array(_) | Value::Object(_) => None,
    };
    scalar.ok_or(FilterError::Operand(operator))
}

fn scalars(value: &Value, operator: &'static str) -> Result<Vec<Scalar>> {
    let values = value.as_array().ok_or(FilterError::Operand(operator))?;
    if values.len() > MAX_ENTRIES {
        return Err(FilterError::TooManyEntries);
    }
    values.iter().map(|value| scalar(value, operator)).collect()
}

/// `$exists` is often written 1 or 0.
fn flag(value: &Value) -> Result<bool> {
    match (value.as_bool(), value.as_i64()) {
        (Some(flag), _) => Ok(flag),
        (None, Some(0)) => Ok(false),
        (None, Some(1)) => Ok(true),
        _ => Err(FilterError::Operand("$exists")),
    }
}

fn json_type(value: &Value) -> Result<JsonType> {
    match (value.as_str(), value.as_i64()) {
        (Some("string"), _) | (_, Some(2)) => Ok(JsonType::Text),
        (Some("bool"), _) | (_, Some(8)) => Ok(JsonType::Bool),
        (Some("number"), _) => Ok(JsonType::Number),
        (Some("int" | "long"), _) | (_, Some(16 | 18)) => Ok(JsonType::Whole),
        (Some("double"), _) | (_, Some(1)) => Ok(JsonType::Fraction),
        (Some("null"), _) | (_, Some(10)) => Ok(JsonType::Null),
        (Some("array"), _) | (_, Some(4)) => Ok(JsonType::Array),
        (Some("object"), _) | (_, Some(3)) => Ok(JsonType::Object),
        (Some("date"), _) | (_, Some(9)) => Ok(JsonType::Date),
        _ => Err(FilterError::Operand("$type")),
    }
}

fn pattern(value: &Value, options: Option<&Value>) -> Result<Pattern> {
    let source = value.as_str().ok_or(FilterError::Pattern)?;
    let options = match options {
        None => "",
        Some(options) => options.as_str().ok_or(FilterError::Operand("$options"))?,
    };
    Pattern::new(source, options).ok_or(FilterError::Pattern)
}
