//! A first operator of the console, so that somebody can sign in.

use tollkeeper_read_model::people::{self, Email, LinkSecret};
use tollkeeper_runtime::database::{self, PoolShape};
use tollkeeper_runtime::settings::DatabaseSettings;

use super::error::Error;
use crate::operator;

/// By which the first operator signs in.
pub(super) const ADDRESS: &str = "operator@localhost";

/// The link by which the first operator sets a password; none once an operator can sign in.
pub(super) async fn ensure(database: &DatabaseSettings) -> Result<Option<LinkSecret>, Error> {
    let pool = database::pool(database, &PoolShape::new("tollkeeper up", 1))?;
    if people::has_operator(&pool).await? {
        return Ok(None);
    }
    let email: Email = ADDRESS.parse().expect("an address");
    let link = match operator::create(&pool, &email).await {
        // An earlier link may not have been followed; the new one takes its place.
        Err(operator::Error::Known(_)) => operator::link(&pool, &email).await,
        made => made,
    };
    match link {
        Ok(link) => Ok(Some(link)),
        // Somebody disabled it, or gave the address to somebody else: they know what they do.
        Err(operator::Error::Disabled(_) | operator::Error::Unknown(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
