//! Dates, for sentences. A person reads them, so they are in words and in UTC.

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// `12 March 2026, 14:03 UTC`. A time after the year 9999 is told as its number.
#[must_use]
pub(crate) fn date(ms: u64) -> String {
    let minutes = ms / 60_000;
    let (days, minute) = (minutes / 1440, minutes % 1440);
    if days > 2_932_896 {
        return format!("{ms} ms after 1970");
    }
    // Days from 1 March of the year 0, so that a leap day ends its year:
    // <https://howardhinnant.github.io/date_algorithms.html#civil_from_days>.
    let from_march = days + 719_468;
    let (era, of_era) = (from_march / 146_097, from_march % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, year) = if month < 10 { (month + 2, year) } else { (month - 10, year + 1) };
    let name = usize::try_from(month).ok().and_then(|month| MONTHS.get(month)).unwrap_or(&"?");
    format!("{day} {name} {}, {:02}:{:02} UTC", era * 400 + year, minute / 60, minute % 60)
}

#[cfg(test)]
mod tests {
    use super::date;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (ms, told) in [
            (0, "1 January 1970, 00:00 UTC"),
            (951_782_400_000, "29 February 2000, 00:00 UTC"),
            (1_773_324_180_000, "12 March 2026, 14:03 UTC"),
            (253_402_300_799_999, "31 December 9999, 23:59 UTC"),
            (u64::MAX, "18446744073709551615 ms after 1970"),
        ] {
            assert_eq!(date(ms), told);
        }
    }
}
