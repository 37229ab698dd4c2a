//! The description of the API: OpenAPI 3.1, made from the handlers and served as `/openapi.json`.
//! It must never say anything that the code does not do.
//!
//! # How an operation is documented
//!
//! 1. The handler carries `#[utoipa::path]` with method, path, tag, a unique `operation_id`, and
//!    `summary` and `description` for users of the API. The doc comment stays for readers of the
//!    code.
//! 2. Request and response types derive `ToSchema`, query types `IntoParams` with
//!    `#[into_params(parameter_in = Query)]`. Field docs become the descriptions. Say what the code
//!    demands: `format`, `max_length`, `maximum`, `pattern`, `default`. A `String` that holds an
//!    enum names it: `#[schema(value_type = Environment)]`. A view's `Option` that is always there
//!    is `#[schema(required)]`. Bodies carry an `example`.
//! 3. `params` name the id of the path, and [`IfMatch`](crate::http::version::IfMatch) where the
//!    handler takes it, and [`IdempotencyKey`](crate::idempotency::IdempotencyKey) likewise, with
//!    [`WithKey<P>`](errors::WithKey) among the responses.
//! 4. `responses` list the successes one by one and the errors by the types of [`errors`]:
//!    [`Guarded<P>`](errors::Guarded) with the privilege of the signature covers 400, 401, 403, 500
//!    and 503, and [`WithBody<P>`](errors::WithBody) these and 413, 415 and 422. The others are
//!    named beside it. A new set of codes is a line or two in [`errors`].
//! 5. A handler that serves a second path stands in [`SELF_SERVICE`] too.
//! 6. What holds between the fields of a body stands in [`conditions`].
//! 7. The handler's path stands in the list below, in the order of the router.
//!
//! Then `cargo xtask generate` writes `docs/openapi.json`. Tests below compare the document with the
//! router and with the codes that the source names. What all operations share, such as
//! `X-Request-Id`, is added by [`Common`].

mod conditions;
pub(crate) mod errors;
pub(crate) mod page;
#[cfg(test)]
mod tests;

use utoipa::openapi::header::Header;
use utoipa::openapi::path::{HttpMethod, Operation, PathItem, Paths};
use utoipa::openapi::request_body::RequestBody;
use utoipa::openapi::schema::ArrayItems;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Components, ObjectBuilder, OpenApi, Ref, RefOr, Schema, Type};
use utoipa::{Modify, OpenApi as _};

