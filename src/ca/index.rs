//! `index.txt`: the records of a CA, in the form that `openssl ca` reads and writes.
//!
//! A small index is read whole and written whole, byte for byte as OpenSSL would. A large one is never rewritten for
//! one record: new records are appended, a replaced one becomes a comment in its place (OpenSSL skips comments), and
//! the [`Side`] index finds records. What is written into a large one is in `index/patches.rs`, how the text is read in
//! `index/text.rs`. Whoever uses this holds the folder's lock.

mod patches;
mod text;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

pub(crate) use self::patches::Patches;
pub(crate) use self::text::scan_lines;
use self::text::{TextJudge, damaged, doubled_serial, row_at, scan};
use crate::error::Result;

use super::disk::{self, File, Staged, Stamp};
use super::row::{Line, Row, RowRef, Status};
use super::serial::Serial;
use super::side::{Builder, Key, Side};

/// Up to this many bytes an index is small: some 450 records, beyond which appending takes less time than writing anew.
/// Unit tests want to see both kinds quickly.
const SMALL: u64 = if cfg!(test) { 4 * 1024 } else { 32 * 1024 };

/// A change of the records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Edit {
    /// A new record.
    Add(Row),
    /// A record with the same serial number takes the place of the present one.
    Update {
        /// The present one.
        before: Row,
        /// The new one.
        after: Row,
    },
    /// Every valid record that has ended by this second since 1970 is marked as expired.
    Expire(i64),
}

/// The index, open.
#[derive(Debug)]
pub(crate) struct Index {
    /// Where it is.
    path: PathBuf,
    /// How it is worked with.
    body: Body,
    /// Lines without anything that were found, which a change drops.
    empty_lines: u64,
}

/// The two ways to work with an index.
#[derive(Debug)]
enum Body {
    /// In memory.
    Small(Table),
    /// On the disk.
    Large {
        /// `index.txt`.
        text: File,
        /// What finds its records.
        side: Side,
    },
}

/// The records of a small index.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    /// All, in their order.
    rows: Vec<Row>,
    /// Where the record of a serial number is.
    by_serial: HashMap<Serial, usize>,
}

/// A change that is ready to be carried out.
#[derive(Debug)]
pub(crate) enum Prepared {
    /// The new text, written beside the old.
    Small(Box<(Staged, Table)>),
    /// What to write into the old text.
    Large(Patches),
}

/// A change that was carried out and that [`Index::settle`] hasn't seen.
#[derive(Debug)]
pub(crate) struct Finished(Option<Patches>);

