//! Application protocols: the list's form on the wire, and which of the peer's a server takes.
//!
//! Pure.

use crate::error::{Error, Reason, Result};

/// A checked list of application protocols in the form they have on the wire: each name after a byte with its length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Alpn {
    /// The wire form.
    wire: Vec<u8>,
}

impl Alpn {
    /// Makes the list. Names are 1 to 255 bytes long and the whole at most 65535; a list without names is no list.
    pub(crate) fn new<T: AsRef<[u8]>>(names: &[T]) -> Result<Option<Self>> {
        let refuse =
            |message: &str| Err(Error::failed(Reason::ImportAlpn, message).about_option("-alpn"));
        let mut wire = Vec::new();
        for name in names {
            let name = name.as_ref();
            match u8::try_from(name.len()) {
                Ok(0) => return refuse("ALPN protocol name is empty"),
                Ok(len) => wire.push(len),
                Err(_) => return refuse("ALPN protocol names too long"),
            }
            wire.extend_from_slice(name);
        }
        match wire.len() {
            0 => Ok(None),
            1..=0xffff => Ok(Some(Self { wire })),
            _ => refuse("ALPN protocol names too long"),
        }
    }

    /// The wire form.
    pub(crate) fn wire(&self) -> &[u8] {
        &self.wire
    }

    /// The names.
    pub(crate) fn names(&self) -> impl Iterator<Item = &[u8]> {
        names(&self.wire)
    }

    /// The protocol that a server with this list takes from a client's list: the first of the server's own that
    /// the client has too. The result is the client's copy of it.
    pub(crate) fn select<'a>(&self, client: &'a [u8]) -> Option<&'a [u8]> {
        self.names()
            .find_map(|own| names(client).find(|other| *other == own))
    }
}

/// The names in a list in wire form; a list that is cut short ends early.
pub(crate) fn names(mut wire: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (len, rest) = wire.split_first()?;
        let (name, rest) = rest.split_at_checked(usize::from(*len))?;
        wire = rest;
        Some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        assert!(Alpn::new::<&str>(&[]).unwrap().is_none());
        let code = |names: &[String]| Alpn::new(names).unwrap_err().code();
        let expected = ["TLS", "IMPORT", "ALPN", "FAILED"];
        assert_eq!(code(&["h2".to_owned(), String::new()]), expected);
        assert_eq!(code(&["x".repeat(256)]), expected);
        assert_eq!(code(&vec!["x".repeat(255); 256]), expected);
        assert!(Alpn::new(&vec!["x".repeat(255); 255]).unwrap().is_some());
    }

    #[test]
    fn the_servers_order_decides() {
        let own = Alpn::new(&["h2", "http/1.1"]).unwrap().unwrap();
        let client = Alpn::new(&["http/1.1", "spdy", "h2"]).unwrap().unwrap();
        assert_eq!(own.select(client.wire()), Some(&b"h2"[..]));
        assert_eq!(own.select(b"\x04spdy"), None);
        assert_eq!(own.select(b"\x09h2"), None);
    }

    #[test]
    fn the_wire_form_can_be_read_back() {
        let list = Alpn::new(&["h2", "http/1.1"]).unwrap().unwrap();
        assert_eq!(list.wire(), b"\x02h2\x08http/1.1");
        assert_eq!(list.names().collect::<Vec<_>>(), [&b"h2"[..], b"http/1.1"]);
    }
}
