use super::*;
use serde_json::json;

fn parse(filter: Value) -> Result<Filter, FilterError> {
    Filter::parse(&filter)
}

/// Whether `document` passes `filter`.
fn passes(document: &Value, filter: Value) -> bool {
    parse(filter).unwrap().matches(&|path| path.find_in(document).cloned())
}

#[test]
fn the_documented_filters_read() {
    assert_eq!(parse(json!({})), Ok(Filter::always()));
    let path = FieldPath::new("nickname").unwrap();
    let regex = Test::Regex(Pattern::new(".*AB.*", "i").unwrap());
    assert_eq!(
        parse(json!({"nickname": {"$regex": ".*AB.*", "$options": "i"}})),
        Ok(Filter::Field { path: path.clone(), test: regex })
    );
    let web = parse(json!({"members": "ann", "roomTags": "work"})).unwrap();
    assert!(matches!(&web, Filter::All(parts) if parts.len() == 2));
    let both = parse(json!({"nickname": {"$gt": "a", "$lt": "b"}})).unwrap();
    let bound = |test| Filter::Field { path: path.clone(), test };
    let (above, below) = (Test::Gt(Scalar::Text("a".into())), Test::Lt(Scalar::Text("b".into())));
    assert_eq!(both, Filter::All(vec![bound(above), bound(below)]));
}

#[test]
fn a_field_that_is_the_same_everywhere_is_answered() {
    let settled = |filter| parse(filter).unwrap().settled("kind", &json!("user"));
    assert!(settled(json!({"kind": {"$regex": "^us"}})).is_always());
    assert_eq!(settled(json!({"kind": {"$ne": "user"}})), Filter::never());
    let nested = settled(json!({"$nor": [{"kind": "group"}, {"name": {"$not": {"$exists": true}}}]}));
    assert_eq!(
        nested,
        Filter::NoneOf(vec![Filter::never(), parse(json!({"name": {"$not": {"$exists": true}}})).unwrap()])
    );
}

#[test]
fn each_operator_means_what_mongodb_means() {
    let document = json!({
        "name": "Ann", "age": 30, "rate": 0.5, "vip": true, "gone": null, "tags": ["a", "b", 3], "none": [],
        "at": {"city": "Köln", "geo": {"lat": 50.9}}, "list": [{"x": 1}],
    });
    for filter in [
        json!({"name": "Ann"}),
        json!({"name": {"$eq": "Ann"}}),
        json!({"name": {"$ne": "ann"}}),
        json!({"age": 30.0}),
        json!({"age": {"$gt": 29, "$gte": 30, "$lt": 30.5, "$lte": 30}}),
        json!({"name": {"$gt": "Am", "$lt": "a"}}),
        json!({"vip": {"$gt": false, "$gte": true}}),
        json!({"gone": null}),
        json!({"missing": null}),
        json!({"missing": {"$ne": 1}}),
        json!({"missing": {"$gte": null, "$lte": null}}),
        json!({"name": {"$in": [1, "Ann"]}}),
        json!({"missing": {"$in": [null]}}),
        json!({"name": {"$nin": []}}),
        json!({"missing": {"$nin": ["x"]}}),
        json!({"tags": "a"}),
        json!({"tags": {"$in": ["b", "z"]}}),
        json!({"tags": {"$all": ["a", 3]}}),
        json!({"tags": {"$gt": 2, "$lt": "b"}}),
        json!({"name": {"$all": ["Ann"]}}),
        json!({"gone": {"$exists": true}, "missing": {"$exists": 0}}),
        json!({"name": {"$type": "string"}, "age": {"$type": 16}, "rate": {"$type": "double"}}),
        json!({"tags": {"$type": "array"}, "at": {"$type": 3}, "gone": {"$type": "null"}, "vip": {"$type": 8}}),
        json!({"tags": {"$type": "string"}, "age": {"$type": "number"}}),
        json!({"at.city": "Köln", "at.geo.lat": {"$lt": 51}}),
        json!({"name": {"$regex": "^a", "$options": "i"}}),
        json!({"tags": {"$regex": "b"}}),
        json!({"name": {"$not": {"$regex": "z"}}}),
        json!({"$and": [{"age": 30}, {"$or": [{"age": 1}, {"vip": true}]}], "$nor": [{"age": 1}, {"name": "x"}]}),
    ] {
        assert!(passes(&document, filter.clone()), "{filter}");
    }
    for filter in [
        json!({"name": "ann"}),
        json!({"name": {"$ne": "Ann"}}),
        json!({"age": "30"}),
        json!({"name": {"$gt": 1}}),
        json!({"missing": {"$gt": 0}}),
        json!({"missing": {"$lt": null}}),
        json!({"gone": {"$gt": null}}),
        json!({"gone": false}),
        json!({"gone": {"$lte": 0}}),
        json!({"name": {"$in": []}}),
        json!({"tags": {"$ne": "a"}}),
        json!({"tags": {"$nin": ["b"]}}),
        json!({"tags": {"$all": ["a", "z"]}}),
        json!({"tags": {"$all": []}}),
        json!({"none": null}),
        json!({"list.x": 1}),
        json!({"list.0": 1}),
        json!({"missing": {"$type": "null"}}),
        json!({"name": {"$type": "date"}}),
        json!({"age": {"$regex": "3"}}),
        json!({"at": {"$regex": "K"}}),
        json!({"$or": [{"age": 1}, {"age": 2}]}),
        json!({"$nor": [{"age": 30}]}),
    ] {
        assert!(!passes(&document, filter.clone()), "{filter}");
    }
}

