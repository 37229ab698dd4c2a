//! On how many servers of a cluster a stream is kept.
//!
//! It must never come about in silence: a cluster whose streams are kept on one server each loses what
//! was acknowledged with that server, and nothing else would tell.

use std::time::Duration;

use async_nats::jetstream::Context;

use super::definitions::Definition;
use super::remote::RemoteError;

/// How often copies are looked at, and how many times.
const GLANCE: Duration = Duration::from_millis(200);
const GLANCES: usize = 100;

#[derive(Debug, thiserror::Error)]
pub(crate) enum ReplicasError {
    #[error(
        "the broker is the cluster {0:?}, and TOLLKEEPER_NATS_REPLICAS does not say on how many of its \
         servers the streams are to be kept: 3 survives the loss of one"
    )]
    Unsaid(String),

    #[error(
        "TOLLKEEPER_NATS_REPLICAS is {0}, but the broker is a server by itself, which keeps one copy: \
         make it part of a cluster (nats/cluster.conf)"
    )]
    OneServer(usize),
}

/// How many copies are to be kept on a broker that is the cluster of this name, or none.
pub(super) fn number(told: Option<usize>, cluster: Option<&str>) -> Result<usize, ReplicasError> {
    match (told, cluster) {
        (Some(replicas), None) if replicas > 1 => Err(ReplicasError::OneServer(replicas)),
        (Some(replicas), _) => Ok(replicas),
        (None, None) => Ok(1),
        (None, Some(name)) => Err(ReplicasError::Unsaid(name.to_owned())),
    }
}

/// Waits until every copy of a stream is complete, but not for ever. Tells how many are not.
pub(super) async fn behind(
    jetstream: &Context,
    definition: &Definition,
) -> Result<usize, RemoteError> {
    let Definition::Stream { config, .. } = definition else {
        return Ok(0);
    };
    let mut behind = 0;
    for _ in 0..GLANCES {
        let stream = jetstream.get_stream(&config.name).await?;
        let cluster = stream.cached_info().cluster.as_ref();
        let complete = cluster.map_or(1, |cluster| {
            let others = cluster.replicas.iter().filter(|copy| copy.current);
            usize::from(cluster.leader.is_some()) + others.count()
        });
        behind = config.num_replicas.saturating_sub(complete);
        if behind == 0 {
            break;
        }
        tokio::time::sleep(GLANCE).await;
    }
    Ok(behind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_keeps_as_many_copies_as_is_said_and_never_one_unsaid() {
        assert_eq!(number(Some(3), Some("c")).unwrap(), 3);
        assert_eq!(number(Some(1), Some("c")).unwrap(), 1);
        let unsaid = number(None, Some("c")).unwrap_err().to_string();
        assert!(unsaid.contains("TOLLKEEPER_NATS_REPLICAS"), "{unsaid}");
    }

    #[test]
    fn a_server_by_itself_keeps_one_copy() {
        assert_eq!(number(None, None).unwrap(), 1);
        assert_eq!(number(Some(1), None).unwrap(), 1);
        number(Some(3), None).unwrap_err();
    }
}
