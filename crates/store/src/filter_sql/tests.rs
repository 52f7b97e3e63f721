//! SQL and meaning, held against each other.

use super::*;
use banter_domain::instant::instant_ms;
use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};

use crate::sql::{Cell, Row, for_sqlite};

/// A row: four columns and a JSON text, any of them NULL, and texts in the rows of another table.
#[derive(Debug, Clone, Default)]
struct Doc {
    name: Option<String>,
    age: Option<i64>,
    vip: Option<bool>,
    seen: Option<i64>,
    custom: Option<Json>,
    likes: Vec<String>,
}

impl Doc {
    /// What a column or the JSON holds.
    fn lookup(&self, path: &FieldPath) -> Option<Json> {
        match path.as_str() {
            "name" => self.name.clone().map(Json::from),
            "age" => self.age.map(Json::from),
            "vip" => self.vip.map(Json::from),
            "seen" => self.seen.map(Json::from),
            "likes" => Some(self.likes.clone().into()),
            _ => path.find_in(self.custom.as_ref()?).cloned(),
        }
    }
}

fn columns(path: &FieldPath) -> Option<Column> {
    let (name, kind) = match path.as_str() {
        "name" => ("d.name", ColumnType::Text),
        "age" => ("d.age", ColumnType::Int),
        "vip" => ("d.vip", ColumnType::Flag),
        "seen" => ("d.seen", ColumnType::TimeIso),
        "likes" => ("x.what", ColumnType::Texts("likes x WHERE x.id = d.id")),
        _ => return None,
    };
    Some(Column { name, kind })
}

/// What the filter means for the row. Times are lowered first, as the meaning knows no columns.
fn means(filter: &Filter, doc: &Doc) -> bool {
    lower::lower(filter, &columns).matches(&|path| doc.lookup(path))
}

struct Sqlite(rusqlite::Connection);

impl Sqlite {
    fn new(docs: &[Doc]) -> Self {
        let sqlite = rusqlite::Connection::open_in_memory().unwrap();
        sqlite
            .execute_batch(
                "CREATE TABLE d (id INTEGER, name TEXT, age INTEGER, vip INTEGER, seen INTEGER, custom TEXT);
                 CREATE TABLE likes (id INTEGER, what TEXT NOT NULL)",
            )
            .unwrap();
        for (id, doc) in (0_i64..).zip(docs) {
            let json = |value: &Option<Json>| value.as_ref().map(Json::to_string);
            sqlite
                .execute(
                    "INSERT INTO d VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    (id, &doc.name, doc.age, doc.vip, doc.seen, json(&doc.custom)),
                )
                .unwrap();
            for what in &doc.likes {
                sqlite.execute("INSERT INTO likes VALUES (?1, ?2)", (id, what)).unwrap();
            }
        }
        Self(sqlite)
    }

