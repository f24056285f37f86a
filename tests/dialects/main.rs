//! Every way in which a queue manager may plausibly speak, to a gateway that is told nothing of it: each message arrives
//! once and in order.
//!
//! | module | what |
//! |---|---|
//! | `rows` | which combinations are run: full products within a phase, pairs across phases |
//! | `options` | the table of senders: each option of the simulated queue manager, by phase |
//! | `run` | one gateway, many channels, one combination each |
//! | `answers` | the table of receivers, and of our own ways to speak to them |
//! | `talk` | one sending machine and one receiver, on a connection in memory, by a clock that need not wait |
//! | `lies` | answers that are not the right ones |

mod answers;
mod lies;
mod options;
mod rows;
mod run;
mod talk;

use options::SENDERS;
use rows::{Phase, Row};

/// Within each phase every combination, with every byte order, alphabet and splitting; across phases every pair.
#[test]
fn every_way_to_speak_delivers_once_to_a_receiver_that_was_told_nothing() {
    let rows = SENDERS.rows();
    SENDERS.assert_covered(&rows);
    let failures = run::all(&rows);
    SENDERS.tell(&[("runs", &rows)]);
    assert!(Phase::ALL.iter().all(|phase| SENDERS.axes.iter().any(|axis| axis.phase == *phase)));
    none(&rows, &failures, |row| SENDERS.describe(row));
}

/// No run failed.
fn none(rows: &[Row], failures: &[(Row, String)], describe: impl Fn(&Row) -> String) {
    println!("{} runs, {} failed", rows.len(), failures.len());
    let shown: Vec<_> = failures.iter().take(10).map(|(row, why)| format!("{}\n  {why}", describe(row))).collect();
    assert!(failures.is_empty(), "{} of {} runs failed; some:\n{}", failures.len(), rows.len(), shown.join("\n"));
}
