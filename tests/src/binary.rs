//! Which binary is tested.

use std::{
    io::BufReader,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

use anyhow::{Context, ensure};
use cargo_metadata::Message;

use crate::workspace;

/// The binary under test: the one that `SAAS_IA_BIN` names, else `saas-ia` of profile `chaos`,
/// built when it is missing or old.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| match workspace::variable("SAAS_IA_BIN") {
        Some(path) => PathBuf::from(path),
        None => build("chaos").expect("the binary under test can be built"),
    })
}

/// Builds `saas-ia` with `profile` and returns where it is.
///
/// # Errors
/// When cargo fails; what it printed is on the standard error already.
pub fn build(profile: &str) -> anyhow::Result<PathBuf> {
    let mut cargo = Command::new(workspace::cargo())
        .args(["build", "--locked", "--package", "server", "--bin", "saas-ia"])
        .args(["--profile", profile, "--message-format", "json-render-diagnostics"])
        .current_dir(workspace::root())
        .stdout(Stdio::piped())
        .spawn()
        .context("cargo cannot be started")?;
    let output = cargo.stdout.take().context("cargo has no standard output")?;
    let mut executable = None;
    for message in Message::parse_stream(BufReader::new(output)) {
        if let Message::CompilerArtifact(artifact) = message?
            && artifact.target.name == "saas-ia"
        {
            executable = artifact.executable;
        }
    }
    ensure!(cargo.wait()?.success(), "cargo build --profile {profile} failed");
    Ok(executable.context("cargo named no executable")?.into_std_path_buf())
}
