//! The error table: every refusal and fault the wire knows, one row each.
//!
//! `docs/protocol.md` and the OpenAPI document show these rows; a test compares them. Texts are the
//! platform's own where it documents one (`rest.md`, Appendix A), else ours ([R]).

/// One row: what a refused or failed request is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// HTTP status, repeated in `RC`.
    pub status: u16,
    /// `RM`: the short text.
    pub rm: &'static str,
    /// `error.code`.
    pub code: &'static str,
    /// `error.message`; `{}` stands for a detail that only the situation knows.
    pub message: &'static str,
}

macro_rules! rows {
    ($($(#[$doc:meta])* $name:ident = $status:literal, $rm:literal, $code:literal, $message:literal;)*) => {
        $($(#[$doc])* pub const $name: Row = Row { status: $status, rm: $rm, code: $code, message: $message };)*

        /// Every row, in the order of this table.
        pub const ALL: &[Row] = &[$($name),*];
    };
}

rows! {
    // Credentials. 401 means a bad token or API key and nothing else.
    /// Token missing, unknown, expired or revoked.
    INVALID_TOKEN = 401, "Unauthorized", "INVALID_TOKEN", "Invalid or expired token";
    /// API key missing or wrong.
    INVALID_API_KEY = 401, "Unauthorized", "INVALID_API_KEY", "Invalid or missing API key";
    /// The same on `POST /messages`, whose page has a text of its own.
    REJECTED_API_KEY = 401, "Unauthorized", "INVALID_API_KEY", "The provided API key is invalid or expired";
    /// A client key that belongs to no app.
    INVALID_CLIENT_KEY = 403, "Forbidden", "INVALID_CLIENT_KEY", "Invalid client key";
    /// A token without a client key.
    MISSING_CLIENT_KEY = 403, "Forbidden", "MISSING_CLIENT_KEY", "Client key is required for SDK initialization";
    /// A user asks for the platform's figures.
    PLATFORM_ONLY = 403, "Forbidden", "PERMISSION_DENIED", "Platform API permission required";
    /// A user writes the configuration.
    CONFIG_ADMIN_ONLY = 403, "Permission denied", "INSUFFICIENT_PERMISSIONS", "Only platform admin can manage runtime config";
    /// A token is asked for with the client key alone, and the sandbox is off.
    SANDBOX_OFF = 403, "Forbidden", "SANDBOX_OFF", "Tokens are issued with an API key; the sandbox is turned off";
    /// The configuration is read for a user who does not exist.
    CONFIG_NOT_READABLE = 403, "Permission denied", "INSUFFICIENT_PERMISSIONS", "Only authorized users can view runtime config";

    // Requests the server cannot read.
    /// No such path.
    NOT_FOUND = 404, "Not found", "NOT_FOUND", "No such endpoint";
    /// The path exists, this method on it does not; `Allow` names those that do.
    METHOD_NOT_ALLOWED = 405, "Method not allowed", "METHOD_NOT_ALLOWED", "This endpoint does not take this method";
    /// A body above the limit.
    PAYLOAD_TOO_LARGE = 413, "Payload too large", "PAYLOAD_TOO_LARGE", "The request body is larger than the limit";
    /// A body that is neither JSON nor a form.
    UNSUPPORTED_MEDIA_TYPE = 415, "Unsupported media type", "UNSUPPORTED_MEDIA_TYPE", "Send application/json or application/x-www-form-urlencoded";
    /// A body that is not `multipart/form-data` where a file is expected.
    MULTIPART_EXPECTED = 415, "Unsupported media type", "UNSUPPORTED_MEDIA_TYPE", "Send multipart/form-data";
    /// A body that arrives too slowly.
    REQUEST_TIMEOUT = 408, "Request timeout", "REQUEST_TIMEOUT", "The request body took too long";
    /// Too many calls with one API key.
    RATE_LIMIT_EXCEEDED = 429, "Too many requests", "RATE_LIMIT_EXCEEDED", "Too many requests, please try again later";
    /// A body that is not JSON, or not an object.
    INVALID_BODY = 400, "Bad Request", "INVALID_BODY", "Request body must be a valid JSON object";
    /// A body whose field has the wrong type.
    INVALID_FIELD = 400, "Bad Request", "INVALID_BODY", "Request body is not as documented: {}";
    /// An id in path, query or body that cannot be one.
    INVALID_ID = 400, "Invalid parameters", "INVALID_ID", "The specified ID is not valid";
    /// A query parameter, path escape, time or cursor that cannot be read.
    INVALID_QUERY = 400, "Invalid parameters", "INVALID_QUERY", "The query parameters are not valid";
    /// The same, naming the parameter.
    INVALID_QUERY_PARAMETER = 400, "Invalid parameters", "INVALID_QUERY", "The query parameter '{}' is not valid";
    /// A filter (`q`) that is none.
    INVALID_FILTER = 400, "Invalid query syntax", "INVALID_QUERY", "MongoDB query syntax error";
    /// A filter that would have to read too much.
    RESULT_TOO_LARGE = 413, "Query result too large", "RESULT_TOO_LARGE", "Please use more specific query or smaller limit";
    /// A field that must be there is not (token endpoints).
    MISSING_FIELD = 400, "Bad Request", "INVALID_REQUEST", "Missing required field: {}";
    /// An expiry that is not a time (token endpoints).
    INVALID_EXPIRATION = 400, "Bad Request", "INVALID_REQUEST", "Invalid expirationDate format";
    /// A field that must be there is not.
    MISSING_PARAMETER = 400, "Bad Request", "MISSING_PARAMETER", "{} is required";
    /// The same, as the page of pushes says it.
    MISSING_CLIENTS_OR_PAYLOAD = 400, "Bad Request", "MISSING_PARAMETER", "clients and payload are required";
    /// A limit of the server would be passed.
    LIMIT_EXCEEDED = 400, "Bad Request", "LIMIT_EXCEEDED", "{}";

    // Users, tokens, groups.
    /// No such user.
    USER_NOT_FOUND = 404, "User not found", "USER_NOT_FOUND", "The specified user does not exist";
    /// No such user, on the platform's endpoints.
    CLIENT_NOT_FOUND = 404, "Client not found", "CLIENT_NOT_FOUND", "The specified client does not exist";
    /// No such user, on the token endpoints.
    CLIENT_WITH_ID_NOT_FOUND = 404, "Client not found", "CLIENT_NOT_FOUND", "Client with id '{}' not found";
    /// The user has no such token.
    TOKEN_NOT_FOUND = 404, "Token not found", "TOKEN_NOT_FOUND", "Specified token not found for this client";
    /// The token belongs to another user.
    TOKEN_CONFLICT = 409, "Conflict", "TOKEN_CONFLICT", "Token already exists for another client";
    /// The room is not in the user's mute list.
    ROOM_NOT_MUTED = 400, "Room is not muted", "ROOM_NOT_MUTED", "The specified room is not in the mute list";
    /// A user or group has this id.
    GROUP_ALREADY_EXISTS = 409, "Conflict", "GROUP_ALREADY_EXISTS", "A group with this ID already exists";
    /// `roomTags` that are no tags.
    INVALID_ROOM_TAGS = 400, "Invalid parameters", "INVALID_ROOM_TAGS", "Room tags must be valid strings";
    /// `tags` that are no tags.
    INVALID_TAGS = 400, "Invalid parameters", "INVALID_TAGS", "Tags must be an array of strings";

    // Blocks and bans.
    /// An API key acts, or reads a list, for a user who does not exist.
    NO_ACCESS = 403, "Access denied", "INSUFFICIENT_PERMISSIONS", "You don't have permission to access this resource";
    /// The ban list, asked for by others than the owner.
    BANS_OWNER_ONLY = 403, "Access denied", "INSUFFICIENT_PERMISSIONS", "Only room owner can view blocklist in group chat rooms";
    /// A ban by others than the owner.
    BAN_OWNER_ONLY = 403, "Access denied", "INSUFFICIENT_PERMISSIONS", "Only platform admin and room owner can block users in group chat rooms";
    /// A ban lifted by others than the owner.
    UNBAN_OWNER_ONLY = 403, "Access denied", "INSUFFICIENT_PERMISSIONS", "Only room owner can unblock users in group chat rooms";
    /// Room or user of a ban unknown.
    ROOM_OR_USER_NOT_FOUND = 404, "Resource not found", "ROOM_OR_USER_NOT_FOUND", "The specified room or user does not exist";
    /// Nobody blocks or bans himself.
    SELF_BLOCK_FORBIDDEN = 400, "Cannot block yourself", "SELF_BLOCK_FORBIDDEN", "Users cannot block themselves";
    /// Blocked already.
    ALREADY_BLOCKED = 409, "User already blocked", "USER_ALREADY_BLOCKED", "This user is already in your block list";
    /// Banned already.
    ALREADY_BANNED = 409, "User already blocked", "USER_ALREADY_BLOCKED", "This user is already blocked in this room";
    /// No such block.
    BLOCK_NOT_FOUND = 404, "Block relationship not found", "BLOCK_NOT_FOUND", "No block relationship exists with this user";
    /// No such ban.
    BAN_NOT_FOUND = 404, "Block relationship not found", "BLOCK_NOT_FOUND", "No block relationship exists for this user in the specified room";
    /// The blockee's id cannot be one (unblock).
    INVALID_USER_ID = 400, "Invalid user ID", "INVALID_USER_ID", "The specified user ID is not valid";
    /// The blockee's id cannot be one (unban).
    INVALID_USER_ID_IN_ROOM = 400, "Invalid parameters", "INVALID_USER_ID", "The specified user ID is not valid";
    /// A block stands between the two of a direct room.
    USER_BLOCKED = 403, "Access denied", "USER_BLOCKED", "Messages cannot be sent in this room because of a block";
    /// The caller is banned from the room.
    USER_BANNED = 403, "Access denied", "USER_BANNED", "Messages cannot be sent in this room because of a ban";
    /// The one to be brought in is banned, and the caller may know it.
    TARGET_BANNED = 403, "Access denied", "USER_BANNED", "The specified user is banned from this room";
    /// The room is frozen (rest.md 1.8).
    ROOM_FROZEN = 403, "Permission denied", "ROOM_FROZEN", "This room is frozen";

    // Rooms and members.
    /// No such room, or none the caller may know of.
    ROOM_NOT_FOUND = 404, "Room not found", "ROOM_NOT_FOUND", "The specified room does not exist";
    /// The same when a room is to be changed.
    ROOM_WITH_ID_NOT_FOUND = 404, "Room not found", "ROOM_NOT_FOUND", "Room with specified ID does not exist";
    /// Not in the room.
    NOT_ROOM_MEMBER = 403, "Forbidden", "NOT_ROOM_MEMBER", "You are not a member of this room";
    /// Not in the room, or no such room (messages).
    NOT_IN_ROOM = 403, "Forbidden", "NOT_ROOM_MEMBER", "Client is not in the room or room does not exist";
    /// A room has this id.
    ROOM_ALREADY_EXISTS = 409, "Conflict", "ROOM_ALREADY_EXISTS", "A room with this ID already exists";
    /// Not a possible kind of room, or a direct room without exactly two people.
    INVALID_ROOM_TYPE = 400, "Bad Request", "INVALID_ROOM_TYPE", "The room type is not valid for these members";
    /// A room changed by others than its superusers.
    UPDATE_SUPERUSER_ONLY = 403, "Forbidden", "INSUFFICIENT_PERMISSIONS", "Only room owner, manager, or platform admin can update room";
    /// A room frozen by others than its superusers.
    FREEZE_SUPERUSER_ONLY = 403, "Permission denied", "INSUFFICIENT_PERMISSIONS", "Only room owner, manager, or platform admin can freeze room";
    /// A room deleted by others than its owner.
    DELETE_OWNER_ONLY = 403, "Permission denied", "INSUFFICIENT_PERMISSIONS", "Only room owner or platform admin can delete room";
    /// A member removed by others than the superusers.
    REMOVE_SUPERUSER_ONLY = 403, "Permission denied", "INSUFFICIENT_PERMISSIONS", "Only room owner, manager, or platform admin can remove members";
    /// Somebody who may not be brought in by this caller.
    INVITE_DENIED = 403, "Permission denied", "INSUFFICIENT_PERMISSIONS", "You do not have permission to add this member";
    /// Somebody else's invitation taken back by others than the superusers.
    UNINVITE_DENIED = 403, "Permission denied", "INSUFFICIENT_PERMISSIONS", "Only room owner, manager, platform admin, or who invited can cancel an invitation";
    /// The room takes nobody in.
    ROOM_CLOSED = 403, "Permission denied", "ROOM_CLOSED", "This room takes no new members";
    /// A third person at the door of a direct room.
    DIRECT_ROOM = 403, "Permission denied", "INSUFFICIENT_PERMISSIONS", "A direct room has two members and takes no other";
    /// The user named is not in the room.
    MEMBER_NOT_FOUND = 404, "Member not found", "MEMBER_NOT_FOUND", "The specified user is not a member of this room";
    /// A role there is not.
    INVALID_ROLE = 400, "Invalid parameters", "INVALID_ROLE", "Role must be 'admin' or 'member'";
    /// A property set by others than the superusers.
    PROPERTY_SUPERUSER_ONLY = 403, "Permission denied", "INSUFFICIENT_PERMISSIONS", "Only room owner, manager, or platform admin can set this property";

    // Messages and search.
    /// A message that is none.
    INVALID_MESSAGE_FORMAT = 400, "Invalid parameters", "INVALID_MESSAGE_FORMAT", "Message content or type is invalid";
    /// No such message in this room.
    MESSAGE_NOT_FOUND = 404, "Message not found", "MESSAGE_NOT_FOUND", "The specified message does not exist in this room";
    /// A message deleted by others than the superusers; the code is singular, as documented.
    DELETE_MESSAGE_SUPERUSER_ONLY = 403, "Permission denied", "INSUFFICIENT_PERMISSION", "Only platform admin, room owner or room manager can delete messages";
    /// A message pinned by others than the superusers; as deletion.
    PIN_SUPERUSER_ONLY = 403, "Permission denied", "INSUFFICIENT_PERMISSION", "Only platform admin, room owner or room manager can pin messages";
    /// A message hidden by others than the superusers; as deletion.
    HIDE_SUPERUSER_ONLY = 403, "Permission denied", "INSUFFICIENT_PERMISSION", "Only platform admin, room owner or room manager can hide messages";
    /// A message changed by somebody else.
    AUTHOR_ONLY = 403, "Permission denied", "INSUFFICIENT_PERMISSIONS", "Only the author of a message may change it";
    /// A search for nothing known.
    INVALID_SEARCH_TYPE = 400, "Invalid search parameters", "INVALID_SEARCH_TYPE", "Search type must include 'messages'";

    // Files.
    /// No such file, or its bytes are missing.
    FILE_NOT_FOUND = 404, "File not found", "FILE_NOT_FOUND", "The specified file does not exist";
    /// A file of rooms one may not read.
    FILE_NOT_READABLE = 403, "Permission denied", "INSUFFICIENT_PERMISSIONS", "You do not have permission to read this file";
    /// A file's address without credentials whose signature is missing, wrong or has expired.
    ADDRESS_NOT_VALID = 403, "Forbidden", "INVALID_SIGNATURE", "The address is not signed, or it has expired";
    /// A file of a type the operator does not take; in the bucket `public`, what is no picture.
    FILE_TYPE_REFUSED = 415, "Unsupported media type", "FILE_TYPE_NOT_ALLOWED", "Files of this type are not taken here";
    /// A range that lies outside of the file; `Content-Range` says how long it is.
    RANGE_NOT_SATISFIABLE = 416, "Range not satisfiable", "RANGE_NOT_SATISFIABLE", "The file has no such bytes";

    // Configuration.
    /// Keywords that are no list of texts.
    INVALID_CONFIG_FORMAT = 400, "Invalid request format", "INVALID_CONFIG_FORMAT", "Config format is invalid or malformed";
    /// No such configuration key.
    CONFIG_NOT_FOUND = 404, "Config not found", "CONFIG_NOT_FOUND", "The specified config key does not exist";

    // Webhooks.
    /// The app has no webhook.
    WEBHOOK_NOT_FOUND = 404, "Webhook not found", "WEBHOOK_NOT_FOUND", "The app has no webhook";
    /// No such delivery.
    DELIVERY_NOT_FOUND = 404, "Delivery not found", "DELIVERY_NOT_FOUND", "The specified delivery does not exist";
    // Stickers and what user groups keep.
    /// No such set of stickers, or no such picture.
    STICKERS_NOT_FOUND = 404, "Sticker not found", "STICKER_NOT_FOUND", "The specified sticker does not exist";
    /// No such user group, or the caller is not in it.
    GROUP_NOT_FOUND = 404, "Group not found", "GROUP_NOT_FOUND", "The specified user group does not exist";

    // The rest.
    /// An act the caller has not the role for, where no page has a text.
    NOT_PERMITTED = 403, "Permission denied", "INSUFFICIENT_PERMISSIONS", "You do not have permission to do this";
    /// The database is out of reach.
    UNAVAILABLE = 503, "Service unavailable", "UNAVAILABLE", "The server cannot reach its database, please try again later";
    /// A fault. The log knows more.
    INTERNAL = 500, "Internal error", "INTERNAL", "Something went wrong";
}
