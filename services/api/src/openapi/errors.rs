//! The errors of operations, each a response that the whole document shares. A handler names them
//! in its `responses`.

mod listed;
mod together;

use utoipa::IntoResponses;
use utoipa::openapi::response::Response;

use self::listed::{Listed, Responses};
pub(crate) use self::together::{Guarded, Known, WithBody, WithKey};

macro_rules! errors {
    ($(
        #[doc = $doc:literal]
        $name:ident = $status:literal $title:literal $($oauth:ident)?
            { $($code:ident: $detail:literal),+ $(,)? }
            $([ $($header:literal: $meaning:literal),+ ])?
    )+) => {
        $(
            #[doc = $doc]
            #[derive(Debug)]
            pub(crate) struct $name;

            impl $name {
                const LISTED: Listed = Listed {
                    name: stringify!($name),
                    status: $status,
                    description: $doc,
                    title: $title,
                    oauth: stringify!($($oauth)?).len() > 0,
                    codes: &[$((stringify!($code), $detail)),+],
                    headers: &[$($(($header, $meaning)),+)?],
                };
            }

            impl IntoResponses for $name {
                fn responses() -> Responses {
                    $name::LISTED.reference(None)
                }
            }
        )+

        const ALL: &[Listed] = &[$($name::LISTED),+];
    };
}

