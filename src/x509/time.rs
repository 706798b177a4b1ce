//! Time as certificates write it, as seconds since 1970, and as text.
//!
//! Pure. All years from 0 to 9999; no time zone but UTC on the way out.

use super::Problem;
use super::der::{Element, tag};

/// The names of the months as `openssl` and Tcl's `clock scan` spell them.
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// The last second of the year 9999, after which ASN.1 has no times.
const LAST: i64 = 253_402_300_799;

/// The first second of the year 0.
const FIRST: i64 = -62_167_219_200;

/// A moment in the calendar, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Calendar {
    /// The year, 0 to 9999.
    year: i64,
    /// 1 to 12.
    month: i64,
    /// 1 to 31.
    day: i64,
    /// 0 to 23.
    hour: i64,
    /// 0 to 59.
    minute: i64,
    /// 0 to 60, a leap second being the following minute's first.
    second: i64,
}

impl Calendar {
    /// The calendar's view of a second since 1970, if its year has four digits.
    fn of(seconds: i64) -> Option<Self> {
        if !(FIRST..=LAST).contains(&seconds) {
            return None;
        }
        let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        // Years are counted from March, so that the leap day is the last of its year.
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let march_month = (5 * day_of_year + 2) / 153;
        let month = (march_month + 2) % 12 + 1;
        Some(Self {
            year: year_of_era + era * 400 + i64::from(month <= 2),
            month,
            day: day_of_year - (153 * march_month + 2) / 5 + 1,
            hour: rest / 3_600,
            minute: rest / 60 % 60,
            second: rest % 60,
        })
    }

    /// The name of the first part that is out of range.
    fn wrong_part(self) -> Option<&'static str> {
        // Asked for a million records, so that what is right has to be quick.
        if (1..=12).contains(&self.month)
            && (1..=28).contains(&self.day)
            && (0..=23).contains(&self.hour)
            && (0..=59).contains(&self.minute)
            && (0..=59).contains(&self.second)
        {
            return None;
        }
        let parts = [
            ("month", self.month, 1, 12),
            ("day", self.day, 1, self.days_in_month()),
            ("hour", self.hour, 0, 23),
            ("minute", self.minute, 0, 59),
            ("second", self.second, 0, 60),
        ];
        parts
            .iter()
            .find(|(_, value, low, high)| !(*low..=*high).contains(value))
            .map(|(name, ..)| *name)
    }

    /// How many days this month has; 31 for a month that doesn't exist.
    fn days_in_month(self) -> i64 {
        let leap = self.year % 4 == 0 && (self.year % 100 != 0 || self.year % 400 == 0);
        match self.month {
            4 | 6 | 9 | 11 => 30,
            2 => 28 + i64::from(leap),
            _ => 31,
        }
    }

    /// Seconds since 1970.
    fn seconds(self) -> i64 {
        let year = self.year - i64::from(self.month <= 2);
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let march_month = (self.month + 9) % 12;
        let day_of_year = (153 * march_month + 2) / 5 + self.day - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        let days = era * 146_097 + day_of_era - 719_468;
        days * 86_400 + self.hour * 3_600 + self.minute * 60 + self.second
    }
}

/// Seconds since 1970 of a UTCTime or GeneralizedTime; `None` if it is neither, or no time.
///
/// Read as leniently as OpenSSL prints: seconds may be missing, a fraction of a second is dropped, an offset such as
/// `+0200` counts.
pub(crate) fn seconds(time: Element<'_>) -> Option<i64> {
    let text = std::str::from_utf8(time.content).ok()?;
    let year_digits = match time.tag {
        tag::UTC_TIME => 2,
        tag::GENERALIZED_TIME => 4,
        _ => return None,
    };
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    let mut calendar = calendar(digits, year_digits)?;
    let rest = match rest.strip_prefix('.') {
        Some(fraction) => fraction.trim_start_matches(|c: char| c.is_ascii_digit()),
        None => rest,
    };
    let offset = match rest {
        "" | "Z" => 0,
        _ => offset(rest)?,
    };
    if calendar.wrong_part().is_some() {
        return None;
    }
    calendar.minute -= offset;
    Some(calendar.seconds())
}

