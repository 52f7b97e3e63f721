//! Invitations on the wire.

use banter_domain::id::{AppId, UserId};
use banter_domain::room::{InvitationSeen, RoomSeen};
use serde::Serialize;
use utoipa::ToSchema;

use super::room::RoomView;
use super::time::Iso;
use super::user::ShortUser;

/// Somebody is asked into a room.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Invitation)]
pub struct InvitationView<'a> {
    /// By whom.
    inviter: ShortUser<'a>,
    /// Whom.
    invitee: ShortUser<'a>,
    /// Where, without the room's people and words; absent in the list of one room.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    room: Option<RoomView<'a>>,
    /// When first.
    #[serde(rename = "createdAt")]
    #[schema(value_type = String, format = DateTime)]
    created: Iso,
    /// When last.
    #[serde(rename = "updatedAt")]
    #[schema(value_type = String, format = DateTime)]
    updated: Iso,
    /// When first, milliseconds.
    #[serde(rename = "createdTimeMS")]
    created_ms: i64,
    /// When last, milliseconds.
    #[serde(rename = "updatedTimeMS")]
    updated_ms: i64,
}

impl<'a> InvitationView<'a> {
    /// Of an invitation; `room`: as the invitee sees it from outside.
    #[must_use]
    pub fn of(app: &'a AppId, invitation: &'a InvitationSeen, room: Option<&'a RoomSeen>) -> Self {
        let invitee: &UserId = &invitation.invitee.id;
        Self {
            inviter: ShortUser::of(&invitation.inviter),
            invitee: ShortUser::of(&invitation.invitee),
            room: room.map(|room| RoomView::of(app, room, Some(invitee))),
            created: Iso::of(invitation.created_ms),
            updated: Iso::of(invitation.updated_ms),
            created_ms: invitation.created_ms,
            updated_ms: invitation.updated_ms,
        }
    }
}
