//! Bringing a file (L-37): judged before its bytes are stored, and once more, under the room's lock, when it is
//! written down.

use banter_domain::file::File;
use banter_domain::id::RoomId;
use banter_domain::moderation::Act;
use banter_store::{Deposit, LockedRoom};
use serde_json::{Map, Value};

use super::NewFile;
use crate::messages::Speaker;
use crate::open::Open;
use crate::{Caller, Chat, Error, Result};

/// A file whose bytes are coming. Until [`Incoming::finish`] nobody can read any of it. Dropped, it is as one that
/// never came; what is left of it then is swept away later.
pub struct Incoming<'a> {
    chat: &'a Chat,
    caller: &'a Caller,
    file: File,
    room: Option<RoomId>,
    deposit: Deposit,
}

impl Chat {
    /// Begins to take in a file, for a room if it is said already. Errors: [`Error::NoRoom`], [`Error::NoUser`],
    /// refusals; then not a byte of it is stored.
    pub async fn receive<'a>(&'a self, caller: &'a Caller, new: NewFile) -> Result<Incoming<'a>> {
        let vault = self.vault()?;
        let mut open = self.begin(caller).await?;
        let Speaker { user, .. } = open.uploader(new.room.as_ref()).await?.0;
        let file = File {
            id: self.hidden_id(),
            bucket: new.bucket,
            name: new.name,
            media: new.media,
            length: 0,
            md5: String::new(),
            extra: Map::new(),
            uploader: user.profile.id,
            uploaded_ms: open.now_ms,
        };
        open.tx.expect_file(&file).await?;
        open.done().await?;
        let deposit = vault.deposit(caller.app.number, file.id);
        Ok(Incoming { chat: self, caller, file, room: new.room, deposit })
    }
}

impl Open<'_> {
    /// Who uploads, and the room he does it for, locked. Errors: [`Error::NoRoom`], [`Error::NoUser`], refusals.
    async fn uploader(&mut self, room: Option<&RoomId>) -> Result<(Speaker, Option<LockedRoom>)> {
        let speaker = self.speaker(self.caller.on_behalf_of().cloned(), false).await?;
        let Some(room) = room else { return Ok((speaker, None)) };
        let room = self.lock_room(room).await?;
        self.judge_as(Act::Upload, &room, &speaker.user.profile.id, speaker.actor, false).await?;
        Ok((speaker, Some(room)))
    }
}

impl Incoming<'_> {
    /// How much has come, bytes.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.deposit.length()
    }

    /// It is for this room, as is said only now. Errors: as [`Chat::receive`].
    pub async fn is_for(&mut self, room: RoomId) -> Result<()> {
        let mut open = self.chat.begin(self.caller).await?;
        open.uploader(Some(&room)).await?;
        self.room = Some(room);
        Ok(())
    }

    /// Takes some more of its bytes.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.deposit.write(bytes).await?)
    }

    /// That was all of it. The bytes are durable before the file is written down, and the file is durable when this
    /// returns. Errors: as [`Chat::receive`], of this moment; then the bytes are gone.
    pub async fn finish(mut self, extra: Map<String, Value>) -> Result<File> {
        let written = self.write_down(extra).await;
        match &written {
            Ok(_) => {}
            // It may have been written down all the same, and the bytes are not thrown away on a doubt.
            Err(Error::Store(_)) => {}
            Err(_) => self.discard().await,
        }
        written
    }

    async fn write_down(&mut self, extra: Map<String, Value>) -> Result<File> {
        let (length, md5) = self.deposit.finish().await?;
        let mut open = self.chat.begin(self.caller).await?;
        let (_, room) = open.uploader(self.room.as_ref()).await?;
        let file = File { length, md5, extra, uploaded_ms: open.now_ms, ..self.file.clone() };
        if !open.tx.insert_file(&file).await? {
            return Err(Error::NoFile);
        }
        if let Some(room) = room.filter(|_| !file.bucket.is_public()) {
            open.tx.tie_upload(&room, file.id).await?;
        }
        open.done().await?;
        Ok(file)
    }

    /// It is not wanted: what is stored of it goes.
    pub async fn discard(mut self) {
        let gone = async {
            self.deposit.abandon().await?;
            self.chat.remove_files(self.caller.app.number, &[self.file.id]).await
        };
        if let Err(error) = gone.await {
            tracing::warn!(%error, "a file that was refused is removed later");
        }
    }
}
