//! Requests for signed receipts, read and shown. Pure.

use super::ber::elements;

/// A request for receipts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    /// What identifies the message.
    pub(crate) id: Vec<u8>,
    /// Who is to send a receipt: `all`, `first`, or addresses.
    pub(crate) from: From,
    /// Where receipts go.
    pub(crate) to: Vec<String>,
}

/// Who is to send a receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum From {
    /// All recipients.
    All,
    /// Those who got the message directly.
    FirstTier,
    /// Something that the standard doesn't know.
    Unknown(u8),
    /// These addresses.
    List(Vec<String>),
}

impl Request {
    /// Reads an encoded request.
    pub(crate) fn parse(der: &[u8]) -> Option<Self> {
        let (_, body) = elements(der).next()?;
        let mut parts = elements(body);
        let (_, id) = parts.next()?;
        let from = match parts.next()? {
            (0x80, [0]) => From::All,
            (0x80, [1]) => From::FirstTier,
            (0x80, [other, ..]) => From::Unknown(*other),
            (0xa1, list) => From::List(addresses(list)),
            _ => return None,
        };
        let (_, to) = parts.next()?;
        Some(Self {
            id: id.to_vec(),
            from,
            to: addresses(to),
        })
    }

    /// As the program shows it.
    pub(crate) fn text(&self) -> String {
        let mut text = String::from("  Signed Content ID:\n");
        for (row, bytes) in self.id.chunks(16).enumerate() {
            text.push_str(&dump(row, bytes));
        }
        match &self.from {
            From::All => text.push_str("  Receipts From: All\n"),
            From::FirstTier => text.push_str("  Receipts From: First Tier\n"),
            From::Unknown(number) => {
                text.push_str(&format!("  Receipts From Unknown ({number})\n"));
            }
            From::List(list) => {
                text.push_str("  Receipts From List:\n");
                push_all(&mut text, list);
            }
        }
        text.push_str("  Receipts To:\n");
        push_all(&mut text, &self.to);
        text
    }
}

/// Appends a line for each address.
fn push_all(text: &mut String, list: &[String]) {
    for address in list {
        text.push_str(&format!("    {address}\n"));
    }
}

/// A row of bytes in hexadecimal digits and as text.
fn dump(row: usize, bytes: &[u8]) -> String {
    let mut line = format!("    {:04x} - ", row * 16);
    for place in 0..16 {
        let mark = if place == 7 { '-' } else { ' ' };
        match bytes.get(place) {
            Some(byte) => line.push_str(&format!("{byte:02x}{mark}")),
            None => line.push_str("   "),
        }
    }
    line.push_str("  ");
    line.extend(bytes.iter().map(|byte| match byte {
        b' '..=b'~' => char::from(*byte),
        _ => '.',
    }));
    line.push('\n');
    line
}

/// The addresses in a list of names.
fn addresses(list: &[u8]) -> Vec<String> {
    elements(list)
        .flat_map(|(_, names)| {
            let whole = super::ber::element(0x30, names);
            crate::x509::extension_values::general_names(&whole).unwrap_or_default()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cms::ber::element;

    #[test]
    fn a_request_is_read() {
        let to = element(0x30, &element(0x30, &element(0x81, b"a@b")));
        let body = [element(4, b"id"), element(0x80, &[1]), to].concat();
        let request = Request::parse(&element(0x30, &body)).unwrap();
        assert_eq!(
            (request.id.as_slice(), &request.from),
            (&b"id"[..], &From::FirstTier)
        );
        assert_eq!(request.to.len(), 1);
        assert!(Request::parse(b"").is_none());
    }
}
