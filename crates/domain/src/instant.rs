//! Moments as callers write them.
//!
//! Reads ISO 8601 only; a number of milliseconds needs no reading. It knows no clock and no time zone names.

/// The moment an ISO 8601 text means, in milliseconds since 1970 UTC. `None`: it means none.
///
/// A date, or a date and a time to the minute or finer, behind `T` or a space; then `Z`, an offset (`+08:00`,
/// `+0800`, `+08`), or nothing, which means UTC. Finer than a millisecond is cut off. Years 0000 to 9999.
pub fn instant_ms(text: &str) -> Option<i64> {
    let (date, time) = match text.split_once(['T', 't', ' ']) {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let mut parts = date.split('-');
    let (year, month, day) = (digits(parts.next()?, 4)?, digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    if parts.next().is_some() || !(1..=12).contains(&month) || !(1..=days_in(year, month)).contains(&day) {
        return None;
    }
    let midnight = days_before(year, month, day) * 86_400_000;
    time.map_or(Some(0), of_day_ms).map(|of_day| midnight + of_day)
}

/// Milliseconds from midnight UTC: negative or beyond a day where the offset makes it so.
fn of_day_ms(time: &str) -> Option<i64> {
    let (clock, offset) = match time.find(['Z', 'z', '+', '-']) {
        Some(at) => time.split_at_checked(at)?,
        None => (time, "Z"),
    };
    let (clock, fraction) = clock.split_once('.').map_or((clock, None), |(clock, fraction)| (clock, Some(fraction)));
    let mut parts = clock.split(':');
    let (hour, minute) = (digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    let second = parts.next().map(|second| digits(second, 2));
    let (second, milliseconds) = match (second, fraction) {
        (None, None) => (0, 0),
        (Some(second), None) => (second?, 0),
        (Some(second), Some(fraction)) => (second?, thousandths(fraction)?),
        (None, Some(_)) => return None,
    };
    if parts.next().is_some() || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    Some(((hour * 60 + minute) * 60 + second) * 1_000 + milliseconds - offset_ms(offset)?)
}

fn offset_ms(offset: &str) -> Option<i64> {
    if offset.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let (sign, rest) = offset.split_at_checked(1)?;
    let (hours, minutes) = match rest.split_once(':') {
        Some(both) => both,
        None => {
            rest.split_at_checked(2).map(|(hours, minutes)| (hours, if minutes.is_empty() { "00" } else { minutes }))?
        }
    };
    let (hours, minutes) = (digits(hours, 2)?, digits(minutes, 2)?);
    let offset = (hours * 60 + minutes) * 60_000;
    (hours <= 23 && minutes <= 59).then_some(if sign == "-" { -offset } else { offset })
}

fn thousandths(fraction: &str) -> Option<i64> {
    let valid = (1..=9).contains(&fraction.len()) && fraction.bytes().all(|b| b.is_ascii_digit());
    let three: String = fraction.chars().chain("00".chars()).take(3).collect();
    three.parse().ok().filter(|_| valid)
}

fn digits(text: &str, count: usize) -> Option<i64> {
    (text.len() == count && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01. Years are counted from March, so that the leap day is a year's last.
fn days_before(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read() {
        for (text, ms) in [
            ("1970-01-01", 0),
            ("1970-01-01T00:00:00.000Z", 0),
            ("2024-02-29T12:34:56.789Z", 1_709_210_096_789),
            ("2024-02-29T20:34:56.789+08:00", 1_709_210_096_789),
            ("2024-02-29 20:34:56.7891+0800", 1_709_210_096_789),
            ("2024-02-29T07:34:56.7-05", 1_709_210_096_700),
            ("2024-02-29T12:34", 1_709_210_040_000),
            ("2000-03-01", 951_868_800_000),
            ("1969-12-31T23:59:59.999Z", -1),
            ("0000-01-01", -62_167_219_200_000),
            ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
        ] {
            assert_eq!(instant_ms(text), Some(ms), "{text}");
        }
    }

    #[test]
    fn anything_else_is_none() {
        for text in [
            "",
            "now",
            "2024",
            "2024-1-1",
            "2023-02-29",
            "2024-13-01",
            "2024-00-10",
            "2024-01-32",
            "2024-01-01T",
            "2024-01-01T24:00",
            "2024-01-01T12",
            "2024-01-01T12:60",
            "2024-01-01T12:00:60",
            "2024-01-01T12:00.5",
            "2024-01-01T12:00:00.",
            "2024-01-01T12:00:00Zx",
            "2024-01-01T12:00+",
            "2024-01-01T12:00+8",
            "+024-01-01",
            "2024-01-01T12:00:00+24:00",
            "2024-01-01-01",
            "20240101",
            "２０２４-01-01",
            "2024-01-01T12:00é",
            "-1",
        ] {
            assert_eq!(instant_ms(text), None, "{text}");
        }
    }

    #[test]
    fn days_follow_each_other() {
        let mut expected = -719_528;
        for year in 0..=2_400 {
            for month in 1..=12 {
                for day in 1..=days_in(year, month) {
                    assert_eq!(days_before(year, month, day), expected);
                    expected += 1;
                }
            }
        }
    }
}
