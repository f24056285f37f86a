//! Every way in which a queue manager may plausibly speak, to a receiver that is told nothing of it: each message arrives
//! once and in order.
//!
//! | module | what |
//! |---|---|
//! | `options` | the table: each option of the simulated queue manager, by phase |
//! | `rows` | which combinations are run: full products within a phase, pairs across phases |
//! | `run` | one gateway, many channels, one combination each |

mod options;
mod rows;
mod run;

use options::{AXES, IMPOSSIBLE, Phase};

/// Within each phase every combination, with every byte order, alphabet and splitting; across phases every pair.
#[test]
fn every_way_to_speak_delivers_once_to_a_receiver_that_was_told_nothing() {
    let rows = rows::all();
    rows::assert_covered(&rows);
    let failures = run::all(&rows);
    let mut runs = vec![Vec::new(); AXES.len()];
    for (at, axis) in AXES.iter().enumerate() {
        runs[at] = (0..axis.values.len()).map(|value| rows.iter().filter(|row| row[at] == value).count()).collect();
    }
    let mut phase = None;
    for (axis, runs) in AXES.iter().zip(&runs) {
        if phase != Some(axis.phase) {
            phase = Some(axis.phase);
            println!("{}", axis.phase.name());
        }
        for ((name, _), count) in axis.values.iter().zip(runs) {
            println!("  {:24} {:36} {count:6} runs", axis.name, name);
            assert!(*count > 0, "no run with {} = {name}", axis.name);
        }
    }
    println!("not run together:");
    for pair in IMPOSSIBLE {
        let together: Vec<_> = pair.together.iter().map(|(axis, value)| format!("{axis} = {value}")).collect();
        println!("  {}: {}", together.join(", "), pair.why);
    }
    println!("{} runs, {} failed", rows.len(), failures.len());
    let shown: Vec<_> =
        failures.iter().take(10).map(|(row, why)| format!("{}\n  {why}", rows::describe(row))).collect();
    assert!(failures.is_empty(), "{} of {} runs failed; some:\n{}", failures.len(), rows.len(), shown.join("\n"));
    assert!(Phase::ALL.iter().all(|phase| AXES.iter().any(|axis| axis.phase == *phase)));
}
