//! Where patterns of dates and times are in the lists of [`super::dates`].

/// Where patterns of dates are in their list.
pub struct DatePattern;

impl DatePattern {
    /// Those with a month: 6 for each way to write it, which is a number, short or long.
    pub fn with_month(way: usize, has_year: bool, has_day: bool, has_weekday: bool) -> usize {
        let shape = match (has_year, has_day, has_weekday) {
            (false, false, false) => 0,
            (true, false, false) => 1,
            (false, true, false) => 2,
            (true, true, false) => 3,
            (false, _, true) => 4,
            (true, _, true) => 5,
        };
        way * 6 + shape
    }

    pub const YEAR: usize = 18;
    pub const DAY: usize = 19;
    pub const WEEKDAY: usize = 20;
    pub const WEEKDAY_AND_DAY: usize = 21;

    /// The four lengths: short, medium, long, full.
    pub fn of_length(length: usize) -> usize {
        22 + length
    }
}

/// Where patterns of times are in their list.
pub struct TimePattern;

impl TimePattern {
    /// Hours, with minutes, and with seconds too.
    pub fn with_hour(has_12_hours: bool, shape: usize) -> usize {
        shape + if has_12_hours { 0 } else { 3 }
    }

    pub const MINUTE_AND_SECOND: usize = 6;
    pub const LONG: usize = 7;
    pub const FULL: usize = 8;
    pub const WITH_ZONE: usize = 9;
}

/// How a date and a time are put together.
pub struct Joint;

impl Joint {
    pub const WEEKDAY_AND_LONG: usize = 3;
    pub const WEEKDAY: usize = 4;

    /// By how the month is written.
    pub fn of_month(way: usize) -> usize {
        way
    }

    /// The four lengths of the date.
    pub fn of_length(length: usize) -> usize {
        5 + length
    }
}
