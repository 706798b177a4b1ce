//! The side index: finds the records of a large `index.txt` by serial number and by subject without reading it.
//!
//! A file of pages beside the index: a header, a hash table of serial numbers, a hash table of the subjects of valid
//! certificates. A key belongs to one page, so a look-up reads one page and then the record itself, which has the last
//! word. The file is a cache: it names the state of `index.txt` that it describes, and is made anew from the text
//! whenever that isn't the state found, or the machine has been started since (so nothing in it needs fsync).

use std::collections::hash_map::DefaultHasher;
use std::hash::Hasher;
use std::path::Path;

use crate::error::Result;

use super::disk::{self, File, Stamp};
use super::serial::Serial;

/// Bytes of a page.
const PAGE: usize = 4096;
/// Entries of a page: a tag of 24 bits and a place of 40 bits each.
const SLOTS: u64 = 512;
/// The place's share of an entry.
const PLACE_BITS: u32 = 40;
/// What the file starts with; the number is the form's version.
const MAGIC: u64 = u64::from_le_bytes(*b"tlsCAi\x001");
/// Bytes of table worked on at a time while the tables are made.
const REGION: usize = 512 * PAGE;
/// Entries collected before they are put into the tables.
const PENDING: usize = 1 << 18;

/// Which table a key belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key<'a> {
    /// A serial number.
    Serial(&'a Serial),
    /// The subject of a valid certificate.
    Subject(&'a [u8]),
}

impl Key<'_> {
    /// The number of the table.
    const fn table(&self) -> u64 {
        match self {
            Self::Serial(_) => 0,
            Self::Subject(_) => 1,
        }
    }
}

/// What the header holds, apart from the magic number and the checksum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Header {
    /// Keeps strangers from choosing subjects that all fall on one page.
    secret: [u64; 2],
    /// A hash of nothing but the secret: another one, and the hash function has changed.
    probe: u64,
    /// A hash of the identity of this start of the machine.
    boot: u64,
    /// The state of `index.txt` that is described.
    text: Stamp,
    /// Pages of each table, a power of two.
    pages: u64,
    /// Records in the index.
    rows: u64,
    /// Bytes of the index that are comments, which includes records that have been replaced.
    waste: u64,
    /// Valid records whose subject an earlier valid record has too.
    twins: u64,
}

/// An open side index.
#[derive(Debug)]
pub(crate) struct Side {
    /// The file.
    file: File,
    /// Its header.
    header: Header,
}

