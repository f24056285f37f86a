//! PutDate and PutTime to milliseconds and back (wire reference, headers, D: YYYYMMDD and HHMMSSTH, GMT).

const DAY_MS: i64 = 86_400_000;

/// Milliseconds since 1970 UTC of a PutDate (`YYYYMMDD`) and a PutTime (`HHMMSSTH`, hundredths; fewer digits are
/// those of the left). None: not digits, no such day, or no such time.
pub fn millis_of_put_time(date: &str, time: &str) -> Option<i64> {
    let [year, month, day] = [digits(date, 0, 4)?, digits(date, 4, 6)?, digits(date, 6, 8)?];
    let [hour, minute, second, hundredth] =
        [digits(time, 0, 2)?, digits(time, 2, 4)?, digits(time, 4, 6)?, digits(time, 6, 8)?];
    let good = date.len() == 8 && time.len() == 8;
    if !good || !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) {
        return None;
    }
    // 60 is a leap second, which the epoch does not count.
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let seconds = days_since_1970(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    Some(seconds * 1_000 + hundredth * 10)
}

/// PutDate and PutTime of milliseconds since 1970 UTC, rounded down to hundredths. None: the year is not one of
/// 0000 to 9999.
pub fn put_time_of_millis(millis: i64) -> Option<(String, String)> {
    let text = |digits: [u8; 8]| digits.into_iter().map(char::from).collect();
    digits_of_millis(millis).map(|(date, time)| (text(date), text(time)))
}

/// The same as ASCII digits.
pub(super) fn digits_of_millis(millis: i64) -> Option<([u8; 8], [u8; 8])> {
    // Years that begin in March, so that a leap day is the last day of one.
    let since_march = millis.div_euclid(DAY_MS) + 719_468;
    let (cycle, day) = (since_march.div_euclid(146_097), since_march.rem_euclid(146_097));
    let year_of_cycle = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = 400 * cycle + year_of_cycle + i64::from(month <= 2);
    if !(0..=9999).contains(&year) {
        return None;
    }
    let hundredths = millis.rem_euclid(DAY_MS) / 10;
    let (seconds, hundredth) = (hundredths / 100, hundredths % 100);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    let (century, year) = (year / 100, year % 100);
    Some((pairs([century, year, month, day + 1]), pairs([hour, minute, second, hundredth])))
}

/// Two digits of each.
fn pairs(numbers: [i64; 4]) -> [u8; 8] {
    let digit = |number: i64| b'0' + u8::try_from(number % 10).unwrap_or(0);
    let [a, b, c, d] = numbers.map(|number| [digit(number / 10), digit(number)]);
    [a[0], a[1], b[0], b[1], c[0], c[1], d[0], d[1]]
}

fn digits(text: &str, from: usize, to: usize) -> Option<i64> {
    let field = text.get(from..to)?;
    if field.bytes().all(|byte| byte.is_ascii_digit()) { field.parse().ok() } else { None }
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let leap_days =
        |before: i64| (before - 1).div_euclid(4) - (before - 1).div_euclid(100) + (before - 1).div_euclid(400);
    let years = 365 * (year - 1970) + leap_days(year) - leap_days(1970);
    years + (1..month).map(|month| days_in_month(year, month)).sum::<i64>() + day - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds from `date -u -d ... +%s`.
    const KNOWN: [(&str, &str, i64); 7] = [
        ("19700101", "00000000", 0),
        ("20000229", "23595999", 951_868_799_990),
        ("20260131", "12345678", 1_769_862_896_780),
        ("20260102", "12345600", 1_767_357_296_000),
        ("21000301", "00000000", 4_107_542_400_000),
        ("19991231", "23595999", 946_684_799_990),
        ("19000101", "00000000", -2_208_988_800_000),
    ];

    #[test]
    fn well_known_dates() {
        for (date, time, millis) in KNOWN {
            assert_eq!(millis_of_put_time(date, time), Some(millis), "{date} {time}");
            assert_eq!(put_time_of_millis(millis), Some((date.to_owned(), time.to_owned())));
        }
    }

    #[test]
    fn what_is_no_date() {
        for (date, time) in [
            ("", ""),
            ("20260230", "00000000"),
            ("20261301", "00000000"),
            ("21000229", "00000000"),
            ("20260101", "24000000"),
            ("20260101", "00600000"),
            ("20260101", "0000000"),
            ("2026010é", "00000000"),
            ("+2260101", "00000000"),
            ("202601011", "00000000"),
        ] {
            assert_eq!(millis_of_put_time(date, time), None, "{date} {time}");
        }
        assert_eq!(put_time_of_millis(i64::MAX), None);
        assert_eq!(put_time_of_millis(i64::MIN), None);
    }
}
