//! Runs the simulator from the command line.

fn main() -> std::process::ExitCode {
    sim::main()
}
