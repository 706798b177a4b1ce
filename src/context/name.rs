//! The name of a peer: a DNS name, or an IP address, which is verified but never sent.
//!
//! Pure.

use std::net::IpAddr;

use crate::error::{Error, Reason, Result};

/// The longest name that fits into the extension.
const MAX: usize = 255;

/// A checked name of a peer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Name {
    /// A DNS name without a dot at its end.
    Dns(String),
    /// An IP address.
    Ip(IpAddr),
}

impl Name {
    /// Checks a name. A dot at the end is dropped, because certificates don't have it; brackets around an IPv6
    /// address and the zone behind it are dropped too.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let refuse = |why: &str| {
            let message = format!("Set SNI extension failed: {why}");
            Err(Error::failed(Reason::ImportSni, message).about_option("-servername"))
        };
        if let Some(address) = address(text) {
            return Ok(Self::Ip(address));
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        match name.len() {
            0 => return refuse("the server name is empty"),
            1..=MAX => {}
            _ => return refuse("the server name is longer than 255 bytes"),
        }
        if !name.is_ascii() {
            return refuse(
                "the server name has letters outside ASCII; write it in its \"xn--\" form",
            );
        }
        if name
            .bytes()
            .any(|byte| byte.is_ascii_control() || byte == b' ')
        {
            return refuse("the server name has a space or a control character in it");
        }
        Ok(Self::Dns(name.to_owned()))
    }

    /// What is sent as server name: nothing for an address.
    pub(crate) fn sent(&self) -> Option<&str> {
        match self {
            Self::Dns(name) => Some(name),
            Self::Ip(_) => None,
        }
    }
}

/// The IP address that a text is.
fn address(text: &str) -> Option<IpAddr> {
    let inner = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'))
        .unwrap_or(text);
    if let Ok(address) = inner.parse() {
        return Some(address);
    }
    let (address, zone) = inner.split_once('%')?;
    match address.parse() {
        Ok(IpAddr::V6(address)) if !zone.is_empty() => Some(IpAddr::V6(address)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_not_sent() {
        for text in ["127.0.0.1", "::1", "[::1]", "fe80::1%eth0"] {
            let name = Name::parse(text).unwrap();
            assert!(matches!(name, Name::Ip(_)), "{text}");
            assert_eq!(name.sent(), None);
        }
    }

    #[test]
    fn a_dot_at_the_end_is_dropped() {
        let name = Name::parse("www.example.org.").unwrap();
        assert_eq!(name.sent(), Some("www.example.org"));
    }

    #[test]
    fn names_that_cannot_be_sent_are_refused() {
        for text in ["", ".", "a\0b", "a b", "bücher.example", &"x".repeat(256)] {
            let error = Name::parse(text).unwrap_err();
            assert_eq!(error.code(), ["TLS", "IMPORT", "SNI", "FAILED"], "{text}");
        }
        assert!(Name::parse(&"x".repeat(255)).is_ok());
    }
}
