//! A simulated queue manager that sends, as a program to be killed and started again; see `--help`.
//!
//! ```sh
//! cargo run --example sending_queue_manager -- --address 127.0.0.1:1414 --folder /tmp/qm1 --put 5000
//! ```

#[path = "../tests/support/sending.rs"]
mod sending;

use std::process::ExitCode;

use clap::Parser as _;

#[tokio::main]
async fn main() -> ExitCode {
    match sending::Sending::parse().run().await {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
