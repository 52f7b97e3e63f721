//! Asking others over HTTP: whom the operator or an app names, for webhooks and notifications.

use std::time::Duration;

/// How long another server may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// How long it may take to answer.
const ANSWER: Duration = Duration::from_secs(10);

/// A client for requests to other servers. It trusts the machine's certificates, follows no redirect (whom
/// to ask was decided before), takes no proxy from the environment and waits at most ten seconds.
pub fn client() -> reqwest::ClientBuilder {
    // Somebody may have chosen one for the process already, and that is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT)
        .timeout(ANSWER)
}
