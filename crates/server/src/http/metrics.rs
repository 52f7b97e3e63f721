//! What is counted, for Prometheus at `/metrics`.
//!
//! Nothing here is a constant, and no label holds an id: label values are routes, methods,
//! statuses and error codes.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::http::Method;
use banter_store::{Observer, Operation, Store};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::routes::Route;

/// Seconds, from a kept answer to a client's patience.
const BUCKETS: [f64; 12] = [0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10.0];

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Answered {
    method: &'static str,
    route: &'static str,
    status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Endpoint {
    method: &'static str,
    route: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Pushed {
    service: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Direction {
    direction: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct StoreOperation {
    operation: &'static str,
}

/// How a delivery to a webhook went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivered {
    /// It arrived.
    Arrived,
    /// It did not, and is tried again.
    Failed,
    /// It is not tried any more.
    Dead,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

/// The counters of this process.
pub struct Metrics {
    registry: Registry,
    requests: Family<Answered, Counter>,
    refusals: Family<Reason, Counter>,
    socket_overflows: Counter,
    pushes: Family<Pushed, Counter>,
    file_bytes: Family<Direction, Counter>,
    store: Family<StoreOperation, Histogram>,
    connections: Gauge,
    sockets: Gauge,
    blocks: Gauge,
    bans: Gauge,
    deliveries: Family<Outcome, Counter>,
    deliveries_waiting: Gauge,
    deliveries_dead: Gauge,
    deliveries_lag: Gauge,
    /// By place in the route table, so that a request finds its own without a lookup.
    routes: Vec<OfRoute>,
    unknown: OfRoute,
}

struct OfRoute {
    endpoint: Endpoint,
    latency: Histogram,
    /// The statuses nearly all answers have, once there was one.
    ok: OnceLock<Counter>,
    unchanged: OnceLock<Counter>,
}

impl Metrics {
    /// Counters at zero, for these routes.
    #[must_use]
    pub fn new(routes: &[Route]) -> Self {
        let mut registry = Registry::with_prefix("banter");
        let requests = Family::<Answered, Counter>::default();
        registry.register("http_requests", "Requests answered, by route and status", requests.clone());
        let latency = Family::<Endpoint, Histogram>::new_with_constructor(|| Histogram::new(BUCKETS));
        registry.register_with_unit(
            "http_request_duration",
            "From a request's header to its answer's",
            Unit::Seconds,
            latency.clone(),
        );
        let refusals = Family::<Reason, Counter>::default();
        let socket_overflows = Counter::default();
        registry.register("socket_overflows", "Sockets cut off because they did not keep up", socket_overflows.clone());
        let pushes = Family::<Pushed, Counter>::default();
        registry.register("pushes", "Pushes to devices, by service and what became of them", pushes.clone());
        registry.register("refusals", "Acts refused (403), by error code", refusals.clone());
        let file_bytes = Family::default();
        registry.register("file_bytes", "Bytes of files stored and served", file_bytes.clone());
        let store = Family::<StoreOperation, Histogram>::new_with_constructor(|| Histogram::new(BUCKETS));
        registry.register_with_unit(
            "store_operation_duration",
            "Waiting for a transaction, and committing one durably",
            Unit::Seconds,
            store.clone(),
        );
        let connections = Gauge::default();
        registry.register("open_connections", "Open connections", connections.clone());
        let sockets = Gauge::default();
        registry.register("open_sockets", "Open sockets", sockets.clone());
        let blocks = Gauge::default();
        registry.register("active_blocks", "Blocks that hold, in all apps", blocks.clone());
        let bans = Gauge::default();
        registry.register("active_bans", "Bans that hold, in all apps", bans.clone());
        let deliveries = Family::<Outcome, Counter>::default();
        registry.register("webhook_deliveries", "Requests to webhooks, by what became of them", deliveries.clone());
        let deliveries_waiting = Gauge::default();
        registry.register("webhook_waiting", "Deliveries to webhooks that wait", deliveries_waiting.clone());
        let deliveries_dead = Gauge::default();
        registry.register(
            "webhook_dead",
            "Deliveries to webhooks that are not tried any more",
            deliveries_dead.clone(),
        );
        let deliveries_lag = Gauge::default();
        registry.register_with_unit(
            "webhook_lag",
            "For how long the oldest delivery waits",
            Unit::Seconds,
            deliveries_lag.clone(),
        );
        let of = |method: &'static str, route: &'static str| {
            let endpoint = Endpoint { method, route };
            let latency = latency.get_or_create_owned(&endpoint);
            OfRoute { latency, ok: OnceLock::new(), unchanged: OnceLock::new(), endpoint }
        };
        let unknown = of("other", "none");
        let routes = routes.iter().map(|route| of(name(&route.method), route.path)).collect();
        Self {
            registry,
            requests,
            refusals,
            socket_overflows,
            pushes,
            file_bytes,
            store,
            connections,
            sockets,
            blocks,
            bans,
            deliveries,
            deliveries_waiting,
            deliveries_dead,
            deliveries_lag,
            routes,
            unknown,
        }
    }

    /// Is told how long a store takes.
    pub(crate) fn watch(&self, store: &Store, elapsed: Arc<dyn Fn() -> Duration + Send + Sync>) {
        let of = |operation: Operation| self.store.get_or_create_owned(&StoreOperation { operation: operation.name() });
        let [begin_write, begin_read, commit] = Operation::ALL.map(of);
        let observe = move |operation, took: Duration| {
            let histogram = match operation {
                Operation::BeginWrite => &begin_write,
                Operation::BeginRead => &begin_read,
                Operation::Commit => &commit,
            };
            histogram.observe(took.as_secs_f64());
        };
        store.observed_by(Observer { elapsed: Box::new(move || elapsed()), observe: Box::new(observe) });
    }

    /// A request was answered. `route`: its place in the table; `None`: no route was found.
    pub(crate) fn answered(&self, route: Option<usize>, status: u16, took: Duration) {
        let of = route.and_then(|index| self.routes.get(index)).unwrap_or(&self.unknown);
        of.latency.observe(took.as_secs_f64());
        let Endpoint { method, route } = of.endpoint;
        let counter = || self.requests.get_or_create_owned(&Answered { method, route, status });
        match status {
            200 => of.ok.get_or_init(counter).inc(),
            304 => of.unchanged.get_or_init(counter).inc(),
            _ => counter().inc(),
        };
    }

    /// Counts sockets that were cut off because they did not keep up.
    pub(crate) fn socket_overflows(&self) -> Counter {
        self.socket_overflows.clone()
    }

    /// A push was sent, or given up.
    pub(crate) fn pushed(&self, service: &'static str, outcome: &'static str) {
        self.pushes.get_or_create(&Pushed { service, outcome }).inc();
    }

    /// A file so long was stored.
    pub(crate) fn file_bytes_stored(&self, length: u64) {
        self.file_bytes.get_or_create(&Direction { direction: "stored" }).inc_by(length);
    }

    /// Counts the bytes of files that are given out.
    pub(crate) fn file_bytes_served(&self) -> Counter {
        self.file_bytes.get_or_create_owned(&Direction { direction: "served" })
    }

    /// An act was refused, with this error code.
    pub(crate) fn refused(&self, reason: &'static str) {
        self.refusals.get_or_create(&Reason { reason }).inc();
    }

    /// So many deliveries to webhooks went so.
    pub(crate) fn delivered(&self, how: Delivered, count: u64) {
        let outcome = match how {
            Delivered::Arrived => "delivered",
            Delivered::Failed => "failed",
            Delivered::Dead => "dead",
        };
        self.deliveries.get_or_create(&Outcome { outcome }).inc_by(count);
    }

    /// How many deliveries to webhooks wait and are dead now, and for how long the oldest waits,
    /// milliseconds.
    pub(crate) fn count_deliveries(&self, (waiting, dead, lag_ms): (i64, i64, i64)) {
        self.deliveries_waiting.set(waiting);
        self.deliveries_dead.set(dead);
        self.deliveries_lag.set(lag_ms / 1000);
    }

    /// Everything as Prometheus reads it. How many connections and sockets are open; `blocks` and `bans`: how many hold now; `None`: the
    /// store does not say, and the last known count stands.
    ///
    /// Errors: a counter cannot be written (none of ours).
    pub(crate) fn text(
        &self,
        (open, sockets): (i64, usize),
        gauges: Option<(i64, i64)>,
    ) -> Result<String, std::fmt::Error> {
        self.connections.set(open);
        self.sockets.set(i64::try_from(sockets).unwrap_or(i64::MAX));
        if let Some((blocks, bans)) = gauges {
            self.blocks.set(blocks);
            self.bans.set(bans);
        }
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// A label from a small set, whatever a client sends.
fn name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        _ => "other",
    }
}
