//! Errors that come together: what a caller needs, a body and a key each bring their own.

use std::marker::PhantomData;

use utoipa::IntoResponses;

use super::listed::Responses;
use super::{
    BadRequest, BodyTooLarge, Forbidden, Internal, InvalidFields, InvalidOrReused, Limited,
    Unauthenticated, Unavailable, UnsupportedMediaType,
};
use crate::caller::Privilege;

/// What every operation may answer that wants a credential.
#[derive(Debug)]
pub(crate) struct Known;

impl IntoResponses for Known {
    fn responses() -> Responses {
        let mut responses = BadRequest::responses();
        responses.append(&mut Unauthenticated::responses());
        responses.append(&mut Forbidden::responses());
        responses.append(&mut Limited::responses());
        responses.append(&mut Internal::responses());
        responses.append(&mut Unavailable::responses());
        responses
    }
}

/// [`Known`], where the handler demands the privilege `P`.
#[derive(Debug)]
pub(crate) struct Guarded<P>(PhantomData<P>);

impl<P: Privilege> IntoResponses for Guarded<P> {
    fn responses() -> Responses {
        let holders = if P::FOR_ACCOUNTS {
            "An account holder's JWT is enough."
        } else {
            "An account holder's JWT is not enough."
        };
        let scopes = match P::AND {
            None => format!("the scope `{}`", P::SCOPE),
            Some(and) => format!("the scopes `{}` and `{and}`", P::SCOPE),
        };
        let forbidden =
            format!("The caller may not do this. An API token needs {scopes}. {holders}");
        let mut responses = Known::responses();
        responses.append(&mut Forbidden::LISTED.reference(Some(forbidden)));
        responses
    }
}

/// [`Guarded`], where the operation takes a JSON body.
#[derive(Debug)]
pub(crate) struct WithBody<P>(PhantomData<P>);

impl<P: Privilege> IntoResponses for WithBody<P> {
    fn responses() -> Responses {
        let mut responses = Guarded::<P>::responses();
        responses.append(&mut BodyTooLarge::responses());
        responses.append(&mut UnsupportedMediaType::responses());
        responses.append(&mut InvalidFields::responses());
        responses
    }
}

/// [`WithBody`], where the operation takes an `Idempotency-Key`.
#[derive(Debug)]
pub(crate) struct WithKey<P>(PhantomData<P>);

impl<P: Privilege> IntoResponses for WithKey<P> {
    fn responses() -> Responses {
        let mut responses = WithBody::<P>::responses();
        responses.append(&mut InvalidOrReused::responses());
        responses
    }
}
