//! The time, as milliseconds since 1970 in UTC, and how it is written.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// An instant in milliseconds since 1970, UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(pub i64);

/// 9999-12-30T22:00:00Z. Later instants cannot be written in every time zone.
const LATEST_MILLIS: i64 = 253_402_207_200_000;

/// 2106-02-07T06:28:15Z: ids have eight hexadecimal digits for the second in which they were made.
const LATEST_SET_MILLIS: i64 = u32::MAX as i64 * 1_000 + 999;
/// Which instants a clock can be set to, in words.
pub const SETTABLE: &str = "an instant up to 2106-02-07T06:28:15Z, such as 2026-09-21T14:13:20Z";

/// How often a thread that waits for a moment looks at the machine's clock: so late is it at most when the clock was
/// set forward. A look costs microseconds.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// The least that counts as setting a clock back. By less, a wait is late.
const LEAST_SET_BACK_MILLIS: i64 = 1_000;
/// Both clocks of the machine are read within this time, or not compared: the thread may have been suspended in
/// between.
const READ_TOGETHER: Duration = Duration::from_millis(100);

impl Timestamp {
    /// The time of the machine's clock.
    #[allow(clippy::disallowed_methods, reason = "this is the clock that all others ask")]
    pub fn of_machine() -> Self {
        // A machine without a battery may start at any time. Its clock is read as the nearest moment that can be
        // written.
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since_epoch.as_millis()).map_or(LATEST_MILLIS, |it| it.min(LATEST_MILLIS)))
    }

    pub fn millis(self) -> i64 {
        self.0
    }

    /// Whether a clock can be set to it: everything that is stored with it can be read, and ids can contain it.
    pub fn can_be_set(self) -> bool {
        (0..=LATEST_SET_MILLIS).contains(&self.0)
    }

    /// The instant that is so much later.
    pub fn after(self, millis: i64) -> Self {
        Timestamp(self.0.saturating_add(millis))
    }

    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// The year, in UTC.
    pub fn year(self) -> i16 {
        self.utc().year()
    }

    /// As HTTP writes it. Years have four digits at most there.
    pub fn http_date(self) -> String {
        Timestamp(self.0.clamp(0, LATEST_MILLIS)).utc().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
    }

    /// The date and time in UTC.
    pub fn utc(self) -> DateTime {
        TimeZone::UTC.to_datetime(jiff::Timestamp::from_millisecond(self.0).unwrap_or_default())
    }

    /// The instant of a date and time in UTC; `None` if it is too far away.
    pub fn of_utc(date: DateTime) -> Option<Self> {
        TimeZone::UTC.to_timestamp(date).ok().map(of_jiff)
    }

    /// As ISO 8601 with milliseconds, as JavaScript writes it.
    pub fn iso(self) -> String {
        self.utc().strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
    }

    /// As ISO 8601 with whole seconds.
    pub fn second_iso(self) -> String {
        self.utc().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    /// An instant in any of the forms that Courier's clients send: epoch seconds, epoch milliseconds or an ISO 8601
    /// date, in UTC if it has no offset.
    pub fn parse(text: &str) -> Option<Self> {
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Some(Timestamp::of_epoch(number)),
            _ => Timestamp::parse_iso(text, None),
        }
    }

    /// An ISO 8601 date, at midnight if it has no time. One without an offset is in `timezone`, a name of IANA's, or
    /// else in UTC.
    pub fn parse_iso(text: &str, timezone: Option<&str>) -> Option<Self> {
        if let Some(at) = Timestamp::parse_with_offset(text) {
            return Some(at);
        }
        let date: DateTime = text.parse().ok()?;
        let zone = timezone.map_or(Ok(TimeZone::UTC), TimeZone::get).ok()?;
        zone.to_timestamp(date).ok().map(of_jiff)
    }

    /// Whether there is a time zone of this name.
    pub fn knows_zone(name: &str) -> bool {
        TimeZone::get(name).is_ok()
    }

    /// An ISO 8601 date and time with an offset.
    pub fn parse_with_offset(text: &str) -> Option<Self> {
        text.parse().ok().map(of_jiff)
    }

    /// Seconds or milliseconds since 1970: as seconds, the larger numbers would be after the year 5138, and as
    /// milliseconds, the smaller ones before March 1973.
    fn of_epoch(number: f64) -> Self {
        const LEAST_MILLIS: f64 = 1e11;
        let millis = if number.abs() >= LEAST_MILLIS { number } else { number * 1000.0 };
        Timestamp(millis as i64)
    }
}

