//! One message to many (rest.md 5.3).

use banter_domain::id::{Pair, RoomId, UserId};
use banter_domain::moderation::{Act, Actor, Denied, Facts, decide};
use banter_domain::room::{RoomKind, Standing};
use banter_store::{LockedRoom, Place};
use serde_json::Value;

use super::Words;
use super::send::Speaker;
use crate::open::Open;
use crate::{Caller, Chat, Error, Result};

/// One recipient.
#[derive(Debug, Clone)]
pub struct Para {
    /// The other one of a direct room, made if there is none.
    pub receiver: Option<UserId>,
    /// A room; it wins over the receiver.
    pub room: Option<RoomId>,
    /// What to put in place of what.
    pub fills: Vec<(String, String)>,
}

/// A message to many.
#[derive(Debug, Clone)]
pub struct Batch {
    /// What is said; each recipient's fills are put in.
    pub words: Words,
    /// Who says it (API key); a user speaks for himself.
    pub sender: Option<UserId>,
    /// Past the sender's bans and blocks, written down.
    pub force: bool,
    /// To whom.
    pub paras: Vec<Para>,
}

/// What became of it.
#[derive(Debug, Clone)]
pub struct BatchDone {
    /// Its id, which every message of it carries.
    pub id: String,
    /// How many recipients were named.
    pub count: usize,
    /// How many of them were refused, or are not there.
    pub refused: usize,
    /// Why, of those that a rule refused; for the figures.
    pub denied: Vec<Denied>,
}

/// So many recipients share one transaction: a long batch does not hold up everybody else.
const AT_ONCE: usize = 50;

impl Chat {
    /// Sends to many. The refused are skipped and counted; the answer follows the commit of all
    /// . Errors: [`Error::NoUser`] (no such sender).
    pub async fn send_batch(&self, caller: &Caller, batch: Batch) -> Result<BatchDone> {
        let id = self.new_id().to_string();
        let (mut refused, mut denied) = (0, Vec::new());
        let mut paras = batch.paras;
        // Locks are taken in one order, whoever sends to whom.
        paras.sort_by(|one, other| (&one.room, &one.receiver).cmp(&(&other.room, &other.receiver)));
        for some in paras.chunks(AT_ONCE) {
            let mut open = self.begin(caller).await?;
            let speaker = open.speaker(batch.sender.clone(), batch.force).await?;
            let words = open.clean(batch.words.clone()).await?;
            let mut order: Vec<&Para> = some.iter().collect();
            order.sort_by_key(|para| para.room.is_some());
            for para in order {
                let words = open.clean(filled(&words, &para.fills)).await?;
                let sent = match open.room_of_para(&speaker, para).await {
                    Ok(Some(mut room)) => {
                        let standing = open.standing_in_batch(&room, &speaker, para).await?;
                        open.write((&mut room, standing), &speaker, words, Some(&id)).await.map(drop)
                    }
                    Ok(None) => Err(Error::NoRoom),
                    Err(error) => Err(error),
                };
                match sent {
                    Ok(()) => {}
                    // A fault is never counted as a refusal.
                    Err(Error::Store(fault)) => return Err(Error::Store(fault)),
                    Err(Error::TokenGone) => return Err(Error::TokenGone),
                    Err(error) => {
                        refused += 1;
                        denied.extend(if let Error::Denied(why) = error { Some(why) } else { None });
                    }
                }
            }
            open.done().await?;
        }
        Ok(BatchDone { id, count: paras.len(), refused, denied })
    }
}

impl Open<'_> {
    /// How the speaker stands in a recipient's room. Where the platform speaks to a pair in his name,
    /// a room that a block once made, and that he may speak in again, is there for him.
    async fn standing_in_batch(&mut self, room: &LockedRoom, speaker: &Speaker, para: &Para) -> Result<Standing> {
        let standing = self.tx.standing(&room.id, &speaker.user.profile.id).await?;
        let shown = standing.hidden && para.room.is_none() && self.caller.is_platform();
        Ok(if shown { Standing { hidden: false, member: true, ..standing } } else { standing })
    }

    /// The room of one recipient, locked. `None`: there is none, and none may be made.
    async fn room_of_para(&mut self, speaker: &Speaker, para: &Para) -> Result<Option<LockedRoom>> {
        if let Some(room) = &para.room {
            return Ok(self.tx.lock_room(room).await?);
        }
        let sender = &speaker.user.profile.id;
        let Some(receiver) = &para.receiver else { return Ok(None) };
        let Some(pair) = Pair::of(sender, receiver) else { return Ok(None) };
        if self.tx.user(receiver).await?.is_none() {
            return Ok(None);
        }
        let mut pair = self.tx.lock_pair(&pair).await?;
        if let Some(room) = self.room_of_pair(&mut pair).await? {
            return Ok(Some(room));
        }
        // A user sends to rooms he has (Q16); only the platform makes new ones.
        if !self.caller.is_platform() {
            return Ok(None);
        }
        // A room is made only for a message that may be said in it.
        let kind = RoomKind::Direct(pair.pair().clone());
        let wanted = crate::rooms::new_room_row(pair.pair().computed_room(), kind, self.now_ms);
        let blocked = speaker.actor != Actor::Platform
            && !self.tx.blocked_with(sender, std::slice::from_ref(receiver)).await?.is_empty();
        let standing = Standing { member: true, blocked, ..Default::default() };
        decide(Act::Send, Facts { actor: speaker.actor, room: &wanted, standing, author: false })?;
        let room = self.make_pair_room(&mut pair).await?;
        for member in pair.pair().both() {
            self.tx.insert_member(&room, member, Place::default(), self.now_ms).await?;
        }
        Ok(Some(room))
    }
}

/// Puts a recipient's words in place of their names, in the text and in what comes with it.
fn filled(words: &Words, fills: &[(String, String)]) -> Words {
    let mut words = words.clone();
    fill(&mut words.text, fills);
    if let Some(extra) = words.body.get_mut("extra") {
        fill(extra, fills);
    }
    words
}

fn fill(value: &mut Value, fills: &[(String, String)]) {
    match value {
        Value::String(text) => {
            for (name, with) in fills {
                if text.contains(name.as_str()) {
                    *text = text.replace(name.as_str(), with);
                }
            }
        }
        Value::Array(all) => all.iter_mut().for_each(|one| fill(one, fills)),
        Value::Object(all) => all.values_mut().for_each(|one| fill(one, fills)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
