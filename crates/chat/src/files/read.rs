//! Reading files: whoever may read what was said in one of a file's rooms may read the file.

use std::ops::Range;

use banter_domain::file::{File, may_read_unsent};
use banter_domain::id::{AppId, Bucket, ObjectId};
use banter_domain::moderation::{Act, Actor, Denied, Facts, decide, sees_hidden};
use banter_store::{Bytestream, View};

use crate::{App, Caller, Chat, Error, Result};

/// In so many of a reader's rooms it is looked whether he may read a file; it takes one.
const ROOMS: i64 = 100;

impl Chat {
    /// A file, for those who may read it. Errors: [`Error::NoFile`], refusals.
    pub async fn file(&self, caller: &Caller, bucket: &Bucket, id: ObjectId) -> Result<File> {
        let mut view = self.store.view(caller.app.number).await?;
        let file = view.file(id).await?.filter(|file| file.bucket == *bucket).ok_or(Error::NoFile)?;
        may_read(&mut view, caller, &file).await?;
        Ok(file)
    }

    /// Those of these files that the caller may read, in their order.
    pub async fn files(&self, caller: &Caller, ids: &[ObjectId]) -> Result<Vec<File>> {
        let mut view = self.store.view(caller.app.number).await?;
        let mut files = Vec::new();
        for id in ids {
            let Some(file) = view.file(*id).await? else { continue };
            match may_read(&mut view, caller, &file).await {
                Ok(()) => files.push(file),
                Err(Error::Denied(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(files)
    }

    /// A file that somebody shows a good address of. Whoever made the address has judged. Errors: [`Error::NoFile`].
    pub async fn file_at(&self, app: &App, bucket: &Bucket, id: ObjectId) -> Result<File> {
        let file = self.store.view(app.number).await?.file(id).await?;
        file.filter(|file| file.bucket == *bucket).ok_or(Error::NoFile)
    }

    /// A picture for everybody, and the number of its app. Errors: [`Error::NoFile`].
    pub async fn public_file(&self, id: ObjectId) -> Result<(i64, File)> {
        self.store.view(0).await?.public_file(id).await?.ok_or(Error::NoFile)
    }

    /// Are the bytes of a file here? They are not where a backup of the database was restored without them.
    pub async fn has_bytes(&self, app: i64, file: &File) -> Result<bool> {
        Ok(self.vault()?.has(app, file.id).await?)
    }

    /// These of the bytes of a file that was found for somebody. Errors: [`Error::NoFile`] if they are not here.
    pub async fn bytes(&self, app: i64, file: &File, range: Range<u64>) -> Result<Bytestream> {
        match self.vault()?.read(app, file.id, range).await? {
            Some(bytes) => Ok(bytes),
            None => {
                tracing::warn!(file = %file.id, "the bytes of a file are missing");
                Err(Error::NoFile)
            }
        }
    }

    /// The app of this name. `None`: there is none.
    pub async fn app_of_id(&self, id: &AppId) -> Result<Option<App>> {
        Ok(self.store.view(0).await?.app_of_id(id).await?.map(App::from))
    }
}

async fn may_read(view: &mut View, caller: &Caller, file: &File) -> Result<()> {
    let (actor, reader) = (caller.actor(), caller.user());
    if file.bucket.is_public() || actor == Actor::Platform {
        return Ok(());
    }
    let rooms = view.rooms_of_file(file.id, &reader, ROOMS).await?;
    for (room, in_sight) in &rooms {
        if let Some((room, standing)) = view.room_and_standing(room, &reader).await?
            && (*in_sight || sees_hidden(actor, standing))
            && decide(Act::ReadFile, Facts { actor, room: &room, standing, author: false }).is_ok()
        {
            return Ok(());
        }
    }
    if rooms.is_empty() && !view.is_in_a_room(file.id).await? {
        return Ok(may_read_unsent(file, actor, &reader)?);
    }
    Err(Denied::NotPermitted(Act::ReadFile).into())
}