fn of_jiff(at: jiff::Timestamp) -> Timestamp {
    Timestamp(at.as_millisecond())
}

/// Where the daemon takes its time from.
#[derive(Clone, Debug)]
pub enum Clock {
    System(SystemClock),
    Manual(ManualClock),
}

/// The result of reading a clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    pub now: Timestamp,
    /// By how much the clock was set back since the first reading, in total.
    pub set_back_millis: i64,
    /// How much time has passed since the first reading, whatever the clock was set to. Without the time in which the
    /// machine slept.
    pub passed_millis: i64,
}

impl Clock {
    pub fn system() -> Self {
        Clock::System(SystemClock::default())
    }

    pub fn now(&self) -> Timestamp {
        self.read().now
    }

    pub fn read(&self) -> Reading {
        match self {
            Clock::System(clock) => clock.read(),
            Clock::Manual(clock) => clock.read(),
        }
    }

    /// How long to wait for this moment at most, before the clock is read again. The machine's clock may be set
    /// meanwhile. It also runs on while the machine sleeps and the waits of threads stand still. A manual clock that
    /// stands still cannot tell when the moment comes: the bells that [`Clock::on_change`] rings wake the threads that
    /// wait.
    pub fn until(&self, at: Timestamp) -> Duration {
        let now = self.now();
        match self {
            _ if at <= now => Duration::ZERO,
            Clock::Manual(clock) if clock.is_frozen() => Duration::MAX,
            _ => {
                let millis = at.millis().saturating_sub(now.millis());
                Duration::from_millis(u64::try_from(millis).unwrap_or(0)).min(LOOK_AGAIN)
            }
        }
    }

    /// Has `ring` called whenever a manual clock is moved.
    pub fn on_change(&self, ring: impl Fn() + Send + 'static) {
        if let Clock::Manual(clock) = self {
            clock.rings.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(ring));
        }
    }
}

/// The machine's clock, and a second clock that is never set and tells whether the first was set back. A clock that was
/// set forward looks like a machine that has slept, and counts as time that has passed.
#[derive(Clone, Debug, Default)]
pub struct SystemClock(Arc<Mutex<Option<(Instant, Compared)>>>);

/// Both clocks at one moment.
#[derive(Clone, Copy, Debug)]
struct Compared {
    wall: Timestamp,
    runs_on: Instant,
    set_back_millis: i64,
}

impl SystemClock {
    fn read(&self) -> Reading {
        // The clocks are read under the lock: to a thread with an older reading, the clock would seem to jump.
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let runs_on = Instant::now();
        let wall = Timestamp::of_machine();
        let together = runs_on.elapsed() < READ_TOGETHER;
        let (begun, known) = last.unwrap_or((runs_on, Compared { wall, runs_on, set_back_millis: 0 }));
        let now = if together { known.then(wall, runs_on) } else { known };
        *last = Some((begun, now));
        let passed_millis = millis(runs_on.saturating_duration_since(begun));
        Reading { now: wall, set_back_millis: now.set_back_millis, passed_millis }
    }
}

impl Compared {
    /// Compares them again.
    fn then(self, wall: Timestamp, runs_on: Instant) -> Self {
        let elapsed = runs_on.saturating_duration_since(self.runs_on).as_millis();
        let expected = self.wall.after(i64::try_from(elapsed).unwrap_or(i64::MAX));
        match expected.millis().saturating_sub(wall.millis()) {
            // The clock is ahead of what was expected, or exactly there.
            ..=0 => Compared { wall, runs_on, ..self },
            behind @ LEAST_SET_BACK_MILLIS.. => {
                Compared { wall, runs_on, set_back_millis: self.set_back_millis.saturating_add(behind) }
            }
            _ => self,
        }
    }
}

/// How a test clock begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockStart {
    /// At the machine's time, and runs.
    Running,
    /// At this moment, and stands still.
    FrozenAt(Timestamp),
}

impl ClockStart {
    /// `now`, or an instant.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const EXPECTED: &str = "expected now or an instant up to 2106-02-07T06:28:15Z, such as 2026-09-21T14:13:20Z";
        if text == "now" {
            return Ok(ClockStart::Running);
        }
        Timestamp::parse(text).filter(|at| at.can_be_set()).map(ClockStart::FrozenAt).ok_or(EXPECTED)
    }
}