    /// The ids of the rows that meet a condition whose binds start at `$2`, and pass what is left.
    fn rows(&self, compiled: &Compiled) -> Vec<usize> {
        use rusqlite::types::Value as Bound;
        let columns = compiled.rest.as_ref().map(Rest::columns).unwrap_or_default();
        let columns: String = columns.iter().map(|column| format!(", {column}")).collect();
        let text = for_sqlite(&format!("SELECT id{columns} FROM d WHERE id >= $1 AND {} ORDER BY id", compiled.text));
        let bound = compiled.binds.iter().map(|value| match value {
            Value::Null => Bound::Null,
            Value::Int(number) => Bound::Integer(*number),
            Value::Real(number) => Bound::Real(*number),
            Value::Text(text) => Bound::Text(text.to_string()),
            Value::Texts(texts) => Bound::Text(json!(texts).to_string()),
        });
        let bound = std::iter::once(Bound::Integer(0)).chain(bound);
        let mut statement = self.0.prepare(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let width = statement.column_count();
        let cells = |row: &rusqlite::Row<'_>| (0..width).map(|at| row.get(at).map(cell)).collect::<Result<Vec<_>, _>>();
        let rows = statement.query_map(rusqlite::params_from_iter(bound), cells).unwrap();
        rows.map(|cells| Row(cells.unwrap()))
            .filter_map(|mut row| {
                let id = usize::try_from(row.int(0).unwrap()).unwrap();
                compiled.rest.as_ref().is_none_or(|rest| rest.passes(&mut row, 1).unwrap()).then_some(id)
            })
            .collect()
    }
}

fn cell(value: rusqlite::types::Value) -> Cell {
    use rusqlite::types::Value as Found;
    match value {
        Found::Null => Cell::Null,
        Found::Integer(number) => Cell::Int(number),
        Found::Real(number) => Cell::Real(number),
        Found::Text(text) => Cell::Text(text.into()),
        Found::Blob(bytes) => panic!("{bytes:?}"),
    }
}

/// Asks SQLite, applies what is left, and compares with the meaning. Gives the rows that pass.
fn agree(docs: &[Doc], filter: &Filter) -> Vec<usize> {
    let compiled = compile(filter, &columns, "d.custom", 2, EngineKind::Sqlite);
    let found = Sqlite::new(docs).rows(&compiled);
    let meant: Vec<usize> = (0..docs.len()).filter(|id| means(filter, &docs[*id])).collect();
    assert_eq!(found, meant, "\n{filter:?}\n{docs:#?}\n{compiled:#?}");
    found
}

fn compiled(filter: Json, kind: EngineKind) -> Compiled {
    compile(&Filter::parse(&filter).unwrap(), &columns, "d.custom", 2, kind)
}

fn people() -> Vec<Doc> {
    let seen = |text: &str| instant_ms(text);
    vec![
        Doc {
            name: Some("Ann".into()),
            age: Some(30),
            vip: Some(true),
            seen: seen("2024-05-01T10:00:00.500Z"),
            custom: Some(
                json!({"tags": ["work", "Büro"], "score": 1.5, "level": 7, "note": "a.b%c", "at": {"city": "Köln"}, "0": "zero"}),
            ),
            likes: vec!["tea".into(), "Jazz".into()],
        },
        Doc {
            name: Some("böb".into()),
            vip: Some(false),
            seen: seen("2024-06-01"),
            custom: Some(
                json!({"tags": [], "score": null, "level": "7", "list": [1, "x", null, [2], {"y": 1}], "ok": true}),
            ),
            ..Doc::default()
        },
        Doc::default(),
    ]
}

#[test]
fn each_operator_finds_its_rows() {
    for (filter, rows) in [
        (json!({}), vec![0, 1, 2]),
        (json!({"name": "Ann"}), vec![0]),
        (json!({"name": {"$ne": "Ann"}}), vec![1, 2]),
        (json!({"name": null}), vec![2]),
        (json!({"name": 1}), vec![]),
        (json!({"name": {"$gt": "Z"}}), vec![1]),
        (json!({"name": {"$in": ["Ann", "böb", 3, null]}}), vec![0, 1, 2]),
        (json!({"name": {"$nin": ["Ann"]}}), vec![1, 2]),
        (json!({"name": {"$exists": false}}), vec![2]),
        (json!({"name": {"$type": "string"}}), vec![0, 1]),
        (json!({"name": {"$regex": ".*nn.*"}}), vec![0]),
        (json!({"name": {"$regex": "^A"}}), vec![0]),
        (json!({"name": {"$regex": "^BÖ.$", "$options": "i"}}), vec![1]),
        (json!({"name": {"$not": {"$regex": "N+$", "$options": "i"}}}), vec![1, 2]),
        (json!({"age": {"$gte": 30, "$lt": 30.5}}), vec![0]),
        (json!({"age": {"$type": "int"}}), vec![0]),
        (json!({"age": {"$lte": null}}), vec![1, 2]),
        (json!({"age": {"$in": [29.5, 30]}}), vec![0]),
        (json!({"vip": true}), vec![0]),
        (json!({"vip": {"$lt": true}}), vec![1]),
        (json!({"vip": {"$ne": true}}), vec![1, 2]),
        (json!({"vip": 1}), vec![]),
        (json!({"seen": "2024-05-01T12:00:00.5+02:00"}), vec![0]),
        (json!({"seen": {"$gt": "2024-05-02"}}), vec![1]),
        (json!({"seen": {"$lt": 1_717_200_000_000_i64}}), vec![0]),
        (json!({"seen": {"$gt": "yesterday"}}), vec![]),
        (json!({"seen": {"$ne": "yesterday"}}), vec![0, 1, 2]),
        (json!({"seen": {"$nin": ["yesterday", "2024-06-01"]}}), vec![0, 2]),
        (json!({"seen": {"$type": "date"}}), vec![0, 1]),
        (json!({"seen": {"$type": "string"}}), vec![]),
        (json!({"tags": "work"}), vec![0]),
        (json!({"tags": {"$all": ["work", "Büro"]}}), vec![0]),
        (json!({"tags": {"$nin": ["work"]}}), vec![1, 2]),
        (json!({"tags": {"$regex": "^B"}}), vec![0]),
        (json!({"tags": {"$type": "array"}}), vec![0, 1]),
        (json!({"score": {"$gt": 1}}), vec![0]),
        (json!({"score": null}), vec![1, 2]),
        (json!({"score": {"$exists": true}}), vec![0, 1]),
        (json!({"score": {"$type": "null"}}), vec![1]),
        (json!({"level": 7}), vec![0]),
        (json!({"level": {"$type": "string"}}), vec![1]),
        (json!({"note": {"$regex": r"a\.b%"}}), vec![0]),
        (json!({"at.city": {"$regex": "^K.ln$"}}), vec![0]),
        (json!({"at": "Köln"}), vec![]),
        (json!({"at": {"$type": "object"}}), vec![0]),
        (json!({"0": "zero"}), vec![0]),
        (json!({"list.0": 1}), vec![]),
        (json!({"list": 1}), vec![1]),
        (json!({"list": {"$all": ["x", null]}}), vec![1]),
        (json!({"list": 2}), vec![]),
        (json!({"list": {"$type": "array"}, "ok": {"$gte": false}}), vec![1]),
        (json!({"likes": "tea"}), vec![0]),
        (json!({"likes": {"$ne": "tea"}}), vec![1, 2]),
        (json!({"likes": {"$all": ["tea", "Jazz"], "$gt": "Z", "$type": "string"}}), vec![0]),
        (json!({"likes": {"$all": ["tea", 1]}}), vec![]),
        (json!({"likes": {"$nin": ["Jazz", null]}}), vec![1, 2]),
        (json!({"likes": {"$exists": true, "$type": "array"}}), vec![0, 1, 2]),
        (json!({"likes": null}), vec![]),
        (json!({"likes": {"$gte": null}}), vec![]),
        (json!({"likes": {"$regex": "^Ja"}}), vec![0]),
        (json!({"likes": {"$not": {"$regex": "z+$"}}}), vec![1, 2]),
        (json!({"$or": [{"name": "Ann"}, {"ok": true}]}), vec![0, 1]),
        (json!({"$nor": [{"name": "Ann"}, {"ok": true}]}), vec![2]),
    ] {
        assert_eq!(agree(&people(), &Filter::parse(&filter).unwrap()), rows, "{filter}");
    }
}

#[test]
fn only_true_patterns_are_left_to_the_caller() {
    for kind in [EngineKind::Sqlite, EngineKind::Postgres] {
        for exact in [
            json!({"name": {"$regex": "^ab"}}),
            json!({"name": {"$regex": "^KiSs 客$", "$options": "i"}}),
            json!({"x": {"$not": {"$regex": ".*ab.*", "$options": "i"}}}),
            json!({"age": {"$regex": "a|b"}}),
            json!({"x": {"$gt": 1}}),
        ] {
            assert_eq!(compiled(exact, kind).rest, None);
        }
        let pattern = json!({"name": {"$regex": "a|b"}});
        let rest = compiled(json!({"age": 1, "name": {"$regex": "a|b"}, "x": "y"}), kind).rest.unwrap();
        assert_eq!((&rest.filter, rest.columns()), (&Filter::parse(&pattern).unwrap(), vec!["d.name"]));
        let either = json!({"$or": [{"age": 1}, pattern]});
        let rest = compiled(either.clone(), kind).rest.unwrap();
        assert_eq!((&rest.filter, rest.columns()), (&Filter::parse(&either).unwrap(), vec!["d.age", "d.name"]));
    }
}

#[test]
fn a_pattern_is_looked_for_only_where_what_it_needs_is() {
    let people =
        ["Ann Smith", "ann ſmith", "Anna", "Smith"].map(|name| Doc { name: Some(name.into()), ..Doc::default() });
    let filter = |pattern| Filter::parse(&json!({"name": {"$regex": pattern, "$options": "i"}})).unwrap();
    let met = |filter: &Filter| {
        let compiled = compile(filter, &columns, "d.custom", 2, EngineKind::Sqlite);
        Sqlite::new(&people).rows(&Compiled { rest: None, binds: compiled.binds, text: compiled.text }).len()
    };
    for (pattern, read, found) in
        [("^a.*Smith", 3, vec![0, 1]), ("anna|nn s", 3, vec![0, 1, 2]), (".a", 3, vec![2]), ("N+ S", 2, vec![0, 1])]
    {
        assert_eq!((met(&filter(pattern)), agree(&people, &filter(pattern))), (read, found), "{pattern}");
    }
}

#[test]
fn nothing_a_caller_writes_is_in_the_text() {
    let evil = "'); DROP TABLE d; --";
    for kind in [EngineKind::Sqlite, EngineKind::Postgres] {
        for test in [
            json!(evil),
            json!({"$in": [evil, "x$1", "?1"]}),
            json!({"$gt": evil}),
            json!({"$all": [evil]}),
            json!({"$regex": r"^\$1"}),
            json!({"$regex": "'; DROP"}),
        ] {
            for field in ["name", "Odd-Name_9.x", "Odd'); DROP TABLE d; --", "Odd\"$1.\"?1"] {
                let compiled = compiled(json!({field: test}), kind);
                assert!(!compiled.text.contains("DROP") && !compiled.text.contains("Odd"), "{}", compiled.text);
                let placeholders = compiled.text.matches('$').count();
                assert!(placeholders >= compiled.binds.len() && !compiled.binds.is_empty(), "{}", compiled.text);
            }
        }
    }
    let people = [Doc { name: Some(evil.into()), custom: Some(json!({"x": evil})), ..Doc::default() }, Doc::default()];
    for filter in [json!({"name": evil}), json!({"x": evil}), json!({"x": {"$regex": r"'\); DROP"}})] {
        assert_eq!(agree(&people, &Filter::parse(&filter).unwrap()), [0]);
    }
}

#[test]
fn the_largest_filter_runs() {
    let many: Map<String, Json> =
        (0..64).map(|n| (format!("f{n}.a.b.c"), json!({"$nin": (0..200).collect::<Vec<_>>()}))).collect();
    let filter = Filter::parse(&Json::Object(many)).unwrap();
    assert_eq!(agree(&people(), &filter), [0, 1, 2]);
    assert!(compile(&filter, &columns, "d.custom", 1, EngineKind::Postgres).binds.len() < 32_000);
}

#[test]
fn numbers_at_the_edges_compare_as_doubles() {
    let big = 9_007_199_254_740_993_i64; // 2^53 + 1
    let numbers = [
        json!(big),
        json!(big - 1),
        json!(1e300),
        json!(-1e-300),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(0.1),
        json!(-0.0),
        json!(1.152_921_504_606_847e18),
        json!([1_i64 << 60]),
        json!("1e3"),
        json!(true),
    ];
    let docs: Vec<Doc> = numbers.iter().map(|n| Doc { custom: Some(json!({"n": n})), ..Doc::default() }).collect();
    for number in numbers.iter().filter(|n| n.is_number()).chain(&[json!(1_i64 << 60), json!(0)]) {
        for test in ["$eq", "$ne", "$gt", "$gte", "$lt", "$lte"] {
            agree(&docs, &Filter::parse(&json!({"n": {test: number}})).unwrap());
        }
    }
    for kind in ["int", "double", "number"] {
        agree(&docs, &Filter::parse(&json!({"n": {"$type": kind}})).unwrap());
    }
}

fn scalar() -> impl Strategy<Value = Json> {
    prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Json::from),
        (-2_i64..3).prop_map(Json::from),
        (-4_i32..5).prop_map(|n| json!(f64::from(n) / 2.0)),
        "[aAbé%_.ksS\u{212a}]{0,2}".prop_map(Json::from),
        Just(json!("1970-01-01T00:00:00.001Z")),
    ]
}

