//! The reader and the writer against each other, and against encodings made by hand.

use std::io::{Read, Write};

use super::*;

/// A signed message's structure; the parts needn't mean anything.
fn signed() -> Skeleton {
    Skeleton {
        kind: Kind::Signed,
        before: [version(1), element(0x31, &[])].concat(),
        inner: Kind::Data.oid().to_vec(),
        has_content: true,
        after: [element(0xa0, &[1; 300]), element(0x31, &[2; 5])].concat(),
    }
}

/// An enveloped message's structure.
fn enveloped() -> Skeleton {
    Skeleton {
        kind: Kind::Enveloped,
        before: [version(0), element(0x31, &[7; 20])].concat(),
        inner: [Kind::Data.oid(), &element(0x30, &[5, 0])].concat(),
        has_content: true,
        after: Vec::new(),
    }
}

/// Plain content.
fn data() -> Skeleton {
    Skeleton {
        kind: Kind::Data,
        before: Vec::new(),
        inner: Vec::new(),
        has_content: true,
        after: Vec::new(),
    }
}

/// Writes a message.
fn written(skeleton: &Skeleton, content: &[u8], definite: bool) -> Vec<u8> {
    let length = definite.then_some(content.len() as u64);
    let mut writer = Writer::new(Vec::new(), skeleton, length).unwrap();
    writer.write_all(content).unwrap();
    writer.finish(skeleton).unwrap()
}

/// Reads a message back.
fn read(message: &[u8]) -> io::Result<(Vec<u8>, Skeleton)> {
    let mut reader = Reader::new(message)?;
    let mut content = Vec::new();
    reader.read_to_end(&mut content)?;
    Ok((content, reader.finish()?))
}

#[test]
fn what_is_written_is_read_again() {
    for skeleton in [signed(), enveloped(), data()] {
        for length in [0, 1, 127, 128, 255, 256, 65_535, 65_536, 200_000] {
            for definite in [true, false] {
                let content: Vec<u8> = (0..251).cycle().take(length).collect();
                let (seen, parts) = read(&written(&skeleton, &content, definite)).unwrap();
                assert_eq!(seen, content);
                assert_eq!(parts, skeleton);
            }
        }
    }
}

#[test]
fn nested_segments_are_put_together() {
    // 24 80 { 04 01 'a', 24 03 { 04 01 'b' }, 24 80 { 04 01 'c' 00 00 } 00 00 }
    let octets = [
        0x24, 0x80, 4, 1, b'a', 0x24, 3, 4, 1, b'b', 0x24, 0x80, 4, 1, b'c', 0, 0, 0, 0,
    ];
    let message = element(0x30, &[Kind::Data.oid(), &element(0xa0, &octets)].concat());
    assert_eq!(read(&message).unwrap().0, b"abc");
}

/// Data in segments of 100 bytes each; `last` is the tag of the last one, 4 where it is right.
fn segments(count: usize, last: u8) -> Vec<u8> {
    let mut octets = vec![0x24, 0x80];
    for number in 1..=count {
        let tag = if number == count { last } else { 4 };
        octets.extend(element(tag, &[7; 100]));
    }
    octets.extend([0, 0]);
    element(0x30, &[Kind::Data.oid(), &element(0xa0, &octets)].concat())
}

#[test]
fn small_segments_are_read_together() {
    let message = segments(500, 4);
    let mut reader = Reader::new(message.as_slice()).unwrap();
    let mut buffer = vec![0; 100_000];
    // All of it, since one reading of the source has brought all of it.
    let size = reader.read(&mut buffer).unwrap();
    assert_eq!(size, 50_000);
    assert_eq!(reader.read(&mut buffer).unwrap(), 0);
    assert_eq!(buffer[..size], [7; 50_000]);
}

#[test]
fn segments_that_are_late_are_not_waited_for() {
    /// Gives one part at a time.
    struct Slow<'a>(Vec<&'a [u8]>);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            assert!(!self.0.is_empty(), "what nobody has asked for yet was read");
            let part = self.0.remove(0);
            buffer[..part.len()].copy_from_slice(part);
            Ok(part.len())
        }
    }

    let message = segments(10, 4);
    let (first, rest) = message.split_at(500);
    let mut reader = Reader::new(Slow(vec![first])).unwrap();
    let mut buffer = vec![0; 100_000];
    let size = reader.read(&mut buffer).unwrap();
    assert!(size > 300 && size < 500, "{size}");
    let mut reader = Reader::new(Slow(vec![first, rest])).unwrap();
    let mut content = Vec::new();
    reader.read_to_end(&mut content).unwrap();
    assert_eq!(content, [7; 1000]);
}

#[test]
fn what_is_wrong_behind_segments_is_told_after_them() {
    let message = segments(10, 5);
    let mut reader = Reader::new(message.as_slice()).unwrap();
    let mut buffer = vec![0; 100_000];
    assert_eq!(reader.read(&mut buffer).unwrap(), 900);
    assert!(reader.read(&mut buffer).is_err());
}

#[test]
fn every_cut_message_is_an_error() {
    for skeleton in [signed(), enveloped(), data()] {
        for definite in [true, false] {
            let message = written(&skeleton, b"content", definite);
            for end in 0..message.len() {
                assert!(read(&message[..end]).is_err(), "{definite} {end}");
            }
        }
    }
}

#[test]
fn a_length_that_is_not_there_takes_no_memory() {
    let mut message = vec![0x30, 0x84, 0x40, 0, 0, 0];
    message.extend_from_slice(Kind::Signed.oid());
    message.extend_from_slice(&[
        0xa0, 0x84, 0x3f, 0, 0, 0, 0x30, 0x84, 0x3e, 0, 0, 0, 2, 0x84, 0x30, 0, 0, 0,
    ]);
    assert!(read(&message).is_err());
}

#[test]
fn an_element_may_not_reach_out_of_what_holds_it() {
    let mut message = written(&data(), b"abc", true);
    let last = message.len() - 4;
    message[last] = 4;
    message.push(b'd');
    assert!(read(&message).is_err());
}

#[test]
fn deep_nesting_is_an_error() {
    let mut message = vec![0x30, 0x80];
    message.extend_from_slice(Kind::Data.oid());
    message.extend_from_slice(&[0xa0, 0x80]);
    message.extend_from_slice(&[0x24, 0x80].repeat(100_000));
    assert!(read(&message).is_err());
}

#[test]
fn a_message_without_content_can_be_made_and_read() {
    for filling in [Filling::Detached, Filling::Empty] {
        for skeleton in [signed(), enveloped(), data()] {
            let message = skeleton.without_content(filling);
            let seen = Skeleton::parse(&message).unwrap();
            assert_eq!(seen.has_content, filling == Filling::Empty);
            assert_eq!((seen.before, seen.after), (skeleton.before, skeleton.after));
        }
    }
}

#[test]
fn content_that_grows_or_shrinks_is_an_error() {
    let mut writer = Writer::new(Vec::new(), &data(), Some(3)).unwrap();
    assert!(writer.write_all(b"abcd").is_err());
    let writer = Writer::new(Vec::new(), &data(), Some(3)).unwrap();
    assert!(writer.finish(&data()).is_err());
}

#[test]
fn elements_are_listed() {
    let encoding = [element(2, &[1]), element(0x30, &[9; 200])].concat();
    let tags: Vec<_> = elements(&encoding)
        .map(|(tag, body)| (tag, body.len()))
        .collect();
    assert_eq!(tags, [(2, 1), (0x30, 200)]);
}
