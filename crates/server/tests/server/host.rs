//! The server itself, inside this process, listening on a port of its own: one for each store, for
//! as long as the process lives. Every test has an app of its own on it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, mpsc};

use banter_chat::{Chat, Options};
use banter_domain::id::AppId;
use banter_server::ServeSettings;
use banter_server::clock::Senses;

use crate::common::{House, Keys};

/// The stores a test runs over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Store {
    Sqlite,
    Postgres,
}

/// A running server.
struct Host {
    address: SocketAddr,
    chat: Arc<Chat>,
    runtime: tokio::runtime::Handle,
}

/// Runs one test over one store, in a house of its own. Without a PostgreSQL to run on, the test
/// passes empty under a bare `cargo test`, and fails where everything was asked for.
pub(crate) fn on<F>(store: Store, test: impl FnOnce(House) -> F)
where
    F: Future<Output = ()>,
{
    let Some(host) = host(store) else { return };
    let here = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    here.block_on(async { test(host.house().await).await });
}

/// A second app on the same server: its people are strangers to everybody.
pub(crate) async fn other_app(house: &House) -> House {
    host_of(house).house().await
}

/// Several apps, made at the same time.
pub(crate) async fn apps_at_once(house: &House, count: usize) -> Vec<House> {
    let host = host_of(house);
    futures_util::future::join_all((0..count).map(|_| host.house())).await
}

/// The same house behind another door: a listener with settings of its own.
pub(crate) async fn another_door(house: &House, settings: ServeSettings) -> House {
    let host = host_of(house);
    let chat = Arc::clone(&host.chat);
    let (tell, told) = tokio::sync::oneshot::channel();
    host.runtime.spawn(async move {
        let running = banter_server::start(&settings, chat).await.expect("a server");
        tell.send(running.address).expect("somebody waits");
        // As long as the process: dropping it would close the door.
        std::future::pending::<()>().await;
        drop(running);
    });
    let address = told.await.expect("the server starts");
    House::new(format!("http://{address}"), house.keys().clone())
}

fn host_of(house: &House) -> &'static Host {
    let mut hosts = [Store::Sqlite, Store::Postgres].into_iter().filter_map(host);
    let host = hosts.find(|host| house.base() == format!("http://{}", host.address));
    host.expect("the house stands on one of the hosts")
}

impl Host {
    async fn house(&self) -> House {
        static COUNT: AtomicUsize = AtomicUsize::new(1);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let keys = Keys {
            app: format!("App{number}"),
            api: format!("api-key-{number}-0123456789"),
            client: format!("client-key-{number}"),
        };
        let chat = Arc::clone(&self.chat);
        let app = keys.clone();
        let made = self.runtime.spawn(async move {
            let id = AppId::parse(app.app).expect("an id");
            chat.create_app(id, &app.api, &app.client).await.map(|_| ())
        });
        made.await.expect("no panic").expect("a new app");
        House::new(format!("http://{}", self.address), keys)
    }
}

fn host(store: Store) -> Option<&'static Host> {
    static SQLITE: OnceLock<Host> = OnceLock::new();
    static POSTGRES: OnceLock<Option<Host>> = OnceLock::new();
    match store {
        Store::Sqlite => Some(SQLITE.get_or_init(|| start(store, None))),
        Store::Postgres => POSTGRES.get_or_init(|| Some(start(store, Some(postgres()?)))).as_ref(),
    }
}

/// The defaults, but that webhooks lead to this machine, and are told again at once.
pub(crate) fn settings() -> ServeSettings {
    ServeSettings {
        webhook_private: true,
        webhook_retry: std::time::Duration::from_millis(20),
        ..ServeSettings::default()
    }
}

/// Where tests find a PostgreSQL. `None`: nowhere, and that is fine.
fn postgres() -> Option<String> {
    let url = std::env::var("BANTER_TEST_POSTGRES").ok();
    assert!(
        url.is_some() || std::env::var_os("BANTER_TEST_ALL").is_none(),
        "BANTER_TEST_POSTGRES names no server: run the tests through `make test`, which starts one"
    );
    url
}

fn start(store: Store, admin: Option<String>) -> Host {
    let (tell, told) = mpsc::channel();
    let serve = move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("a runtime");
        runtime.block_on(async {
            let kept = open(store, admin).await;
            let options = Options { outbox_days: 7, keep_answers: true, kept_bytes: 16 << 20 };
            let chat = chat_over(kept, options);
            let running = banter_server::start(&settings(), Arc::clone(&chat)).await.expect("a server");
            let runtime = tokio::runtime::Handle::current();
            tell.send(Host { address: running.address, chat, runtime }).expect("somebody waits");
            std::future::pending::<()>().await;
        });
    };
    std::thread::Builder::new().name(format!("{store:?}")).spawn(serve).expect("a thread");
    told.recv().expect("the server starts")
}