/// `Jun  9 19:17:50 2027 GMT`, which `clock scan` reads; empty outside the years 0 to 9999.
pub(crate) fn text(seconds: i64) -> String {
    let Some(at) = Calendar::of(seconds) else {
        return String::new();
    };
    let month = usize::try_from(at.month - 1).ok();
    let month = month.and_then(|index| MONTHS.get(index)).unwrap_or(&"");
    format!(
        "{month} {:2} {:02}:{:02}:{:02} {} GMT",
        at.day, at.hour, at.minute, at.second, at.year
    )
}

/// `2027-06-09 19:17:50Z`, the form that `-dateopt iso_8601` asks for; empty outside the years 0 to 9999.
pub(crate) fn iso_8601(seconds: i64) -> String {
    let Some(at) = Calendar::of(seconds) else {
        return String::new();
    };
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02}:{:02}Z",
        at.year, at.month, at.day, at.hour, at.minute, at.second
    )
}

/// The time as a certificate holds it: `YYMMDDHHMMSSZ` from 1950 to 2049, `YYYYMMDDHHMMSSZ` otherwise.
pub(crate) fn asn1(seconds: i64) -> Result<String, Problem> {
    let text = generalized(seconds)?;
    // The years that two digits stand for.
    let short = text.as_str() >= "1950" && text.as_str() < "2050";
    Ok(match text.split_at_checked(2) {
        Some((_, rest)) if short => rest.to_owned(),
        _ => text,
    })
}

/// The time as OCSP holds it: always `YYYYMMDDHHMMSSZ`.
pub(crate) fn generalized(seconds: i64) -> Result<String, Problem> {
    let at = Calendar::of(seconds).ok_or_else(|| {
        Problem::new(format!("second {seconds} lies outside the years 0 to 9999"))
    })?;
    Ok(format!(
        "{:04}{:02}{:02}{:02}{:02}{:02}Z",
        at.year, at.month, at.day, at.hour, at.minute, at.second
    ))
}

/// Seconds since 1970 of `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ`, the forms in which options give a time.
pub(crate) fn parse(text: &str) -> Result<i64, Problem> {
    let wrong = |why: &str| Problem::new(format!("\"{text}\" isn't a time: {why}"));
    let digits = text
        .strip_suffix('Z')
        .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    let calendar = match digits.map(|digits| (digits.len(), digits)) {
        Some((12, digits)) => calendar(digits, 2),
        Some((14, digits)) => calendar(digits, 4),
        _ => None,
    };
    let calendar =
        calendar.ok_or_else(|| wrong("it must look like YYMMDDHHMMSSZ or YYYYMMDDHHMMSSZ"))?;
    match calendar.wrong_part() {
        Some(part) => Err(wrong(&format!("the {part} is out of range"))),
        None => Ok(calendar.seconds()),
    }
}

/// Cuts digits into a calendar; minutes and seconds may be missing from the end.
fn calendar(digits: &str, year_digits: usize) -> Option<Calendar> {
    let (year, rest) = digits.split_at_checked(year_digits)?;
    let year: i64 = year.parse().ok()?;
    let mut pairs = rest.as_bytes().chunks(2).map(|pair| match pair {
        [tens, units] => Some(i64::from(tens - b'0') * 10 + i64::from(units - b'0')),
        _ => None,
    });
    let mut next = || pairs.next().unwrap_or(Some(0));
    if !(6..=10).contains(&rest.len()) {
        return None;
    }
    Some(Calendar {
        year: match (year_digits, year) {
            (2, 0..50) => year + 2000,
            (2, _) => year + 1900,
            _ => year,
        },
        month: next()?,
        day: next()?,
        hour: next()?,
        minute: next()?,
        second: next()?,
    })
}

