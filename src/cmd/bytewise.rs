//! Channels of scripts as streams of bytes.

use std::ffi::CStr;
use std::io::{self, Read, Write};

use crate::tcl::channel::{Channel, Mask};
use crate::tcl::{Interp, Obj};

/// The options of a channel that are changed while bytes pass, blocking mode first.
const OPTIONS: &[(&CStr, &str)] = &[
    (c"-blocking", "1"),
    (c"-eofchar", ""),
    (c"-translation", "binary"),
];

/// A channel in binary, blocking mode; it gets its own settings back in the end.
pub(super) struct Bytewise {
    /// The channel.
    channel: Channel,
    /// Its own settings.
    saved: Vec<(&'static CStr, String)>,
}

impl Bytewise {
    /// The channel of a name, if it is open in a direction.
    pub(super) fn find(interp: Interp<'_>, name: &Obj, direction: Mask) -> Result<Self, String> {
        let text = name.as_text();
        match Channel::find(interp, name) {
            Some(channel) if channel.mode().has(direction) => Ok(Self::new(channel)),
            Some(_) => Err(format!("channel \"{text}\" isn't open in that direction")),
            None => Err(format!("can not find channel named \"{text}\"")),
        }
    }

    /// Changes the settings of a channel.
    fn new(channel: Channel) -> Self {
        let names = [c"-blocking", c"-encoding", c"-eofchar", c"-translation"];
        let saved = names
            .into_iter()
            .filter_map(|name| Some((name, channel.option(name)?)))
            .collect();
        for (name, value) in OPTIONS {
            channel.set_option(name, value);
        }
        Self { channel, saved }
    }

    /// Sends what the script wrote before.
    pub(super) fn settle(&self) -> io::Result<()> {
        self.channel.flush()
    }
}

impl Drop for Bytewise {
    fn drop(&mut self) {
        // The translation before the encoding, since the binary one sets both.
        for (name, value) in self.saved.iter().rev() {
            self.channel.set_option(name, value);
        }
    }
}

impl Read for Bytewise {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.channel.read(buffer)
    }
}

impl Write for Bytewise {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.channel.write_raw(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
