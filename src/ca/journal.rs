//! The journal: what a change consists of, written down before it is begun.
//!
//! One change at a time. A journal that is whole says that the change has been decided, and whoever finds it carries
//! it out; one that isn't says that nothing has been touched yet. Every entry can be carried out twice.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use openssl::sha::sha256;

use crate::error::Result;

use super::disk::{self, File};
use super::index::{Edit, Patches};
use super::row::{self, Line, Row};
use super::serial::Serial;

/// What the file starts with.
const MAGIC: &[u8] = b"tls-ca-journal 1\n";

/// Up to this length a finished journal stays as it is.
const KEPT: u64 = 64 * 1024;

/// One part of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// A change of the records.
    Record(Edit),
    /// The serial number that the next certificate gets.
    Serial(Serial),
    /// The number that the next revocation list gets.
    CrlNumber(Serial),
    /// A revocation list was made at this second since 1970.
    Listed(i64),
    /// A certificate itself.
    Certificate {
        /// Its serial number.
        serial: Serial,
        /// Where its file is, if it gets one.
        path: Option<PathBuf>,
        /// What the file holds: PEM, perhaps behind the text form. A database that holds certificates takes it, too.
        bytes: Vec<u8>,
    },
}

/// Writes a change down and waits until it is on the disk.
pub(crate) fn write(path: &Path, changes: &[Change], patches: &Patches) -> Result<()> {
    let file = File::open_or_make(path)?;
    let fresh = file.stamp()?.len == 0;
    file.write_at(&encode(changes, patches), 0)?;
    file.sync()?;
    match fresh {
        true => disk::sync_folder(&disk::folder_of(path)),
        false => Ok(()),
    }
}

/// Says that nothing is left to do.
///
/// No fsync: carrying a finished change out again does nothing.
pub(crate) fn clear(path: &Path) -> Result<()> {
    let file = File::open_to_change(path)?;
    // A file that keeps its length makes the next change's fsync cheaper.
    match file.stamp()?.len > KEPT {
        true => file.set_len(0),
        false => file.write_at(&vec![b'-'; MAGIC.len()], 0),
    }
}

/// The change that was decided and perhaps not carried out.
pub(crate) fn read(path: &Path) -> Result<Option<(Vec<Change>, Patches)>> {
    let bytes = disk::read(path)?.unwrap_or_default();
    Ok(decode(&bytes))
}

/// Whether a change was begun to be written down and never decided.
pub(crate) fn is_torn(path: &Path) -> Result<bool> {
    let bytes = disk::read(path)?.unwrap_or_default();
    Ok(bytes.starts_with(MAGIC) && decode(&bytes).is_none())
}

/// The journal's bytes: the magic line, the length, a digest, the entries.
fn encode(changes: &[Change], patches: &Patches) -> Vec<u8> {
    let mut writer = Writer(Vec::new());
    writer.patches(patches);
    changes.iter().for_each(|change| writer.change(change));
    let Writer(entries) = writer;
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&(entries.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&sha256(&entries));
    bytes.extend_from_slice(&entries);
    bytes
}

/// Reads a journal; `None` if there is none, or not the whole of it.
fn decode(bytes: &[u8]) -> Option<(Vec<Change>, Patches)> {
    let rest = bytes.strip_prefix(MAGIC)?;
    let mut reader = Reader(rest);
    let len = usize::try_from(reader.number()?).ok()?;
    let digest = reader.take(32)?;
    let entries = reader.take(len)?;
    if sha256(entries) != digest {
        return None;
    }
    let mut reader = Reader(entries);
    let patches = reader.patches()?;
    let mut changes = Vec::new();
    while !reader.0.is_empty() {
        changes.push(reader.change()?);
    }
    Some((changes, patches))
}

/// Writes entries.
struct Writer(Vec<u8>);

