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
use banter_store::Vault;

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
    store: Store,
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

/// A server of one test's own, over a database of its own, that can be stopped and started again.
pub(crate) struct Own {
    store: banter_store::Store,
    running: Option<(banter_server::Running, Arc<Chat>)>,
    beside: Vec<banter_server::Running>,
    _folder: tempfile::TempDir,
}

impl Own {
    /// Over the store that a house stands on. It is not started yet.
    pub(crate) async fn over(house: &House) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(1);
        let folder = tempfile::tempdir().expect("a folder");
        let store = match store_of(house) {
            Store::Sqlite => banter_store::Store::sqlite(folder.path()).expect("a store"),
            Store::Postgres => {
                let admin = postgres().expect("the house stands on it");
                let name = format!("banter_{}_own_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
                banter_store::Store::postgres(&new_database(&admin, &name).await, 4).await.expect("a store")
            }
        };
        Self { store, running: None, beside: Vec::new(), _folder: folder }
    }

    /// Starts it, with its one app.
    pub(crate) async fn start(&mut self, settings: ServeSettings) -> House {
        let chat = chat_over(self.store.clone(), Options::default());
        chat.resume().await.expect("it goes on");
        let keys = Keys { app: "Own".to_owned(), api: "own-api-key".to_owned(), client: "own-client-key".to_owned() };
        let id = AppId::parse(keys.app.as_str()).expect("an id");
        chat.ensure_app(id, &keys.api, &keys.client).await.expect("an app");
        let running = banter_server::start(&settings, Arc::clone(&chat)).await.expect("a server");
        let house = House::new(format!("http://{}", running.address), keys);
        self.running = Some((running, chat));
        house
    }

    /// A second server over the same database, which tells the first one nothing: what is done there lies in the
    /// database until the first one has a reason to look. Events are in the order of their seconds.
    pub(crate) async fn beside(&mut self, house: &House) -> House {
        let chat = chat_over(self.store.clone(), Options::default());
        chat.resume().await.expect("it goes on");
        let running = banter_server::start(&ServeSettings::default(), chat).await.expect("a server");
        let beside = House::new(format!("http://{}", running.address), house.keys().clone());
        self.beside.push(running);
        beside
    }

    /// Somebody else has a room, until what this returns is dropped. `None`: that would be everything.
    pub(crate) async fn holds(&self, house: &House, room: &str) -> Option<banter_store::Tx> {
        if self.store.kind() == banter_store::EngineKind::Sqlite {
            return None;
        }
        let app = self.chat().app_of_api_key(&house.keys().api).await.expect("an answer").expect("an app").number;
        let mut tx = self.store.change(app).await.expect("a transaction");
        let room = banter_domain::id::RoomId::parse(room).expect("an id");
        tx.lock_room(&room).await.expect("an answer").expect("a room");
        Some(tx)
    }

    /// What it serves.
    pub(crate) fn chat(&self) -> Arc<Chat> {
        Arc::clone(&self.running.as_ref().expect("it runs").1)
    }

    /// Stops it, and returns when it has ended.
    pub(crate) async fn stop(&mut self) {
        self.running.take().expect("it runs").0.stop().await;
    }
}

fn store_of(house: &House) -> Store {
    let stands_on = |store: &Store| host(*store).is_some_and(|host| house.base() == format!("http://{}", host.address));
    [Store::Sqlite, Store::Postgres].into_iter().find(stands_on).expect("the house stands on one of the hosts")
}

/// What is done now and then, done now: what is gone is removed.
pub(crate) async fn cleans_up(house: &House) {
    let host = host_of(house);
    let chat = Arc::clone(&host.chat);
    host.runtime.spawn(async move { chat.forget_the_old().await }).await.expect("no panic").expect("done");
}

/// What lies in the house's part of the place for files: whole ones, and what is still coming.
pub(crate) async fn stored(house: &House) -> Vec<PathBuf> {
    let host = host_of(house);
    let (chat, key) = (Arc::clone(&host.chat), house.keys().api.clone());
    let app = host.runtime.spawn(async move { chat.app_of_api_key(&key).await }).await.expect("no panic");
    let app = app.expect("an answer").expect("an app").number;
    let mut found = Vec::new();
    let mut open = vec![vault(host.store).join(app.to_string())];
    while let Some(folder) = open.pop() {
        for path in std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
            if path.is_dir() { open.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

fn vault(store: Store) -> PathBuf {
    folder().join(format!("files-{store:?}"))
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
            chat.keep_files_in(Vault::folder(&vault(store)).expect("a folder"));
            let running = banter_server::start(&settings(), Arc::clone(&chat)).await.expect("a server");
            let runtime = tokio::runtime::Handle::current();
            tell.send(Host { address: running.address, chat, store, runtime }).expect("somebody waits");
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
    match (store, admin) {
        (Store::Postgres, Some(admin)) => {
            let database = new_database(&admin, &format!("banter_{}", std::process::id())).await;
            banter_store::Store::postgres(&database, 16).await.expect("a store")
        }
        _ => banter_store::Store::sqlite(&folder()).expect("a store"),
    }
}

/// A database of this process alone. It goes with its server.
async fn new_database(admin: &str, name: &str) -> String {
    let (client, connection) = tokio_postgres::connect(admin, tokio_postgres::NoTls).await.expect("PostgreSQL answers");
    tokio::spawn(connection);
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
