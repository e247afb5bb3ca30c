//! A load generator for what wrk cannot do: a set rate without coordinated omission, uploads of any
//! size, thousands of hosts, handshakes of TLS, connections held idle.
//!
//! One thread, edge-triggered epoll, one timer. The harness reads `begin` and `end` and looks at the
//! proxy's processor time at these two moments.

mod client;
mod histogram;
mod options;
mod request;
mod response;
mod run;
mod tls;

use std::process::ExitCode;

fn main() -> ExitCode {
    let options = match options::parse() {
        Ok(Some(options)) => options,
        Ok(None) => {
            print!("{}", options::HELP);
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("bench-load: {error}\n\n{}", options::HELP);
            return ExitCode::from(2);
        }
    };
    match run::run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-load {}: {error}", options.address);
            ExitCode::FAILURE
        }
    }
}
