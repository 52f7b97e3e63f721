//! Times on the wire: milliseconds as integers, and the same moment as text.
//!
//! Writing is ours because every object of a list carries several; reading is the domain's, for filters ask for moments
//! as well.

use std::fmt;

use banter_domain::instant::instant_ms;
use serde::{Serialize, Serializer};
use serde_json::Value;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// 0000-01-01T00:00:00.000Z.
const FIRST_MS: i64 = -62_167_219_200_000;
/// 9999-12-31T23:59:59.999Z.
const LAST_MS: i64 = 253_402_300_799_999;

/// A moment as `YYYY-MM-DDTHH:MM:SS.sssZ`, always 24 bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Iso([u8; 24]);

impl Iso {
    /// Of milliseconds since the epoch. What lies before the year 0 or after 9999 is shown as the
    /// nearest moment that can be written.
    #[must_use]
    pub fn of(ms: i64) -> Self {
        let ms = ms.clamp(FIRST_MS, LAST_MS);
        let (year, month, day) = civil(ms.div_euclid(DAY));
        let rest = ms.rem_euclid(DAY);
        let (hour, minute) = (rest / HOUR, rest % HOUR / MINUTE);
        let (second, milli) = (rest % MINUTE / SECOND, rest % SECOND);
        let [y, m, d] = [year, month, day];
        Self([
            digit(y / 1000),
            digit(y / 100),
            digit(y / 10),
            digit(y),
            b'-',
            digit(m / 10),
            digit(m),
            b'-',
            digit(d / 10),
            digit(d),
            b'T',
            digit(hour / 10),
            digit(hour),
            b':',
            digit(minute / 10),
            digit(minute),
            b':',
            digit(second / 10),
            digit(second),
            b'.',
            digit(milli / 100),
            digit(milli / 10),
            digit(milli),
            b'Z',
        ])
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for Iso {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Iso {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// The last decimal digit of a number that is not negative.
fn digit(number: i64) -> u8 {
    b'0' + u8::try_from(number % 10).unwrap_or_default()
}

/// Year, month and day of a day counted from the epoch (the proleptic Gregorian calendar, by eras
/// of 400 years that begin in March so that the leap day comes last).
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

/// A text or number that names no moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a time: neither ISO 8601 nor milliseconds since the epoch")]
pub struct BadTime;

/// Reads ISO 8601 (without a zone: UTC; a date alone: its midnight) or whole milliseconds since
/// the epoch.
///
/// Errors: [`BadTime`], also before the year 0 and after 9999.
pub fn parse(text: &str) -> Result<i64, BadTime> {
    let text = text.trim();
    if let Ok(ms) = text.parse::<i64>() {
        return within(ms);
    }
    within(instant_ms(text).ok_or(BadTime)?)
}

/// Reads a time from a JSON text or number, as [`parse`] does.
///
/// Errors: [`BadTime`].
pub fn parse_value(value: &Value) -> Result<i64, BadTime> {
    match value {
        Value::String(text) => parse(text),
        Value::Number(number) => within(number.as_i64().ok_or(BadTime)?),
        _ => Err(BadTime),
    }
}

fn within(ms: i64) -> Result<i64, BadTime> {
    if (FIRST_MS..=LAST_MS).contains(&ms) { Ok(ms) } else { Err(BadTime) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn a_moment_is_written_as_the_seeds_write_it() {
        assert_eq!(Iso::of(1_628_090_290_735).as_str(), "2021-08-04T15:18:10.735Z");
        assert_eq!(Iso::of(0).as_str(), "1970-01-01T00:00:00.000Z");
        assert_eq!(Iso::of(FIRST_MS).as_str(), "0000-01-01T00:00:00.000Z");
        assert_eq!(Iso::of(LAST_MS).as_str(), "9999-12-31T23:59:59.999Z");
        assert_eq!(Iso::of(i64::MAX), Iso::of(LAST_MS));
        assert_eq!(Iso::of(i64::MIN), Iso::of(FIRST_MS));
        assert_eq!(json!(Iso::of(0)), "1970-01-01T00:00:00.000Z");
    }

    #[test]
    fn iso_texts_and_milliseconds_are_read() {
        let moment = 1_602_732_534_000;
        for text in ["2020-10-15T03:28:54Z", "2020-10-15T11:28:54+08:00", "1602732534000", "2020-10-15T03:28:54"] {
            assert_eq!(parse(text), Ok(moment), "{text}");
        }
        assert_eq!(parse("2020-10-15"), Ok(1_602_720_000_000));
        assert_eq!(parse_value(&json!(moment)), Ok(moment));
        assert_eq!(parse_value(&json!("2020-10-15T03:28:54Z")), Ok(moment));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "yesterday",
            "2020-13-01T00:00:00Z",
            "12:30",
            "253402300800000",
            "99999999999999999999",
            "1e3",
            "2020-10-15T03:28:54+25:00",
            "2020-10-15T23:59:60Z",
            "0000-01-01T00:00:00+01:00",
        ] {
            assert_eq!(parse(text), Err(BadTime), "{text}");
        }
        for value in [json!(1.5), json!(null), json!([1]), json!(true), json!(u64::MAX)] {
            assert_eq!(parse_value(&value), Err(BadTime), "{value}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn jiff_writes_the_same_and_reads_it_back(ms in FIRST_MS..=LAST_MS) {
            let moment = jiff::Timestamp::from_millisecond(ms);
            // jiff's range ends a day short of 9999's end.
            prop_assume!(moment.is_ok());
            let expected = format!("{:.3}", moment.unwrap());
            let written = Iso::of(ms);
            prop_assert_eq!(written.as_str(), &expected);
            prop_assert_eq!(parse(&expected), Ok(ms));
        }
    }
}
