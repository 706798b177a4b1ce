//! Protocol versions: their names, sets of them, and what the loaded library offers.
//!
//! Safe OpenSSL only.

use std::io::{self, Read, Write};

use once_cell::sync::OnceCell;
use openssl::error::ErrorStack;
use openssl::ssl::{
    Ssl, SslContext, SslContextBuilder, SslMethod, SslOptions, SslStream, SslVersion,
};

use crate::error::{Error, Reason, Result};
use crate::ossl::error::{QueueGuard, failed};

/// A protocol version that has a name in Tcl, oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Protocol {
    /// SSL 2.0, which no OpenSSL from 1.1.0 on has.
    Ssl2,
    /// SSL 3.0, which few libraries are still built with.
    Ssl3,
    /// TLS 1.0.
    Tls1,
    /// TLS 1.1.
    Tls1_1,
    /// TLS 1.2.
    Tls1_2,
    /// TLS 1.3.
    Tls1_3,
}

impl Protocol {
    /// All of them, oldest first.
    pub(crate) const ALL: [Self; 6] = [
        Self::Ssl2,
        Self::Ssl3,
        Self::Tls1,
        Self::Tls1_1,
        Self::Tls1_2,
        Self::Tls1_3,
    ];

    /// The name in Tcl.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ssl2 => "ssl2",
            Self::Ssl3 => "ssl3",
            Self::Tls1 => "tls1",
            Self::Tls1_1 => "tls1.1",
            Self::Tls1_2 => "tls1.2",
            Self::Tls1_3 => "tls1.3",
        }
    }

    /// OpenSSL's number of the version; it has none for SSL 2.
    pub(super) const fn version(self) -> Option<SslVersion> {
        match self {
            Self::Ssl2 => None,
            Self::Ssl3 => Some(SslVersion::SSL3),
            Self::Tls1 => Some(SslVersion::TLS1),
            Self::Tls1_1 => Some(SslVersion::TLS1_1),
            Self::Tls1_2 => Some(SslVersion::TLS1_2),
            Self::Tls1_3 => Some(SslVersion::TLS1_3),
        }
    }

    /// The option that switches the version off.
    const fn off(self) -> SslOptions {
        match self {
            Self::Ssl2 => SslOptions::NO_SSLV2,
            Self::Ssl3 => SslOptions::NO_SSLV3,
            Self::Tls1 => SslOptions::NO_TLSV1,
            Self::Tls1_1 => SslOptions::NO_TLSV1_1,
            Self::Tls1_2 => SslOptions::NO_TLSV1_2,
            Self::Tls1_3 => SslOptions::NO_TLSV1_3,
        }
    }
}

/// The versions that the loaded library was built with, oldest first. Policy (the configuration file's limits, the
/// security level) doesn't count here.
pub(crate) fn offered() -> Result<Vec<Protocol>> {
    Ok(offered_set()?.iter().collect())
}

/// The same as a set; asked of the library once.
fn offered_set() -> Result<ProtocolSet> {
    static OFFERED: OnceCell<ProtocolSet> = OnceCell::new();
    OFFERED
        .get_or_try_init(|| {
            let _queue = QueueGuard::new();
            let mut set = ProtocolSet::EMPTY;
            for protocol in Protocol::ALL {
                if protocol.version().is_some() {
                    set = set.with(protocol, begins(protocol)?);
                }
            }
            Ok(set)
        })
        .copied()
        .map_err(|stack| failed("can't ask the library for its protocols", &stack))
}

