//! Serial numbers and CRL numbers: whole numbers of any size, in hexadecimal text as the CA's files hold them.
//!
//! Pure.

use std::cmp::Ordering;
use std::fmt;

/// A serial number. RFC 5280 allows 20 bytes, older files hold anything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Serial {
    /// Whether it is below zero, which a foreign certificate may be.
    negative: bool,
    /// The magnitude, most significant byte first, without leading zeros; empty for 0.
    magnitude: Vec<u8>,
}

impl Serial {
    /// The number with this magnitude, most significant byte first.
    pub(crate) fn from_magnitude(bytes: &[u8], negative: bool) -> Self {
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        let magnitude = bytes[zeros..].to_vec();
        Self {
            negative: negative && !magnitude.is_empty(),
            magnitude,
        }
    }

    /// Reads hexadecimal digits, an odd number of them as well; `None` if there is anything else.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let (negative, digits) = match text {
            [b'-', rest @ ..] => (true, rest),
            _ => (false, text),
        };
        if digits.is_empty() {
            return None;
        }
        let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
        let digits = &digits[zeros..];
        let mut magnitude = Vec::with_capacity(digits.len().div_ceil(2));
        let (first, pairs) = digits.split_at(digits.len() % 2);
        if let [digit] = first {
            magnitude.push(hex_value(*digit)?);
        }
        for pair in pairs.chunks(2) {
            magnitude.push(hex_value(pair[0])? << 4 | hex_value(pair[1])?);
        }
        Some(Self {
            negative: negative && !magnitude.is_empty(),
            magnitude,
        })
    }

    /// Reads what a serial file holds: an even number of digits on the first line.
    pub(crate) fn parse_file(text: &[u8]) -> Option<Self> {
        // OpenSSL breaks numbers beyond 35 bytes into lines that end with a backslash.
        let mut digits = Vec::new();
        for line in text.split(|byte| *byte == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            match line.strip_suffix(b"\\") {
                Some(part) => digits.extend_from_slice(part),
                None => {
                    digits.extend_from_slice(line);
                    break;
                }
            }
        }
        let sound = digits.len() % 2 == 0 && digits.first() != Some(&b'-');
        Self::parse(&digits).filter(|_| sound)
    }

    /// What a serial file holds for this number.
    pub(crate) fn to_file(&self) -> Vec<u8> {
        let mut text = Vec::new();
        let digits = self.to_string().into_bytes();
        for (index, line) in digits.chunks(70).enumerate() {
            if index > 0 {
                text.extend_from_slice(b"\\\n");
            }
            text.extend_from_slice(line);
        }
        text.push(b'\n');
        text
    }

    /// The number after this one.
    pub(crate) fn next(&self) -> Self {
        let mut magnitude = self.magnitude.clone();
        for byte in magnitude.iter_mut().rev() {
            let (sum, carried) = byte.overflowing_add(1);
            *byte = sum;
            if !carried {
                return Self {
                    negative: self.negative,
                    magnitude,
                };
            }
        }
        magnitude.insert(0, 1);
        Self {
            negative: self.negative,
            magnitude,
        }
    }

    /// Whether it is below zero.
    pub(crate) const fn is_negative(&self) -> bool {
        self.negative
    }

    /// The magnitude without leading zeros.
    pub(crate) fn magnitude(&self) -> &[u8] {
        &self.magnitude
    }
}

impl PartialOrd for Serial {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Serial {
    fn cmp(&self, other: &Self) -> Ordering {
        let (a, b) = (&self.magnitude, &other.magnitude);
        let above = a.len().cmp(&b.len()).then_with(|| a.cmp(b));
        match (self.negative, other.negative) {
            (false, false) => above,
            (true, true) => above.reverse(),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
        }
    }
}

impl fmt::Display for Serial {
    /// Upper-case hexadecimal, two digits a byte, `00` for zero: as in the index and in file names.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.negative {
            f.write_str("-")?;
        }
        if self.magnitude.is_empty() {
            return f.write_str("00");
        }
        self.magnitude
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

/// The value of a hexadecimal digit.
pub(crate) const fn hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn serial(text: &str) -> Serial {
        Serial::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn text_comes_out_in_upper_case_pairs() {
        for (given, shown) in [
            ("1", "01"),
            ("00", "00"),
            ("0abc", "0ABC"),
            ("000001", "01"),
            ("-7f", "-7F"),
        ] {
            assert_eq!(serial(given).to_string(), shown);
        }
        assert!(Serial::parse(b"").is_none());
        assert!(Serial::parse(b"0x1").is_none());
    }

    #[test]
    fn the_next_number_carries() {
        assert_eq!(serial("00").next().to_string(), "01");
        assert_eq!(serial("FF").next().to_string(), "0100");
        assert_eq!(serial("01FFFF").next().to_string(), "020000");
    }

    #[test]
    fn a_serial_file_has_an_even_number_of_digits_on_its_first_line() {
        assert_eq!(Serial::parse_file(b"0a\nrest"), Some(serial("0A")));
        assert_eq!(Serial::parse_file(b"0a"), Some(serial("0A")));
        assert_eq!(Serial::parse_file(b"abc\n"), None);
        assert_eq!(Serial::parse_file(b"\n"), None);
        assert_eq!(Serial::parse_file(b"zz\n"), None);
    }

    #[test]
    fn a_long_number_is_broken_into_lines_and_read_again() {
        let long = serial(&"A7".repeat(50));
        let file = long.to_file();
        assert_eq!(file.iter().filter(|byte| **byte == b'\n').count(), 2);
        assert_eq!(Serial::parse_file(&file), Some(long));
    }

    #[test]
    fn numbers_are_ordered_by_value() {
        assert!(serial("0100") > serial("FF"));
        assert!(serial("-01") < serial("00"));
        assert!(serial("-02") < serial("-01"));
    }
}