fn value() -> impl Strategy<Value = Json> {
    scalar().prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Json::from),
            prop::collection::btree_map(prop_oneof![3 => "[ab0]".boxed(), 1 => odd_name().boxed()], inner, 0..3)
                .prop_map(|members| json!(members)),
        ]
    })
}

/// Names that mean something to JSON, to its paths or to SQL, and names of other scripts.
const ODD: [&str; 18] = [
    "\"", "\\", "\\\"", "\\u0061", "a\"b", "[0]", "$", "#", "*", "'", "?1", "x y", "\n", "\u{1}", "é", "e\u{301}",
    "客戶", "🙂",
];

fn odd_name() -> impl Strategy<Value = String> {
    prop::sample::select(ODD.to_vec()).prop_map(str::to_owned)
}

fn custom() -> impl Strategy<Value = Json> {
    prop::collection::btree_map(prop_oneof!["[abc]".boxed(), odd_name().boxed()], value(), 0..4)
        .prop_map(|members| json!(members))
}

/// Rows in which most filters below hit something.
fn doc() -> impl Strategy<Value = Doc> {
    (
        prop::option::of("[aAbékKsS\u{212a}ſ]{0,3}"),
        prop::option::of(-2_i64..3),
        prop::option::of(any::<bool>()),
        prop::option::of(-2_i64..3),
        prop::option::of(custom()),
        prop::collection::vec("[aAbéSk]{0,2}", 0..3),
    )
        .prop_map(|(name, age, vip, seen, custom, likes)| Doc { name, age, vip, seen, custom, likes })
}

