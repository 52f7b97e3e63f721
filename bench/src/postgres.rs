//! A database of our own in somebody's PostgreSQL, and the CPU its processes take.

use std::cell::RefCell;
use std::collections::HashMap;

use tokio_postgres::{Client, NoTls};

use crate::Result;
use crate::process::{children_of, cpu_us, parent_of};

/// A fresh database, dropped at the end.
#[derive(Debug)]
pub(crate) struct Database {
    admin: String,
    name: String,
    /// Where the server finds it.
    pub(crate) url: String,
    pub(crate) backends: Backends,
    /// What decides whether its sends are durable: `fsync on, synchronous_commit on, 15.4`.
    pub(crate) durability: String,
}

/// The processes of one PostgreSQL. Those that ended keep counting with what they had.
#[derive(Debug)]
pub(crate) struct Backends {
    postmaster: u32,
    seen: RefCell<HashMap<u32, f64>>,
}

impl Database {
    /// Creates `name`, dropping what an earlier run left of it.
    pub(crate) async fn create(admin: &str, name: &str) -> Result<Self> {
        let client = connect(admin).await?;
        client.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await?;
        client.batch_execute(&format!("CREATE DATABASE {name}")).await?;
        let backend: i32 = client.query_one("SELECT pg_backend_pid()", &[]).await?.try_get(0)?;
        let postmaster =
            parent_of(u32::try_from(backend)?).ok_or("PostgreSQL is not on this machine, so its CPU cannot be read")?;
        let backends = Backends { postmaster, seen: RefCell::default() };
        let mut durability = Vec::new();
        for setting in ["fsync", "synchronous_commit", "server_version"] {
            let value: String = client.query_one(&format!("SHOW {setting}"), &[]).await?.try_get(0)?;
            durability.push(format!("{setting} {value}"));
        }
        let durability = durability.join(", ");
        Ok(Self {
            admin: admin.to_owned(),
            name: name.to_owned(),
            url: with_database(admin, name)?,
            backends,
            durability,
        })
    }

    /// Drops it.
    pub(crate) async fn drop_it(&self) -> Result<()> {
        let client = connect(&self.admin).await?;
        client.batch_execute(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name)).await?;
        Ok(())
    }
}

impl Backends {
    /// CPU time all its processes took so far, in microseconds.
    pub(crate) fn cpu_us(&self) -> f64 {
        let mut seen = self.seen.borrow_mut();
        for id in children_of(self.postmaster) {
            // One that ended between the two looks keeps its last value.
            if let Ok(now) = cpu_us(id) {
                seen.insert(id, now);
            }
        }
        seen.values().sum()
    }
}

async fn connect(url: &str) -> Result<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// The same server and user, another database.
fn with_database(url: &str, name: &str) -> Result<String> {
    let (scheme, rest) = url.split_once("://").ok_or("BANTER_TEST_POSTGRES must be a postgres:// URL")?;
    let (rest, query) = match rest.split_once('?') {
        Some((rest, query)) => (rest, format!("?{query}")),
        None => (rest, String::new()),
    };
    let authority = rest.split('/').next().unwrap_or_default();
    Ok(format!("{scheme}://{authority}/{name}{query}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_led_to_another_database() {
        assert_eq!(with_database("postgres://u:p@h:1/postgres?a=b", "x").unwrap(), "postgres://u:p@h:1/x?a=b");
        assert_eq!(with_database("postgresql://h", "x").unwrap(), "postgresql://h/x");
        assert_eq!(with_database("postgres:///postgres?host=/tmp/s", "x").unwrap(), "postgres:///x?host=/tmp/s");
        assert!(with_database("host=h", "x").is_err());
    }
}
