//! Shapes of bodies and answers, for the OpenAPI document.
//!
//! A shape is a named JSON schema with documented fields; a struct of ours gives its own through
//! `ToSchema`. Shapes describe, they check nothing.

use serde_json::{Map, Value, json};

/// What a field or parameter holds.
#[derive(Debug, Clone)]
pub enum Kind {
    /// Any text.
    Text,
    /// An id: 1 to 255 characters, no control characters, no `/`, no `..`.
    Id,
    /// A moment, ISO 8601 with milliseconds.
    Time,
    /// A moment, ISO 8601 or milliseconds since the epoch.
    TimeOrMs,
    /// A whole number.
    Integer,
    /// Any number.
    Number,
    /// True or false.
    Flag,
    /// Any JSON.
    Any,
    /// An object whose fields are not ours to name.
    Object,
    /// An object whose values are whole numbers.
    Counts,
    /// A list of texts.
    Texts,
    /// A list of ids.
    Ids,
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// An object of this shape.
    One(Box<Shape>),
    /// A list of objects of this shape.
    Many(Box<Shape>),
}

impl Kind {
    /// An object of this shape.
    #[must_use]
    pub fn one(shape: Shape) -> Self {
        Self::One(Box::new(shape))
    }

    /// A list of objects of this shape.
    #[must_use]
    pub fn many(shape: Shape) -> Self {
        Self::Many(Box::new(shape))
    }

    /// Its JSON schema; named shapes appear as references.
    #[must_use]
    pub fn schema(&self) -> Value {
        match self {
            Self::Text => json!({"type": "string"}),
            Self::Id => json!({"type": "string", "minLength": 1, "maxLength": banter_domain::id::MAX_ID_CHARS}),
            Self::Time => json!({"type": "string", "format": "date-time"}),
            Self::TimeOrMs => json!({"type": ["string", "integer"]}),
            Self::Integer => json!({"type": "integer"}),
            Self::Number => json!({"type": "number"}),
            Self::Flag => json!({"type": "boolean"}),
            Self::Any => json!({}),
            Self::Object => json!({"type": "object"}),
            Self::Counts => json!({"type": "object", "additionalProperties": {"type": "integer"}}),
            Self::Texts => json!({"type": "array", "items": Self::Text.schema()}),
            Self::Ids => json!({"type": "array", "items": Self::Id.schema()}),
            Self::OneOf(texts) => json!({"type": "string", "enum": texts}),
            Self::One(shape) => shape.reference(),
            Self::Many(shape) => json!({"type": "array", "items": shape.reference()}),
        }
    }
}

/// A named schema, and those it refers to.
#[derive(Debug, Clone)]
pub struct Shape {
    name: String,
    schema: Value,
    inner: Vec<(String, Value)>,
}

impl Shape {
    /// An object without fields yet. Two shapes of one name must be equal.
    #[must_use]
    pub fn object(name: &'static str) -> Self {
        Self { name: name.to_owned(), schema: json!({"type": "object", "properties": {}}), inner: Vec::new() }
    }

    /// Any JSON.
    #[must_use]
    pub fn any(name: &'static str) -> Self {
        Self { name: name.to_owned(), schema: json!({}), inner: Vec::new() }
    }

    /// A bare text.
    #[must_use]
    pub fn text_only(name: &'static str) -> Self {
        Self { name: name.to_owned(), schema: json!({"type": "string"}), inner: Vec::new() }
    }

    /// The shape of a struct of ours.
    #[must_use]
    pub fn of<T: utoipa::ToSchema>() -> Self {
        let written = |schema: &utoipa::openapi::RefOr<utoipa::openapi::Schema>| {
            let mut schema = serde_json::to_value(schema).unwrap_or_default();
            loosened(&mut schema);
            schema
        };
        let mut inner = Vec::new();
        T::schemas(&mut inner);
        let inner = inner.iter().map(|(name, schema)| (name.clone(), written(schema))).collect();
        Self { name: T::name().into_owned(), schema: written(&T::schema()), inner }
    }

    /// A bare list of `item`s.
    #[must_use]
    pub fn list(name: &'static str, item: Shape) -> Self {
        let schema = json!({"type": "array", "items": item.reference()});
        Self { name: name.to_owned(), schema, inner: item.into_all() }
    }

    /// `{totalCount, data: [item]}`, as most lists answer.
    #[must_use]
    pub fn page(name: &'static str, item: Shape) -> Self {
        Self::object(name).required("totalCount", Kind::Integer, "How many there are in all").required(
            "data",
            Kind::many(item),
            "The entries of this page",
        )
    }

    /// What it is, in a sentence.
    #[must_use]
    pub fn text(mut self, text: &'static str) -> Self {
        self.put(None, "description", json!(text));
        self
    }

    /// A field that may be absent.
    #[must_use]
    pub fn field(mut self, name: &'static str, kind: Kind, text: &'static str) -> Self {
        let mut schema = kind.schema();
        if let (false, Some(fields)) = (text.is_empty(), schema.as_object_mut()) {
            fields.insert("description".to_owned(), json!(text));
        }
        self.put(Some("properties"), name, schema);
        if let Kind::One(shape) | Kind::Many(shape) = kind {
            self.inner.extend(shape.into_all());
        }
        self
    }

    /// A field that is always there (in a body: must be).
    #[must_use]
    pub fn required(mut self, name: &'static str, kind: Kind, text: &'static str) -> Self {
        self = self.field(name, kind, text);
        if let Some(schema) = self.schema.as_object_mut() {
            let required = schema.entry("required").or_insert_with(|| json!([]));
            if let Some(names) = required.as_array_mut() {
                names.push(json!(name));
            }
        }
        self
    }

    fn put(&mut self, under: Option<&str>, name: &str, value: Value) {
        let place: Option<&mut Map<String, Value>> = match under {
            None => self.schema.as_object_mut(),
            Some(under) => self.schema.get_mut(under).and_then(Value::as_object_mut),
        };
        if let Some(place) = place {
            place.insert(name.to_owned(), value);
        }
    }

    /// Its name in the document.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A reference to it.
    #[must_use]
    pub fn reference(&self) -> Value {
        json!({"$ref": format!("#/components/schemas/{}", self.name)})
    }

    /// Its fields, none of which must be there.
    #[must_use]
    pub fn loose(&self) -> Value {
        let mut schema = self.schema.clone();
        if let Some(fields) = schema.as_object_mut() {
            fields.retain(|name, _| !["required", "description"].contains(&name.as_str()));
        }
        schema
    }

    /// Itself and everything it refers to, by name.
    #[must_use]
    pub fn into_all(self) -> Vec<(String, Value)> {
        let mut all = self.inner;
        all.push((self.name, self.schema));
        all
    }
}

/// One of several shapes may be two of them at once: an empty list is a list of anything.
fn loosened(schema: &mut Value) {
    match schema {
        Value::Array(all) => all.iter_mut().for_each(loosened),
        Value::Object(fields) => {
            if let Some(shapes) = fields.remove("oneOf") {
                fields.insert("anyOf".to_owned(), shapes);
            }
            fields.values_mut().for_each(loosened);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_brings_what_it_refers_to() {
        let user = Shape::object("User").required("id", Kind::Id, "Who");
        let list = Shape::page("Users", user).text("Some users");
        let all = list.into_all();
        let names: Vec<_> = all.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["User", "Users"]);
        assert_eq!(all[1].1["properties"]["data"]["items"]["$ref"], "#/components/schemas/User");
        assert_eq!(all[1].1["required"], json!(["totalCount", "data"]));
    }
}
