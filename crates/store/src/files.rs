//! Files: what was uploaded, and in which rooms it may be read. Their bytes lie in the [`crate::Vault`].

use banter_domain::file::{File, MediaType};
use banter_domain::id::{Bucket, ObjectId, RoomId, UserId};

use crate::read::{Read, map_text};
use crate::sql::{Row, binds};
use crate::{Error, LockedRoom, Result, Tx, View};

/// The columns [`file`] reads, of a table spelt `f`.
const FILE: &str = "f.id, f.bucket, f.name, f.media, f.length, f.md5, f.extra, f.uploader, f.uploaded_ms";

fn file(mut row: Row) -> Result<File> {
    Ok(File {
        id: row.object_id(0)?,
        bucket: Bucket::parse(row.compact(1)?).map_err(|why| Error::Corrupt(format!("not a bucket: {why}")))?,
        name: row.text(2)?,
        media: MediaType::said(row.str(3)?),
        length: u64::try_from(row.int(4)?).unwrap_or_default(),
        md5: row.text(5)?,
        extra: row.map(6)?,
        uploader: row.user(7)?,
        uploaded_ms: row.int(8)?,
    })
}

/// Which of a room's ties to files are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ties {
    /// Those by one message.
    Message(ObjectId),
    /// Those by all messages.
    Messages,
    /// All, of what was uploaded for the room and never named as well.
    All,
}

impl View {
    /// A file that is here. `None`: no such file.
    pub async fn file(&mut self, id: ObjectId) -> Result<Option<File>> {
        let text = format!("SELECT {FILE} FROM files f WHERE f.app = $1 AND f.id = $2 AND f.state = 'here'");
        let rows = self.session.rows(&text, binds![self.app, id]).await?;
        rows.into_iter().next().map(file).transpose()
    }

    /// A file of a bucket that is for everybody, and the number of its app. `None`: no such file there.
    pub async fn public_file(&mut self, id: ObjectId) -> Result<Option<(i64, File)>> {
        let text =
            format!("SELECT {FILE}, f.app FROM files f WHERE f.bucket = 'public' AND f.id = $1 AND f.state = 'here'");
        let rows = self.session.rows(&text, binds![id]).await?;
        rows.into_iter().next().map(|row| Ok((row.int(9)?, file(row)?))).transpose()
    }

    /// Has a file ever been brought into a room, so that it is one's own no more?
    pub async fn is_in_a_room(&mut self, id: ObjectId) -> Result<bool> {
        let text = "SELECT 1 FROM file_rooms WHERE app = $1 AND file = $2 LIMIT 1";
        Ok(!self.session.rows(text, binds![self.app, id]).await?.is_empty())
    }

    /// The rooms of a file in which a user has a place: where it is worth asking whether he may read it; and whether it
    /// is there by anything in the members' sight. At most `limit`.
    pub async fn rooms_of_file(&mut self, id: ObjectId, user: &UserId, limit: i64) -> Result<Vec<(RoomId, bool)>> {
        let text = "SELECT fr.room, MAX(CASE WHEN fr.message = '' OR EXISTS (SELECT 1 FROM messages lm
                WHERE lm.app = $1 AND lm.room = fr.room AND lm.id = fr.message AND lm.hidden = 0) THEN 1 ELSE 0 END)
            FROM file_rooms fr JOIN rooms r ON r.app = fr.app AND r.id = fr.room
            WHERE fr.app = $1 AND fr.file = $2 AND (r.owner = $3
                OR EXISTS (SELECT 1 FROM members m WHERE m.app = $1 AND m.room = fr.room AND m.user_id = $3 AND m.member = 1)
                OR EXISTS (SELECT 1 FROM group_members g CROSS JOIN members gm WHERE g.app = $1 AND g.user_id = $3
                    AND gm.app = g.app AND gm.room = fr.room AND gm.user_id = g.grp AND gm.member = 1))
            GROUP BY fr.room LIMIT $4";
        let rows = self.session.rows(text, binds![self.app, id, user, limit]).await?;
        rows.into_iter().map(|mut row| Ok((row.room_id(0)?, row.flag(1)?))).collect()
    }

    /// Files that are to be removed with their bytes: what is gone, and what was begun before a moment (milliseconds)
    /// and never came. At most `limit` of each.
    pub async fn files_to_sweep(&mut self, begun_before_ms: i64, limit: i64) -> Result<Vec<ObjectId>> {
        let text = "SELECT f.id FROM files f WHERE f.app = $1 AND f.state <> 'here' AND f.state = $2
            AND f.uploaded_ms < $3 ORDER BY f.uploaded_ms LIMIT $4";
        let mut found = self.session.rows(text, binds![self.app, "gone", i64::MAX, limit]).await?;
        found.extend(self.session.rows(text, binds![self.app, "coming", begun_before_ms, limit]).await?);
        found.into_iter().map(|mut row| row.object_id(0)).collect()
    }
}

