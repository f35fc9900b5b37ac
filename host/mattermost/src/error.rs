//! Why a call failed, whether it may have been executed, and what to do.

use std::fmt;
use std::time::Duration;

/// Options that no client can be made of.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot use the Mattermost server `{url}`: {reason}")]
pub struct InvalidOptions {
    /// The address as it was given.
    pub url: String,
    /// What is wrong, and what to write.
    pub reason: String,
}

/// A call that failed. Its text is for people: what was being done, why it failed and, where that is known, what to do. It never
/// holds the token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot {doing}: {kind}{}", self.remedy())]
pub struct ApiError {
    /// What was being done, as in "create the channel security-issue-1".
    pub doing: String,
    /// Why it failed.
    pub kind: ApiErrorKind,
}

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApiErrorKind {
    /// No connection was made: surely not executed.
    Unreachable(String),
    /// The request was sent and its answer lost or late: it may have been executed.
    Interrupted(String),
    /// The server wants fewer calls: not executed.
    RateLimited {
        /// How long to wait, if the server said so.
        retry_after: Option<Duration>,
    },
    /// Too many calls of ours wait for their turn, as the throttle gives it: not executed.
    TurnTooLate {
        /// How long until this one's turn would have come.
        wait: Duration,
    },
    /// The server answered with an error.
    Server {
        /// The status, 400 to 599.
        status: u16,
        /// The server's name for the error, such as `api.context.permissions.app_error`; empty when something else answered.
        id: String,
        /// The server's words.
        message: String,
        /// How long to wait, if whoever answered said so.
        retry_after: Option<Duration>,
    },
    /// The answer is not what a Mattermost server says; the call may have been executed.
    Unexpected(String),
    /// The answer is longer than these bytes, which is as much as is read; the call may have been executed.
    TooLong(usize),
    /// The request makes no sense and was not sent: not executed.
    Invalid(String),
    /// The server refused the token before, so that nothing was sent: not executed. The call that found it out fails with the
    /// server's own error, of status 401.
    TokenRefused,
}

/// What to do about errors whose words do not say it.
const REMEDIES: &[(&str, &str)] = &[
    (
        "store.sql_channel.save_channel.exists.app_error",
        "The name is taken, perhaps by an archived channel: choose another one",
    ),
    ("app.team.get_member.missing.app_error", "The user is not on the channel's team: add them to it first"),
    ("app.user.missing_account.const", "There is no such user: check the name or id"),
    ("app.user.get_by_username.app_error", "There is no such user: check the name"),
    (
        "app.channel.get_by_name.missing.app_error",
        "There is no such channel, or it is archived: check the name",
    ),
    ("app.team.get_by_name.missing.app_error", "There is no such team: check the name as it stands in links"),
    (
        "api.context.404.app_error",
        "The server does not know this address: a handle has only lower-case letters, digits, `-` and `_`",
    ),
    ("api.post.create_post.can_not_post_to_deleted.error", "The channel is archived: unarchive it first"),
    ("api.channel.delete_channel.cannot.app_error", "A team's default channel cannot be archived"),
    (
        "model.channel.is_valid.2_or_more.app_error",
        "A channel's name has 2 to 64 of `a-z 0-9 - _` and begins and ends with a letter or digit",
    ),
    (
        "app.channel.create_channel.internal_error",
        "A channel's name has at most 64 characters: shorten it; if it is short, see the server's log",
    ),
    ("model.channel.is_valid.display_name.app_error", "A channel's display name has at most 64 characters"),
    ("model.channel.is_valid.header.app_error", "A channel's header has at most 1,024 characters"),
    ("model.channel.is_valid.purpose.app_error", "A channel's purpose has at most 250 characters"),
    (
        "api.post.do_action.action_integration.app_error",
        "The server did not get a good answer from the control's address: check that it reaches it, and that \
         ServiceSettings.AllowedUntrustedInternalConnections names it when it is a private one",
    ),
    ("model.post.is_valid.msg.app_error", "A message has at most 16,383 characters"),
];

