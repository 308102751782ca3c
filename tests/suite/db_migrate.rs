//! The scripts of the schema, by the verbs of the original service.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use anyhow::{Context, ensure};
use black_box_tests::{Setup, binary, workspace};
use tempfile::TempDir;

/// Runs the script over the binary under test; what is typed is `input`.
fn script(setup: &Setup, words: &[&str], input: &str) -> anyhow::Result<Output> {
    let path = workspace::root().join("scripts/db-migrate.sh");
    let typed = setup.folder().join("typed");
    fs::write(&typed, input)?;
    let mut command = setup.command(&path, words);
    command.env("SAAS_IA_BIN", binary()).stdin(fs::File::open(typed)?);
    Ok(command.output()?)
}

fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}{}", text(&output.stdout), text(&output.stderr))
}

fn done(setup: &Setup, words: &[&str], input: &str) -> anyhow::Result<String> {
    let output = script(setup, words, input)?;
    ensure!(output.status.success(), "{words:?}: {}", said(&output));
    Ok(String::from_utf8(output.stdout)?)
}

#[tokio::test]
async fn the_verbs_of_the_original_change_and_show_the_schema() -> anyhow::Result<()> {
    let setup = Setup::new()?;
    assert_eq!(done(&setup, &["current"], "")?, "");
    let history = done(&setup, &["history"], "")?;
    let steps: Vec<&str> = history.lines().filter_map(|line| line.split(' ').nth(1)).collect();
    let all = steps.len();
    ensure!(all > 5 && history.lines().all(|line| line.starts_with("pending ")), "{history}");
    let current = |back: usize| format!("{}\n", steps[all - 1 - back]);

    assert_eq!(done(&setup, &["upgrade"], "")?, format!("{all} applied\n"));
    assert_eq!(done(&setup, &["current"], "")?, current(0));
    assert_eq!(done(&setup, &["downgrade"], "")?, "1 taken back\n");
    assert_eq!(done(&setup, &["current"], "")?, current(1));
    assert_eq!(done(&setup, &["downgrade", "-2"], "")?, "2 taken back\n");
    assert_eq!(done(&setup, &["downgrade", "1"], "")?, "1 taken back\n");
    assert_eq!(done(&setup, &["current"], "")?, current(4));
    assert_eq!(done(&setup, &["upgrade"], "")?, "4 applied\n");

    let service = setup.clone().start().await?;
    service.client().register("ada@example.com").await?.expect(201)?;
    drop(service);
    // Nobody sits there to say the word, so what somebody owns stays.
    let refused = script(&setup, &["reset"], "yes\n")?;
    assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
    ensure!(said(&refused).contains("nothing was changed"), "{}", said(&refused));
    let service = setup.clone().start().await?;
    service.client().register("ada@example.com").await?.expect(409)?;
    drop(service);

    let empty = Setup::new()?;
    ensure!(done(&empty, &["reset"], "")?.contains("applied to an empty schema"));
    Ok(())
}

#[tokio::test]
async fn what_is_no_verb_is_answered_with_those_that_are() -> anyhow::Result<()> {
    let setup = Setup::new()?;
    for words in [&[][..], &["init"], &["upgrade", "head"], &["generate"], &["downgrade", "1", "2"]]
    {
        let output = script(&setup, words, "")?;
        assert_eq!(output.status.code(), Some(2), "{words:?}: {}", said(&output));
        for verb in ["generate", "upgrade", "downgrade", "history", "current", "reset"] {
            assert!(said(&output).contains(verb), "{words:?}: {}", said(&output));
        }
    }
    let failed = script(&setup, &["downgrade", "many"], "")?;
    assert!(!failed.status.success(), "{}", said(&failed));
    Ok(())
}

/// The crate of the schema, and nothing but it, in a folder of its own.
struct Copy {
    folder: TempDir,
}