use crate::http::problem;
use crate::{
    accounts, audit, dead_letters, history, leaks, nodes, oauth, tokens, usage, verification,
    webhooks, whoami,
};

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Tollkeeper",
        description = "Issues API tokens, checks them from memory and counts every call.\n\n\
            Times are RFC 3339 in UTC with microseconds. Unknown fields and parameters are errors. \
            Errors are `application/problem+json` (RFC 9457) with a stable `code`. What is not there \
            and what is not yours are the same answer: 404. Every answer carries `X-Request-Id`; \
            give your own (letters, digits, `-_.`, at most 128) to find a request again.\n\n\
            A change takes `If-Match` with the `ETag` that you have seen and fails with 412 where \
            somebody was faster. A 503 to a change says that it is not known whether it happened: \
            read before you repeat it, or send it with an `Idempotency-Key`.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    servers((url = "/", description = "Where this document was read")),
    security(("ApiKey" = []), ("Bearer" = [])),
    tags(
        (name = "Verification", description = "May the holder of this token pass?"),
        (name = "Accounts", description = "The owners of tokens."),
        (name = "Tokens", description = "From issue to revocation."),
        (name = "History", description = "What happened, and how things were."),
        (name = "Usage", description = "What tokens were used for, how often and how fast."),
        (
            name = "Self-service",
            description = "For account holders and programs with a token, each for their own \
                account alone.",
        ),
        (
            name = "Services",
            description = "For services that issue tokens for the users they know, by their own \
                names for them and in camelCase. The same tokens as under `/v1/tokens`.",
        ),
        (
            name = "Webhooks",
            description = "Lifecycle events, sent in the form of Standard Webhooks.",
        ),
        (
            name = "OAuth",
            description = "For OAuth clients: forms in, and errors as in RFC 6749. An API token or \
                an operator key goes as the secret of a client of any id.",
        ),
        (
            name = "Nodes",
            description = "For nodes without a database, such as services with the tower layer: they \
                judge tokens in their own process, by what the API reads for them.",
        ),
        (name = "Leaks", description = "For partners that find tokens where none should be."),
    ),
    paths(
        verification::rpc::handle,
        verification::batch::handle,
        verification::forward_auth::handle,
        accounts::register::handle,
        accounts::list::handle,
        accounts::get::handle,
        accounts::change::handle,
        accounts::delete::handle,
        accounts::suspend::suspend,
        accounts::suspend::resume,
        accounts::quotas::handle,
        accounts::refill::handle,
        tokens::issue::handle,
        tokens::import::handle,
        tokens::list::handle,
        tokens::get::handle,
        tokens::change::handle,
        tokens::revoke::handle,
        tokens::bulk_revoke::handle,
        tokens::bulk_progress::handle,
        tokens::rotate::handle,
        tokens::suspend::suspend,
        tokens::suspend::resume,
        tokens::quotas::handle,
        tokens::refill::handle,
        history::of_token::handle,
        history::diff::handle,
        history::feed::handle,
        audit::list::handle,
        usage::of_token::handle,
        usage::requests::handle,
        usage::exposure::handle,
        usage::dry_run::handle,
        usage::all::handle,
        usage::report::handle,
        usage::top::handle,
        whoami::handle,
        usage::completeness::handle,
        dead_letters::list::handle,
        dead_letters::get::handle,
        dead_letters::replay::handle,
        nodes::list::handle,
        nodes::forget::handle,
        nodes::report::handle,
        nodes::lookup::handle,
        nodes::events::handle,
        nodes::ledger::handle,
        nodes::mark::handle,
        nodes::balances::handle,
        tokens::service::issue::handle,
        tokens::service::list::handle,
        leaks::report::handle,
        webhooks::create::handle,
        webhooks::list::handle,
        webhooks::get::handle,
        webhooks::change::handle,
        webhooks::delete::handle,
        webhooks::rotate_secret::handle,
        webhooks::replay::handle,
        webhooks::deliveries::handle,
        oauth::introspect::handle,
        oauth::revoke::handle,
    ),
    components(schemas(problem::Document<'static>, problem::OAuthDocument<'static>)),
    modifiers(&Common),
)]
struct Described;

/// The document as JSON text.
#[must_use]
pub fn document() -> String {
    // Serialisation of plain values with text keys cannot fail.
    let mut text = Described::openapi().to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}

/// Operations under which the handlers of other paths serve the caller's own account alone: path,
/// method, name, and the other path.
const SELF_SERVICE: [(&str, HttpMethod, &str, &str); 4] = [
    (
        "/settings/api-tokens",
        HttpMethod::Post,
        "issueOwnToken",
        "/v1/tokens",
    ),
    (
        "/settings/api-tokens",
        HttpMethod::Get,
        "listOwnTokens",
        "/v1/tokens",
    ),
    (
        "/settings/api-tokens/{id}",
        HttpMethod::Get,
        "getOwnToken",
        "/v1/tokens/{id}",
    ),
    (
        "/settings/api-tokens/{id}",
        HttpMethod::Delete,
        "revokeOwnToken",
        "/v1/tokens/{id}",
    ),
];

/// Adds what all operations share.
struct Common;

const REQUEST_ID: &str = "X-Request-Id";