/// Whether a client of this version alone gets as far as its first message. A range of a version that the library was
/// built without isn't always refused, but no handshake begins with it.
fn begins(protocol: Protocol) -> std::result::Result<bool, ErrorStack> {
    let mut context = SslContext::builder(SslMethod::tls())?;
    context.clear_options(protocol.off());
    context.set_security_level(0);
    context.set_cipher_list("ALL")?;
    // One end at a time: a configuration file may have set limits that must not make an empty range.
    if context.set_min_proto_version(None).is_err()
        || context.set_max_proto_version(protocol.version()).is_err()
        || context.set_min_proto_version(protocol.version()).is_err()
    {
        return Ok(false);
    }
    let mut stream = SslStream::new(Ssl::new(&context.build())?, Listener(false))?;
    // There is no server, so that this fails in any case.
    let _ = stream.connect();
    Ok(stream.get_ref().0)
}

/// The type of a record that holds a message of a handshake; alerts are of another.
const HANDSHAKE: u8 = 22;

/// A stream without a peer, which knows whether a handshake was begun.
struct Listener(bool);

impl Read for Listener {
    fn read(&mut self, _buffer: &mut [u8]) -> io::Result<usize> {
        Ok(0)
    }
}

impl Write for Listener {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 |= bytes.first() == Some(&HANDSHAKE);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A set of protocol versions. The default is TLS 1.2 and 1.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ProtocolSet(u8);

impl Default for ProtocolSet {
    fn default() -> Self {
        Self::EMPTY
            .with(Protocol::Tls1_2, true)
            .with(Protocol::Tls1_3, true)
    }
}

impl ProtocolSet {
    /// No version at all.
    pub(crate) const EMPTY: Self = Self(0);

    /// The set with a version put in or taken out.
    pub(crate) const fn with(self, protocol: Protocol, member: bool) -> Self {
        let bit = 1 << protocol as u8;
        match member {
            true => Self(self.0 | bit),
            false => Self(self.0 & !bit),
        }
    }

    /// Whether a version is in it.
    pub(crate) const fn contains(self, protocol: Protocol) -> bool {
        self.0 & (1 << protocol as u8) != 0
    }

    /// The versions in it, oldest first.
    pub(crate) fn iter(self) -> impl DoubleEndedIterator<Item = Protocol> {
        Protocol::ALL
            .into_iter()
            .filter(move |protocol| self.contains(*protocol))
    }

    /// Which set it is, for a fingerprint.
    pub(super) const fn bits(self) -> u8 {
        self.0
    }

    /// What of it the loaded library has; an error if that is nothing. Old versions that the library lacks are
    /// passed over, because scripts of long standing still say `-ssl3 1` beside newer ones.
    pub(super) fn usable(self) -> Result<Self> {
        let usable = Self(self.0 & offered_set()?.0);
        match usable.0 {
            0 => Err(Error::failed(
                Reason::ImportProtocol,
                "no valid protocol selected",
            )),
            _ => Ok(usable),
        }
    }

    /// Refuses a set with a hole: of it, OpenSSL's client would offer the part below the hole alone, without a word.
    /// Versions that the library hasn't make no hole. A server takes such a set as it is.
    pub(super) fn without_hole(self) -> Result<()> {
        let offered = offered_set()?;
        let (Some(oldest), Some(newest)) = (self.iter().next(), self.iter().next_back()) else {
            return Ok(());
        };
        match offered
            .iter()
            .find(|protocol| *protocol > oldest && *protocol < newest && !self.contains(*protocol))
        {
            None => Ok(()),
            Some(hole) => Err(Error::failed(
                Reason::ImportProtocol,
                format!(
                    "no valid protocol selected: a client can't offer {} and {} without {}",
                    oldest.name(),
                    newest.name(),
                    hole.name()
                ),
            )),
        }
    }