impl Index {
    /// Opens the index, and makes the side index of a large one where that is missing or out of date.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let text = File::open(path)?;
        let stamp = text.stamp()?;
        let mut index = Self {
            path: path.to_owned(),
            body: Body::Small(Table::default()),
            empty_lines: 0,
        };
        if stamp.len <= SMALL {
            index.read_small(&text)?;
            return Ok(index);
        }
        let text = File::open_to_change(path)?;
        let side = match Side::open(&side_path(path), stamp)? {
            Some(side) => side,
            None => index.index_large(&text, stamp)?,
        };
        let wasteful = side.waste() > stamp.len / 4;
        index.body = Body::Large { text, side };
        if wasteful || index.empty_lines > 0 {
            index.compact()?;
            return Self::open(path);
        }
        Ok(index)
    }

    /// How many records there are.
    pub(crate) fn len(&self) -> u64 {
        match &self.body {
            Body::Small(table) => table.rows.len() as u64,
            Body::Large { side, .. } => side.rows(),
        }
    }

    /// Lines without anything that the next change drops.
    pub(crate) const fn empty_lines(&self) -> u64 {
        self.empty_lines
    }

    /// The record of a serial number.
    pub(crate) fn record(&self, serial: &Serial) -> Result<Option<Row>> {
        match &self.body {
            Body::Small(table) => Ok(table.row(serial).cloned()),
            Body::Large { text, side } => {
                let found = large_record(text, side, serial)?;
                Ok(found.map(|(_, row)| row))
            }
        }
    }

    /// A valid record with this subject.
    pub(crate) fn valid_subject(&self, name: &[u8]) -> Result<Option<Row>> {
        let fits = |row: &Row| row.status == Status::Valid && row.name == name;
        match &self.body {
            Body::Small(table) => Ok(table.rows.iter().find(|row| fits(row)).cloned()),
            Body::Large { text, side } => {
                for place in side.places(Key::Subject(name))? {
                    let found = row_at(text, place)?.filter(fits);
                    if found.is_some() {
                        return Ok(found);
                    }
                }
                Ok(None)
            }
        }
    }

    /// Whether two valid records have the same subject.
    pub(crate) fn has_twins(&mut self) -> Result<bool> {
        match &self.body {
            Body::Small(table) => {
                let mut seen = HashSet::new();
                let mut valid = table.rows.iter().filter(|row| row.status == Status::Valid);
                Ok(!valid.all(|row| seen.insert(row.name.as_slice())))
            }
            Body::Large { side, .. } if side.twins() == 0 => Ok(false),
            // The count is of the past: twins may have been revoked since.
            Body::Large { .. } => {
                self.index_again()?;
                Ok(matches!(&self.body, Body::Large { side, .. } if side.twins() > 0))
            }
        }
    }

    /// Calls `visit` with every record, in the order of the text.
    pub(crate) fn each(&self, visit: &mut dyn FnMut(&RowRef<'_>) -> Result<()>) -> Result<()> {
        match &self.body {
            Body::Small(table) => table.rows.iter().try_for_each(|row| visit(&row.view())),
            Body::Large { text, .. } => scan(&self.path, text, &mut |_, _, line| match line {
                Line::Row(row) => visit(&row),
                Line::Comment | Line::Empty => Ok(()),
            }),
        }
    }

    /// Gets changes ready: whatever could fail for want of space in a small index has happened then.
    pub(crate) fn prepare(&self, edits: &[Edit]) -> Result<Prepared> {
        match &self.body {
            Body::Small(table) => {
                let mut table = table.clone();
                edits.iter().for_each(|edit| table.apply(edit));
                let staged = disk::stage_with(&self.path, |sink| {
                    table
                        .rows
                        .iter()
                        .try_for_each(|row| sink.put(&row.to_line()))
                })?;
                Ok(Prepared::Small(Box::new((staged, table))))
            }
            Body::Large { text, side } => {
                let mut patches = Patches::for_text(text.stamp()?);
                for edit in edits {
                    patches.plan(text, side, edit)?;
                }
                Ok(Prepared::Large(patches))
            }
        }
    }

    /// Carries changes out; if that fails, the index is as before.
    pub(crate) fn finish(&mut self, prepared: Prepared) -> Result<Finished> {
        match (prepared, &mut self.body) {
            (Prepared::Small(ready), Body::Small(table)) => {
                let (staged, new_table) = *ready;
                staged.finish(true)?;
                *table = new_table;
                Ok(Finished(None))
            }
            (Prepared::Large(mut patches), Body::Large { text, .. }) => {
                let written = patches.write(&self.path, text).and_then(|()| text.sync());
                if let Err(error) = written {
                    patches.take_back(text)?;
                    return Err(error);
                }
                Ok(Finished(Some(patches)))
            }
            // Between the two calls nobody else can have changed the way it is open.
            _ => Err(damaged(&self.path, 0, "it changed while it was open")),
        }
    }

    /// Makes what was carried out known to the side index, and waits until it is on the disk.
    pub(crate) fn settle(&mut self, finished: Finished) -> Result<()> {
        if let (Finished(Some(patches)), Body::Large { text, side }) = (finished, &mut self.body) {
            if patches.enter(text, side)?.is_err() {
                return self.index_again();
            }
            return side.settle(text.stamp()?);
        }
        disk::sync_folder(&disk::folder_of(&self.path))
    }

    /// Reads a small index.
    fn read_small(&mut self, text: &File) -> Result<()> {
        let mut table = Table::default();
        let path = self.path.clone();
        let mut lines: HashMap<Serial, u64> = HashMap::new();
        let mut empty_lines = 0;
        scan(&path, text, &mut |number, _, line| {
            match line {
                Line::Row(row) => {
                    if let Some(first) = lines.insert(row.serial.clone(), number) {
                        return Err(doubled_serial(&path, first, number, &row.serial));
                    }
                    table.apply(&Edit::Add(row.to_row()));
                }
                Line::Empty => empty_lines += 1,
                Line::Comment => {}
            }
            Ok(())
        })?;
        self.empty_lines = empty_lines;
        self.body = Body::Small(table);
        Ok(())
    }

    /// Reads a large index once and makes its side index.
    fn index_large(&mut self, text: &File, stamp: Stamp) -> Result<Side> {
        let mut secret = [0; 16];
        openssl::rand::rand_bytes(&mut secret)
            .map_err(|stack| crate::ossl::error::failed("can't get random bytes", &stack))?;
        let (words, _) = secret.as_chunks::<8>();
        let secret = [0, 1].map(|index| u64::from_le_bytes(words[index]));
        // A record is rarely shorter than this; if there are more of them, the tables grow.
        let mut pages = Side::pages_for(stamp.len / 64);
        let path = side_path(&self.path);
        let known = disk::stamp(&path)?.is_some();
        loop {
            match self.try_index(text, stamp, pages, secret) {
                Ok(Some(side)) => return Ok(side),
                Ok(None) => pages *= 2,
                Err(error) => {
                    // An index that can't be read leaves nothing beside it.
                    if !known {
                        disk::remove(&path);
                    }
                    return Err(error);
                }
            }
        }
    }

    /// Makes the side index with tables of this size; `None` if they are too small.
    fn try_index(
        &mut self,
        text: &File,
        stamp: Stamp,
        pages: u64,
        secret: [u64; 2],
    ) -> Result<Option<Side>> {
        let mut builder = Builder::new(&side_path(&self.path), pages, secret)?;
        let mut judge = TextJudge {
            path: &self.path,
            text,
        };
        let mut empty_lines = 0;
        let mut full = false;
        scan(&self.path, text, &mut |_, (place, len), line| {
            match line {
                Line::Row(row) => {
                    let valid = row.status == Status::Valid;
                    let subject = valid.then_some(row.name.as_ref());
                    full = full
                        || builder
                            .add(&row.serial, subject, place, &mut judge)?
                            .is_err();
                }
                Line::Comment => builder.count_waste(len),
                Line::Empty => empty_lines += 1,
            }
            Ok(())
        })?;
        self.empty_lines = empty_lines;
        match full {
            true => Ok(None),
            false => Ok(builder.finish(stamp, &mut judge)?.ok()),
        }
    }

    /// Makes the side index of a large index anew.
    fn index_again(&mut self) -> Result<()> {
        if matches!(self.body, Body::Large { .. }) {
            let text = File::open_to_change(&self.path)?;
            let stamp = text.stamp()?;
            let side = self.index_large(&text, stamp)?;
            self.body = Body::Large { text, side };
        }
        Ok(())
    }

    /// Writes a large index anew, without its comments and empty lines.
    fn compact(&self) -> Result<()> {
        let staged = disk::stage_with(&self.path, |sink| {
            self.each(&mut |row| sink.put(&row.to_row().to_line()))
        })?;
        staged.finish(true)?;
        disk::sync_folder(&disk::folder_of(&self.path))
    }
}

