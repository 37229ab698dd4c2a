//! How often somebody may try to sign in: with one address, and from one network, or in a browser where the
//! person has signed in before; and how often browsers may set out for a provider of OpenID Connect. A token
//! bucket each, in Postgres, so that all processes share it. An attempt is charged before the password is looked
//! at, by one statement that takes the row's lock: as many as try at once get no more than the others.

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};
use sqlx::{PgConnection, PgExecutor, PgPool};
use tollkeeper_runtime::settings::UsageIp;
use uuid::Uuid;

use crate::audit;
use crate::console::session::Secret;

/// How many attempts in a row, and how long until one more.
#[derive(Debug, Clone, Copy)]
struct Allowance {
    burst: i32,
    every: TimeDelta,
}

impl Allowance {
    #[allow(clippy::cast_precision_loss, reason = "some minutes")]
    const fn seconds(self) -> f64 {
        self.every.num_seconds() as f64
    }
}

/// With one address, or where somebody was before: 298 wrong ones on a day.
const OF_PERSON: Allowance = Allowance {
    burst: 10,
    every: TimeDelta::minutes(5),
};

/// From one network, where many people may be: 8,670 on a day.
const OF_NETWORK: Allowance = Allowance {
    burst: 30,
    every: TimeDelta::seconds(10),
};

/// From one network to the provider of OpenID Connect, where nothing is guessed: 43,500 ways on a day that lead
/// nowhere.
const OF_WAYS: Allowance = Allowance {
    burst: 300,
    every: TimeDelta::seconds(2),
};

/// What an attempt is charged to.
#[derive(Debug)]
pub(in crate::console) struct Payer {
    who_hash: [u8; 32],
    allowance: Allowance,
}

impl Payer {
    /// The address that somebody typed, whoever's it is. How its letters are written makes no difference.
    pub(in crate::console) fn email(typed: &str) -> Self {
        let text = format!("email {}", typed.trim().to_lowercase());
        Self {
            who_hash: Sha256::digest(text).into(),
            allowance: OF_PERSON,
        }
    }

    /// A browser that is known for the person. What is tried elsewhere is not charged to it, nor the other way
    /// round.
    pub(in crate::console) fn device(secret: &Secret) -> Self {
        let text = [b"device ", &secret.hash()[..]].concat();
        Self {
            who_hash: Sha256::digest(text).into(),
            allowance: OF_PERSON,
        }
    }

    /// A browser in which somebody was here before, on its way to the provider.
    pub(in crate::console) fn way_of_device(secret: &Secret) -> Self {
        let text = [b"way of device ", &secret.hash()[..]].concat();
        Self {
            who_hash: Sha256::digest(text).into(),
            allowance: OF_PERSON,
        }
    }

    /// Any other browser of this network, on its way to the provider. Those who guess passwords are charged to
    /// another allowance of it.
    pub(in crate::console) fn way_from(address: Option<IpAddr>) -> Self {
        Self {
            who_hash: Sha256::digest(format!("way from {}", network_of(address))).into(),
            allowance: OF_WAYS,
        }
    }

    /// Somebody who is signed in, and is to show once more who they are.
    pub(in crate::console) fn person(id: Uuid) -> Self {
        Self {
            who_hash: Sha256::digest(format!("person {id}")).into(),
            allowance: OF_PERSON,
        }
    }

    /// The /24 or /48 of an address. It is not kept: its hash is forgotten when the allowance is whole again.
    pub(in crate::console) fn network(address: Option<IpAddr>) -> Self {
        Self {
            who_hash: Sha256::digest(format!("network {}", network_of(address))).into(),
            allowance: OF_NETWORK,
        }
    }
}

fn network_of(address: Option<IpAddr>) -> String {
    let network = audit::network(address, UsageIp::Network);
    network.unwrap_or_else(|| "unknown".to_owned())
}

/// An attempt is one too many: it is worth another one then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::console) struct TooMany {
    /// From now on.
    pub(in crate::console) wait: TimeDelta,
}

/// Charges an attempt to all of them, or to none if one has used up its allowance. They are to be in one
/// order everywhere: the network, then the address.
///
/// # Errors
/// If the database does not answer.
pub(in crate::console) async fn charge(
    pool: &PgPool,
    payers: &[Payer],
    now: DateTime<Utc>,
) -> Result<Result<(), TooMany>, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    for payer in payers {
        if let Err(too_many) = charge_one(&mut transaction, payer, now).await? {
            transaction.rollback().await?;
            return Ok(Err(too_many));
        }
    }
    transaction.commit().await?;
    Ok(Ok(()))
}

async fn charge_one(
    db: &mut PgConnection,
    payer: &Payer,
    now: DateTime<Utc>,
) -> Result<Result<(), TooMany>, sqlx::Error> {
    let Allowance { burst, every } = payer.allowance;
    let seconds = payer.allowance.seconds();
    // An attempt moves the moment at which the allowance is whole again on by `every`, to `burst` times that
    // from now at most.
    let latest = now + every * burst;
    let charged = sqlx::query!(
        "insert into console_attempts as known (who_hash, whole_at)
        values ($1, $2::timestamptz + make_interval(secs => $3))
        on conflict (who_hash) do update
        set whole_at = greatest(known.whole_at, $2::timestamptz) + make_interval(secs => $3)
        where greatest(known.whole_at, $2::timestamptz) + make_interval(secs => $3) <= $4",
        &payer.who_hash[..],
        now,
        seconds,
        latest,
    )
    .execute(&mut *db)
    .await?;
    if charged.rows_affected() == 1 {
        return Ok(Ok(()));
    }
    let whole_at = sqlx::query_scalar!(
        "select whole_at from console_attempts where who_hash = $1",
        &payer.who_hash[..],
    )
    .fetch_optional(db)
    .await?;
    let wait = whole_at.map_or(every, |whole_at| whole_at + every - latest);
    Ok(Err(TooMany {
        wait: wait.max(TimeDelta::seconds(1)),
    }))
}

/// Gives one attempt back.
///
/// # Errors
/// If the database does not answer.
pub(in crate::console) async fn give_back(
    db: impl PgExecutor<'_>,
    payer: &Payer,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update console_attempts set whole_at = whole_at - make_interval(secs => $2)
        where who_hash = $1",
        &payer.who_hash[..],
        payer.allowance.seconds(),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Gives somebody their whole allowance back.
///
/// # Errors
/// If the database does not answer.
pub(in crate::console) async fn forgive(
    db: impl PgExecutor<'_>,
    payer: &Payer,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "delete from console_attempts where who_hash = $1",
        &payer.who_hash[..],
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Forgets at most `most` of those whose allowance is whole, and tells how many.
///
/// # Errors
/// If the database does not answer.
pub(in crate::console) async fn forget(
    db: impl PgExecutor<'_>,
    now: DateTime<Utc>,
    most: i64,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "delete from console_attempts where whole_at <= $1 and who_hash in (
            select who_hash from console_attempts where whole_at <= $1 limit $2
        )",
        now,
        most,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}
