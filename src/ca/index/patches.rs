//! Changes of a large index: what is written where in its text, how it is taken back, and what its side index learns.

use std::path::Path;

use super::text::{row_at, scan};
use super::{Edit, large_record};
use crate::ca::disk::{self, File, Stamp};
use crate::ca::row::{Line, Row, Status};
use crate::ca::side::{self, Key, Side};
use crate::error::Result;

/// What to write into a large index, and how to take it back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Patches {
    /// The file's device and inode.
    pub(crate) place: (u64, u64),
    /// Its length before.
    pub(crate) len: u64,
    /// The bytes to append.
    pub(crate) append: Vec<u8>,
    /// Places to write over: offset, bytes before, bytes after.
    pub(crate) over: Vec<(u64, Vec<u8>, Vec<u8>)>,
    /// Valid records that have ended by then become expired ones.
    pub(crate) expire: Option<i64>,
    /// What the side index must learn: records with their places.
    pub(crate) entries: Vec<(Row, Option<u64>, u64)>,
}

impl Patches {
    /// No patches yet, for a text in this state.
    pub(super) fn for_text(stamp: Stamp) -> Self {
        Self {
            place: stamp.place,
            len: stamp.len,
            ..Self::default()
        }
    }

    /// Adds what one change needs.
    pub(super) fn plan(&mut self, text: &File, side: &Side, edit: &Edit) -> Result<()> {
        match edit {
            Edit::Add(row) => self.append(row, None),
            Edit::Expire(now) => self.expire = Some(*now),
            Edit::Update { before, after } => {
                let Some((place, _)) = large_record(text, side, &after.serial)? else {
                    return Ok(());
                };
                let (old, new) = (before.to_line(), after.to_line());
                if old.len() == new.len() {
                    self.over.push((place, old, new));
                } else {
                    let comment = as_comment(&old);
                    self.over.push((place, old, comment));
                    self.append(after, Some(place));
                }
            }
        }
        Ok(())
    }

    /// Adds a record at the end, in the stead of the one at `old` if there is one.
    fn append(&mut self, row: &Row, old: Option<u64>) {
        let place = self.len + self.append.len() as u64;
        self.append.extend_from_slice(&row.to_line());
        self.entries.push((row.clone(), old, place));
    }

    /// Writes; the new record stands before the old one goes.
    pub(super) fn write(&mut self, path: &Path, text: &File) -> Result<()> {
        if !self.append.is_empty() {
            text.write_at(&self.append, self.len)?;
        }
        if let Some(now) = self.expire {
            let ended = ended_places(path, text, now)?;
            let marks = ended
                .into_iter()
                .map(|place| (place, b"V".to_vec(), b"E".to_vec()));
            self.over.extend(marks);
        }
        self.over
            .iter()
            .try_for_each(|(place, _, after)| text.write_at(after, *place))
    }

    /// Takes the writing back.
    pub(super) fn take_back(&self, text: &File) -> Result<()> {
        for (place, before, _) in &self.over {
            text.write_at(before, *place)?;
        }
        text.set_len(self.len)
    }

    /// Tells the side index.
    pub(super) fn enter(
        &self,
        text: &File,
        side: &mut Side,
    ) -> Result<std::result::Result<(), side::Full>> {
        for (_, before, after) in &self.over {
            if after.starts_with(b"#") {
                side.count_waste(before.len() as u64);
            }
        }
        for (row, old, place) in &self.entries {
            if old.is_none() {
                side.count_row();
            }
            if side.enter(Key::Serial(&row.serial), *old, *place)?.is_err() {
                return Ok(Err(side::Full));
            }
            if row.status == Status::Valid && enter_subject(text, side, row, *place)?.is_err() {
                return Ok(Err(side::Full));
            }
        }
        Ok(Ok(()))
    }

    /// Takes back what a process that died in the middle had written, if the text is still the one it wrote to.
    ///
    /// What stands behind the old end must be what was being written, or zeros, where the power failed.
    pub(crate) fn roll_back(&self, path: &Path) -> Result<()> {
        let Some(stamp) = disk::stamp(path)? else {
            return Ok(());
        };
        let added = stamp.len.saturating_sub(self.len);
        if stamp.place != self.place || stamp.len < self.len || added > self.append.len() as u64 {
            return Ok(());
        }
        let text = File::open_to_change(path)?;
        let mut tail = vec![0; usize::try_from(added).unwrap_or_default()];
        text.read_at(&mut tail, self.len)?;
        let ours = tail
            .iter()
            .zip(&self.append)
            .all(|(found, meant)| *found == 0 || found == meant);
        let mut over_ours = true;
        for (place, before, after) in &self.over {
            let mut found = vec![0; before.len()];
            text.read_at(&mut found, *place)?;
            let mut bytes = found.iter().zip(before.iter().zip(after));
            over_ours &= bytes.all(|(found, (old, new))| found == old || found == new);
        }
        match ours && over_ours {
            true => self.take_back(&text).and_then(|()| text.sync()),
            false => Ok(()),
        }
    }
}

/// Enters a valid record under its subject, unless another one is there already.
fn enter_subject(
    text: &File,
    side: &mut Side,
    row: &Row,
    place: u64,
) -> Result<std::result::Result<(), side::Full>> {
    let mut free = None;
    for other_place in side.places(Key::Subject(&row.name))? {
        match row_at(text, other_place)?.filter(|other| other.status == Status::Valid) {
            Some(other) if other.name == row.name => {
                side.count_twin();
                return Ok(Ok(()));
            }
            Some(_) => {}
            // What was there has been revoked or has ended: its entry can be used again.
            None => free = Some(other_place),
        }
    }
    side.enter(Key::Subject(&row.name), free, place)
}

/// A record as a comment of the same length.
///
/// OpenSSL reads lines in pieces of 511 bytes and looks for the comment's sign in each, so a long one becomes several.
fn as_comment(line: &[u8]) -> Vec<u8> {
    let mut comment = line.to_vec();
    for (index, byte) in comment.iter_mut().enumerate() {
        match index % 400 {
            0 => *byte = b'#',
            399 => *byte = b'\n',
            _ => {}
        }
    }
    // The last byte ends the comment, whatever the rhythm says, and a comment is never just that byte.
    if let [.., before_last, last] = comment.as_mut_slice() {
        *last = b'\n';
        if *before_last == b'\n' {
            *before_last = b' ';
        }
    }
    comment
}

/// The places of the valid records that have ended.
fn ended_places(path: &Path, text: &File, now: i64) -> Result<Vec<u64>> {
    let mut places = Vec::new();
    scan(path, text, &mut |_, (place, _), line| {
        if let Line::Row(row) = line
            && row.status == Status::Valid
            && row.expires() <= now
        {
            places.push(place);
        }
        Ok(())
    })?;
    Ok(places)
}

#[cfg(test)]
mod tests {
    use super::as_comment;

    #[test]
    fn a_comment_in_a_records_place_is_one_for_openssl_too() {
        for len in 40..1300 {
            let mut line = vec![b'x'; len - 1];
            line.push(b'\n');
            let comment = as_comment(&line);
            assert_eq!(comment.len(), len);
            for part in comment.split_inclusive(|byte| *byte == b'\n') {
                // OpenSSL reads 511 bytes at a time and looks for the sign at the start of each piece.
                assert!(part.starts_with(b"#") && part.len() < 511, "{len}");
                assert!(part.ends_with(b"\n"), "{len}");
            }
        }
    }
}
