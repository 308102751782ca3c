//! Writes the file of a new step and registers it:
//! `cargo run -p migration --example new_step -- add_nicknames`.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{SystemTime, UNIX_EPOCH},
};

/// Longest part of the name that says what the step is for.
const LONGEST: usize = 40;

/// What the file of a new step holds: nothing happens in it yet.
const TEMPLATE: &str = "\
//! What changes, and what for.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, _manager: &SchemaManager) -> Result<(), DbErr> {
        // Services of the version before run on meanwhile: take nothing away that they use.
        Ok(())
    }

    async fn down(&self, _manager: &SchemaManager) -> Result<(), DbErr> {
        // All that `up` does, undone.
        Ok(())
    }
}
";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let done = match arguments.as_slice() {
        [name] => new_step(&here.join("src/steps"), name),
        [name, folder] => new_step(Path::new(folder), name),
        _ => Err("give the step a name that says what it is for, such as add_nicknames".into()),
    };
    match done {
        Ok(path) => {
            println!("{}", path.display());
            ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("new_step: {problem}");
            ExitCode::from(2)
        }
    }
}

fn new_step(folder: &Path, name: &str) -> Result<PathBuf, String> {
    let name = slug(name)?;
    let list = folder.join("mod.rs");
    let listed = fs::read_to_string(&list).map_err(at(&list))?;
    let modules: Vec<&str> = listed.lines().filter_map(module).collect();
    if let Some(taken) = modules.iter().find(|module| module.ends_with(&format!("_{name}"))) {
        return Err(format!("there is a step of that name: {taken}"));
    }
    let number = modules.iter().filter_map(|module| number(module)).max().unwrap_or(0) + 1;
    let module = format!("m{}_{number:06}_{name}", today());
    let path = folder.join(format!("{module}.rs"));
    let registered = register(&listed, &module).ok_or("steps/mod.rs has no list of steps")?;
    // The file first: a list that names a file that is not there does not compile.
    let mut file = fs::File::create_new(&path).map_err(at(&path))?;
    io::Write::write_all(&mut file, TEMPLATE.as_bytes()).map_err(at(&path))?;
    fs::write(&list, registered).map_err(at(&list))?;
    Ok(path)
}

fn at(path: &Path) -> impl Fn(io::Error) -> String {
    move |error| format!("{}: {error}", path.display())
}

/// The name as a part of the name of a module.
fn slug(name: &str) -> Result<String, String> {
    let slug = name.trim().to_lowercase().replace([' ', '-'], "_");
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let sound = slug.starts_with(|c: char| c.is_ascii_lowercase())
        && slug.chars().all(plain)
        && !slug.contains("__")
        && !slug.ends_with('_');
    if sound && slug.len() <= LONGEST {
        return Ok(slug);
    }
    Err(format!(
        "a name begins with a letter, has letters, digits and single underscores, and is no \
         longer than {LONGEST}"
    ))
}

/// The step that a line of the list brings in.
fn module(line: &str) -> Option<&str> {
    let name = line.strip_prefix("mod ")?.strip_suffix(';')?;
    number(name).map(|_| name)
}

/// The place of a step among all: `m20261122_000001_users` is the first.
fn number(module: &str) -> Option<u32> {
    module.strip_prefix('m')?.split('_').nth(1)?.parse().ok()
}

/// The list with one more step: its module in the order of names, its step at the end.
fn register(text: &str, module: &str) -> Option<String> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let before = |line: &String| self::module(line).is_some_and(|other| other < module);
    let place = lines.iter().rposition(before)? + 1;
    lines.insert(place, format!("mod {module};"));
    let end = lines.iter().position(|line| line == "    ]")?;
    lines.insert(end, format!("        Box::new({module}::Migration),"));
    Some(lines.join("\n") + "\n")
}

/// The day, UTC, as `20261128`.
fn today() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let days = since.as_secs() / 86_400;
    // Days since 0000-03-01, so that a leap day is the last of its year.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}{month:02}{day:02}")
}