impl Writer {
    /// A number.
    fn number(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    /// Bytes with their length.
    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    /// What is needed to take the changes of a large index back.
    fn patches(&mut self, patches: &Patches) {
        self.number(patches.place.0);
        self.number(patches.place.1);
        self.number(patches.len);
        self.bytes(&patches.append);
        self.number(patches.over.len() as u64);
        for (place, before, after) in &patches.over {
            self.number(*place);
            self.bytes(before);
            self.bytes(after);
        }
    }

    /// A change.
    fn change(&mut self, change: &Change) {
        match change {
            Change::Record(Edit::Add(row)) => {
                self.0.push(b'a');
                self.bytes(&row.to_line());
            }
            Change::Record(Edit::Update { before, after }) => {
                self.0.push(b'u');
                self.bytes(&before.to_line());
                self.bytes(&after.to_line());
            }
            Change::Record(Edit::Expire(now)) => {
                self.0.push(b'e');
                self.number(now.cast_unsigned());
            }
            Change::Serial(serial) => {
                self.0.push(b's');
                self.bytes(serial.to_string().as_bytes());
            }
            Change::CrlNumber(number) => {
                self.0.push(b'c');
                self.bytes(number.to_string().as_bytes());
            }
            Change::Listed(at) => {
                self.0.push(b'l');
                self.number(at.cast_unsigned());
            }
            // Without a file there is nothing left to do.
            Change::Certificate { path: None, .. } => {}
            Change::Certificate {
                serial,
                path: Some(path),
                bytes,
            } => {
                self.0.push(b'f');
                self.bytes(serial.to_string().as_bytes());
                self.bytes(path.as_os_str().as_bytes());
                self.bytes(bytes);
            }
        }
    }
}

/// Reads entries.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// The next `len` bytes.
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    /// A number.
    fn number(&mut self) -> Option<u64> {
        let (bytes, rest) = self.0.split_first_chunk::<8>()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*bytes))
    }

    /// Bytes with their length.
    fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = usize::try_from(self.number()?).ok()?;
        self.take(len)
    }

    /// A record.
    fn row(&mut self) -> Option<Row> {
        match row::parse(self.bytes()?.strip_suffix(b"\n")?) {
            Ok(Line::Row(row)) => Some(row.to_row()),
            _ => None,
        }
    }

    /// A serial number.
    fn serial(&mut self) -> Option<Serial> {
        Serial::parse(self.bytes()?)
    }

    /// What is needed to take the changes of a large index back.
    fn patches(&mut self) -> Option<Patches> {
        let mut patches = Patches {
            place: (self.number()?, self.number()?),
            len: self.number()?,
            append: self.bytes()?.to_vec(),
            ..Patches::default()
        };
        for _ in 0..self.number()? {
            let place = self.number()?;
            let before = self.bytes()?.to_vec();
            patches.over.push((place, before, self.bytes()?.to_vec()));
        }
        Some(patches)
    }

    /// A change.
    fn change(&mut self) -> Option<Change> {
        match self.take(1)? {
            b"a" => Some(Change::Record(Edit::Add(self.row()?))),
            b"u" => Some(Change::Record(Edit::Update {
                before: self.row()?,
                after: self.row()?,
            })),
            b"e" => Some(Change::Record(Edit::Expire(self.number()?.cast_signed()))),
            b"s" => Some(Change::Serial(self.serial()?)),
            b"c" => Some(Change::CrlNumber(self.serial()?)),
            b"l" => Some(Change::Listed(self.number()?.cast_signed())),
            b"f" => Some(Change::Certificate {
                serial: self.serial()?,
                path: Some(PathBuf::from(OsStr::from_bytes(self.bytes()?))),
                bytes: self.bytes()?.to_vec(),
            }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ca::row::Status;

    fn example() -> (Vec<Change>, Patches) {
        let row = Row {
            status: Status::Valid,
            expiry: "301231235959Z".to_owned(),
            revocation: String::new(),
            serial: Serial::parse(b"0A").unwrap(),
            file: b"unknown".to_vec(),
            name: b"/CN=a\tb".to_vec(),
        };
        let changes = vec![
            Change::Record(Edit::Add(row.clone())),
            Change::Record(Edit::Update {
                before: row.clone(),
                after: Row {
                    status: Status::Expired,
                    ..row
                },
            }),
            Change::Record(Edit::Expire(-5)),
            Change::Serial(Serial::parse(b"0B").unwrap()),
            Change::CrlNumber(Serial::parse(b"00").unwrap()),
            Change::Listed(7),
            Change::Certificate {
                serial: Serial::parse(b"0A").unwrap(),
                path: Some(PathBuf::from("newcerts/0A.pem")),
                bytes: vec![0, 1, 2],
            },
        ];
        let patches = Patches {
            place: (1, 2),
            len: 3,
            append: b"abc".to_vec(),
            over: vec![(7, b"V".to_vec(), b"#".to_vec())],
            ..Patches::default()
        };
        (changes, patches)
    }

    #[test]
    fn a_journal_comes_back() {
        let (changes, patches) = example();
        let bytes = encode(&changes, &patches);
        assert_eq!(decode(&bytes), Some((changes, patches)));
    }

    #[test]
    fn a_torn_journal_is_none() {
        let (changes, patches) = example();
        let bytes = encode(&changes, &patches);
        for len in 0..bytes.len() {
            assert_eq!(decode(&bytes[..len]), None, "cut at {len}");
            let mut zeroed = bytes.clone();
            zeroed[len] ^= 0x55;
            assert_eq!(decode(&zeroed), None, "changed at {len}");
        }
    }

    #[test]
    fn what_an_earlier_longer_journal_left_behind_does_not_matter() {
        let (changes, patches) = example();
        let mut bytes = encode(&changes, &patches);
        bytes.extend_from_slice(b"leftovers");
        assert_eq!(decode(&bytes), Some((changes, patches)));
    }
}