    /// Limits a context to the set, which must be [usable](Self::usable): range, and holes within the range.
    ///
    /// Limits from OpenSSL's configuration file stay in force while the set is the default one; a set that the
    /// caller chose replaces them.
    pub(super) fn apply(self, context: &mut SslContextBuilder) -> Result<()> {
        let (oldest, newest) = (self.iter().next(), self.iter().next_back());
        let mut min = oldest.and_then(Protocol::version);
        let mut max = newest.and_then(Protocol::version);
        if self == Self::default() {
            let within = |limit: Option<SslVersion>| {
                limit.filter(|limit| self.iter().any(|member| member.version() == Some(*limit)))
            };
            min = within(context.min_proto_version()).or(min);
            max = within(context.max_proto_version()).or(max);
        }
        // One end at a time mustn't make an empty range with the limit that is still there.
        context
            .set_min_proto_version(None)
            .and_then(|()| context.set_max_proto_version(max))
            .and_then(|()| context.set_min_proto_version(min))
            .map_err(|stack| failed("can't limit the protocol versions", &stack))?;
        for protocol in Protocol::ALL {
            match self.contains(protocol) {
                true => context.clear_options(protocol.off()),
                false => context.set_options(protocol.off()),
            };
        }
        Ok(())
    }

    /// Whether every version in it needs security level 0: TLS 1.0, 1.1 and SSL sign with SHA-1 and MD5, which
    /// OpenSSL 3 allows at level 0 only.
    pub(super) fn outdated(self) -> bool {
        self.iter().all(|protocol| protocol < Protocol::Tls1_2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_library_offers_1_2_and_1_3_but_none_ssl2() {
        let offered = offered().unwrap();
        assert!(offered.contains(&Protocol::Tls1_2) && offered.contains(&Protocol::Tls1_3));
        assert!(!offered.contains(&Protocol::Ssl2));
    }

    #[test]
    fn nothing_left_is_an_error() {
        let set = ProtocolSet::EMPTY.with(Protocol::Ssl2, true);
        let error = set.usable().unwrap_err();
        assert_eq!(error.message(), "no valid protocol selected");
        assert_eq!(error.code(), ["TLS", "IMPORT", "PROTOCOL", "FAILED"]);
    }

    #[test]
    fn an_old_version_that_is_missing_is_passed_over() {
        let set = ProtocolSet::default().with(Protocol::Ssl2, true);
        assert_eq!(set.usable().unwrap(), ProtocolSet::default());
    }

    #[test]
    fn a_hole_is_named() {
        let set = ProtocolSet::default().with(Protocol::Tls1, true);
        if offered().unwrap().contains(&Protocol::Tls1_1) {
            assert_eq!(
                set.without_hole().unwrap_err().message(),
                "no valid protocol selected: a client can't offer tls1 and tls1.3 without tls1.1"
            );
        }
        assert_eq!(set.with(Protocol::Tls1_1, true).without_hole(), Ok(()));
        assert_eq!(ProtocolSet::default().without_hole(), Ok(()));
    }

    #[test]
    fn holes_become_options() {
        let set = ProtocolSet::EMPTY
            .with(Protocol::Tls1_1, true)
            .with(Protocol::Tls1_3, true);
        let mut context = SslContext::builder(SslMethod::tls()).unwrap();
        set.apply(&mut context).unwrap();
        assert_eq!(context.min_proto_version(), Some(SslVersion::TLS1_1));
        assert_eq!(context.max_proto_version(), Some(SslVersion::TLS1_3));
        assert!(context.options().contains(SslOptions::NO_TLSV1_2));
        assert!(!context.options().contains(SslOptions::NO_TLSV1_1));
    }

    #[test]
    fn a_stricter_limit_of_the_configuration_stays_unless_the_caller_chose() {
        let strict = || {
            let mut context = SslContext::builder(SslMethod::tls()).unwrap();
            context
                .set_min_proto_version(Some(SslVersion::TLS1_3))
                .unwrap();
            context
        };
        let mut context = strict();
        ProtocolSet::default().apply(&mut context).unwrap();
        assert_eq!(context.min_proto_version(), Some(SslVersion::TLS1_3));

        let mut context = strict();
        let chosen = ProtocolSet::EMPTY.with(Protocol::Tls1_2, true);
        chosen.apply(&mut context).unwrap();
        assert_eq!(context.min_proto_version(), Some(SslVersion::TLS1_2));
    }
}
