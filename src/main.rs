//! The `mqferry` command.

fn main() -> std::process::ExitCode {
    mqferry::cli::main()
}
