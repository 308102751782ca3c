//! A server that speaks AssemblyAI's protocol, to try the service out without an account.
//!
//! Point `ASSEMBLYAI_BASE_URL` at it and give any `ASSEMBLYAI_API_KEY` but `MOCK`.

use std::{net::IpAddr, path::PathBuf, time::Duration};

use clap::Parser;
use testkit::{
    assemblyai::{FakeAssemblyAi, FakeOptions},
    fixtures,
};

/// A server that speaks AssemblyAI's protocol and recognises only the recordings it knows.
#[derive(Debug, Parser)]
struct Arguments {
    /// The address to listen on.
    #[arg(long, default_value = "127.0.0.1")]
    host: IpAddr,

    /// The port to listen on; 0 picks a free one.
    #[arg(long, default_value_t = 8090)]
    port: u16,

    /// The only key that is taken; without, any is.
    #[arg(long)]
    api_key: Option<String>,

    /// How long a job takes, in milliseconds.
    #[arg(long, default_value_t = 3000)]
    processing_ms: u64,

    /// How long the list does not show an accepted job, in milliseconds.
    #[arg(long, default_value_t = 0)]
    list_lag_ms: u64,

    /// A file that gets one line of JSON for each accepted job.
    #[arg(long)]
    ledger: Option<PathBuf>,

    /// Serves the recordings under /fixtures/{name}.wav.
    #[arg(long)]
    serve_fixtures: bool,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let fake = FakeAssemblyAi::start_with(FakeOptions {
        address: (arguments.host, arguments.port).into(),
        api_key: arguments.api_key,
        processing: Duration::from_millis(arguments.processing_ms),
        list_lag: Duration::from_millis(arguments.list_lag_ms),
        ledger: arguments.ledger,
        serve_fixtures: arguments.serve_fixtures,
        ..FakeOptions::default()
    })?;
    println!("listening on {}", fake.base_url());
    if arguments.serve_fixtures {
        for recording in fixtures::recordings() {
            println!("{}/fixtures/{}.wav", fake.base_url(), recording.name);
        }
    }
    Ok(fake.wait()?)
}