/// An entry doesn't fit on its page: the tables must be made anew, larger.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl Side {
    /// Opens the side index if it describes this state of the text.
    pub(crate) fn open(path: &Path, text: Stamp) -> Result<Option<Self>> {
        if disk::stamp(path)?.is_none() {
            return Ok(None);
        }
        let file = File::open_to_change(path)?;
        let mut bytes = [0; PAGE];
        file.read_at(&mut bytes, 0)?;
        let Some(header) = Header::decode(&bytes) else {
            return Ok(None);
        };
        let wanted = Header {
            text,
            boot: boot(&header.secret)?,
            probe: hash(&header.secret, 2, b""),
            ..header
        };
        Ok((header == wanted).then_some(Self { file, header }))
    }

    /// The pages that `rows` records need, at which about half of the entries are in use.
    pub(crate) fn pages_for(rows: u64) -> u64 {
        (rows / (SLOTS * 3 / 5) + 1).next_power_of_two()
    }

    /// Records in the index.
    pub(crate) const fn rows(&self) -> u64 {
        self.header.rows
    }

    /// Bytes of the index that are comments.
    pub(crate) const fn waste(&self) -> u64 {
        self.header.waste
    }

    /// Valid records whose subject an earlier one has, as far as counted.
    pub(crate) const fn twins(&self) -> u64 {
        self.header.twins
    }

    /// Counts a record more.
    pub(crate) const fn count_row(&mut self) {
        self.header.rows += 1;
    }

    /// Counts bytes that became a comment.
    pub(crate) const fn count_waste(&mut self, bytes: u64) {
        self.header.waste += bytes;
    }

    /// Counts a valid record whose subject an earlier one has.
    pub(crate) const fn count_twin(&mut self) {
        self.header.twins += 1;
    }

    /// The places in `index.txt` where a record with this key may stand.
    pub(crate) fn places(&self, key: Key<'_>) -> Result<Vec<u64>> {
        let (page, tag) = self.locate(key);
        let entries = self.read_page(page)?;
        Ok(matching(&entries, tag).map(|(_, place)| place).collect())
    }

    /// Enters a place for a key: in the stead of the place `old`, or newly.
    pub(crate) fn enter(
        &self,
        key: Key<'_>,
        old: Option<u64>,
        place: u64,
    ) -> Result<std::result::Result<(), Full>> {
        let (page, tag) = self.locate(key);
        let entries = self.read_page(page)?;
        let slot = match old {
            Some(old) => matching(&entries, tag).find(|(_, place)| *place == old),
            None => None,
        };
        let slot = slot
            .map(|(slot, _)| slot)
            .or_else(|| entries.iter().position(|entry| *entry == 0));
        let Some(slot) = slot else {
            return Ok(Err(Full));
        };
        let offset = page * PAGE as u64 + slot as u64 * 8;
        self.file
            .write_at(&entry(tag, place).to_le_bytes(), offset)?;
        Ok(Ok(()))
    }

    /// Says that the text's state is now this one.
    pub(crate) fn settle(&mut self, text: Stamp) -> Result<()> {
        self.header.text = text;
        self.file.write_at(&self.header.encode(), 0)
    }

    /// The page of the file and the tag for a key.
    fn locate(&self, key: Key<'_>) -> (u64, u64) {
        let hash = key_hash(&self.header.secret, key);
        let page = 1 + key.table() * self.header.pages + page_of(hash, self.header.pages);
        (page, tag_of(hash))
    }

    /// The entries of a page; 0 is none.
    fn read_page(&self, page: u64) -> Result<Vec<u64>> {
        let mut bytes = vec![0; PAGE];
        self.file.read_at(&mut bytes, page * PAGE as u64)?;
        Ok(decode(&bytes))
    }
}

/// The page of a table on which a hash belongs.
const fn page_of(hash: u64, pages: u64) -> u64 {
    (hash >> 24) & (pages - 1)
}

/// The part of a hash that an entry keeps.
const fn tag_of(hash: u64) -> u64 {
    hash & 0xFF_FFFF
}

/// An entry; the place is kept one higher, so that no entry is 0.
const fn entry(tag: u64, place: u64) -> u64 {
    tag << PLACE_BITS | (place + 1)
}

/// The entries with this tag: their slots and their places.
fn matching(entries: &[u64], tag: u64) -> impl Iterator<Item = (usize, u64)> {
    let used = entries.iter().take_while(|entry| **entry != 0).enumerate();
    used.filter(move |(_, entry)| **entry >> PLACE_BITS == tag)
        .map(|(slot, entry)| (slot, (entry & ((1 << PLACE_BITS) - 1)) - 1))
}

/// Bytes as entries.
fn decode(bytes: &[u8]) -> Vec<u64> {
    let (words, _) = bytes.as_chunks::<8>();
    words.iter().map(|word| u64::from_le_bytes(*word)).collect()
}

/// The hash of a key.
fn key_hash(secret: &[u64; 2], key: Key<'_>) -> u64 {
    match key {
        Key::Serial(serial) => hash(
            secret,
            u8::from(serial.is_negative()) * 4,
            serial.magnitude(),
        ),
        Key::Subject(name) => hash(secret, 1, name),
    }
}

/// The hash of bytes of a kind.
fn hash(secret: &[u64; 2], kind: u8, bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write_u64(secret[0]);
    hasher.write_u64(secret[1]);
    hasher.write_u8(kind);
    hasher.write(bytes);
    hasher.finish()
}

/// A hash of the name that Linux gives to the time since its start; elsewhere, of nothing.
fn boot(secret: &[u64; 2]) -> Result<u64> {
    let name = disk::read(Path::new("/proc/sys/kernel/random/boot_id"))?;
    Ok(hash(secret, 3, &name.unwrap_or_default()))
}

