//! `banter serve`.

use std::sync::Arc;

use banter_chat::{App, Chat};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Failure, app_id, checked_key, open, say, vault};
use crate::clock::Senses;
use crate::config::{AppKeys, Serve, ServeSettings};
use crate::{Running, start, telemetry};

/// Serves until told to stop.
pub(super) async fn run(serve: Serve) -> Result<(), Failure> {
    telemetry::start(&serve.log);
    let stop = Stop::new()?;
    let senses = Senses::real();
    let push = serve.push.settings().map_err(Failure::Setting)?;
    let (chat, secret) = open(&serve.place, serve.edge.options(), &senses).await?;
    chat.keep_files_in(vault(&serve.files, &serve.place)?);
    let given = given_app(&chat, serve.keys).await?;
    let settings = ServeSettings { push, ..serve.edge.settings(secret, senses) };
    let running = listen(&settings, &chat).await?;
    // Made only once the server listens: keys are shown once, and must not be lost to a busy port.
    let first = if given.is_none() { first_app(&chat, &settings.senses).await? } else { None };
    ready(&running);
    if let Some((app, api_key)) = first {
        introduce(&running, &app, &api_key);
    }
    stop.wait().await;
    tracing::info!("stopping");
    running.stop().await;
    Ok(())
}

/// Listens, or says why that setting cannot work.
pub(super) async fn listen(settings: &ServeSettings, chat: &Arc<Chat>) -> Result<Running, Failure> {
    start(settings, chat.clone())
        .await
        .map_err(|error| Failure::Setting(format!("--listen {}: {error}", settings.listen)))
}

/// The line that scripts wait for.
pub(super) fn ready(running: &Running) {
    say(&format!("banter: listening on http://{}", running.address));
}

/// The app named on the command line, made if it is missing.
async fn given_app(chat: &Chat, keys: AppKeys) -> Result<Option<Arc<App>>, Failure> {
    let (Some(id), Some(api_key), Some(client_key)) = (keys.app_id, keys.api_key, keys.client_key) else {
        return Ok(None);
    };
    checked_key("--api-key", &api_key)?;
    checked_key("--client-key", &client_key)?;
    Ok(Some(chat.ensure_app(app_id(id)?, &api_key, &client_key).await?))
}

/// Where nobody has keys yet: an app with random ones, or random ones for the app that an import
/// made. `None`: there is an app with keys.
async fn first_app(chat: &Chat, senses: &Senses) -> Result<Option<(Arc<App>, String)>, Failure> {
    let apps = chat.apps().await?;
    if apps.iter().any(App::has_keys) {
        return Ok(None);
    }
    let id = match apps.into_iter().next() {
        Some(app) => app.id,
        None => app_id(format!("app-{}", crate::clock::hex(&senses.bytes::<4>()?)))?,
    };
    let api_key = senses.key()?;
    let app = chat.ensure_app(id, &api_key, &senses.key()?).await?;
    Ok(Some((app, api_key)))
}

fn introduce(running: &Running, app: &App, api_key: &str) {
    let (address, client_key) = (running.address, &app.client_key);
    say(&format!(
        "An app was made. Its keys, shown this once: app {}, API key {api_key}, client key {client_key}",
        app.id
    ));
    say("Make a user with a token, then read his block list with it:");
    say(&format!(
        "  curl -X POST http://{address}/admin/clients -H 'IM-API-KEY: {api_key}' -H 'Content-Type: application/json' \
         -d '{{\"_id\":\"aaa\",\"nickname\":\"Alecia\",\"issueAccessToken\":true}}'"
    ));
    say(&format!(
        "  curl http://{address}/blockStatus/my -H 'IM-CLIENT-KEY: {client_key}' -H 'IM-Authorization: TOKEN'"
    ));
}

/// SIGTERM or SIGINT.
pub(super) struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    /// From here on the signals no longer end the process by themselves.
    pub(super) fn new() -> Result<Self, Failure> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Returns when one has come.
    pub(super) async fn wait(mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