fn chat_over(store: banter_store::Store, options: Options) -> Arc<Chat> {
    let senses = Senses::real();
    let process = senses.bytes().expect("random bytes");
    Arc::new(Chat::new(store, [7; 32], Arc::clone(&senses.now_ms), process, options))
}

async fn open(store: Store, admin: Option<String>) -> banter_store::Store {
    open_as(store, admin, "").await
}

/// A store of this process; `own` tells several of them apart.
async fn open_as(store: Store, admin: Option<String>, own: &str) -> banter_store::Store {
    match (store, admin) {
        (Store::Postgres, Some(admin)) => {
            let database = new_database(&admin, own).await;
            banter_store::Store::postgres(&database, 16).await.expect("a store")
        }
        _ => {
            let folder = folder().join(own);
            std::fs::create_dir_all(&folder).expect("a folder");
            banter_store::Store::sqlite(&folder).expect("a store")
        }
    }
}

/// A server of one's own, over a store of its own, to be stopped and started again.
pub(crate) struct Own {
    pub(crate) house: House,
    pub(crate) chat: Arc<Chat>,
    store: banter_store::Store,
    running: banter_server::Running,
}

impl Own {
    /// Beside the house's server, over the same kind of store.
    pub(crate) async fn beside(house: &House, settings: ServeSettings) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(1);
        let host = host_of(house);
        let own = format!("own{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let opened = host.runtime.spawn(async move {
            match host.chat.store().kind() {
                banter_store::EngineKind::Sqlite => open_as(Store::Sqlite, None, &own).await,
                banter_store::EngineKind::Postgres => open_as(Store::Postgres, postgres(), &own).await,
            }
        });
        let store = opened.await.expect("a store");
        let keys = house.keys().clone();
        let (chat, running) = Self::started(host, &store, &settings, &keys).await;
        let house = House::new(format!("http://{}", running.address), keys);
        Self { house, chat, store, running }
    }

    /// Stops it and starts it again, as a new process would.
    pub(crate) async fn restarted(self, host_house: &House, settings: ServeSettings) -> Self {
        let Self { house, chat, store, running } = self;
        running.stop().await;
        drop(chat);
        let keys = house.keys().clone();
        let (chat, running) = Self::started(host_of(host_house), &store, &settings, &keys).await;
        let house = House::new(format!("http://{}", running.address), keys);
        Self { house, chat, store, running }
    }

    /// Stops it. What it was over is still there.
    pub(crate) async fn stopped(self) -> Arc<Chat> {
        self.running.stop().await;
        self.chat
    }

    async fn started(
        host: &'static Host,
        store: &banter_store::Store,
        settings: &ServeSettings,
        keys: &Keys,
    ) -> (Arc<Chat>, banter_server::Running) {
        let (store, settings, keys) = (store.clone(), settings.clone(), keys.clone());
        let started = host.runtime.spawn(async move {
            let chat = chat_over(store, Options::default());
            let id = AppId::parse(keys.app).expect("an id");
            chat.ensure_app(id, &keys.api, &keys.client).await.expect("an app");
            let running = banter_server::start(&settings, Arc::clone(&chat)).await.expect("a server");
            (chat, running)
        });
        started.await.expect("it starts")
    }
}

/// A database of this process alone. It goes with its server.
async fn new_database(admin: &str, own: &str) -> String {
    let (client, connection) = tokio_postgres::connect(admin, tokio_postgres::NoTls).await.expect("PostgreSQL answers");
    tokio::spawn(connection);
    let name = format!("banter_{}{own}", std::process::id());
    client.batch_execute(&format!("DROP DATABASE IF EXISTS {name}")).await.expect("dropped");
    client.batch_execute(&format!("CREATE DATABASE {name}")).await.expect("created");
    let (server, _) = admin.rsplit_once('/').expect("a URL ends with the database");
    format!("{server}/{name}")
}

/// A folder of this process alone. Those of processes that are gone are removed.
fn folder() -> PathBuf {
    let folders = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("houses");
    std::fs::create_dir_all(&folders).expect("a folder");
    for entry in std::fs::read_dir(&folders).expect("a folder").flatten() {
        let process = PathBuf::from("/proc").join(entry.file_name());
        if !process.exists() {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
    let mine = folders.join(std::process::id().to_string());
    std::fs::create_dir_all(&mine).expect("a folder");
    mine
}
