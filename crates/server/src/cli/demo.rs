//! `banter demo`: a throwaway server with the people, blocks and ban of the founding documents.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use banter_chat::{Caller, Chat, Grant, Who};
use banter_domain::id::UserId;
use banter_domain::user::{Profile, UserChange};
use banter_store::Vault;

use super::import::Lines;
use super::serve::{Stop, listen, ready};
use super::{Failure, app_id, open, say};
use crate::Running;
use crate::clock::{Senses, hex};
use crate::config::{Demo, Place};
use crate::errors::ApiError;
use crate::http::token::Issuer;
use crate::telemetry;

const APP: &str = "SampleApp";
const API_KEY: &str = "demo-api-key";
const CLIENT_KEY: &str = "demo-client-key";
/// Everybody in it; Bob is ours, the documents name the others.
const PEOPLE: [(&str, &str); 4] = [("aaa", "Alecia"), ("bbb", "Bob"), ("ccc", "Cathy"), ("ddd", "Dina")];
/// The demo's tokens live so long, milliseconds: ten years.
const TOKEN_MS: i64 = 10 * 365 * 24 * 60 * 60 * 1000;

/// What happened before, in the shapes `banter import` reads, at the times the documents show.
const STORY: &str = r#"
{"kind":"client","_id":"aaa","nickname":"Alecia","avatarUrl":"http://loremflickr.com/240/240/style?1628093717","lastLoginTimeMS":1583726632592}
{"kind":"client","_id":"bbb","nickname":"Bob"}
{"kind":"client","_id":"ccc","nickname":"Cathy","avatarUrl":"http://loremflickr.com/240/240/style?1628093667","lastLoginTimeMS":1600006869368}
{"kind":"client","_id":"ddd","nickname":"Dina","avatarUrl":"http://loremflickr.com/240/240/style?1628088855","lastLoginTimeMS":1628094314986}
{"kind":"room","_id":"demo-room","name":"Demo room","roomType":"group","owner":"aaa","members":["aaa","bbb","ccc","ddd"],"createdTimeMS":1525001412492}
{"kind":"blockStatus","blocker":"aaa","blockee":"ccc","room":{"_id":"2bec603e94a210092439e83ff2d79ac1","roomType":"direct","createdTimeMS":1628089206798},"createdAt":"2021-08-04T15:18:10.735Z","updatedAt":"2021-08-04T15:18:10.735Z"}
{"kind":"blockStatus","blocker":"aaa","blockee":"ddd","room":{"_id":"8ab6c2ec1f2ee3f7d46cea03bdca4c9b","roomType":"direct","createdTimeMS":1628089213796},"createdAt":"2021-08-04T15:18:07.649Z","updatedAt":"2021-08-04T15:18:07.649Z"}
{"kind":"blockStatus","blocker":"aaa","blockee":"ccc","room":"demo-room","createdAt":"2021-08-04T16:08:53.057Z","updatedAt":"2021-08-04T16:08:53.057Z"}
"#;

/// Serves the demo until told to stop.
pub(super) async fn run(demo: Demo) -> Result<(), Failure> {
    telemetry::start(&demo.log);
    let address = demo.edge.listen;
    if !address.ip().is_loopback() {
        // Its keys are in every copy of this program.
        return Err(Failure::Setting(format!(
            "--listen {address}: the demo listens on this machine's loopback address only"
        )));
    }
    let stop = Stop::new()?;
    let senses = Senses::real();
    let folder = Folder::new(demo.data, &senses)?;
    let place = Place { data: folder.path.clone(), database: None, secret_file: None, secret: None, pg_connections: 1 };
    let (chat, secret) = open(&place, demo.edge.options(), &senses).await?;
    chat.keep_files_in(Vault::folder(&folder.path.join("files"))?);
    let settings = demo.edge.settings(secret, senses.clone());
    let issuer = Issuer::new(&secret.0, settings.token_days, senses);
    let browser_tokens = tell_the_story(&chat, &issuer, &folder.path).await?;
    let running = listen(&settings, &chat).await?;
    ready(&running);
    introduce(&running, &browser_tokens);
    stop.wait().await;
    running.stop().await;
    drop(folder);
    Ok(())
}

