//! Instants: `#inst` text to and from milliseconds of the proleptic Gregorian calendar, in UTC.

use std::fmt;

/// Days from 1970-01-01 to a civil date (Howard Hinnant's algorithm, "chrono-compatible low-level date algorithms").
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let year_of_era = y.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The inverse of [`days_from_civil`].
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + i64::from(month <= 2), month, doy - (153 * mp + 2) / 5 + 1)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    fn digits(&mut self, n: usize) -> Option<i64> {
        let (head, tail) = self.0.split_at_checked(n)?;
        let mut value = 0;
        for b in head {
            value = value * 10 + i64::from(b.is_ascii_digit().then(|| b - b'0')?);
        }
        self.0 = tail;
        Some(value)
    }

    fn eat(&mut self, byte: u8) -> bool {
        match self.0.split_first() {
            Some((b, tail)) if *b == byte => {
                self.0 = tail;
                true
            }
            _ => false,
        }
    }
}

/// Reads `yyyy[-MM[-dd[THH[:mm[:ss[.fff…]]]]]]` with an optional `Z` or `±hh:mm`; parts left out are the lowest.
/// Digits beyond the millisecond are dropped.
pub fn parse(text: &str) -> Option<i64> {
    let mut c = Cursor(text.as_bytes());
    let year = c.digits(4)?;
    let (mut month, mut day, mut hour, mut minute, mut second, mut ms) = (1, 1, 0, 0, 0, 0);
    if c.eat(b'-') {
        month = c.digits(2)?;
        if c.eat(b'-') {
            day = c.digits(2)?;
            if c.eat(b'T') {
                hour = c.digits(2)?;
                if c.eat(b':') {
                    minute = c.digits(2)?;
                    if c.eat(b':') {
                        second = c.digits(2)?;
                        if c.eat(b'.') {
                            let n = c.0.iter().take_while(|b| b.is_ascii_digit()).count();
                            if n == 0 {
                                return None;
                            }
                            for i in 0..n {
                                let d = c.digits(1)?;
                                ms += if i < 3 { d * [100, 10, 1][i] } else { 0 };
                            }
                        }
                    }
                }
            }
        }
    }
    let mut offset = 0;
    if !c.0.is_empty() && !c.eat(b'Z') {
        let sign = if c.eat(b'+') {
            1
        } else if c.eat(b'-') {
            -1
        } else {
            return None;
        };
        let h = c.digits(2)?;
        if !c.eat(b':') {
            return None;
        }
        offset = sign * (h * 60 + c.digits(2)?);
    }
    let valid = c.0.is_empty()
        && (1..=12).contains(&month)
        && (1..=days_in_month(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60 + i64::from(minute == 59);
    valid
        .then(|| ((days_from_civil(year, month, day) * 24 + hour) * 60 + minute - offset) * 60_000 + second * 1000 + ms)
}

/// Displays milliseconds as `yyyy-MM-ddTHH:mm:ss.fff-00:00`.
pub struct Rfc3339(pub i64);

impl fmt::Display for Rfc3339 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, ms) = (self.0.div_euclid(86_400_000), self.0.rem_euclid(86_400_000));
        let (year, month, day) = civil_from_days(days);
        let (s, ms) = (ms / 1000, ms % 1000);
        let (h, m, s) = (s / 3600, s / 60 % 60, s % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}.{ms:03}-00:00")
    }
}