impl Tx {
    /// Notes that a file's bytes are about to come, so that they are found again if the process dies meanwhile.
    pub async fn expect_file(&mut self, file: &File) -> Result<()> {
        let text = "INSERT INTO files (app, id, bucket, state, name, media, uploader, uploaded_ms)
            VALUES ($1, $2, $3, 'coming', $4, $5, $6, $7)";
        let values = binds![
            self.view.app,
            file.id,
            file.bucket.as_str(),
            file.name.as_str(),
            file.media.as_str(),
            &file.uploader,
            file.uploaded_ms,
        ];
        self.view.session.put(text, values).await
    }

    /// Writes down a file whose bytes are here, durably. False: nobody expects it any more.
    pub async fn insert_file(&mut self, file: &File) -> Result<bool> {
        let text = "UPDATE files SET state = 'here', media = $3, length = $4, md5 = $5, extra = $6, uploaded_ms = $7
            WHERE app = $1 AND id = $2 AND state = 'coming'";
        let values = binds![
            self.view.app,
            file.id,
            file.media.as_str(),
            i64::try_from(file.length).unwrap_or(i64::MAX),
            file.md5.as_str(),
            map_text(&file.extra),
            file.uploaded_ms,
        ];
        Ok(self.view.session.run(text, values).await? > 0)
    }

    /// Removes what is known of a file; its bytes are gone already.
    pub async fn forget_file(&mut self, id: ObjectId) -> Result<()> {
        let text = "DELETE FROM files WHERE app = $1 AND id = $2 AND state <> 'here'";
        self.view.session.put(text, binds![self.view.app, id]).await
    }

    /// Says that a file was uploaded for a room.
    pub async fn tie_upload(&mut self, room: &LockedRoom, id: ObjectId) -> Result<()> {
        let text = "INSERT INTO file_rooms (app, file, room, message) VALUES ($1, $2, $3, '')";
        self.view.session.put(text, binds![self.view.app, id, &room.room.id]).await
    }

    /// Ties those of these files to a message of a room that one of `uploaders` brought; others are passed over.
    pub async fn tie_files(
        &mut self,
        room: &LockedRoom,
        message: ObjectId,
        files: &[ObjectId],
        uploaders: &[UserId],
    ) -> Result<()> {
        let ids: Vec<String> = files.iter().map(ToString::to_string).collect();
        // Locked, so that none of them goes away at this moment.
        let text = "SELECT id FROM files WHERE app = $1 AND id = ANY($2) AND uploader = ANY($3) AND state = 'here'
            AND bucket <> 'public' ORDER BY id FOR UPDATE";
        for mut row in self.view.session.rows(text, binds![self.view.app, ids, uploaders]).await? {
            let (app, id) = (self.view.app, row.object_id(0)?);
            let text =
                "INSERT INTO file_rooms (app, file, room, message) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
            self.view.session.put(text, binds![app, id, &room.room.id, message]).await?;
            // From now on it is there by what names it, and goes with it.
            let text = "DELETE FROM file_rooms WHERE app = $1 AND file = $2 AND room = $3 AND message = ''";
            self.view.session.put(text, binds![app, id, &room.room.id]).await?;
        }
        Ok(())
    }

    /// Unties files from a room. What is in no room after that is gone.
    pub async fn untie_files(&mut self, room: &LockedRoom, ties: Ties) -> Result<()> {
        let app = self.view.app;
        let (which, values) = match ties {
            Ties::Message(id) => ("AND message = $3", binds![app, &room.room.id, id]),
            Ties::Messages => ("AND message > ''", binds![app, &room.room.id]),
            Ties::All => ("", binds![app, &room.room.id]),
        };
        let text = format!("SELECT DISTINCT file FROM file_rooms WHERE app = $1 AND room = $2 {which}");
        let rows = self.view.session.rows(&text, values.clone()).await?;
        let files: Vec<String> = rows.into_iter().map(|mut row| row.text(0)).collect::<Result<_>>()?;
        if files.is_empty() {
            return Ok(());
        }
        // Two who untie the last two ties of a file at once would each see the other's.
        let text = "SELECT id FROM files WHERE app = $1 AND id = ANY($2) ORDER BY id FOR UPDATE";
        self.view.session.rows(text, binds![app, files.clone()]).await?;
        let text = format!("DELETE FROM file_rooms WHERE app = $1 AND room = $2 {which}");
        self.view.session.put(&text, values).await?;
        let text = "UPDATE files SET state = 'gone' WHERE app = $1 AND id = ANY($2) AND state = 'here'
            AND NOT EXISTS (SELECT 1 FROM file_rooms o WHERE o.app = files.app AND o.file = files.id)";
        self.view.session.put(text, binds![app, files]).await
    }

    /// What a user brought and sent nowhere is gone; public pictures stay where they are shown.
    pub(crate) async fn drop_unsent_files(&mut self, user: &UserId) -> Result<()> {
        let text = "UPDATE files SET state = 'gone' WHERE app = $1 AND uploader = $2 AND state = 'here'
            AND bucket <> 'public'
            AND NOT EXISTS (SELECT 1 FROM file_rooms o WHERE o.app = files.app AND o.file = files.id)";
        self.view.session.put(text, binds![self.view.app, user]).await
    }
}