/// An offset such as `+0200` in minutes.
fn offset(text: &str) -> Option<i64> {
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    if digits.len() != 4 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: i64 = digits.parse().ok()?;
    let (hours, minutes) = (number / 100, number % 100);
    (hours <= 12 && minutes <= 59).then_some(sign * (hours * 60 + minutes))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What an ASN.1 time of that tag and text is in seconds.
    fn read(tag: u8, text: &str) -> Option<i64> {
        let content = text.as_bytes();
        seconds(Element {
            tag,
            content,
            whole: content,
        })
    }

    #[test]
    fn every_day_of_all_years_comes_back() {
        let mut expected = Calendar {
            year: 0,
            month: 1,
            day: 1,
            hour: 0,
            minute: 0,
            second: 0,
        };
        for day in 0..=(LAST - FIRST) / 86_400 {
            let seconds = FIRST + day * 86_400;
            assert_eq!(Calendar::of(seconds), Some(expected));
            assert_eq!(expected.seconds(), seconds);
            expected.day += 1;
            if expected.day > expected.days_in_month() {
                (expected.day, expected.month) = (1, expected.month + 1);
            }
            if expected.month > 12 {
                (expected.month, expected.year) = (1, expected.year + 1);
            }
        }
        assert_eq!((expected.year, expected.month), (10_000, 1));
        assert_eq!(Calendar::of(LAST + 1), None);
        assert_eq!(Calendar::of(FIRST - 1), None);
        assert_eq!(Calendar::of(i64::MIN), None);
    }

    #[test]
    fn asn1_times_are_read() {
        let cases = [
            (
                tag::UTC_TIME,
                "270609191750Z",
                Some("Jun  9 19:17:50 2027 GMT"),
            ),
            (
                tag::UTC_TIME,
                "500101000000Z",
                Some("Jan  1 00:00:00 1950 GMT"),
            ),
            (
                tag::UTC_TIME,
                "491231235959Z",
                Some("Dec 31 23:59:59 2049 GMT"),
            ),
            (
                tag::UTC_TIME,
                "2706091917Z",
                Some("Jun  9 19:17:00 2027 GMT"),
            ),
            (
                tag::UTC_TIME,
                "270609191750+0200",
                Some("Jun  9 17:17:50 2027 GMT"),
            ),
            (
                tag::UTC_TIME,
                "700101000000+0100",
                Some("Dec 31 23:00:00 1969 GMT"),
            ),
            (
                tag::GENERALIZED_TIME,
                "99991231235959Z",
                Some("Dec 31 23:59:59 9999 GMT"),
            ),
            (
                tag::GENERALIZED_TIME,
                "18991231235959Z",
                Some("Dec 31 23:59:59 1899 GMT"),
            ),
            (
                tag::GENERALIZED_TIME,
                "20240229000000.25Z",
                Some("Feb 29 00:00:00 2024 GMT"),
            ),
            (tag::GENERALIZED_TIME, "20230229000000Z", None),
            (tag::GENERALIZED_TIME, "20231301000000Z", None),
            (tag::UTC_TIME, "2706091917\0Z", None),
            (tag::UTC_TIME, "", None),
            (tag::UTC_TIME, "27060919175Z", None),
            (tag::UTC_TIME, "270609191750+9999", None),
            (tag::UTF8, "270609191750Z", None),
        ];
        for (tag, input, expected) in cases {
            let seen = read(tag, input).map(text);
            assert_eq!(seen.as_deref(), expected, "{input}");
        }
    }

    #[test]
    fn options_give_times_strictly() {
        assert_eq!(parse("700101000000Z").unwrap(), 0);
        assert_eq!(parse("19700101000001Z").unwrap(), 1);
        let why = |text: &str| parse(text).unwrap_err().to_string();
        assert_eq!(
            why("20241301000000Z"),
            "\"20241301000000Z\" isn't a time: the month is out of range"
        );
        assert!(why("20230229000000Z").ends_with("the day is out of range"));
        assert!(why("20230228240000Z").ends_with("the hour is out of range"));
        assert!(why("20230228236000Z").ends_with("the minute is out of range"));
        assert!(why("20230228235961Z").ends_with("the second is out of range"));
        for bad in [
            "",
            "Z",
            "now",
            "270609191750",
            "2706091917Z",
            "٢70609191750Z",
            "-20609191750Z",
        ] {
            assert!(why(bad).contains("it must look like"), "{bad}");
        }
    }

    #[test]
    fn forms_for_writing() {
        assert_eq!(asn1(0).unwrap(), "700101000000Z");
        assert_eq!(asn1(-631_152_001).unwrap(), "19491231235959Z");
        assert_eq!(asn1(2_524_608_000).unwrap(), "20500101000000Z");
        assert!(asn1(LAST + 1).is_err());
        assert_eq!(iso_8601(0), "1970-01-01 00:00:00Z");
        assert_eq!(iso_8601(i64::MAX), "");
        assert_eq!(text(i64::MIN), "");
    }
}
