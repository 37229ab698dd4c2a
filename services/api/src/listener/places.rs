//! How many connections there can be: each is an open file, and so is much else.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files that are open beside the connections: the spool, the database, the broker, gRPC, logs.
const OTHER_FILES: u64 = 1024;

/// As many connections as are wanted, or as this process may have. Asks for as many files as the
/// system gives it.
#[must_use]
pub fn places(wanted: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    let limit = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => raised,
        Err(error) => {
            tracing::debug!(%error, "the limit of open files stays as it is");
            limit
        }
    };
    let places = most(limit.current, wanted);
    if places < wanted {
        tracing::warn!(
            wanted,
            places,
            "fewer connections than TOLLKEEPER_MAX_CONNECTIONS: the process may open no more files"
        );
    }
    places
}

/// What `files` leave room for; none is no limit. At least a few, whatever happens then.
fn most(files: Option<u64>, wanted: usize) -> usize {
    let room = files.map_or(u64::MAX, |files| {
        files.saturating_sub(OTHER_FILES).max(files / 2)
    });
    wanted.min(usize::try_from(room).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_room_for_other_files() {
        assert_eq!(most(None, 16_384), 16_384);
        assert_eq!(most(Some(1 << 20), 16_384), 16_384);
        assert_eq!(most(Some(4096), 16_384), 3072);
        assert_eq!(most(Some(1024), 16_384), 512);
    }
}
