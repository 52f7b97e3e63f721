//! Finds the route of a request.
//!
//! Why not a router crate: parameters must be decoded strictly (an escape that is none is refused,
//! and an escaped `/` stays inside its segment), a room may be called `createAndJoin`, and the
//! route must be known before the caller is found out.

use std::collections::BTreeMap;

use axum::http::Method;

use super::routes::Route;

/// The routes, by path.
pub(crate) struct Matcher {
    routes: Vec<Route>,
    root: Node,
}

#[derive(Default)]
struct Node {
    /// A tree: with this few, looking through them is faster than hashing.
    fixed: BTreeMap<&'static str, Node>,
    /// What a parameter in this place leads to.
    any: Option<Box<Node>>,
    /// Places in `routes`, one per method.
    here: Vec<usize>,
}

/// What a path and method lead to.
pub(crate) enum Found<'a, 'p> {
    /// A route, its place in the table, and its parameters, still escaped.
    Route(&'a Route, usize, Vec<&'p str>),
    /// A path without this method; those it has, as an `Allow` header.
    OtherMethods(String),
    /// No such path.
    Nothing,
}

/// A path without its slashes at both ends, which do not count (rest.md 0.3). `None`: nothing left.
fn trimmed(path: &str) -> Option<&str> {
    Some(path.strip_prefix('/').unwrap_or(path).trim_end_matches('/')).filter(|path| !path.is_empty())
}

/// The first segment, and what follows it.
fn first(path: &str) -> (&str, Option<&str>) {
    path.split_once('/').map_or((path, None), |(first, rest)| (first, Some(rest)))
}

impl Matcher {
    pub(crate) fn new(routes: Vec<Route>) -> Self {
        let mut root = Node::default();
        for (index, route) in routes.iter().enumerate() {
            let mut node = &mut root;
            for segment in trimmed(route.path).into_iter().flat_map(|path| path.split('/')) {
                node = if segment.starts_with('{') {
                    node.any.get_or_insert_default()
                } else {
                    node.fixed.entry(segment).or_default()
                };
            }
            node.here.push(index);
        }
        Self { routes, root }
    }

    pub(crate) fn routes(&self) -> &[Route] {
        &self.routes
    }

    pub(crate) fn find<'a, 'p>(&'a self, method: &Method, path: &'p str) -> Found<'a, 'p> {
        // HEAD is GET without the body, which hyper leaves out.
        let method = if method == Method::HEAD { &Method::GET } else { method };
        let mut params = Vec::new();
        let mut seen = Vec::new();
        if let Some(index) = self.search(&self.root, trimmed(path), method, &mut params, &mut seen)
            && let Some(route) = self.routes.get(index)
        {
            return Found::Route(route, index, params);
        }
        if seen.is_empty() { Found::Nothing } else { Found::OtherMethods(allow(seen)) }
    }

    /// Fixed segments win over parameters; where they lead nowhere, the parameter is tried.
    fn search<'a>(
        &self,
        node: &Node,
        path: Option<&'a str>,
        method: &Method,
        params: &mut Vec<&'a str>,
        seen: &mut Vec<Method>,
    ) -> Option<usize> {
        let Some((segment, rest)) = path.map(first) else {
            for index in &node.here {
                let known = self.routes.get(*index).map(|route| &route.method);
                if known == Some(method) {
                    return Some(*index);
                }
                seen.extend(known.cloned());
            }
            return None;
        };
        if let Some(next) = node.fixed.get(segment)
            && let Some(index) = self.search(next, rest, method, params, seen)
        {
            return Some(index);
        }
        let next = node.any.as_deref()?;
        params.push(segment);
        let found = self.search(next, rest, method, params, seen);
        if found.is_none() {
            params.pop();
        }
        found
    }
}

fn allow(mut methods: Vec<Method>) -> String {
    if methods.contains(&Method::GET) {
        methods.push(Method::HEAD);
    }
    methods.push(Method::OPTIONS);
    let mut names: Vec<&str> = methods.iter().map(Method::as_str).collect();
    names.sort_unstable();
    names.dedup();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use banter_domain::moderation::Act;

    async fn nothing() {}

    fn matcher() -> Matcher {
        let route = |method, path| Route::new(Act::Look, method, path, nothing);
        Matcher::new(vec![
            route(Method::GET, "/rooms"),
            route(Method::POST, "/rooms"),
            route(Method::POST, "/rooms/createAndJoin"),
            route(Method::GET, "/rooms/{id}"),
            route(Method::PUT, "/rooms/{id}/member/{client}"),
            route(Method::GET, "/a/{x}/c"),
        ])
    }

    fn found(method: Method, path: &str) -> String {
        let matcher = matcher();
        match matcher.find(&method, path) {
            Found::Route(route, _, params) => format!("{} {} {params:?}", route.method, route.path),
            Found::OtherMethods(allow) => allow,
            Found::Nothing => "nothing".to_owned(),
        }
    }

    #[test]
    fn paths_lead_to_routes() {
        for (method, path, expected) in [
            (Method::GET, "/rooms", "GET /rooms []"),
            (Method::POST, "/rooms/", "POST /rooms []"),
            (Method::POST, "/rooms/createAndJoin/", "POST /rooms/createAndJoin []"),
            (Method::GET, "/rooms/createAndJoin", "GET /rooms/{id} [\"createAndJoin\"]"),
            (Method::HEAD, "/rooms/a%2Fb", "GET /rooms/{id} [\"a%2Fb\"]"),
            (Method::PUT, "/rooms/r/member/u", "PUT /rooms/{id}/member/{client} [\"r\", \"u\"]"),
            (Method::DELETE, "/rooms", "GET, HEAD, OPTIONS, POST"),
            (Method::DELETE, "/rooms/createAndJoin", "GET, HEAD, OPTIONS, POST"),
            (Method::GET, "/room", "nothing"),
            (Method::GET, "/rooms/a/b/c", "nothing"),
            (Method::GET, "/", "nothing"),
            (Method::GET, "", "nothing"),
            (Method::GET, "/a//c", "GET /a/{x}/c [\"\"]"),
        ] {
            assert_eq!(found(method.clone(), path), expected, "{method} {path}");
        }
    }
}