/// A clock that is moved by hand. It stands still in between, or runs as fast as the machine's.
#[derive(Clone)]
pub struct ManualClock {
    state: Arc<Mutex<ManualState>>,
    rings: Arc<Mutex<Vec<Ring>>>,
}

#[derive(Clone, Copy, Debug)]
struct ManualState {
    reading: Reading,
    /// Since when it has run on from there. `None`: it stands still.
    running_since: Option<Instant>,
}

type Ring = Box<dyn Fn() + Send>;

impl fmt::Debug for ManualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ManualClock").field(&*self.state()).finish()
    }
}

impl ManualState {
    fn read(&self) -> Reading {
        let passed = self.running_since.map_or(0, |since| millis(since.elapsed()));
        let Reading { now, set_back_millis, passed_millis } = self.reading;
        Reading { now: now.after(passed), set_back_millis, passed_millis: passed_millis.saturating_add(passed) }
    }

    /// Records how far it has run.
    fn settle(&mut self) {
        self.reading = self.read();
        self.running_since = self.running_since.map(|_| Instant::now());
    }
}

impl ManualClock {
    pub fn at(millis: i64) -> Self {
        ManualClock::starting(ClockStart::FrozenAt(Timestamp(millis)))
    }

    pub fn starting(start: ClockStart) -> Self {
        let (now, running_since) = match start {
            ClockStart::Running => (Timestamp::of_machine(), Some(Instant::now())),
            ClockStart::FrozenAt(now) => (now, None),
        };
        let state = ManualState { reading: Reading { now, ..Reading::default() }, running_since };
        ManualClock { state: Arc::new(Mutex::new(state)), rings: Arc::default() }
    }

