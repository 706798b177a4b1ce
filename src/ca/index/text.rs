//! The text of an index: its lines one after the other, the record at a place, and what is wrong with a line.

use std::path::Path;

use crate::ca::disk::File;
use crate::ca::row::{self, Line, Row};
use crate::ca::serial::Serial;
use crate::ca::side::Judge;
use crate::error::{Error, Reason, Result};

/// The record at a place; `None` if no record begins there any more.
pub(super) fn row_at(text: &File, place: u64) -> Result<Option<Row>> {
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
pub(super) fn scan(path: &Path, text: &File, visit: &mut Visit<'_>) -> Result<()> {
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
pub(super) struct TextJudge<'a> {
    /// Where the text is.
    pub(super) path: &'a Path,
    /// The text.
    pub(super) text: &'a File,
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
pub(super) fn damaged(path: &Path, line: u64, why: &str) -> Error {
    let path = path.display().to_string();
    Error::failed_with(
        Reason::CaDatabase,
        [&path, &line.to_string()],
        format!("\"{path}\", line {line}: {why}"),
    )
}

/// The error for a serial number that two records have.
pub(super) fn doubled_serial(path: &Path, first: u64, second: u64, serial: &Serial) -> Error {
    let why = format!("the serial number {serial} is already in line {first}");
    damaged(path, second, &why)
}
