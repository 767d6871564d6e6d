//! What is counted and timed since the start, for monitoring. Counting is an addition to an atomic number: no thread
//! waits for another.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The upper bounds of the buckets, in microseconds.
const BOUNDS_MICROS: [u64; 13] =
    [100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 5_000_000];

/// The statuses that are counted apart. All others count as none.
const STATUSES: [u16; 24] = [
    200, 201, 202, 204, 400, 401, 403, 404, 405, 408, 409, 412, 413, 415, 418, 421, 422, 429, 431, 500, 501, 502, 503,
    504,
];

/// How long something took, each time.
#[derive(Default)]
pub struct Histogram {
    /// How many took at most as long as the bound in the same place. The last one counts longer ones.
    counts: [AtomicU64; BOUNDS_MICROS.len() + 1],
    sum_micros: AtomicU64,
}

impl Histogram {
    pub fn note(&self, taken: Duration) {
        let micros = u64::try_from(taken.as_micros()).unwrap_or(u64::MAX);
        let place = BOUNDS_MICROS.partition_point(|bound| *bound < micros);
        if let Some(count) = self.counts.get(place) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.sum_micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// Its lines in Prometheus' text format. `labels` are `name="value"` with commas between them, or nothing.
    pub fn write(&self, name: &str, labels: &str, out: &mut String) {
        let comma = if labels.is_empty() { "" } else { "," };
        let mut total = 0;
        for (place, count) in self.counts.iter().enumerate() {
            total += count.load(Ordering::Relaxed);
            let bound = BOUNDS_MICROS.get(place).map_or("+Inf".to_owned(), |bound| seconds(*bound));
            let _ = writeln!(out, "{name}_bucket{{{labels}{comma}le=\"{bound}\"}} {total}");
        }
        let labels = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
        let _ = writeln!(out, "{name}_sum{labels} {}", seconds(self.sum_micros.load(Ordering::Relaxed)));
        let _ = writeln!(out, "{name}_count{labels} {total}");
    }
}

fn seconds(micros: u64) -> String {
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

/// Requests by route and status.
pub struct Meter {
    /// The last one is for requests without a route.
    routes: Vec<RouteMeter>,
}

#[derive(Default)]
pub struct RouteMeter {
    /// The last one is for requests without a status, or with another one.
    statuses: [AtomicU64; STATUSES.len() + 1],
    pub taken: Histogram,
}

impl Meter {
    pub fn new(routes: usize) -> Self {
        Meter { routes: (0..=routes).map(|_| RouteMeter::default()).collect() }
    }

    /// Counts a request. `route` is its place in the table, `status` that of an immediate answer.
    pub fn note(&self, route: Option<usize>, status: Option<u16>, taken: Duration) {
        let of_none = self.routes.len() - 1;
        let Some(route) = self.routes.get(route.unwrap_or(of_none)) else { return };
        let place = status.and_then(|status| STATUSES.iter().position(|known| *known == status));
        if let Some(count) = route.statuses.get(place.unwrap_or(STATUSES.len())) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        route.taken.note(taken);
    }

    /// The routes that were called, each by its place in the table; `None` is no route.
    pub fn routes(&self) -> impl Iterator<Item = (Option<usize>, &RouteMeter)> {
        let of_none = self.routes.len() - 1;
        let asked = self.routes.iter().enumerate().filter(|(_, route)| route.counts().next().is_some());
        asked.map(move |(place, route)| ((place != of_none).then_some(place), route))
    }
}

impl RouteMeter {
    /// How many requests had which status. `None`: no immediate one.
    pub fn counts(&self) -> impl Iterator<Item = (Option<u16>, u64)> {
        let counts = self.statuses.iter().enumerate();
        let counts = counts.map(|(place, count)| (STATUSES.get(place).copied(), count.load(Ordering::Relaxed)));
        counts.filter(|(_, count)| *count > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_counted_up_to_their_bound() {
        let histogram = Histogram::default();
        for micros in [1, 100, 101, 2_000_000, 6_000_000] {
            histogram.note(Duration::from_micros(micros));
        }
        let mut out = String::new();
        histogram.write("h", "a=\"b\"", &mut out);
        for line in ["h_bucket{a=\"b\",le=\"0.000100\"} 2", "h_bucket{a=\"b\",le=\"0.000250\"} 3"] {
            assert!(out.contains(line), "{out}");
        }
        for line in ["le=\"1.000000\"} 3", "le=\"5.000000\"} 4", "le=\"+Inf\"} 5", "h_count{a=\"b\"} 5"] {
            assert!(out.contains(line), "{out}");
        }
        assert!(out.contains("h_sum{a=\"b\"} 8.000202"), "{out}");
    }
}
