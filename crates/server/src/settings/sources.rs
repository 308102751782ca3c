//! Where settings come from, as texts.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use super::{Environment, Fault, NAMES, UNUSED};

/// The files that the binary carries, by name.
const BUILT_IN: [(&str, &str); 4] = [
    ("default.toml", include_str!("../../../../config/default.toml")),
    ("development.toml", include_str!("../../../../config/development.toml")),
    ("production.toml", include_str!("../../../../config/production.toml")),
    ("test.toml", include_str!("../../../../config/test.toml")),
];

/// How the name begins by which one of them is shown.
pub(super) const CARRIED: &str = "built-in ";

/// The folder that is read when `CONFIG_DIR` names none.
const DEFAULT_DIR: &str = "config";

/// Everything that settings are read from.
#[derive(Clone, Default)]
pub struct Sources {
    /// The environment of the process.
    pub env: BTreeMap<String, String>,
    /// The text of `.env`, if there is one.
    pub dotenv: Option<String>,
    /// The folder of `files`, if there is one.
    pub config_dir: Option<PathBuf>,
    /// The texts of the files in `config_dir`, by file name.
    pub files: BTreeMap<String, String>,
    /// What could not be read.
    pub faults: Vec<Fault>,
}

/// A value and where it was written; `None` for the environment.
pub(super) struct Value {
    pub(super) text: String,
    pub(super) file: Option<String>,
}

/// Values by the name of their variable, the strongest of each.
pub(super) type Layers = BTreeMap<String, Value>;

impl Sources {
    /// Reads the environment of this process and the files of its working directory.
    pub fn read() -> Self {
        let (mut env, mut faults) = (BTreeMap::new(), Vec::new());
        for (name, value) in std::env::vars_os() {
            let Ok(name) = name.into_string() else { continue };
            if !NAMES.contains(&name.as_str()) && !UNUSED.contains(&name.as_str()) {
                continue;
            }
            match value.into_string() {
                Ok(value) => {
                    env.insert(name, value);
                }
                Err(_) => faults.push(Fault { name, problem: "is not UTF-8".to_owned() }),
            }
        }
        let mut sources = Self::gather(env, Path::new(""));
        sources.faults.extend(faults);
        sources
    }

    /// Adds the files that a process with this environment reads in `folder`: `.env`, and those
    /// of `CONFIG_DIR` or `config`.
    pub fn gather(env: BTreeMap<String, String>, folder: &Path) -> Self {
        let mut sources = Self { env, ..Self::default() };
        sources.dotenv = sources.read_file(&folder.join(".env"));
        sources.read_folder(folder);
        sources
    }

    fn read_folder(&mut self, folder: &Path) {
        let chosen = self.environment_layer().0.remove("CONFIG_DIR").map(PathBuf::from);
        let dir = folder.join(chosen.as_deref().unwrap_or(Path::new(DEFAULT_DIR)));
        if !dir.is_dir() {
            if chosen.is_some() {
                self.fault("CONFIG_DIR", "is not a folder");
            }
            return;
        }
        for (name, _) in BUILT_IN {
            if let Some(text) = self.read_file(&dir.join(name)) {
                self.files.insert(name.to_owned(), text);
            }
        }
        self.config_dir = Some(dir);
    }

    fn read_file(&mut self, path: &Path) -> Option<String> {
        match fs::read_to_string(path) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                self.fault(path.display().to_string(), &format!("cannot be read: {error}"));
                None
            }
        }
    }

    fn fault(&mut self, name: impl Into<String>, problem: &str) {
        self.faults.push(Fault { name: name.into(), problem: problem.to_owned() });
    }

    /// The environment over `.env`, without empty values.
    ///
    /// `.env` counts unless the environment itself names another environment than development.
    pub(super) fn environment_layer(&self) -> (BTreeMap<String, String>, Option<Fault>) {
        let filled = |value: &str| Some(value.trim().to_owned()).filter(|value| !value.is_empty());
        let mut merged = BTreeMap::new();
        let mut fault = None;
        let named = self.env.get("ENVIRONMENT").and_then(|value| filled(value));
        if named.is_none_or(|name| name == Environment::Development.as_str()) {
            let text = self.dotenv.as_deref().unwrap_or_default().trim_start_matches('\u{feff}');
            for line in dotenvy::from_read_iter(text.as_bytes()) {
                if let Ok((name, value)) = line {
                    merged.extend(filled(&value).map(|value| (name, value)));
                } else {
                    // The library's error repeats the line, which may hold a secret.
                    let problem = "has a line that is not NAME=value".to_owned();
                    fault = Some(Fault { name: ".env".to_owned(), problem });
                }
            }
        }
        for (name, value) in &self.env {
            merged.extend(filled(value).map(|value| (name.clone(), value)));
        }
        (merged, fault)
    }

    /// The files in force for `environment`, the weakest first: a name to show, and the text.
    pub(super) fn texts(&self, environment: Environment) -> Vec<(String, &str)> {
        let names = ["default.toml".to_owned(), format!("{}.toml", environment.as_str())];
        let built_in = names.iter().filter_map(|name| {
            let (_, text) = BUILT_IN.iter().find(|(known, _)| known == name)?;
            Some((format!("{CARRIED}{name}"), *text))
        });
        let dir = self.config_dir.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_DIR));
        let own = names.iter().filter_map(|name| {
            let text = self.files.get(name)?;
            Some((dir.join(name).display().to_string(), text.as_str()))
        });
        built_in.chain(own).collect()
    }
}