errors! {
    /// The request cannot be understood.
    BadRequest = 400 "The request cannot be understood" {
        INVALID_QUERY: "`limit` is 1 to 200",
        INVALID_HEADER: "`If-Match` is the `ETag` of the version you have seen, such as \"3\"",
        TWO_CREDENTIALS: "`X-API-Key` and `Authorization` hold two differing credentials",
        MALFORMED_JSON: "the body is not JSON: line 1, column 2",
        BODY_UNREADABLE: "the body did not arrive whole",
    }

    /// The request cannot be understood, or asks for more than is read at once.
    RangeTooLarge = 400 "The request cannot be understood" {
        INVALID_QUERY: "`limit` is 1 to 50",
        RANGE_TOO_LARGE: "the range has 8760 buckets, and 1000 are told at most: ask for `bucket=day`, or a shorter range",
        TWO_CREDENTIALS: "`X-API-Key` and `Authorization` hold two differing credentials",
        INVALID_HEADER: "`Authorization` must be of the form `Bearer <credential>`",
    }

    /// The request cannot be understood, or asks for more than is judged again at once.
    TooMuchToJudge = 400 "The request cannot be understood" {
        RANGE_TOO_LARGE: "this was not read within 5 seconds: ask for fewer `days`",
        MALFORMED_JSON: "the body is not JSON: line 1, column 2",
        BODY_UNREADABLE: "the body did not arrive whole",
        TWO_CREDENTIALS: "`X-API-Key` and `Authorization` hold two differing credentials",
        INVALID_HEADER: "`Authorization` must be of the form `Bearer <credential>`",
    }

    /// There is no credential, or it does not work.
    Unauthenticated = 401 "The credential does not work" {
        UNAUTHENTICATED: "give an API token or a JWT as `Authorization: Bearer`, or a key as `X-API-Key`",
        INVALID_JWT: "the JWT has expired",
        MALFORMED: "the API token or key is not accepted",
        NOT_FOUND: "the API token or key is not accepted",
        REVOKED: "the API token or key is not accepted",
        ACCOUNT_SUSPENDED: "the API token or key is not accepted",
        SUSPENDED: "the API token or key is not accepted",
        NOT_YET_VALID: "the API token or key is not accepted",
        EXPIRED: "the API token or key is not accepted",
    } ["WWW-Authenticate": "The challenge of RFC 6750."]

    /// The caller may not do this.
    Forbidden = 403 "Not allowed" {
        INSUFFICIENT_SCOPE: "this needs the scope `tollkeeper:tokens.write`",
        BEYOND_AUTHORITY: "only operators make system accounts",
        ACCOUNT_SUSPENDED: "the account is suspended",
        ACCOUNT_DELETED: "the account is deleted",
        IP_NOT_ALLOWED: "the token you used is not allowed from this address",
        NO_ACCOUNT: "an operator has no account of their own: use `/v1/tokens`",
    }

    /// The report is not signed by a key that is known here.
    BadSignature = 403 "Not allowed" {
        BAD_SIGNATURE: "the report is not signed by a key that is known here",
    }

    /// The account cannot have this webhook, or there is no key to seal its secret with.
    WebhookConflict = 409 "It does not fit the present state" {
        ACCOUNT_NOT_ACTIVE: "the account is suspended or deleted",
        TOO_MANY_WEBHOOKS: "an account has at most 20 webhooks",
        SEAL_KEY_MISSING: "signing secrets are sealed at rest, and no key is configured for that: set `TOLLKEEPER_SEAL_KEYS`",
        REQUEST_IN_FLIGHT: "another request with this `Idempotency-Key` is under way",
    } ["Retry-After": "With `REQUEST_IN_FLIGHT`: seconds to wait before you try again."]

    /// Whoever reports the node has as many as there may be.
    NodeConflict = 409 "It does not fit the present state" {
        TOO_MANY_NODES: "you have as many nodes as you may have; remove those that are gone",
    }

    /// There is no key to seal the secret with, or the request is under way.
    RotateSecretConflict = 409 "It does not fit the present state" {
        SEAL_KEY_MISSING: "signing secrets are sealed at rest, and no key is configured for that: set `TOLLKEEPER_SEAL_KEYS`",
        REQUEST_IN_FLIGHT: "another request with this `Idempotency-Key` is under way",
    } ["Retry-After": "With `REQUEST_IN_FLIGHT`: seconds to wait before you try again."]

    /// The form or the credentials cannot be understood.
    OAuthBadRequest = 400 "" OAuth {
        invalid_request: "the parameter `token` is missing",
    }

    /// The client's credential does not work.
    OAuthUnauthorized = 401 "" OAuth {
        invalid_client: "the API token or key is not accepted",
    } ["WWW-Authenticate": "The challenge of RFC 7617."]

    /// The client may not do this. An API token needs the scope `tollkeeper:verify`.
    OAuthForbidden = 403 "" OAuth {
        insufficient_scope: "this needs the scope `tollkeeper:verify`",
        unauthorized_client: "the token you used is not allowed from this address",
    }

    /// The client's token is not allowed from its address.
    OAuthElsewhere = 403 "" OAuth {
        unauthorized_client: "the token you used is not allowed from this address",
    }

    /// Others change the token all the time. Nothing was done.
    OAuthConflict = 409 "" OAuth {
        temporarily_unavailable: "others are changing this all the time; try again",
    } ["Retry-After": "Seconds to wait before you try again."]

    /// The form is larger than 64 KiB.
    OAuthTooLarge = 413 "" OAuth {
        invalid_request: "a body has at most 65536 bytes",
    }

    /// Something went wrong on our side.
    OAuthInternal = 500 "" OAuth {
        server_error: "something went wrong on our side; the request id helps to find out what",
    }

    /// It cannot be done now.
    OAuthUnavailable = 503 "" OAuth {
        temporarily_unavailable: "this cannot be done now; try again",
    } ["Retry-After": "Seconds to wait before you try again."]

    /// It is not there, or not the caller's.
    NotFound = 404 "Not found" {
        NOT_FOUND: "there is no such token",
    }

    /// It does not fit: another account has the external id, or the request is under way.
    RegisterConflict = 409 "It does not fit the present state" {
        EXTERNAL_ID_TAKEN: "another account has this external id",
        REQUEST_IN_FLIGHT: "another request with this `Idempotency-Key` is under way",
    } ["Retry-After": "With `REQUEST_IN_FLIGHT`: seconds to wait before you try again."]

    /// It does not fit the account as it is.
    AccountConflict = 409 "It does not fit the present state" {
        EXTERNAL_ID_TAKEN: "another account has this external id",
        ACCOUNT_DELETED: "the account is deleted",
        BUSY: "others are changing this all the time; try again",
    } ["Retry-After": "With `BUSY`: seconds to wait before you try again."]

    /// A deleted account stays as it is.
    AccountDeleted = 409 "It does not fit the present state" {
        ACCOUNT_DELETED: "the account is deleted",
        BUSY: "others are changing this all the time; try again",
    } ["Retry-After": "With `BUSY`: seconds to wait before you try again."]

    /// The account cannot have this token now.
    IssueConflict = 409 "It does not fit the present state" {
        ACCOUNT_NOT_ACTIVE: "the account is suspended or deleted",
        TOO_MANY_TOKENS: "the account has as many live tokens as it may have",
        REQUEST_IN_FLIGHT: "another request with this `Idempotency-Key` is under way",
    } ["Retry-After": "With `REQUEST_IN_FLIGHT`: seconds to wait before you try again."]

    /// The tokens cannot be imported; nothing was. `errors` names the items.
    ImportConflict = 409 "It does not fit the present state" {
        DUPLICATE_HASHES: "tokens with these hashes are known already",
        ACCOUNT_NOT_ACTIVE: "the account is suspended or deleted",
        TOO_MANY_TOKENS: "the account has as many live tokens as it may have",
        REQUEST_IN_FLIGHT: "another request with this `Idempotency-Key` is under way",
    } ["Retry-After": "With `REQUEST_IN_FLIGHT`: seconds to wait before you try again."]

    /// The user's account cannot have this token now.
    UserConflict = 409 "It does not fit the present state" {
        ACCOUNT_NOT_ACTIVE: "the account is suspended or deleted",
        ACCOUNT_DELETED: "the user's account is deleted",
        TOO_MANY_TOKENS: "the account has as many live tokens as it may have",
        REQUEST_IN_FLIGHT: "another request with this `Idempotency-Key` is under way",
    } ["Retry-After": "With `REQUEST_IN_FLIGHT`: seconds to wait before you try again."]

    /// Others change it all the time. Nothing was done.
    Busy = 409 "It does not fit the present state" {
        BUSY: "others are changing this all the time; try again",
    } ["Retry-After": "With `BUSY`: seconds to wait before you try again."]

    /// A revoked token stays as it is.
    TokenRevoked = 409 "It does not fit the present state" {
        TOKEN_REVOKED: "the token is revoked",
        BUSY: "others are changing this all the time; try again",
    } ["Retry-After": "With `BUSY`: seconds to wait before you try again."]

    /// The token as it is gets no new secret.
    RotateConflict = 409 "It does not fit the present state" {
        TOKEN_REVOKED: "the token is revoked",
        TOKEN_EXPIRED: "the token has expired",
        ACCOUNT_NOT_ACTIVE: "the account is suspended or deleted",
        REQUEST_IN_FLIGHT: "another request with this `Idempotency-Key` is under way",
        BUSY: "others are changing this all the time; try again",
    } ["Retry-After": "With `BUSY` and `REQUEST_IN_FLIGHT`: seconds to wait before you try again."]

    /// The token as it is cannot work again.
    ResumeConflict = 409 "It does not fit the present state" {
        TOKEN_REVOKED: "the token is revoked",
        ACCOUNT_NOT_ACTIVE: "the account is suspended or deleted",
        BUSY: "others are changing this all the time; try again",
    } ["Retry-After": "With `BUSY`: seconds to wait before you try again."]

    /// The plan is too old to be run, or is being made.
    PlanConflict = 409 "It does not fit the present state" {
        PLAN_EXPIRED: "the plan is too old to be run: make a new one",
        REQUEST_IN_FLIGHT: "another request with this `Idempotency-Key` is under way",
    } ["Retry-After": "With `REQUEST_IN_FLIGHT`: seconds to wait before you try again."]

    /// `If-Match` names another version than the present one.
    VersionMismatch = 412 "It has changed" {
        VERSION_MISMATCH: "the version is 4 by now; read it again before you change it",
    }

    /// The body is larger than 64 KiB, or what else the operation names.
    BodyTooLarge = 413 "The body is too large" {
        BODY_TOO_LARGE: "a body has at most 65536 bytes",
    }

    /// The body is not said to be JSON.
    UnsupportedMediaType = 415 "Unsupported media type" {
        UNSUPPORTED_MEDIA_TYPE: "send JSON with `Content-Type: application/json`",
    }

    /// Fields cannot be accepted. `errors` names each.
    InvalidFields = 422 "The body cannot be accepted" {
        INVALID_FIELDS: "/name: a name has 1 to 100 characters",
    }

    /// Fields cannot be accepted, or the `Idempotency-Key` belongs to another request.
    InvalidOrReused = 422 "The body cannot be accepted" {
        INVALID_FIELDS: "/name: a name has 1 to 100 characters",
        IDEMPOTENCY_KEY_REUSED: "this `Idempotency-Key` was used for another request; take a new one",
    }

    /// A rate limit of the token that is used, or of its account, is used up.
    Limited = 429 "Too many requests" {
        RATE_LIMITED: "used up for now: `requests`",
    } [
        "Retry-After": "Seconds to wait before you try again; not given where the request costs more than may be taken at once.",
        "RateLimit-Policy": "The rate limits of the token and its account.",
        "RateLimit": "Those that refuse."
    ]

    /// A rate limit of the client's token, or of its account, is used up.
    OAuthLimited = 429 "" OAuth {
        temporarily_unavailable: "used up for now: `requests`",
    } ["Retry-After": "Seconds to wait before you try again."]

    /// As many calls as may wait already with this key or for this account, or a rate limit is used up.
    TooManyWaiting = 429 "Too many requests" {
        RATE_LIMITED: "used up for now: `requests`",
        TOO_MANY_WAITING: "50 calls wait for you already; leave out `wait_seconds`, or try again",
    } ["Retry-After": "Seconds to wait before you try again."]

    /// Something went wrong on our side. The request id helps to find out what.
    Internal = 500 "Internal error" {
        INTERNAL: "something went wrong on our side; the request id helps to find out what",
    }

    /// It cannot be done now. Whether a change has happened may not be known.
    Unavailable = 503 "Unavailable" {
        UNAVAILABLE: "this cannot be done now; try again",
    } ["Retry-After": "Seconds to wait before you try again."]

    /// The token does not pass. `X-Tollkeeper-Code` repeats the code.
    CheckRefused = 401 "The credential does not work" {
        UNAUTHENTICATED: "give an API token or a JWT as `Authorization: Bearer`, or a key as `X-API-Key`",
        MALFORMED: "the token is not accepted",
        NOT_FOUND: "the token is not accepted",
        REVOKED: "the token is not accepted",
        ACCOUNT_SUSPENDED: "the token is not accepted",
        SUSPENDED: "the token is not accepted",
        NOT_YET_VALID: "the token is not accepted",
        EXPIRED: "the token is not accepted",
        WRONG_ENVIRONMENT: "the token is not accepted",
    } ["WWW-Authenticate": "The challenge of RFC 6750."]

    /// A limit or a quota of the token, or of its account, is used up. `X-Tollkeeper-Code` repeats the code.
    CheckLimited = 429 "Too many requests" {
        RATE_LIMITED: "used up for now: `requests`",
        QUOTA_EXCEEDED: "used up for now: `calls`",
    } [
        "Retry-After": "Seconds to wait before you try again; not given where waiting is of no use.",
        "RateLimit-Policy": "The rate limits and quotas of the token and its account.",
        "RateLimit": "Those that refuse."
    ]

    /// The token works, but not for this. `X-Tollkeeper-Code` repeats the code.
    CheckForbidden = 403 "Not allowed" {
        INSUFFICIENT_SCOPE: "this needs the scope `orders:read`",
        IP_NOT_ALLOWED: "the token is not allowed from this address",
    }
}

/// Every shared error response by its name.
pub(super) fn all() -> impl Iterator<Item = (&'static str, Response)> {
    ALL.iter().map(|listed| (listed.name, listed.response()))
}
