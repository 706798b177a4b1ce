//! CompressedData, with a zlib of our own, since libcrypto often has none.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;

use super::ber::{self, Kind, Skeleton};
use super::content::Content;
use super::decrypt::{whole, wrong_type};
use super::output::{StripText, Wrapping};
use super::source::{FileStream, Format, Stream};
use super::{pump, stream_failed, unreadable, unwritable};
use crate::error::{Error, Reason, Result};

/// The encoded object identifier of zlib compression.
const ZLIB: &[u8] = &[6, 11, 42, 134, 72, 134, 247, 13, 1, 9, 16, 3, 8];

/// Compresses a content, and writes the message.
pub(crate) fn compress(
    mut content: Content<'_>,
    wrapping: &Wrapping,
    indefinite: bool,
    out: &mut dyn Write,
) -> Result<()> {
    let skeleton = Skeleton {
        kind: Kind::Compressed,
        before: [ber::version(0), ber::element(0x30, ZLIB)].concat(),
        inner: Kind::Data.oid().to_vec(),
        has_content: true,
        after: Vec::new(),
    };
    let mut squeeze = |out: &mut dyn Write| -> Result<()> {
        let mut encoder = ZlibEncoder::new(out, Compression::default());
        content.each(|bytes| encoder.write_all(bytes).map_err(unwritable))?;
        encoder.finish().map_err(unwritable)?;
        Ok(())
    };
    if indefinite {
        return wrapping.message(out, &skeleton, None, |out| {
            squeeze(out)?;
            Ok(None)
        });
    }
    // How long the result is shows only when it is there, so it waits in a temporary file.
    let mut file = tempfile::tempfile().map_err(unwritable)?;
    squeeze(&mut file)?;
    let mut waiting = FileStream::new(file).map_err(unwritable)?;
    wrapping.message(out, &skeleton, waiting.size(), |out| {
        pump(&mut waiting, |bytes| {
            out.write_all(bytes).map_err(unwritable)
        })?;
        Ok(None)
    })
}

/// Writes the content of a compressed message.
pub(crate) fn uncompress(
    stream: &mut dyn Stream,
    format: Format,
    beside: Option<&mut dyn Stream>,
    text: bool,
    out: &mut dyn Write,
) -> Result<Skeleton> {
    let mut reader = whole(stream, format)?;
    let skeleton = reader.skeleton();
    if skeleton.kind != Kind::Compressed {
        return Err(wrong_type(skeleton, "CompressedData"));
    }
    let algorithm = ber::elements(&skeleton.before)
        .nth(1)
        .and_then(|(_, algorithm)| ber::elements(algorithm).next())
        .map(|(_, oid)| oid);
    if algorithm != Some(&ZLIB[2..]) {
        return Err(Error::failed(
            Reason::CmsRead,
            "the message isn't compressed with zlib",
        ));
    }
    let mut strip = StripText::new(out, text, Reason::CmsRead);
    match beside {
        Some(content) => inflate(content, &mut strip)?,
        None if skeleton.has_content => inflate(&mut reader, &mut strip)?,
        None => {
            return Err(Error::failed(
                Reason::CmsRead,
                "the message has no content: -content names it",
            ));
        }
    }
    strip.finish()?;
    reader.finish().map_err(unreadable)
}

/// Uncompresses everything.
fn inflate(source: &mut dyn Read, strip: &mut StripText<'_>) -> Result<()> {
    let mut decoder = ZlibDecoder::new(source);
    let mut buffer = vec![0; super::PIECE];
    loop {
        match decoder.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(size) => strip.take(&buffer[..size])?,
            Err(error) => return Err(stream_failed(Reason::CmsVerify, "can't uncompress", error)),
        }
    }
}