impl Header {
    /// Its numbers in file order.
    fn numbers(&self) -> [u64; 15] {
        let Stamp {
            place,
            len,
            modified,
            changed,
        } = self.text;
        [
            self.secret[0],
            self.secret[1],
            self.probe,
            self.boot,
            place.0,
            place.1,
            len,
            modified.0.cast_unsigned(),
            modified.1.cast_unsigned(),
            changed.0.cast_unsigned(),
            changed.1.cast_unsigned(),
            self.pages,
            self.rows,
            self.waste,
            self.twins,
        ]
    }

    /// The header's bytes.
    fn encode(&self) -> Vec<u8> {
        let numbers = self.numbers();
        let mut bytes = MAGIC.to_le_bytes().to_vec();
        bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        let sum = hash(&self.secret, 5, &bytes);
        bytes.extend_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// Reads a header; `None` if it isn't whole.
    fn decode(bytes: &[u8]) -> Option<Self> {
        let words = decode(bytes);
        let number = |index: usize| words.get(index + 1).copied().unwrap_or_default();
        let header = Self {
            secret: [number(0), number(1)],
            probe: number(2),
            boot: number(3),
            text: Stamp {
                place: (number(4), number(5)),
                len: number(6),
                modified: (number(7).cast_signed(), number(8).cast_signed()),
                changed: (number(9).cast_signed(), number(10).cast_signed()),
            },
            pages: number(11),
            rows: number(12),
            waste: number(13),
            twins: number(14),
        };
        let expected = header.encode();
        (header.pages.is_power_of_two() && bytes.starts_with(&expected)).then_some(header)
    }
}

/// Makes the tables while the text is read, with little memory: entries are collected and put in by regions.
#[derive(Debug)]
pub(crate) struct Builder {
    /// The index being made.
    side: Side,
    /// Entries not yet in the tables: table, hash, place.
    pending: Vec<(u64, u64, u64)>,
    /// How many there may be.
    room: usize,
}

/// Who decides about entries with the same tag while the tables are made.
pub(crate) trait Judge {
    /// Whether the records at these two places have the same serial number.
    fn same_serial(&mut self, one: u64, other: u64) -> Result<bool>;
    /// Whether they have the same subject.
    fn same_subject(&mut self, one: u64, other: u64) -> Result<bool>;
    /// Two records with the same serial number: an error, which this makes.
    fn double(&mut self, one: u64, other: u64) -> Result<()>;
}

impl Builder {
    /// Begins a side index whose tables have `pages` pages.
    pub(crate) fn new(path: &Path, pages: u64, secret: [u64; 2]) -> Result<Self> {
        let file = File::open_or_make(path)?;
        file.set_len(0)?;
        file.set_len((1 + 2 * pages) * PAGE as u64)?;
        let header = Header {
            secret,
            probe: hash(&secret, 2, b""),
            boot: boot(&secret)?,
            pages,
            ..Header::default()
        };
        Ok(Self {
            side: Side { file, header },
            pending: Vec::new(),
            room: PENDING,
        })
    }

    /// Adds a record; `judge` is asked about records with the same key.
    pub(crate) fn add(
        &mut self,
        serial: &Serial,
        valid_subject: Option<&[u8]>,
        place: u64,
        judge: &mut impl Judge,
    ) -> Result<std::result::Result<(), Full>> {
        let secret = self.side.header.secret;
        self.pending
            .push((0, key_hash(&secret, Key::Serial(serial)), place));
        if let Some(name) = valid_subject {
            self.pending
                .push((1, key_hash(&secret, Key::Subject(name)), place));
        }
        self.side.count_row();
        match self.pending.len() >= self.room {
            true => self.flush(judge),
            false => Ok(Ok(())),
        }
    }

    /// Counts bytes that are comments.
    pub(crate) const fn count_waste(&mut self, bytes: u64) {
        self.side.count_waste(bytes);
    }

