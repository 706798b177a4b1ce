//! `index.txt`: the records of a CA, in the form that `openssl ca` reads and writes.
//!
//! A small index is read whole and written whole, byte for byte as OpenSSL would. A large one is never rewritten for
//! one record: new records are appended, a replaced one becomes a comment in its place (OpenSSL skips comments), and
//! the [`Side`] index finds records. Whoever uses this holds the folder's lock.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use crate::error::{Error, Reason, Result};

use super::disk::{self, File, Staged, Stamp};
use super::row::{self, Line, Row, RowRef, Status};
use super::serial::Serial;
use super::side::{self, Builder, Judge, Key, Side};

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

impl Patches {
    /// No patches yet, for a text in this state.
    fn for_text(stamp: Stamp) -> Self {
        Self {
            place: stamp.place,
            len: stamp.len,
            ..Self::default()
        }
    }

    /// Adds what one change needs.
    fn plan(&mut self, text: &File, side: &Side, edit: &Edit) -> Result<()> {
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
    fn write(&mut self, path: &Path, text: &File) -> Result<()> {
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
    fn take_back(&self, text: &File) -> Result<()> {
        for (place, before, _) in &self.over {
            text.write_at(before, *place)?;
        }
        text.set_len(self.len)
    }

    /// Tells the side index.
    fn enter(&self, text: &File, side: &mut Side) -> Result<std::result::Result<(), side::Full>> {
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

/// The record at a place; `None` if no record begins there any more.
fn row_at(text: &File, place: u64) -> Result<Option<Row>> {
    let mut line = vec![0; 512];
    let mut filled = text.read_at(&mut line, place)?;
    while !line[..filled].contains(&b'\n') && filled == line.len() {
        line.resize(2 * filled, 0);
        let (_, rest) = line.split_at_mut(filled);
        filled += text.read_at(rest, place + filled as u64)?;
    }
    let line = line[..filled].split(|byte| *byte == b'\n').next();
    match row::parse(line.unwrap_or_default()) {
        Ok(Line::Row(row)) => Ok(Some(row.to_row())),
        _ => Ok(None),
    }
}

/// What [`scan`] calls: the line's number, its place and length, the line.
type Visit<'a> = dyn FnMut(u64, (u64, u64), Line<'_>) -> Result<()> + 'a;

/// Reads the whole text, line by line, in little memory; a line that is none of ours is an error.
fn scan(path: &Path, text: &File, visit: &mut Visit<'_>) -> Result<()> {
    scan_lines(text, &mut |number, place, line| {
        let line = line.and_then(row::parse);
        let line = line.map_err(|why| damaged(path, number, &why))?;
        visit(number, place, line)
    })
}

/// What [`scan_lines`] calls: the line's number, its place and length, its bytes or what keeps it from being a line.
type VisitLine<'a> =
    dyn FnMut(u64, (u64, u64), std::result::Result<&[u8], String>) -> Result<()> + 'a;

/// Reads the whole text, line by line, in little memory.
pub(crate) fn scan_lines(text: &File, visit: &mut VisitLine<'_>) -> Result<()> {
    let mut buffer = vec![0; 1 << 18];
    let mut filled = 0;
    let mut offset = 0;
    let mut number = 0;
    loop {
        let count = text.read_at(&mut buffer[filled..], offset + filled as u64)?;
        filled += count;
        let mut begin = 0;
        while let Some(len) = memchr::memchr(b'\n', &buffer[begin..filled]) {
            number += 1;
            let place = (offset + begin as u64, len as u64 + 1);
            visit(number, place, Ok(&buffer[begin..begin + len]))?;
            begin += len + 1;
        }
        if count == 0 {
            return match filled - begin {
                0 => Ok(()),
                rest => {
                    let place = (offset + begin as u64, rest as u64);
                    visit(number + 1, place, Err("the line isn't finished".to_owned()))
                }
            };
        }
        buffer.copy_within(begin..filled, 0);
        offset += begin as u64;
        filled -= begin;
        if filled == buffer.len() {
            buffer.resize(2 * filled, 0);
        }
    }
}

/// Decides about records with the same tag by reading them.
struct TextJudge<'a> {
    /// Where the text is.
    path: &'a Path,
    /// The text.
    text: &'a File,
}

impl TextJudge<'_> {
    /// The number of the line at a place.
    fn line_number(&self, wanted: u64) -> Result<u64> {
        let mut found = 0;
        scan(self.path, self.text, &mut |number, (place, _), _| {
            if place == wanted {
                found = number;
            }
            Ok(())
        })?;
        Ok(found)
    }
}

impl Judge for TextJudge<'_> {
    fn same_serial(&mut self, one: u64, other: u64) -> Result<bool> {
        let serial = |place| row_at(self.text, place).map(|row| row.map(|row| row.serial));
        Ok(serial(one)? == serial(other)?)
    }

    fn same_subject(&mut self, one: u64, other: u64) -> Result<bool> {
        let name = |place| row_at(self.text, place).map(|row| row.map(|row| row.name));
        Ok(name(one)? == name(other)?)
    }

    fn double(&mut self, one: u64, other: u64) -> Result<()> {
        let row = row_at(self.text, one)?;
        let serial = row.map(|row| row.serial).unwrap_or_default();
        Err(doubled_serial(
            self.path,
            self.line_number(one)?,
            self.line_number(other)?,
            &serial,
        ))
    }
}

/// The error for a line that isn't a record.
fn damaged(path: &Path, line: u64, why: &str) -> Error {
    let path = path.display().to_string();
    Error::failed_with(
        Reason::CaDatabase,
        [&path, &line.to_string()],
        format!("\"{path}\", line {line}: {why}"),
    )
}

/// The error for a serial number that two records have.
fn doubled_serial(path: &Path, first: u64, second: u64, serial: &Serial) -> Error {
    let why = format!("the serial number {serial} is already in line {first}");
    damaged(path, second, &why)
}

#[cfg(test)]
mod tests;
