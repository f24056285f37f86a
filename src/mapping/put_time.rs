//! PutDate and PutTime of a descriptor as milliseconds since 1970.

/// Milliseconds since 1970 UTC of PutDate `YYYYMMDD` and PutTime `HHMMSSTH` (hundredths), both GMT (wire reference,
/// headers, D). None if either is blank or not a date.
pub fn millis(date: &str, time: &str) -> Option<i64> {
    let (year, month, day) = (number(date, 0, 4)?, number(date, 4, 2)?, number(date, 6, 2)?);
    let (hour, minute, second, hundredths) =
        (number(time, 0, 2)?, number(time, 2, 2)?, number(time, 4, 2)?, number(time, 6, 2)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days_in_month = match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        1..=12 => 31,
        _ => return None,
    };
    let valid = (1..=days_in_month).contains(&day) && hour < 24 && minute < 60 && second < 60;
    (valid && date.len() == 8 && time.len() == 8).then(|| {
        let seconds = ((days_from_1970(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
        seconds * 1000 + hundredths * 10
    })
}

fn number(text: &str, start: usize, digits: usize) -> Option<i64> {
    let part = text.get(start..start + digits)?;
    part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse().ok())?
}

/// Days since 1970-01-01 of a Gregorian date. Years begin in March here, so that the leap day is the last of its year.
fn days_from_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let before_era = 719_468; // days from 0000-03-01 to 1970-01-01
    365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year - before_era
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected values by `date -u -d ... +%s`.
    #[test]
    fn dates() {
        for (date, time, expected) in [
            ("19700101", "00000000", 0),
            ("20000229", "23595999", 951_868_799_990),
            ("20261123", "13534561", 1_795_442_025_610),
            ("99991231", "23595999", 253_402_300_799_990),
            ("19000301", "00000000", -2_203_891_200_000),
        ] {
            assert_eq!(millis(date, time), Some(expected), "{date} {time}");
        }
        for (date, time) in [
            ("", ""),
            ("20260230", "00000000"),
            ("20261301", "00000000"),
            ("20260101", "24000000"),
            ("2026010é", "00000000"),
            ("+2260101", "00000000"),
            ("20260101", "000000001"),
        ] {
            assert_eq!(millis(date, time), None, "{date} {time}");
        }
    }
}
