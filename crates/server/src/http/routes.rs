//! The route table: what every endpoint is called, which act it performs, who may call it, and
//! what it takes and answers.
//!
//! Router, OpenAPI document, the caller table of the tests and the paths of the effect tests all
//! come from [`routes`]. A route without an [`Act`] does not compile (`DESIGN.md`, invariant 7).

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::extract::Request;
use axum::handler::Handler;
use axum::http::Method;
use axum::response::Response;
use banter_domain::moderation::Act;
use serde_json::Value;

use super::Edge;
pub use super::shape::{Kind, Shape};
use crate::errors::{ApiError, Row, rows};

/// Who may call a route. It decides how the caller is found out, before the handler runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auth {
    /// Anyone; the handler has no caller.
    Public,
    /// A user, with client key and token; an API key may act for one (`IM-CLIENT-ID`).
    Client,
    /// An API key and nobody else.
    ApiKey,
    /// As [`Auth::Client`], where the platform's pages show the API key as well.
    Either,
    /// Whoever has the app's client key, or its API key; no user.
    ClientKey,
    /// As [`Auth::Client`]; or nobody, where the address speaks for itself: it is signed, or what it leads to is for
    /// everybody.
    Address,
}

/// Where a parameter stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the path.
    Path,
    /// In the query.
    Query,
    /// In a header.
    Header,
}

/// A parameter, for the document.
#[derive(Debug, Clone)]
pub struct Param {
    /// Its name.
    pub name: &'static str,
    /// Where it stands.
    pub place: Place,
    /// What it holds.
    pub kind: Kind,
    /// What it means, with bounds and default.
    pub text: &'static str,
    /// Must it be there? Path parameters always must.
    pub required: bool,
}

impl Param {
    /// An id in the path, named as in the path's braces.
    #[must_use]
    pub fn path(name: &'static str, text: &'static str) -> Self {
        Self { name, place: Place::Path, kind: Kind::Id, text, required: true }
    }

    /// An optional parameter of the query.
    #[must_use]
    pub fn query(name: &'static str, kind: Kind, text: &'static str) -> Self {
        Self { name, place: Place::Query, kind, text, required: false }
    }

    /// An optional header.
    #[must_use]
    pub fn header(name: &'static str, text: &'static str) -> Self {
        Self { name, place: Place::Header, kind: Kind::Text, text, required: false }
    }

    /// The same, but it must be there.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }
}

/// How large a body may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodySize {
    /// 1 MiB by default: `--body-limit`.
    Plain,
    /// 10 MiB by default: `--message-body-limit`.
    Message,
    /// A file and what stands around it: `--file-limit`.
    File,
}

