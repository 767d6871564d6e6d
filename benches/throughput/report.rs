//! Medians, ranges, ratios.

/// What is measured: its name, its unit, what it is measured beside, and the ratio to reach.
const FIGURES: [(&str, &str, &str, Reach); 29] = [
    ("ingest", "users/s", "plain inserts", AtLeast(0.8)),
    ("ingest, the large job", "users/s", "plain inserts", AtLeast(0.75)),
    ("ingest in calls of one, 64 connections", "users/s", "one commit a row", AtLeast(4.0)),
    ("drain, five variables", "messages/s", "plain inserts of the messages", AtLeast(1.0)),
    ("drain, the large job", "messages/s", "plain inserts of the messages", AtLeast(1.0)),
    ("drain with a block and a helper", "messages/s", "the drain with variables", AtLeast(0.8)),
    ("drain, stored template of ten elements", "messages/s", "plain inserts of the messages", AtLeast(1.0)),
    ("POST /send with a title and a body, 64 connections", "messages/s", "one commit a row", AtLeast(2.0)),
    ("POST /send with five elements, 64 connections", "messages/s", "one commit a row", AtLeast(2.0)),
    ("compile 1,000 texts of 2 KB", "texts/s", "reading them as JSON", AtLeast(0.0)),
    ("drain beside a webhook that is gone", "messages/s", "the drain without", AtLeast(0.95)),
    ("drain beside twenty webhooks that are gone", "messages/s", "the drain without", AtLeast(0.95)),
    ("drain beside twenty webhooks that never answer", "messages/s", "the drain without", AtLeast(0.95)),
    ("drain beside a webhook that listens", "messages/s", "the drain without", AtLeast(0.95)),
    ("drain beside retention", "messages/s", "the drain without", AtLeast(0.95)),
    ("drain beside a wait for 100,000 messages", "messages/s", "the drain without", AtLeast(0.95)),
    ("drain beside a thousand waits", "messages/s", "the drain without", AtLeast(0.95)),
    ("drain beside a thousand waits and a hundred streams", "messages/s", "the drain without", AtLeast(0.95)),
    ("processor's time of that drain, beside them", "s a message", "the drain without", AtMost(1.05)),
    ("requests noted by journal and doctor", "requests/s", "GET /bulk/{id}, 16 connections", AtLeast(10.0)),
    ("a send beside twenty webhooks that are gone", "s", "the send without", AtMost(1.5)),
    ("a send beside twenty webhooks that never answer", "s", "the send without", AtMost(1.5)),
    ("a job of 1,000 while the others drain", "s", "the same job alone", AtMost(3.0)),
    ("GET /bulk/{id} p99 while draining", "s", "p99 idle", AtMost(20.0)),
    ("GET /bulk/{id}, 16 connections", "requests/s", "a bare tiny_http Server", AtLeast(1.5)),
    ("/users page deep in the job", "s", "the first page", AtMost(1.2)),
    ("peak memory", "bytes", "40 MB + 25 bytes a user", AtMost(1.0)),
    ("peak memory, the large job", "bytes", "40 MB + 25 bytes a user", AtMost(1.0)),
    ("start to first answer, file of all users", "s", "--version", AtMost(10.0)),
];

use Reach::{AtLeast, AtMost};

#[derive(Clone, Copy)]
enum Reach {
    AtLeast(f64),
    AtMost(f64),
}

/// Figures that were measured, each with its floor.
#[derive(Default)]
pub struct Report {
    pairs: Vec<(&'static str, f64, f64)>,
}

impl Report {
    /// Adds a figure of this round beside its floor.
    pub fn add(&mut self, name: &'static str, ours: f64, floor: f64) {
        let unit = FIGURES.iter().find(|figure| figure.0 == name).expect("a figure of the table").1;
        eprintln!("    {name}: {} {unit} beside {} ({:.2})", short(ours), short(floor), ours / floor);
        self.pairs.push((name, ours, floor));
    }

    pub fn print(&self) {
        println!();
        for (name, unit, beside, reach) in FIGURES {
            let pairs = || self.pairs.iter().filter(|pair| pair.0 == name);
            if pairs().next().is_none() {
                continue;
            }
            let (_, ours) = spread(pairs().map(|pair| pair.1).collect());
            let (_, floor) = spread(pairs().map(|pair| pair.2).collect());
            let (ratio, ratios) = spread(pairs().map(|pair| pair.1 / pair.2).collect());
            let (wanted, reached) = match reach {
                AtLeast(bar) => (format!("at least {bar}"), ratio >= bar),
                AtMost(bar) => (format!("at most {bar}"), ratio <= bar),
            };
            let reached = if reached { "reached" } else { "NOT REACHED" };
            println!("{name}, {unit}\n    {ours}\n    beside {beside}: {floor}");
            println!("    ratio {ratios}; wanted {wanted}: {reached}");
        }
    }
}

/// The median, alone and in words with the range.
fn spread(mut values: Vec<f64>) -> (f64, String) {
    values.sort_by(f64::total_cmp);
    let median = median(values.clone());
    (median, format!("{} [{} to {}]", short(median), short(values[0]), short(values[values.len() - 1])))
}

/// Of an even number of values the mean of the two in the middle.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len().is_multiple_of(2) { values[middle - 1].midpoint(values[middle]) } else { values[middle] }
}

pub fn percentile(mut values: Vec<f64>, part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * part) as usize]
}

/// Three digits that matter.
pub fn short(value: f64) -> String {
    match value.abs() {
        large if large >= 1e6 => format!("{:.2} M", value / 1e6),
        large if large >= 1e4 => format!("{:.0} k", value / 1e3),
        large if large >= 1e3 => format!("{:.1} k", value / 1e3),
        large if large >= 10.0 => format!("{value:.1}"),
        small if small >= 0.01 => format!("{value:.3}"),
        _ => format!("{:.3} m", value * 1e3),
    }
}