    /// Puts in what is left and gives the index, which describes the text's state `text`.
    pub(crate) fn finish(
        mut self,
        text: Stamp,
        judge: &mut impl Judge,
    ) -> Result<std::result::Result<Side, Full>> {
        if self.flush(judge)?.is_err() {
            return Ok(Err(Full));
        }
        self.side.settle(text)?;
        Ok(Ok(self.side))
    }

    /// Puts the collected entries into the tables, region by region.
    fn flush(&mut self, judge: &mut impl Judge) -> Result<std::result::Result<(), Full>> {
        let pages = self.side.header.pages;
        let mut pending = std::mem::take(&mut self.pending);
        // The order within a page stays that of the text: of two records the first is entered.
        pending.sort_unstable_by_key(|(table, hash, place)| {
            (table * pages + page_of(*hash, pages), *place)
        });
        let per_region = (REGION / PAGE) as u64;
        let region_of = |table: u64, hash: u64| (table * pages + page_of(hash, pages)) / per_region;
        for group in pending.chunk_by(|a, b| region_of(a.0, a.1) == region_of(b.0, b.1)) {
            let Some((table, hash, _)) = group.first() else {
                continue;
            };
            let first_page = region_of(*table, *hash) * per_region;
            let size = per_region.min(2 * pages - first_page) * PAGE as u64;
            let mut bytes = vec![0; usize::try_from(size).unwrap_or(REGION)];
            let offset = (1 + first_page) * PAGE as u64;
            self.side.file.read_at(&mut bytes, offset)?;
            let mut entries = decode(&bytes);
            for (table, hash, place) in group {
                let page = table * pages + page_of(*hash, pages) - first_page;
                let from = usize::try_from(page * SLOTS).unwrap_or(usize::MAX);
                let slots = &mut entries[from..][..PAGE / 8];
                let twins = &mut self.side.header.twins;
                if place_in(slots, *table, tag_of(*hash), *place, twins, judge)?.is_err() {
                    return Ok(Err(Full));
                }
            }
            let bytes: Vec<u8> = entries
                .iter()
                .flat_map(|entry| entry.to_le_bytes())
                .collect();
            self.side.file.write_at(&bytes, offset)?;
        }
        pending.clear();
        self.pending = pending;
        Ok(Ok(()))
    }
}

/// Puts one entry on its page.
fn place_in(
    slots: &mut [u64],
    table: u64,
    tag: u64,
    place: u64,
    twins: &mut u64,
    judge: &mut impl Judge,
) -> Result<std::result::Result<(), Full>> {
    let rivals: Vec<u64> = matching(slots, tag).map(|(_, place)| place).collect();
    for rival in rivals {
        match table {
            0 if judge.same_serial(rival, place)? => judge.double(rival, place)?,
            1 if judge.same_subject(rival, place)? => {
                *twins += 1;
                return Ok(Ok(()));
            }
            _ => {}
        }
    }
    match slots.iter().position(|entry| *entry == 0) {
        Some(slot) => slots[slot] = entry(tag, place),
        None => return Ok(Err(Full)),
    }
    Ok(Ok(()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_comes_back_only_if_it_is_whole() {
        let header = Header {
            secret: [7, 8],
            pages: 4,
            rows: 3,
            ..Header::default()
        };
        let mut bytes = header.encode();
        bytes.resize(PAGE, 0);
        assert_eq!(Header::decode(&bytes), Some(header));
        bytes[40] ^= 1;
        assert_eq!(Header::decode(&bytes), None);
        assert_eq!(Header::decode(&[0; PAGE]), None);
    }

    #[test]
    fn an_entry_keeps_its_tag_and_its_place() {
        let entries = [
            entry(5, 0),
            entry(6, 1234),
            entry(5, (1 << PLACE_BITS) - 2),
            0,
        ];
        let found: Vec<_> = matching(&entries, 5).collect();
        assert_eq!(found, [(0, 0), (2, (1 << PLACE_BITS) - 2)]);
    }

    #[test]
    fn tables_are_sized_for_their_records() {
        assert_eq!(Side::pages_for(0), 1);
        assert_eq!(Side::pages_for(1_000_000), 4096);
        assert_eq!(Side::pages_for(10_000_000), 32_768);
    }
}
