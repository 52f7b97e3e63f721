//! `application/x-www-form-urlencoded`, in queries and bodies.
//!
//! A form knows only texts; a field that must be a number or a flag is read from its text, and a
//! field that must be a list takes one text or several.

use std::collections::BTreeMap;

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{DeserializeOwned, Deserializer, IntoDeserializer, Visitor};

type Error = serde::de::value::Error;

/// Fields of one body: a list of a thousand, and what stands beside it.
const FIELDS: usize = 2_000;

/// Splits and decodes. `None`: an escape that is none, bytes that are no UTF-8, or NUL.
pub(super) fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let decode =
        |part: &str| if part.contains('+') { super::decoded(&part.replace('+', " ")) } else { super::decoded(part) };
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decode(name)?, decode(value)?))
        })
        .collect()
}

/// The name of a field that may stand several times: without the `[]` or `[0]` behind it.
pub(super) fn unnumbered(name: &str) -> &str {
    match name.strip_suffix(']').and_then(|name| name.rsplit_once('[')) {
        Some((list, number)) if number.bytes().all(|byte| byte.is_ascii_digit()) => list,
        _ => name,
    }
}

/// Reads a form as `T`. `None` in the error's place: it is no form at all.
pub(super) fn read<T: DeserializeOwned>(text: &str) -> Result<T, Option<String>> {
    if text.split('&').filter(|pair| !pair.is_empty()).nth(FIELDS).is_some() {
        return Err(Some(format!("a form has at most {FIELDS} fields")));
    }
    let mut fields: BTreeMap<String, Field> = BTreeMap::new();
    for (name, value) in pairs(text).ok_or(None)? {
        fields.entry(unnumbered(&name).to_owned()).or_default().0.push(value);
    }
    T::deserialize(MapDeserializer::<_, Error>::new(fields.into_iter())).map_err(|error| Some(error.to_string()))
}

/// The values of one field; never empty once it is read.
#[derive(Default)]
struct Field(Vec<String>);

impl Field {
    fn single(mut self) -> Result<String, Error> {
        match (self.0.pop(), self.0.is_empty()) {
            (Some(only), true) => Ok(only),
            _ => Err(serde::de::Error::custom("a field is given twice")),
        }
    }
}

impl IntoDeserializer<'_> for Field {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

macro_rules! from_text {
    ($($method:ident $visit:ident),*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            let text = self.single()?;
            match text.parse() {
                Ok(value) => visitor.$visit(value),
                Err(_) => Err(serde::de::Error::custom("a field has the wrong type")),
            }
        })*
    };
}

impl<'de> Deserializer<'de> for Field {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.0.len() > 1 { self.deserialize_seq(visitor) } else { visitor.visit_string(self.single()?) }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(SeqDeserializer::new(self.0.into_iter()))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    from_text! {
        deserialize_bool visit_bool, deserialize_i8 visit_i8, deserialize_i16 visit_i16, deserialize_i32 visit_i32,
        deserialize_i64 visit_i64, deserialize_u8 visit_u8, deserialize_u16 visit_u16, deserialize_u32 visit_u32,
        deserialize_u64 visit_u64, deserialize_f32 visit_f32, deserialize_f64 visit_f64
    }

    serde::forward_to_deserialize_any! {
        i128 u128 char str string bytes byte_buf unit unit_struct tuple tuple_struct map struct enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[derive(Debug, PartialEq, serde::Deserialize)]
    struct Given {
        name: String,
        flag: Option<bool>,
        #[serde(default)]
        tags: Vec<String>,
        count: Option<i64>,
    }

    #[test]
    fn a_form_reads_as_what_it_must_be() {
        let given: Given = read("name=a+b&flag=true&tags=x&count=3&other=1").expect("a form");
        assert_eq!(given, Given { name: "a b".into(), flag: Some(true), tags: vec!["x".into()], count: Some(3) });
        let given: Value = read("a=1&b[]=x&b[]=y").expect("a form");
        assert_eq!(given, json!({"a": "1", "b": ["x", "y"]}));
        assert!(read::<Given>("name=a&name=b").is_err());
        assert!(read::<Given>("name=a&flag=perhaps").is_err());
        assert_eq!(read::<Value>("a=%f"), Err(None));
    }

    #[test]
    fn a_form_has_only_so_many_fields() {
        let numbered = |many: usize| (0..many).map(|n| format!("f{n}=x")).collect::<Vec<_>>().join("&");
        let repeated = |many: usize| vec!["a=x"; many].join("&&");
        for body in [numbered(FIELDS), repeated(FIELDS)] {
            assert!(read::<Value>(&body).is_ok());
        }
        for body in [numbered(FIELDS + 1), repeated(FIELDS + 1)] {
            assert!(read::<Value>(&body).is_err());
        }
    }
}
