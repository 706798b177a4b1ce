//! Channels of the caller's while bytes pass through them: binary and blocking.

use super::channel::Channel;

/// The options of a channel that are changed while bytes pass, blocking mode first.
const OPTIONS: &[(&std::ffi::CStr, &str)] = &[
    (c"-blocking", "1"),
    (c"-eofchar", ""),
    (c"-translation", "binary"),
];

/// A channel in binary, blocking mode; it gets its own settings back in the end.
pub(crate) struct Bytewise {
    /// The channel.
    pub(crate) channel: Channel,
    /// Its own settings.
    saved: Vec<(&'static std::ffi::CStr, String)>,
}

impl Bytewise {
    /// Changes the settings of a channel.
    pub(crate) fn new(channel: Channel) -> Self {
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
}

impl Drop for Bytewise {
    fn drop(&mut self) {
        // The translation before the encoding, since the binary one sets both.
        for (name, value) in self.saved.iter().rev() {
            self.channel.set_option(name, value);
        }
    }
}