    fn state(&self) -> MutexGuard<'_, ManualState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self) -> Reading {
        self.state().read()
    }

    pub fn now(&self) -> Timestamp {
        self.read().now
    }

    /// Whether it stands still between two moves.
    pub fn is_frozen(&self) -> bool {
        self.state().running_since.is_none()
    }

    /// Stops it, or lets it run.
    pub fn freeze(&self, frozen: bool) {
        self.change_state(|state| {
            state.settle();
            state.running_since = if frozen { None } else { Some(Instant::now()) };
        });
    }

    /// Lets time pass, and wakes the threads that wait for a moment.
    pub fn advance(&self, by: Duration) {
        self.change(|reading| {
            reading.now = reading.now.after(millis(by));
            reading.passed_millis = reading.passed_millis.saturating_add(millis(by));
        });
    }

    /// Lets time pass until a moment. A moment in the past changes nothing.
    pub fn advance_to(&self, at: Timestamp) {
        self.change(|reading| {
            let by = at.millis().saturating_sub(reading.now.millis()).max(0);
            reading.now = reading.now.after(by);
            reading.passed_millis = reading.passed_millis.saturating_add(by);
        });
    }

    /// Sets it forward, while no time passes.
    pub fn set_forward(&self, by: Duration) {
        self.change(|reading| reading.now = reading.now.after(millis(by)));
    }

    /// Sets it back, while no time passes.
    pub fn set_back(&self, by: Duration) {
        self.change(|reading| {
            reading.now = reading.now.after(-millis(by));
            reading.set_back_millis += millis(by);
        });
    }

    fn change(&self, change: impl FnOnce(&mut Reading)) {
        self.change_state(|state| {
            state.settle();
            change(&mut state.reading);
        });
    }

    fn change_state(&self, change: impl FnOnce(&mut ManualState)) {
        change(&mut self.state());
        self.rings.lock().unwrap_or_else(PoisonError::into_inner).iter().for_each(|ring| ring());
    }
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-09-21T14:13:20Z
    const NOW: i64 = 1_790_000_000_000;

    #[test]
    fn a_wait_by_the_machines_clock_is_looked_at_again() {
        let clock = Clock::system();
        let now = clock.now();
        assert_eq!(clock.until(now), Duration::ZERO);
        assert_eq!(clock.until(now.after(3_600_000)), LOOK_AGAIN);
        assert_eq!(clock.until(Timestamp(i64::MAX)), LOOK_AGAIN);
        let manual = ManualClock::at(NOW);
        assert_eq!(Clock::Manual(manual.clone()).until(Timestamp(NOW + 1)), Duration::MAX);
        manual.advance(Duration::from_millis(1));
        assert_eq!(Clock::Manual(manual).until(Timestamp(NOW + 1)), Duration::ZERO);
    }

    #[test]
    fn a_manual_clock_stands_still_or_runs_and_only_moves_forward_to_a_moment() {
        let clock = ManualClock::at(NOW);
        clock.advance_to(Timestamp(NOW + 5));
        clock.advance_to(Timestamp(NOW));
        assert_eq!((clock.now(), clock.read().passed_millis), (Timestamp(NOW + 5), 5));
        clock.freeze(false);
        let later = Timestamp(NOW + 3_600_000);
        let wait = Clock::Manual(clock.clone()).until(later);
        assert!(wait > Duration::ZERO && wait <= LOOK_AGAIN);
        clock.advance_to(later);
        assert!(clock.now() >= later);
        clock.freeze(true);
        assert_eq!(clock.now(), clock.now());
        assert_eq!(Clock::Manual(clock).until(Timestamp(i64::MAX)), Duration::MAX);
        assert_eq!(ClockStart::parse("now"), Ok(ClockStart::Running));
        assert_eq!(ClockStart::parse("1790000000"), Ok(ClockStart::FrozenAt(Timestamp(NOW))));
        assert!(["", "then", "-1", "1e300", "NaN"].iter().all(|text| ClockStart::parse(text).is_err()));
    }

    #[test]
    fn a_clock_is_set_back_when_it_falls_behind_the_one_that_runs_on() {
        let begun = Instant::now();
        let at = |wall, elapsed: u64| (Timestamp(NOW + wall), begun + Duration::from_millis(elapsed));
        let (wall, runs_on) = at(0, 0);
        let mut clocks = Compared { wall, runs_on, set_back_millis: 0 };
        for (wall, elapsed, set_back_millis) in [
            (60_000, 60_000, 0),
            (60_500, 61_000, 0),
            (3_660_000, 62_000, 0),
            (3_600_000, 72_000, 70_000),
            (3_599_200, 72_000, 70_000),
            // Too little by itself, it counts once it has added up.
            (3_598_700, 72_000, 71_300),
            (0, 73_000, 3_671_000),
            (1_000, 74_000, 3_671_000),
        ] {
            let (wall, runs_on) = at(wall, elapsed);
            clocks = clocks.then(wall, runs_on);
            assert_eq!(clocks.set_back_millis, set_back_millis, "{wall:?}");
        }
    }

    #[test]
    fn any_clock_has_a_date_for_http() {
        assert_eq!(Timestamp(NOW).http_date(), "Mon, 21 Sep 2026 14:13:20 GMT");
        for (millis, date) in [
            (i64::MIN, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (-1, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (LATEST_MILLIS, "Thu, 30 Dec 9999 22:00:00 GMT"),
            (i64::MAX, "Thu, 30 Dec 9999 22:00:00 GMT"),
        ] {
            assert_eq!(Timestamp(millis).http_date(), date, "{millis}");
        }
    }

    #[test]
    fn an_instant_is_a_number_or_a_date() {
        let cases = [
            ("1790000000", NOW),
            ("1790000000.5", NOW + 500),
            ("1790000000000", NOW),
            ("2026-09-21T14:13:20Z", NOW),
            ("2026-09-21T16:13:20+02:00", NOW),
            ("2026-09-21T16:13:20.250+0200", NOW + 250),
            ("2026-09-21T14:13:20", NOW),
            ("2026-09-21 14:13:20", NOW),
            ("2026-09-21", NOW - 51_200_000),
            ("0", 0),
            ("-1", -1_000),
        ];
        for (text, millis) in cases {
            assert_eq!(Timestamp::parse(text), Some(Timestamp(millis)), "{text}");
        }
        for text in ["", "soon", "NaN", "inf", "2026-13-01", "14:13", "2026-09-21T", "1 day"] {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_date_without_an_offset_is_in_the_zone_that_is_named() {
        let read = |text, zone| Timestamp::parse_iso(text, zone).map(Timestamp::millis);
        assert_eq!(read("2026-09-21T16:13:20", Some("Europe/Paris")), Some(NOW));
        assert_eq!(read("2026-09-21T14:13:20Z", Some("Europe/Paris")), Some(NOW));
        assert_eq!(read("2026-09-21T14:13:20Z", Some("Atlantis")), Some(NOW));
        assert_eq!(read("2026-09-21T14:13:20", Some("Atlantis")), None);
        assert_eq!(read("1790000000", None), None);
        assert_eq!(Timestamp::parse_with_offset("2026-09-21T14:13:20"), None);
        assert_eq!(Timestamp(NOW).iso(), "2026-09-21T14:13:20.000Z");
    }
}
