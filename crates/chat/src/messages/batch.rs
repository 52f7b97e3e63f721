//! One message to many (rest.md 5.3).

use aho_corasick::{AhoCorasick, MatchKind};
use banter_domain::id::{Pair, RoomId, UserId};
use banter_domain::moderation::{Act, Actor, Denied, Facts, decide};
use banter_domain::room::{RoomKind, Standing};
use banter_store::LockedRoom;
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

/// Why a recipient was refused and in which room; `None`: no rule refused him, he is not there.
type Refused = Option<(Denied, Option<RoomId>)>;

impl Batch {
    fn sender_for(&self, caller: &Caller) -> UserId {
        match &self.sender {
            Some(sender) if caller.is_platform() => sender.clone(),
            Some(_) | None if caller.is_platform() => UserId::platform(),
            Some(_) | None => caller.user(),
        }
    }
}

/// How often a part of a batch is tried that the database asks to try again.
const TRIES: usize = 3;

/// So many recipients share one transaction: a long batch does not hold up everybody else.
const AT_ONCE: usize = 50;

impl Chat {
    /// Sends to many. The refused are skipped and counted; the answer follows the commit of all
    /// . Errors: [`Error::NoUser`] (no such sender).
    pub async fn send_batch(&self, caller: &Caller, mut batch: Batch) -> Result<BatchDone> {
        let id = self.new_id().to_string();
        let (mut refused, mut denied) = (0, Vec::new());
        let mut paras = std::mem::take(&mut batch.paras);
        // Locks are taken in one order, whoever sends to whom.
        paras.sort_by(|one, other| (&one.room, &one.receiver).cmp(&(&other.room, &other.receiver)));
        for some in paras.chunks(AT_ONCE) {
            for tries_left in (0..TRIES).rev() {
                match self.send_some(caller, &batch, some, &id).await {
                    Ok(all) => {
                        refused += all.len();
                        for (why, room) in all.into_iter().flatten() {
                            self.message_refused(caller, batch.sender_for(caller), room, why);
                            denied.push(why);
                        }
                        break;
                    }
                    // It left nothing behind, and those before it are sent: they are not sent again.
                    Err(Error::Store(banter_store::Error::TryAgain(_))) if tries_left > 0 => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(BatchDone { id, count: paras.len(), refused, denied })
    }

    /// Sends to some recipients in one transaction, and returns why others were refused, and where.
    async fn send_some(&self, caller: &Caller, batch: &Batch, some: &[Para], id: &str) -> Result<Vec<Refused>> {
        let mut refused = Vec::new();
        let mut open = self.begin(caller).await?;
        let speaker = open.speaker(batch.sender.clone(), batch.force).await?;
        for para in some {
            // Masked when all is put in: a name between two `$` is nothing that anybody reads.
            let words = open.clean(filled(&batch.words, &para.fills)?).await?;
            let mut place = para.room.clone();
            let sent = match open.room_of_para(&speaker, para).await {
                Ok(Some(mut room)) => {
                    place = Some(room.id.clone());
                    let standing = open.tx.standing(&room.id, &speaker.user.profile.id).await?;
                    open.write((&mut room, standing), &speaker, words, Some(id)).await.map(drop)
                }
                Ok(None) => Err(Error::NoRoom),
                Err(error) => Err(error),
            };
            match sent {
                Ok(()) => {}
                // A fault is never counted as a refusal.
                Err(error @ (Error::Store(_) | Error::TokenGone)) => return Err(error),
                Err(Error::Denied(why)) => refused.push(Some((why, place))),
                Err(_) => refused.push(None),
            }
        }
        open.done().await?;
        Ok(refused)
    }
}

impl Open<'_> {
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
        let known = self.room_of_pair(&mut pair).await?;
        // A user sends to rooms he has (Q16); only the platform makes new ones.
        if !self.caller.is_platform() {
            return Ok(known);
        }
        // A room is made only for a message that may be said in it.
        let kind = RoomKind::Direct(pair.pair().clone());
        let wanted = crate::rooms::new_room_row(pair.pair().computed_room(), kind, self.now_ms);
        let blocked = speaker.actor != Actor::Platform && self.kept_apart(sender, receiver).await?;
        let standing = Standing { member: true, blocked, ..Default::default() };
        decide(Act::Send, Facts { actor: speaker.actor, room: &wanted, standing, author: false })?;
        let mut room = match known {
            Some(room) => room,
            None => self.make_pair_room(&mut pair, false).await?,
        };
        // What a block once hid or who once left: with these words both are there.
        self.show_to_both(&mut room).await?;
        self.seat(&room, sender).await?;
        Ok(Some(room))
    }
}

/// Puts a recipient's words in place of their names, in the text and in what comes with it. What is put in stays as it is,
/// whatever names it holds. Errors: [`Error::TooMuch`].
fn filled(words: &Words, fills: &[(String, String)]) -> Result<Words> {
    let mut words = words.clone();
    if fills.is_empty() {
        return Ok(words);
    }
    let names = AhoCorasick::builder()
        .match_kind(MatchKind::LeftmostLongest)
        .build(fills.iter().map(|(name, _)| name))
        .map_err(|error| Error::TooMuch(error.to_string()))?;
    let with: Vec<&str> = fills.iter().map(|(_, with)| with.as_str()).collect();
    fill(&mut words.text, &names, &with);
    if let Some(extra) = words.body.get_mut("extra") {
        fill(extra, &names, &with);
    }
    Ok(words)
}

fn fill(value: &mut Value, names: &AhoCorasick, with: &[&str]) {
    match value {
        Value::String(text) => *text = names.replace_all(text, with),
        Value::Array(all) => all.iter_mut().for_each(|one| fill(one, names, with)),
        Value::Object(all) => all.values_mut().for_each(|one| fill(one, names, with)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_put_in_stays_as_it_is() {
        let fills = [("$a$", "[$b$]"), ("$b$", "$a$"), ("$long$", "1"), ("$long$er$", "2")];
        let fills = fills.map(|(name, with)| (name.to_owned(), with.to_owned()));
        let said = |text: Value| filled(&Words { text, ..Words::default() }, &fills).unwrap().text;
        assert_eq!(said(json!("$a$|$b$|$c$")), json!("[$b$]|$a$|$c$"));
        assert_eq!(said(json!(["$long$er$ $long$", {"k": "$b$"}, 1])), json!(["2 1", {"k": "$a$"}, 1]));
    }
}