fn operators() -> impl Strategy<Value = Json> {
    let one = |name: &'static str| scalar().prop_map(move |value| json!({name: value}));
    let list = |name: &'static str| prop::collection::vec(scalar(), 0..4).prop_map(move |list| json!({name: list}));
    let kinds = ["string", "bool", "number", "int", "double", "null", "array", "object", "date"];
    let pattern =
        prop_oneof!["[aAb]{0,2}", r"\^?[aAbéksK]{0,2}(\.\*)?\$?", r"(a|b)\+\.\?", r"[aké]\.b|\[Aa\][bs]|\(a\|bé\)s"];
    let leaf = prop_oneof![
        one("$eq"),
        one("$ne"),
        one("$gt"),
        one("$gte"),
        one("$lt"),
        one("$lte"),
        list("$in"),
        list("$nin"),
        list("$all"),
        any::<bool>().prop_map(|wanted| json!({"$exists": wanted})),
        prop::sample::select(kinds.to_vec()).prop_map(|kind| json!({"$type": kind})),
        (pattern, "[ims]{0,1}").prop_map(|(pattern, options)| json!({"$regex": pattern, "$options": options})),
    ];
    leaf.prop_recursive(2, 4, 1, |inner| inner.prop_map(|inner| json!({"$not": inner})))
}