impl Modify for Common {
    fn modify(&self, document: &mut OpenApi) {
        add_self_service(&mut document.paths);
        let components = document.components.get_or_insert_default();
        add_security_schemes(components);
        let id: RefOr<Schema> = ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some(
                "By which the request is found in events and in the log.",
            ))
            .into();
        let header = RefOr::T(Header::new(id));
        components.headers.insert(REQUEST_ID.to_owned(), header);
        for (name, response) in errors::all() {
            components
                .responses
                .insert(name.to_owned(), RefOr::T(response));
        }
        name_items(components);
        conditions::add(components);
        let shared = components.responses.values_mut();
        let paths = document.paths.paths.values_mut();
        let own = paths.flat_map(operations).flat_map(|operation| {
            if let Some(RefOr::T(body)) = &mut operation.request_body {
                never_null(body);
            }
            mark_replays(operation);
            operation.responses.responses.values_mut()
        });
        for response in shared.chain(own) {
            if let RefOr::T(response) = response {
                let header = Ref::new(format!("#/components/headers/{REQUEST_ID}"));
                response
                    .headers
                    .insert(REQUEST_ID.to_owned(), RefOr::Ref(header));
            }
        }
    }
}

fn add_self_service(paths: &mut Paths) {
    for (path, method, name, other) in SELF_SERVICE {
        let served = paths.get_path_operation(other, method.clone());
        let Some(mut operation) = served.cloned() else {
            continue;
        };
        operation.operation_id = Some(name.to_owned());
        operation.tags = Some(vec!["Self-service".to_owned()]);
        let summary = operation.summary.get_or_insert_default();
        summary.push_str(" of one's own account");
        let own = paths.paths.entry(path.to_owned()).or_default();
        own.merge_operations(PathItem::new(method, operation));
    }
}

/// The items of a page are written out by the generator; a name is easier to read.
fn name_items(components: &mut Components) {
    for (name, schema) in &mut components.schemas {
        let item = name.strip_prefix("Page_");
        if let (Some(item), RefOr::T(Schema::Object(page))) = (item, schema)
            && let Some(RefOr::T(Schema::Array(items))) = page.properties.get_mut("items")
        {
            items.items = ArrayItems::RefOrSchema(Box::new(Ref::from_schema_name(item).into()));
        }
    }
}

/// What is answered again to a request with the same key says so.
fn mark_replays(operation: &mut Operation) {
    let mut parameters = operation.parameters.iter().flatten();
    let takes_key = parameters
        .any(|it| matches!(it, RefOr::T(parameter) if parameter.name == "Idempotency-Key"));
    if !takes_key {
        return;
    }
    let responses = &mut operation.responses.responses;
    let made = if responses.contains_key("201") {
        "201"
    } else {
        "200"
    };
    if let Some(RefOr::T(response)) = responses.get_mut(made) {
        let mark = ObjectBuilder::new()
            .schema_type(Type::Boolean)
            .description(Some("`true` where this was answered before."));
        let header = RefOr::T(Header::new(mark));
        let name = "Idempotency-Replayed".to_owned();
        response.headers.insert(name, header);
    }
}

/// A body that may be left out is not null where it is there.
fn never_null(body: &mut RequestBody) {
    for content in body.content.values_mut() {
        if let RefOr::T(content) = content
            && let Some(RefOr::T(Schema::OneOf(either))) = &content.schema
            && let [RefOr::Ref(schema), _null] = either.items.as_slice()
        {
            content.schema = Some(RefOr::Ref(schema.clone()));
        }
    }
}

fn add_security_schemes(components: &mut Components) {
    let key = "An operator key or an API token.";
    let key = ApiKeyValue::with_description("X-API-Key", key);
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some(
            "An API token, or the JWT of an account holder where the installation takes JWTs.",
        ))
        .build();
    let basic = HttpBuilder::new()
        .scheme(HttpAuthScheme::Basic)
        .description(Some(
            "For OAuth clients: any client id, and an API token or an operator key as its secret.",
        ))
        .build();
    let schemes = [
        ("Basic", SecurityScheme::Http(basic)),
        ("ApiKey", SecurityScheme::ApiKey(ApiKey::Header(key))),
        ("Bearer", SecurityScheme::Http(bearer)),
    ];
    for (name, scheme) in schemes {
        components
            .security_schemes
            .insert(name.to_owned(), scheme.into());
    }
}

/// The operations of a path.
fn operations(path: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let all = [
        &mut path.get,
        &mut path.post,
        &mut path.put,
        &mut path.patch,
        &mut path.delete,
    ];
    all.into_iter().flatten()
}
