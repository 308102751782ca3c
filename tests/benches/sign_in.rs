//! Whether the time of a refused sign-in tells its cause: `make bench-login`.
//!
//! Samples of every cause are taken in turn, so that a busy machine is equally busy for all. What
//! is compared are the medians, as ratios to that of an unknown e-mail address.

use std::{ffi::OsString, process::Command, time::Instant};

use anyhow::{Context, ensure};
use black_box_tests::{Client, Service, Setup, binary, client::PASSWORD, workspace};

const KNOWN: &str = "known@example.com";
const DISABLED: &str = "disabled@example.com";

/// A cause, the address and the password that it is tried with.
const CAUSES: [(&str, &str, &str); 4] = [
    ("unknown address", "unknown@example.com", PASSWORD),
    ("wrong password", KNOWN, "not the password of this account"),
    ("empty password", KNOWN, ""),
    ("disabled account", DISABLED, PASSWORD),
];

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    println!("measuring {}", binary().display());
    let samples = number("LOGIN_SAMPLES", 100)?;
    let cost = number("LOGIN_COST", 10)?;
    println!("{samples} samples of each cause, BCRYPT_COST={cost}");
    let service = Setup::new()?.with("BCRYPT_COST", &cost.to_string()).start().await?;
    let client = service.client();
    for address in [KNOWN, DISABLED] {
        client.register(address).await?.expect(201)?;
    }
    disable(&service)?;
    let medians = measure(client, samples).await?;
    let base = medians[0];
    for ((cause, ..), median) in CAUSES.iter().zip(medians) {
        let ratio = median / base;
        println!("{cause:17} median {:8.2} ms  ratio {ratio:.3}", median * 1000.0);
    }
    Ok(())
}

/// The median of each cause, in seconds.
async fn measure(client: &Client, samples: usize) -> anyhow::Result<[f64; CAUSES.len()]> {
    let mut times = [const { Vec::new() }; CAUSES.len()];
    // One round more, which is not counted: the first is slower.
    for round in 0..=samples {
        for ((_, address, password), times) in CAUSES.iter().zip(&mut times) {
            let begun = Instant::now();
            client.login(address, password).await?.expect(401)?;
            if round > 0 {
                times.push(begun.elapsed().as_secs_f64());
            }
        }
    }
    Ok(times.map(|mut times| {
        times.sort_unstable_by(f64::total_cmp);
        times[times.len() / 2]
    }))
}

/// The API has no way to disable an account yet, so it is done in the database.
fn disable(service: &Service) -> anyhow::Result<()> {
    let sql = format!("UPDATE users SET is_active = FALSE WHERE email = '{DISABLED}'");
    let changed = Command::new("sqlite3")
        .arg(service.setup().data().join("saas-ia.db"))
        .args([".timeout 5000", &sql, "SELECT changes()"])
        .output()
        .context("sqlite3 is needed to disable an account")?;
    let complaint = String::from_utf8_lossy(&changed.stderr);
    ensure!(changed.stdout.trim_ascii() == b"1", "no account was disabled: {complaint}");
    Ok(())
}

fn number(name: &str, default: usize) -> anyhow::Result<usize> {
    let Some(text) = workspace::variable(name).map(OsString::into_string) else {
        return Ok(default);
    };
    let number = text.ok().and_then(|text| text.parse().ok()).filter(|number| *number > 0);
    number.with_context(|| format!("{name} is a whole number above 0"))
}