impl Table {
    /// The record of a serial number.
    fn row(&self, serial: &Serial) -> Option<&Row> {
        self.by_serial.get(serial).and_then(|at| self.rows.get(*at))
    }

    /// Carries out one change.
    fn apply(&mut self, edit: &Edit) {
        match edit {
            Edit::Add(row) => {
                self.by_serial.insert(row.serial.clone(), self.rows.len());
                self.rows.push(row.clone());
            }
            Edit::Update { after, .. } => {
                let at = self.by_serial.get(&after.serial);
                if let Some(row) = at.and_then(|at| self.rows.get_mut(*at)) {
                    *row = after.clone();
                }
            }
            Edit::Expire(now) => {
                let ended =
                    |row: &&mut Row| row.status == Status::Valid && row.view().expires() <= *now;
                for row in self.rows.iter_mut().filter(ended) {
                    row.status = Status::Expired;
                }
            }
        }
    }
}

/// Where the side index of an index is.
fn side_path(path: &Path) -> PathBuf {
    disk::beside(path, ".side")
}

/// The record of a serial number in a large index, and its place.
fn large_record(text: &File, side: &Side, serial: &Serial) -> Result<Option<(u64, Row)>> {
    for place in side.places(Key::Serial(serial))? {
        if let Some(row) = row_at(text, place)?.filter(|row| row.serial == *serial) {
            return Ok(Some((place, row)));
        }
    }
    Ok(None)
}