impl ApiError {
    /// An error while `doing`.
    pub(crate) fn new(doing: &str, kind: ApiErrorKind) -> Self {
        Self { doing: doing.to_owned(), kind }
    }

    /// Whether the same call may succeed later although nobody changes anything.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match &self.kind {
            ApiErrorKind::Unreachable(_)
            | ApiErrorKind::Interrupted(_)
            | ApiErrorKind::RateLimited { .. }
            | ApiErrorKind::TurnTooLate { .. } => true,
            _ if self.is_from_elsewhere() => true,
            // 501 is a feature that the server lacks, 408 a request that came too slowly.
            ApiErrorKind::Server { status, .. } => *status >= 500 && *status != 501 || *status == 408,
            ApiErrorKind::Unexpected(_)
            | ApiErrorKind::TooLong(_)
            | ApiErrorKind::Invalid(_)
            | ApiErrorKind::TokenRefused => false,
        }
    }

    /// Whether the call may have had its effect although it failed. When not, it surely had none.
    #[must_use]
    pub fn may_have_been_executed(&self) -> bool {
        match &self.kind {
            ApiErrorKind::Interrupted(_) | ApiErrorKind::Unexpected(_) | ApiErrorKind::TooLong(_) => true,
            ApiErrorKind::Server { status, .. } => *status >= 500 || *status == 408,
            ApiErrorKind::Unreachable(_)
            | ApiErrorKind::RateLimited { .. }
            | ApiErrorKind::TurnTooLate { .. }
            | ApiErrorKind::Invalid(_)
            | ApiErrorKind::TokenRefused => false,
        }
    }

    /// How long the server wants to be left alone, if it said so, or our own throttle does.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self.kind {
            ApiErrorKind::RateLimited { retry_after } | ApiErrorKind::Server { retry_after, .. } => {
                retry_after
            }
            ApiErrorKind::TurnTooLate { wait } => Some(wait),
            _ => None,
        }
    }

    /// The server's name for the error; empty when the server gave none.
    #[must_use]
    pub fn id(&self) -> &str {
        match &self.kind {
            ApiErrorKind::Server { id, .. } => id,
            _ => "",
        }
    }

    /// Whether something in front of the server refused the call: a proxy whose server is being restarted answers 404 to everything, or 403.
    /// The server itself names each of its errors. It says nothing about what was asked for.
    #[must_use]
    pub fn is_from_elsewhere(&self) -> bool {
        // What is too long is too long for whoever says so.
        matches!(&self.kind, ApiErrorKind::Server { status: 400..=412 | 414..=499, id, .. } if id.is_empty())
    }

    /// The status of an error that the server answered with, or would; none of one that is from elsewhere.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self.kind {
            _ if self.is_from_elsewhere() => None,
            ApiErrorKind::Server { status, .. } => Some(status),
            ApiErrorKind::RateLimited { .. } => Some(429),
            ApiErrorKind::TokenRefused => Some(401),
            _ => None,
        }
    }

    fn remedy(&self) -> String {
        let known = REMEDIES.iter().find(|(id, _)| *id == self.id()).map(|(_, remedy)| *remedy);
        let by_status = match self.status() {
            Some(401) => Some(
                "The token is refused: make a new one for the bot, and configure it; or enable the bot again, if it was disabled",
            ),
            Some(403) => {
                Some("The bot lacks the permission: add it to the team, and invite it to the channel")
            }
            _ => None,
        };
        let by_kind = match self.kind {
            ApiErrorKind::Unreachable(ref reason) if reason.contains("InvalidContentType") => Some(
                "Whoever listens there does not speak TLS: write http:// instead of https://, or another port",
            ),
            ApiErrorKind::Unreachable(_) => Some("Check the server's address, and that it runs"),
            ApiErrorKind::TurnTooLate { .. } => Some(
                "There are as many calls a second as [limits] mattermost_calls_per_second says, or fewer where the server wants that: if it \
                 lasts, raise it, and the server's RateLimitSettings",
            ),
            ApiErrorKind::Unexpected(_) => {
                Some("If it lasts, check the server's address, and what stands in front of it")
            }
            _ if self.is_from_elsewhere() => Some(
                "That is no answer of Mattermost: check its address, that it runs, and what stands in front of it",
            ),
            _ => None,
        };
        known.or(by_status).or(by_kind).map(|remedy| format!(". {remedy}")).unwrap_or_default()
    }
}

