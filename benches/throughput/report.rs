//! Medians, ranges, ratios.

/// One figure, measured once a round beside its floor.
pub struct Figure {
    pub name: &'static str,
    pub unit: &'static str,
    pub beside: &'static str,
    /// The ratio to reach: at least, or with `at_most` at most.
    pub reach: f64,
    pub at_most: bool,
    pub pairs: Vec<(f64, f64)>,
}

impl Figure {
    pub fn at_least(name: &'static str, unit: &'static str, beside: &'static str, reach: f64) -> Self {
        Figure { name, unit, beside, reach, at_most: false, pairs: Vec::new() }
    }

    pub fn at_most(name: &'static str, unit: &'static str, beside: &'static str, reach: f64) -> Self {
        Figure { at_most: true, ..Figure::at_least(name, unit, beside, reach) }
    }

    pub fn add(&mut self, ours: f64, floor: f64) {
        eprintln!("    {}: {} {} beside {} ({:.2})", self.name, short(ours), self.unit, short(floor), ours / floor);
        self.pairs.push((ours, floor));
    }

    pub fn print(&self) {
        if self.pairs.is_empty() {
            return;
        }
        let spread = |values: Vec<f64>| {
            let mut values = values;
            values.sort_by(f64::total_cmp);
            let median = values[values.len() / 2];
            (median, format!("{} [{} to {}]", short(median), short(values[0]), short(values[values.len() - 1])))
        };
        let (_, ours) = spread(self.pairs.iter().map(|pair| pair.0).collect());
        let (_, floor) = spread(self.pairs.iter().map(|pair| pair.1).collect());
        let (ratio, ratios) = spread(self.pairs.iter().map(|pair| pair.0 / pair.1).collect());
        let reached = if self.at_most { ratio <= self.reach } else { ratio >= self.reach };
        println!("{}, {}", self.name, self.unit);
        println!("    {ours}");
        println!("    beside {}: {floor}", self.beside);
        println!(
            "    ratio {ratios}; wanted at {} {}: {}",
            if self.at_most { "most" } else { "least" },
            self.reach,
            if reached { "reached" } else { "NOT REACHED" }
        );
    }
}

/// Three digits that matter.
pub fn short(value: f64) -> String {
    match value.abs() {
        large if large >= 1e6 => format!("{:.2} M", value / 1e6),
        large if large >= 1e4 => format!("{:.0} k", value / 1e3),
        large if large >= 1e3 => format!("{:.1} k", value / 1e3),
        large if large >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    }
}