impl Copy {
    fn new() -> anyhow::Result<Self> {
        let (root, folder) = (workspace::root(), tempfile::tempdir()?);
        let manifest = fs::read_to_string(root.join("Cargo.toml"))?;
        let (_, after) = manifest.split_once("default-members").context("a list of members")?;
        let (_, rest) = after.split_once('\n').context("more below it")?;
        let alone = "[workspace]\nresolver = \"3\"\nmembers = [\"migration\"]\n";
        fs::write(folder.path().join("Cargo.toml"), format!("{alone}{rest}"))?;
        for name in ["Cargo.lock", "clippy.toml", "rustfmt.toml"] {
            fs::copy(root.join(name), folder.path().join(name))?;
        }
        let manifest = fs::read_to_string(root.join("migration/Cargo.toml"))?;
        let (manifest, _) = manifest.split_once("[dev-dependencies]").context("its tests")?;
        for file in workspace::files(&root.join("migration/src"), ".rs")? {
            let place = folder.path().join(file.strip_prefix(root)?);
            fs::create_dir_all(place.parent().context("a folder")?)?;
            fs::copy(&file, place)?;
        }
        fs::write(folder.path().join("migration/Cargo.toml"), manifest)?;
        Ok(Self { folder })
    }

    fn steps(&self) -> PathBuf {
        self.folder.path().join("migration/src/steps")
    }

    fn list(&self) -> anyhow::Result<String> {
        Ok(fs::read_to_string(self.steps().join("mod.rs"))?)
    }

    /// What the verb `generate` runs, but here.
    fn generate(&self, name: &str) -> anyhow::Result<Output> {
        let mut cargo = Command::new(workspace::cargo());
        cargo
            .args(["run", "--quiet", "--locked", "--package", "migration", "--example", "new_step"])
            .arg("--")
            .arg(name)
            .arg(self.steps())
            .current_dir(workspace::root());
        Ok(cargo.output()?)
    }

    fn cargo(&self, words: &[&str]) -> anyhow::Result<()> {
        let target = workspace::variable("CARGO_TARGET_DIR")
            .map_or_else(|| workspace::root().join("target"), PathBuf::from);
        let output = Command::new(workspace::cargo())
            .args(words)
            .current_dir(self.folder.path())
            .env("CARGO_TARGET_DIR", target)
            .output()?;
        ensure!(output.status.success(), "{words:?}: {}", said(&output));
        Ok(())
    }
}

#[test]
fn a_generated_step_compiles_as_it_is_and_passes_every_lint() -> anyhow::Result<()> {
    let copy = Copy::new()?;
    let before = copy.list()?;
    for name in ["add_nicknames", "Index the nicknames"] {
        let output = copy.generate(name)?;
        ensure!(output.status.success(), "{}", said(&output));
        ensure!(Path::new(OsString::from(said(&output).trim()).as_os_str()).is_file());
    }
    let list = copy.list()?;
    let new: Vec<&str> = list.lines().filter(|line| !before.contains(line)).collect();
    let count = before.lines().filter(|line| line.starts_with("mod ")).count();
    assert_eq!(new.len(), 4, "{new:?}");
    for (line, end) in [
        (new[0], format!("_{:06}_add_nicknames;", count + 1)),
        (new[1], format!("_{:06}_index_the_nicknames;", count + 2)),
        (new[2], format!("_{:06}_add_nicknames::Migration),", count + 1)),
        (new[3], format!("_{:06}_index_the_nicknames::Migration),", count + 2)),
    ] {
        assert!(line.ends_with(&end), "{new:?}");
    }
    copy.cargo(&["fmt", "--all", "--check"])?;
    copy.cargo(&["clippy", "--offline", "--quiet", "--all-targets", "--", "-D", "warnings"])
}

#[test]
fn a_step_with_a_bad_name_is_not_generated() -> anyhow::Result<()> {
    let copy = Copy::new()?;
    let before = copy.list()?;
    let files = workspace::files(&copy.steps(), "")?;
    let long = "x".repeat(41);
    for name in ["", " ", "9lives", "a/b", "../x", "a;b", "_a", "a_", "a__b", "é", "users", &long]
    {
        let output = copy.generate(name)?;
        assert_eq!(output.status.code(), Some(2), "{name}: {}", said(&output));
        assert!(said(&output).starts_with("new_step: "), "{name}: {}", said(&output));
    }
    assert_eq!(copy.list()?, before);
    assert_eq!(workspace::files(&copy.steps(), "")?, files);
    Ok(())
}