impl fmt::Display for ApiErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(reason) => write!(f, "the server cannot be reached ({reason})"),
            Self::Interrupted(reason) => write!(f, "the server's answer was lost ({reason})"),
            Self::RateLimited { retry_after: Some(wait) } => {
                write!(
                    f,
                    "the server wants fewer calls, and to be asked again in {:.0} s",
                    wait.as_secs_f64().ceil()
                )
            }
            Self::RateLimited { retry_after: None } => f.write_str("the server wants fewer calls"),
            Self::TurnTooLate { wait } => {
                write!(
                    f,
                    "too many calls wait for their turn, and this one's would come in {:.0} s",
                    wait.as_secs_f64().ceil()
                )
            }
            Self::Server { status, message, .. } if message.trim_matches('.').trim().is_empty() => {
                write!(f, "the server answered {status}")
            }
            Self::Server { status, id, message, .. } if id.is_empty() => {
                write!(f, "the server answered {status}: {message}")
            }
            Self::Server { status, id, message, .. } => {
                write!(f, "the server answered {status}: {} ({id})", message.trim_end_matches('.'))
            }
            Self::Unexpected(reason) => write!(f, "the server's answer makes no sense ({reason})"),
            Self::TooLong(bytes_max) => {
                write!(f, "the server's answer is longer than {bytes_max} bytes, and is not read")
            }
            Self::Invalid(reason) => write!(f, "{reason}"),
            Self::TokenRefused => {
                f.write_str("the server refused the bot's token before, so nothing was sent")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(status: u16, id: &str) -> ApiError {
        let kind =
            ApiErrorKind::Server { status, id: id.into(), message: "Words.".into(), retry_after: None };
        ApiError::new("create the channel x", kind)
    }

    #[test]
    fn the_text_says_what_why_and_what_to_do() {
        let error = server(403, "api.context.permissions.app_error");
        assert_eq!(
            error.to_string(),
            "cannot create the channel x: the server answered 403: Words (api.context.permissions.app_error). The bot lacks \
             the permission: add it to the team, and invite it to the channel"
        );
        assert!(server(401, "other").to_string().contains("token is refused"));
        let plain = ApiErrorKind::Unreachable("received corrupt message of type InvalidContentType".into());
        assert!(ApiError::new("x", plain).to_string().contains("write http:// instead of https://"));
        let kind =
            ApiErrorKind::Server { status: 404, id: String::new(), message: ".".into(), retry_after: None };
        assert!(
            ApiError::new("x", kind)
                .to_string()
                .starts_with("cannot x: the server answered 404. That is no answer")
        );
    }

    #[test]
    fn temporary_is_what_can_pass_by_itself() {
        let temporary = [
            server(500, "api.post.deduplicate_create_post.pending"),
            server(500, "app.channel.create_channel.internal_error"),
            server(502, ""),
            ApiError::new("x", ApiErrorKind::RateLimited { retry_after: None }),
            ApiError::new("x", ApiErrorKind::Unreachable("refused".into())),
            ApiError::new("x", ApiErrorKind::Interrupted("cut".into())),
        ];
        assert!(temporary.iter().all(ApiError::is_temporary));
        let permanent = [
            server(501, "api.ldap_groups.license_error"),
            server(404, "x"),
            ApiError::new("x", ApiErrorKind::Unexpected("garbage".into())),
            ApiError::new("x", ApiErrorKind::TooLong(5)),
            ApiError::new("x", ApiErrorKind::Invalid("empty".into())),
            ApiError::new("x", ApiErrorKind::TokenRefused),
        ];
        assert!(!permanent.iter().any(ApiError::is_temporary));
    }
}