#[test]
fn whole_numbers_are_told_from_others() {
    let whole = |number: Value| passes(&json!({"n": number}), json!({"n": {"$type": "int"}}));
    for number in [json!(0), json!(-1), json!(1.0), json!(i64::MAX), json!(i64::MIN), json!(1e18)] {
        assert!(whole(number.clone()), "{number}");
    }
    for number in [json!(0.5), json!(u64::MAX), json!(1e19), json!("1")] {
        assert!(!whole(number.clone()), "{number}");
    }
}

#[test]
fn what_the_subset_does_not_name_is_an_error() {
    for (filter, error) in [
        (json!([]), FilterError::NotAnObject),
        (json!("x"), FilterError::NotAnObject),
        (json!({"$or": [1]}), FilterError::NotAnObject),
        (json!({"$where": "1"}), FilterError::Operator),
        (json!({"$not": {"a": 1}}), FilterError::Operator),
        (json!({"a": {"$near": 1}}), FilterError::Operator),
        (json!({"a": {"b": 1}}), FilterError::Operator),
        (json!({"a": {"$gt": 1, "b": 1}}), FilterError::Operator),
        (json!({"a": {}}), FilterError::Operand("$eq")),
        (json!({"a": [1]}), FilterError::Operand("$eq")),
        (json!({"a": "\0"}), FilterError::Operand("$eq")),
        (json!({"a": {"$gt": {}}}), FilterError::Operand("$gt")),
        (json!({"a": {"$in": 1}}), FilterError::Operand("$in")),
        (json!({"a": {"$nin": [[1]]}}), FilterError::Operand("$nin")),
        (json!({"a": {"$not": 1}}), FilterError::Operand("$not")),
        (json!({"a": {"$exists": "yes"}}), FilterError::Operand("$exists")),
        (json!({"a": {"$type": "text"}}), FilterError::Operand("$type")),
        (json!({"a": {"$type": 1.5}}), FilterError::Operand("$type")),
        (json!({"a": {"$options": "i"}}), FilterError::Operand("$options")),
        (json!({"a": {"$regex": "a", "$options": 1}}), FilterError::Operand("$options")),
        (json!({"a": {"$regex": "a", "$options": "g"}}), FilterError::Pattern),
        (json!({"a": {"$regex": "(?<!a)b"}}), FilterError::Pattern),
        (json!({"a": {"$regex": 1}}), FilterError::Pattern),
        (json!({"$and": []}), FilterError::Operand("$and")),
        (json!({"$or": {}}), FilterError::Operand("$or")),
    ] {
        assert_eq!(parse(filter.clone()), Err(error), "{filter}");
    }
}

#[test]
fn field_names_are_of_any_script() {
    let long = "好".repeat(MAX_NAME_CHARACTERS);
    for name in [
        "a",
        "_id",
        "at.geo.lat.x",
        "A-b_9",
        "0",
        "a b",
        "a'",
        "a\"",
        "a;",
        "a$",
        "a.$b",
        "é",
        "地址.城市",
        "@id",
        &long,
    ] {
        assert!(FieldPath::new(name).is_some(), "{name}");
    }
    for name in ["", ".", "a.", ".a", "a..b", "a.b.c.d.e", "a\0", &format!("a.{long}b")] {
        assert!(FieldPath::new(name).is_none(), "{name}");
        assert_eq!(parse(json!({name: 1})), Err(FilterError::Field), "{name}");
    }
    // Ours are written so; nobody else can.
    assert!(FieldPath::new("$id").is_none());
    assert_eq!(parse(json!({"$id": 1})), Err(FilterError::Operator));
    let renamed = parse(json!({"_id": 1, "@id": 2})).unwrap().renamed(&[("_id", "id")]);
    let Filter::All(parts) = renamed else { panic!("two tests") };
    let paths: Vec<&str> = parts
        .iter()
        .map(|part| match part {
            Filter::Field { path, .. } => path.as_str(),
            _ => "",
        })
        .collect();
    assert_eq!(paths, ["@id", "$id"]);
}

#[test]
fn bounds_hold() {
    let nested = |depth: usize| (1..depth).fold(json!({"a": 1}), |inner, _| json!({"$and": [inner]}));
    assert!(parse(nested(MAX_DEPTH)).is_ok());
    assert_eq!(parse(nested(MAX_DEPTH + 1)), Err(FilterError::TooDeep));
    let negated = |depth: usize| json!({"a": (1..depth).fold(json!({"$gt": 1}), |inner, _| json!({"$not": inner}))});
    assert!(parse(negated(MAX_DEPTH)).is_ok());
    assert_eq!(parse(negated(MAX_DEPTH + 1)), Err(FilterError::TooDeep));

    let tests =
        |count: usize| json!((0..count).map(|n| (format!("f{n}"), json!(1))).collect::<serde_json::Map<_, _>>());
    assert!(parse(tests(MAX_TESTS)).is_ok());
    assert_eq!(parse(tests(MAX_TESTS + 1)), Err(FilterError::TooManyTests));
    assert_eq!(parse(json!({"$or": vec![json!({}); MAX_TESTS + 1]})), Err(FilterError::TooManyTests));

    assert!(parse(json!({"a": {"$in": vec![1; MAX_ENTRIES]}})).is_ok());
    assert_eq!(parse(json!({"a": {"$in": vec![1; MAX_ENTRIES + 1]}})), Err(FilterError::TooManyEntries));
}