/// Fills the database, and gives everybody a plain token and one for browsers. Answers the latter.
async fn tell_the_story(chat: &Arc<Chat>, issuer: &Issuer, data: &Path) -> Result<Vec<String>, Failure> {
    let id = app_id(APP.to_owned())?;
    if chat.apps().await?.iter().any(|app| app.id != id) {
        return Err(Failure::Setting(format!("--data {}: it holds apps that are not the demo's", data.display())));
    }
    let app = chat.ensure_app(id, API_KEY, CLIENT_KEY).await?;
    let story = Lines::of(STORY.as_bytes(), "the demo's story")?;
    chat.import(&app.id, story.records).await.map_err(|error| Failure::Failed(format!("the demo's story: {error}")))?;
    let operator = Caller { app, who: Who::Platform { on_behalf_of: None }, address: None };
    let mut browser_tokens = Vec::new();
    for (person, nickname) in PEOPLE {
        let id = UserId::parse(person).map_err(|error| Failure::Failed(error.to_string()))?;
        let profile = Profile { nickname: Some(nickname.to_owned()), ..Profile::deleted(id.clone()) };
        let until_ms = chat.now() + TOKEN_MS;
        let issued = issuer.issue_until(&profile, chat.now(), until_ms).map_err(|error| match error {
            ApiError::Fault(why) => Failure::Failed(why),
            other => Failure::Failed(format!("{other:?}")),
        })?;
        browser_tokens.push(issued.token.clone());
        for grant in [Grant { token: format!("demo-token-{person}"), expires_ms: until_ms }, issued] {
            chat.save_user(&operator, id.clone(), UserChange::default(), Some(grant)).await?;
        }
    }
    Ok(browser_tokens)
}

fn introduce(running: &Running, browser_tokens: &[String]) {
    let address = running.address;
    let headers = format!("-H 'IM-CLIENT-KEY: {CLIENT_KEY}' -H 'IM-Authorization: demo-token-aaa'");
    say("");
    say(&format!(
        "A demo: app {APP}, API key {API_KEY}, client key {CLIENT_KEY}. Read its documentation at http://{address}/docs"
    ));
    say("");
    say("Alecia's blocks, and whom she banned:");
    say(&format!("  curl -s http://{address}/blockStatus/my {headers}"));
    say("Who is banned from her room:");
    say(&format!("  curl -s http://{address}/blockStatus/room/demo-room {headers}"));
    say("What Cathy gets who tries to speak there:");
    let cathy = headers.replace("aaa", "ccc");
    say(&format!(
        "  curl -s http://{address}/rooms/demo-room/message {cathy} -H 'Content-Type: application/json' -d '{{\"message\":\"hello\"}}'"
    ));
    say("");
    say("Tokens: demo-token-aaa, -bbb, -ccc, -ddd. For clients that read the user from the token:");
    for ((person, nickname), token) in PEOPLE.iter().zip(browser_tokens) {
        say(&format!("  {person} {nickname}: {token}"));
    }
}

/// The demo's folder; gone at the end unless it was asked for.
struct Folder {
    path: PathBuf,
    passing: bool,
}

impl Folder {
    fn new(asked: Option<PathBuf>, senses: &Senses) -> io::Result<Self> {
        if let Some(path) = asked {
            return Ok(Self { path, passing: false });
        }
        let path = std::env::temp_dir().join(format!("banter-demo-{}", hex(&senses.bytes::<8>()?)));
        fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self { path, passing: true })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.passing
            && let Err(error) = fs::remove_dir_all(&self.path)
        {
            tracing::warn!(%error, folder = %self.path.display(), "the demo's folder could not be removed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_story_can_be_read() {
        let story = Lines::of(STORY.as_bytes(), "story").expect("a story");
        assert_eq!(story.records.len(), 10, "eight lines, two of which bring a room");
    }
}
