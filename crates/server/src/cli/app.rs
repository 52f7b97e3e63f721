//! `banter app create | list | rotate-key`.

use banter_chat::Error;

use super::{Failure, app_id, key_or_random, open, say};
use crate::clock::{Senses, hex};
use crate::config::{AppCommand, Place, few_options};
use crate::http::view::time::Iso;

/// Makes and looks after apps.
pub(super) async fn run(command: AppCommand) -> Result<(), Failure> {
    match command {
        AppCommand::Create { place, id, app_id, api_key, client_key } => {
            create(&place, id.or(app_id), api_key, client_key).await
        }
        AppCommand::List { place } => list(&place).await,
        AppCommand::RotateKey { place, id, app_id, api_key } => rotate(&place, id.or(app_id), api_key).await,
    }
}

async fn create(
    place: &Place,
    id: Option<String>,
    api_key: Option<String>,
    client_key: Option<String>,
) -> Result<(), Failure> {
    let senses = Senses::real();
    let id = match id {
        Some(id) => app_id(id)?,
        None => app_id(format!("app-{}", hex(&senses.bytes::<4>()?)))?,
    };
    let api_key = key_or_random("--api-key", api_key, &senses)?;
    let client_key = key_or_random("--client-key", client_key, &senses)?;
    let (chat, _) = open(place, few_options(), &senses).await?;
    let app = chat.create_app(id, &api_key, &client_key).await?;
    say(&format!("app {}", app.id));
    say(&format!("api-key {api_key}"));
    say(&format!("client-key {client_key}"));
    Ok(())
}

async fn list(place: &Place) -> Result<(), Failure> {
    let (chat, _) = open(place, few_options(), &Senses::real()).await?;
    for app in chat.apps().await? {
        let made = Iso::of(app.created_ms);
        say(&format!(
            "{}\tclient-key {}\tapi-key …{}\tmade {}",
            app.id,
            app.client_key,
            app.api_key_tail,
            made.as_str()
        ));
    }
    Ok(())
}

async fn rotate(place: &Place, id: Option<String>, api_key: Option<String>) -> Result<(), Failure> {
    let id = app_id(id.ok_or_else(|| Failure::Setting("--app-id: say which app".to_owned()))?)?;
    let senses = Senses::real();
    let api_key = key_or_random("--api-key", api_key, &senses)?;
    let (chat, _) = open(place, few_options(), &senses).await?;
    let app = chat.rotate_key(&id, &api_key).await.map_err(|error| match error {
        Error::NoApp => Failure::Failed(format!("there is no app {id}")),
        error => error.into(),
    })?;
    say(&format!("app {}", app.id));
    say(&format!("api-key {api_key}"));
    say(&format!("client-key {}", app.client_key));
    Ok(())
}
