//! Where a server keeps things: a folder of its own, and perhaps a database of its own.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use tempfile::TempDir;

/// A folder, and for PostgreSQL the URL of a database.
pub(crate) struct Place {
    folder: TempDir,
    database: Option<String>,
}

/// The server's secret where it does not lie in the folder.
const SECRET: &str = "0123456789abcdef0123456789abcdef";

impl Place {
    /// A fresh folder.
    pub(crate) fn sqlite() -> Self {
        // Not in memory: what is not on a disk cannot be synced.
        let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
        Self { folder, database: None }
    }

    /// A fresh database on the server that tests have. `None`: there is none, and that is fine.
    pub(crate) async fn postgres() -> Option<Self> {
        static COUNT: AtomicUsize = AtomicUsize::new(1);
        let admin = std::env::var("BANTER_TEST_POSTGRES").ok();
        assert!(
            admin.is_some() || std::env::var_os("BANTER_TEST_ALL").is_none(),
            "BANTER_TEST_POSTGRES names no server: run the tests through `make test`, which starts one"
        );
        let admin = admin?;
        let name = format!("banter_binary_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let (client, connection) =
            tokio_postgres::connect(&admin, tokio_postgres::NoTls).await.expect("PostgreSQL answers");
        tokio::spawn(connection);
        client.batch_execute(&format!("DROP DATABASE IF EXISTS {name}")).await.expect("dropped");
        client.batch_execute(&format!("CREATE DATABASE {name}")).await.expect("created");
        let (server, _) = admin.rsplit_once('/').expect("a URL ends with the database");
        Some(Self { database: Some(format!("{server}/{name}")), ..Self::sqlite() })
    }

    /// The places a test runs in, by name.
    pub(crate) async fn each() -> Vec<(&'static str, Self)> {
        let mut places = vec![("sqlite", Self::sqlite())];
        places.extend(Self::postgres().await.map(|place| ("postgres", place)));
        places
    }

    /// A file in the place, beside the data.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.file("data")
    }

    /// The flags that lead a command here.
    pub(crate) fn flags(&self) -> Vec<String> {
        let mut flags = vec!["--data".to_owned(), self.data().to_string_lossy().into_owned()];
        if let Some(database) = &self.database {
            let secret = self.file("secret-file");
            std::fs::write(&secret, SECRET).expect("written");
            flags.extend(["--database".to_owned(), database.clone()]);
            flags.extend(["--secret-file".to_owned(), secret.to_string_lossy().into_owned()]);
        }
        flags
    }
}
