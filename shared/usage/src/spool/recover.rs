//! What earlier runs left in the folder.

use std::sync::Arc;

use super::folder::Folder;
use super::mark::Mark;
use super::prepare::Workshop;
use super::segment::{self, Segment};
use super::settings::SpoolError;
use super::tail::Tail;

/// The lanes of earlier runs that are not known to be settled, oldest first. Segments that were made
/// ahead and never used are deleted, and so are lanes that never gave out a number.
pub(super) fn lanes(folder: &Folder, workshop: &Workshop) -> Result<Vec<Tail>, SpoolError> {
    let mut tails = Vec::new();
    for source in folder.lanes()? {
        let path = folder.lane(source);
        let mut segments = Vec::new();
        for index in folder.segments(source)? {
            let opened = Segment::open(&path, index)
                .map_err(SpoolError::io("cannot read a segment of", &path))?;
            match opened {
                Some(segment) => {
                    workshop.adopt(&segment);
                    segments.push(Arc::new(segment));
                }
                None => segment::delete_files(&path, index)
                    .map_err(SpoolError::io("cannot delete an unused segment of", &path))?,
            }
        }
        // A segment that was made in haste may have been begun before one of a lower index.
        segments.sort_by_key(|segment| segment.region.first_sequence());
        let given =
            Mark::read(&path).map_err(SpoolError::io("cannot read what was dropped of", &path))?;
        let tail = Tail::recovered(source, segments.into(), given)
            .map_err(SpoolError::io("cannot read the batch cuts of", &path))?;
        match tail {
            Some(tail) => tails.push(tail),
            None => std::fs::remove_dir_all(&path)
                .map_err(SpoolError::io("cannot remove an empty lane", &path))?,
        }
    }
    Ok(tails)
}
