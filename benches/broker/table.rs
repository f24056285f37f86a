//! What was measured, and how it is shown.

use std::collections::BTreeMap;

use super::Load;

/// One round of one row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    /// Messages a second.
    pub(crate) rate: f64,
    /// Processor time of the sending program for a message, in microseconds.
    pub(crate) cpu_us: f64,
    /// The most memory that the sending program ever had, in MiB.
    pub(crate) peak_mib: f64,
}

/// The rounds of each row of one load, in the order of the rows.
#[derive(Default)]
pub(crate) struct Table(Vec<&'static str>, BTreeMap<&'static str, Vec<Measured>>);

pub(crate) fn head() {
    println!(
        "{:>8} {:>6} {:>9}  {:<12} {:>9} {:>20} {:>6} {:>10} {:>9}",
        "bytes", "batch", "channels", "", "a second", "lowest to highest", "ratio", "CPU us/msg", "peak MiB"
    );
}

impl Table {
    pub(crate) fn add(&mut self, row: &'static str, measured: Measured) {
        if !self.0.contains(&row) {
            self.0.push(row);
        }
        self.1.entry(row).or_default().push(measured);
    }

    pub(crate) fn print(&self, load: &Load, peer: &str) {
        let base = self.1.get(peer).map_or(f64::NAN, |rounds| median(rounds, |measured| measured.rate));
        for row in &self.0 {
            let rounds = &self.1[row];
            let rate = median(rounds, |measured| measured.rate);
            let rates = rounds.iter().map(|measured| measured.rate);
            let (low, high) = rates.fold((f64::MAX, 0.0_f64), |(low, high), rate| (low.min(rate), high.max(rate)));
            println!(
                "{:>8} {:>6} {:>9}  {row:<12} {rate:>9.0} {:>20} {:>6.2} {:>10.1} {:>9.0}",
                load.size,
                load.batch,
                load.channels,
                format!("{low:.0} to {high:.0}"),
                rate / base,
                median(rounds, |measured| measured.cpu_us),
                median(rounds, |measured| measured.peak_mib),
            );
        }
    }
}

fn median(rounds: &[Measured], of: impl Fn(&Measured) -> f64) -> f64 {
    let mut sorted: Vec<f64> = rounds.iter().map(of).collect();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}
