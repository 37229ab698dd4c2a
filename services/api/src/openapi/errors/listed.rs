//! What is written of an error response.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::header::Header;
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::schema::{AllOfBuilder, Schema, SchemaType};
use utoipa::openapi::{ObjectBuilder, Ref, RefOr};

/// Responses by their status.
pub(super) type Responses = BTreeMap<String, RefOr<Response>>;

/// One error response.
pub(super) struct Listed {
    pub(super) name: &'static str,
    pub(super) status: u16,
    pub(super) description: &'static str,
    pub(super) title: &'static str,
    /// Whether it is written as OAuth clients read it.
    pub(super) oauth: bool,
    /// Each code with the `detail` of an example.
    pub(super) codes: &'static [(&'static str, &'static str)],
    pub(super) headers: &'static [(&'static str, &'static str)],
}

impl Listed {
    /// The response by its name, with a text of its own if one is given.
    pub(super) fn reference(&self, description: Option<String>) -> Responses {
        let mut reference = Ref::from_response_name(self.name);
        reference.description = description.unwrap_or_default();
        BTreeMap::from([(self.status.to_string(), reference.into())])
    }

    pub(super) fn response(&self) -> Response {
        let codes = self.codes.iter().map(|(code, _)| *code);
        let one_of = || ObjectBuilder::new().schema_type(SchemaType::AnyValue);
        let narrowed = if self.oauth {
            ObjectBuilder::new().property("error", one_of().enum_values(Some(codes)))
        } else {
            ObjectBuilder::new()
                .property("code", one_of().enum_values(Some(codes)))
                .property("status", one_of().enum_values(Some([self.status])))
        };
        let (kind, general) = if self.oauth {
            ("application/json", "OAuthError")
        } else {
            ("application/problem+json", "Problem")
        };
        let schema = AllOfBuilder::new()
            .item(Ref::from_schema_name(general))
            .item(narrowed)
            .build();
        let examples = self.codes.iter().map(|(code, detail)| {
            let example = ExampleBuilder::new().value(Some(self.example(code, detail)));
            (*code, example.build())
        });
        let content = ContentBuilder::new()
            .schema(Some(Schema::AllOf(schema)))
            .examples_from_iter(examples)
            .build();
        let mut response = ResponseBuilder::new()
            .description(self.description.trim())
            .content(kind, content);
        for (name, meaning) in self.headers {
            let mut header = Header::default();
            header.description = Some((*meaning).to_owned());
            response = response.header(*name, header);
        }
        response.build()
    }

    fn example(&self, code: &str, detail: &str) -> Value {
        if self.oauth {
            return json!({ "error": code, "error_description": detail });
        }
        let mut problem = json!({
            "type": format!("urn:tollkeeper:problem:{}", code.to_lowercase()),
            "title": self.title,
            "status": self.status,
            "detail": detail,
            "code": code,
            "request_id": "019aa5d0-5a3c-7bc2-8d1e-0f4b5a6c7d8e",
        });
        if let Some((pointer, detail)) = detail.split_once(": ").filter(|_| self.status == 422) {
            problem["errors"] = json!([{ "pointer": pointer, "detail": detail }]);
        }
        problem
    }
}