/// Filters as callers write them.
fn filter() -> impl Strategy<Value = Filter> {
    let names = vec!["name", "age", "vip", "seen", "likes", "a", "b", "c", "a.b", "a.0", "b.a.b", "missing"];
    let odd = (odd_name(), prop::option::of(prop_oneof![odd_name(), Just("a".to_owned())])).prop_filter_map(
        "a field",
        |(name, inner)| {
            let path = inner.map_or_else(|| name.clone(), |inner| format!("{name}.{inner}"));
            FieldPath::new(&path).map(|_| path)
        },
    );
    let name = prop_oneof![3 => prop::sample::select(names).prop_map(str::to_owned), 1 => odd];
    let test = prop_oneof![4 => operators(), 1 => scalar()];
    let field = (name, test).prop_map(|(name, test)| json!({name: test}));
    let filter = field.prop_recursive(3, 8, 3, |inner| {
        (prop::sample::select(vec!["$and", "$or", "$nor"]), prop::collection::vec(inner, 1..4))
            .prop_map(|(name, parts)| json!({name: parts}))
    });
    filter.prop_map(|filter| Filter::parse(&filter).unwrap())
}

#[test]
fn a_field_of_any_name_is_found() {
    for name in ODD.iter().filter(|name| FieldPath::new(name).is_some()) {
        let docs = [
            Doc { custom: Some(json!({*name: {*name: "here"}, "other": 1})), ..Doc::default() },
            Doc { custom: Some(json!({*name: ["here"]})), ..Doc::default() },
            Doc { custom: Some(json!({"here": 1})), ..Doc::default() },
        ];
        assert_eq!(agree(&docs, &Filter::parse(&json!({*name: "here"})).unwrap()), [1], "{name}");
        assert_eq!(agree(&docs, &Filter::parse(&json!({format!("{name}.{name}"): "here"})).unwrap()), [0], "{name}");
        assert_eq!(agree(&docs, &Filter::parse(&json!({*name: {"$exists": false}})).unwrap()), [2], "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn sql_means_what_the_filter_means(docs in prop::collection::vec(doc(), 1..8), filter in filter()) {
        agree(&docs, &filter);
    }
}