/// What a successful call answers.
#[derive(Debug, Clone)]
pub enum Answers {
    /// The envelope around a result of this shape.
    Enveloped(Shape),
    /// The envelope, with some of the result's fields beside it as well (token endpoints).
    Flat(Shape),
    /// The result alone, without the envelope.
    Bare(Shape),
    /// Something else, of this media type.
    Other(&'static str),
}

type Running = Pin<Box<dyn Future<Output = Response> + Send>>;
type Called = Arc<dyn Fn(Request, Edge) -> Running + Send + Sync>;

/// One endpoint.
#[derive(Clone)]
pub struct Route {
    /// What it does, in the words of the rules.
    pub act: Act,
    /// With which method.
    pub method: Method,
    /// Under which path; parameters in braces fill one segment: `/rooms/{id}/members`.
    pub path: &'static str,
    /// Who may call it.
    pub auth: Auth,
    /// What a user gets who calls a route of the platform's; his credentials being good.
    pub clients_get: Row,
    /// What everybody else gets there.
    pub strangers_get: Row,
    /// The document's group.
    pub tag: &'static str,
    /// One line about it.
    pub summary: &'static str,
    /// More about it.
    pub text: &'static str,
    /// Is it there only for those who know an older way?
    pub deprecated: bool,
    /// Its parameters.
    pub params: Vec<Param>,
    /// Its body; `None`: it takes none.
    pub body: Option<Shape>,
    /// Of what media type the body is.
    pub body_media: &'static str,
    /// How large the body may be.
    pub body_size: BodySize,
    /// What it answers; `None`: an empty object in the envelope.
    pub answer: Option<Answers>,
    /// What it refuses with, beside what every route of its kind can (see `openapi.rs`).
    pub errors: Vec<Row>,
    /// An example of a request's body.
    pub body_example: Option<Value>,
    /// An example of an answer.
    pub example: Option<Value>,
    /// What its handler has begun goes on without it, so that nothing is left half-way if the client hangs up.
    pub(crate) sees_to_itself: bool,
    pub(crate) called: Called,
}

impl Route {
    /// A route that performs `act`: for users ([`Auth::Client`]) unless [`Route::auth`] says
    /// otherwise.
    pub fn new<H, T>(act: Act, method: Method, path: &'static str, handler: H) -> Self
    where
        H: Handler<T, Edge>,
        T: 'static,
    {
        Self {
            act,
            method,
            path,
            auth: Auth::Client,
            clients_get: rows::INVALID_API_KEY,
            strangers_get: rows::INVALID_API_KEY,
            tag: "",
            summary: "",
            text: "",
            deprecated: false,
            params: Vec::new(),
            body: None,
            body_media: "application/json",
            body_size: BodySize::Plain,
            answer: None,
            errors: Vec::new(),
            body_example: None,
            example: None,
            sees_to_itself: false,
            called: Arc::new(move |request, edge| Box::pin(handler.clone().call(request, edge))),
        }
    }

    /// Its handler sees to it that what it has begun ends.
    #[must_use]
    pub(crate) fn sees_to_itself(mut self) -> Self {
        self.sees_to_itself = true;
        self
    }

    /// Who may call it.
    #[must_use]
    pub fn auth(mut self, auth: Auth) -> Self {
        self.auth = auth;
        self
    }

    /// On a route of the platform's: the row a user gets whose credentials are good (default: 401
    /// `INVALID_API_KEY`; `rest.md` 0.2 names the pages with a 403).
    #[must_use]
    pub fn clients_get(mut self, row: Row) -> Self {
        self.clients_get = row;
        self
    }

    /// On a route of the platform's: the row a bad or missing API key gets (default: 401
    /// `INVALID_API_KEY`).
    #[must_use]
    pub fn strangers_get(mut self, row: Row) -> Self {
        self.strangers_get = row;
        self
    }

    /// The document's group: `Moderation`, `Users`, `Rooms`, …
    #[must_use]
    pub fn tag(mut self, tag: &'static str) -> Self {
        self.tag = tag;
        self
    }

    /// One line for the document.
    #[must_use]
    pub fn summary(mut self, summary: &'static str) -> Self {
        self.summary = summary;
        self
    }

    /// More for the document.
    #[must_use]
    pub fn text(mut self, text: &'static str) -> Self {
        self.text = text;
        self
    }

    /// There is a newer way, which [`Route::text`] names.
    #[must_use]
    pub fn deprecated(mut self) -> Self {
        self.deprecated = true;
        self
    }

    /// A parameter.
    #[must_use]
    pub fn param(mut self, param: Param) -> Self {
        self.params.push(param);
        self
    }

    /// The body's shape.
    #[must_use]
    pub fn body(mut self, shape: Shape) -> Self {
        self.body = Some(shape);
        self
    }

    /// The parts of a body that is `multipart/form-data` and holds a file.
    #[must_use]
    pub fn multipart(mut self, shape: Shape) -> Self {
        self.body_media = "multipart/form-data";
        self.body_size = BodySize::File;
        self.body(shape)
    }

    /// Bodies may be as large as messages.
    #[must_use]
    pub fn large_body(mut self) -> Self {
        self.body_size = BodySize::Message;
        self
    }

    /// The shape of `result`.
    #[must_use]
    pub fn answer(mut self, shape: Shape) -> Self {
        self.answer = Some(Answers::Enveloped(shape));
        self
    }

    /// The shape of `result`, some of whose fields also stand beside it ([`super::answer::FlatAnswer`]).
    #[must_use]
    pub fn flat_answer(mut self, shape: Shape) -> Self {
        self.answer = Some(Answers::Flat(shape));
        self
    }

    /// The shape of the answer, which is the result without the envelope.
    #[must_use]
    pub fn bare_answer(mut self, shape: Shape) -> Self {
        self.answer = Some(Answers::Bare(shape));
        self
    }

    /// An answer that is not in the envelope, of this media type.
    #[must_use]
    pub fn other_answer(mut self, media_type: &'static str) -> Self {
        self.answer = Some(Answers::Other(media_type));
        self
    }

    /// The rows it can refuse with, beside bad credentials and unreadable requests.
    #[must_use]
    pub fn errors(mut self, rows: &[Row]) -> Self {
        self.errors.extend_from_slice(rows);
        self
    }

    /// An example of a request's body.
    #[must_use]
    pub fn body_example(mut self, body: Value) -> Self {
        self.body_example = Some(body);
        self
    }

    /// An example of an answer: the whole body.
    #[must_use]
    pub fn example(mut self, answer: Value) -> Self {
        self.example = Some(answer);
        self
    }

    /// Can a call of it change anything? Decides whether a refusal waits until what it was judged
    /// on is durable.
    #[must_use]
    pub fn changes(&self) -> bool {
        self.method != Method::GET
            && !matches!(self.act, Act::Look | Act::Search | Act::ReadRoom | Act::ReadMessages | Act::ReadFile)
    }

    /// The row of an error on this route.
    #[must_use]
    pub fn row(&self, error: &ApiError) -> Row {
        error.row(self.act)
    }
}

impl std::fmt::Debug for Route {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} ({:?}, {:?})", self.method, self.path, self.act, self.auth)
    }
}

/// Every route of the server.
#[must_use]
pub fn routes() -> Vec<Route> {
    [
        super::block_status::routes(),
        super::users::routes(),
        super::groups::routes(),
        super::me::routes(),
        super::rooms::routes(),
        super::members::routes(),
        super::invitations::routes(),
        super::messages::routes(),
        super::files::routes(),
        super::search::routes(),
        super::badges::routes(),
        super::prefs::routes(),
        super::stickers::routes(),
        super::auths::routes(),
        super::push::routes(),
        super::config::routes(),
        super::admin::routes(),
        super::webhooks::admin::routes(),
        super::service::routes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
