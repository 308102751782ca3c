//! Lays the sources over one another and hands out one value after the other, collecting what is
//! wrong with them.

use std::collections::BTreeMap;

use super::{
    Environment, Fault, NAMES, Sources, UNUSED,
    sources::{CARRIED, Layers, Value},
};

pub(super) struct Reader {
    pub(super) environment: Environment,
    pub(super) faults: Vec<Fault>,
    pub(super) warnings: Vec<String>,
    layers: Layers,
    /// What the files say that the binary carries.
    carried: BTreeMap<String, String>,
}

impl Reader {
    pub(super) fn new(sources: &Sources) -> Self {
        let (strongest, dotenv_fault) = sources.environment_layer();
        let mut reader = Self {
            environment: Environment::Development,
            faults: sources.faults.iter().cloned().chain(dotenv_fault).collect(),
            warnings: Vec::new(),
            layers: Layers::new(),
            carried: BTreeMap::new(),
        };
        if let Some(word) = strongest.get("ENVIRONMENT") {
            match Environment::from_word(word) {
                Some(environment) => reader.environment = environment,
                None => reader.fault("ENVIRONMENT", "must be development, production or test"),
            }
        }
        for (file, text) in sources.texts(reader.environment) {
            reader.lay_file(&file, text);
        }
        for (name, text) in strongest {
            reader.layers.insert(name, Value { text, file: None });
        }
        reader
    }

    fn lay_file(&mut self, file: &str, text: &str) {
        let text = text.trim_start_matches('\u{feff}');
        let table = match text.parse::<toml::Table>() {
            Ok(table) => table,
            Err(error) => {
                // Only the bare message: the full one repeats the line, which may hold a secret.
                let at = error.span().map_or(0, |span| span.start);
                let line = text.get(..at).unwrap_or(text).split('\n').count();
                let problem = format!("is not TOML, at line {line}");
                return self.fault(file, problem);
            }
        };
        for (key, value) in table {
            let name = key.to_uppercase();
            let known = NAMES.contains(&name.as_str()) && key == key.to_lowercase();
            if !known {
                self.fault(key, format!("is not a setting of this version ({file})"));
            } else if matches!(name.as_str(), "ENVIRONMENT" | "CONFIG_DIR") {
                self.fault(name, format!("can only be set in the environment ({file})"));
            } else if let Some(text) = flat(&value) {
                if file.starts_with(CARRIED) {
                    self.carried.insert(name.clone(), text.clone());
                }
                // An empty list is a value, and beats a weaker file.
                self.layers.insert(name, Value { text, file: Some(file.to_owned()) });
            } else {
                let problem = "must be a text, a number, true or false, or a list of texts";
                self.fault(name, format!("{problem} ({file})"));
            }
        }
    }

    pub(super) fn fault(&mut self, name: impl Into<String>, problem: impl Into<String>) {
        self.faults.push(Fault { name: name.into(), problem: problem.into() });
    }

    pub(super) fn warn(&mut self, warning: impl Into<String>) {
        self.warnings.push(warning.into());
    }

    pub(super) fn is_production(&self) -> bool {
        self.environment == Environment::Production
    }

    /// Reports what is refused in production, and only warned of elsewhere.
    pub(super) fn refuse_in_production(&mut self, name: &str, problem: &str) {
        if self.is_production() {
            self.fault(name, problem);
        } else {
            self.warn(format!("{name} {problem}; production refuses it"));
        }
    }

    /// Whether an operator has said something of a setting: in the environment or in `.env`, or in a
    /// file of his own that does not only repeat what the binary carries.
    pub(super) fn is_chosen(&self, name: &str) -> bool {
        let carried = self.carried.get(name);
        let value = self.layers.get(name);
        value.is_some_and(|value| value.file.is_none() || Some(&value.text) != carried)
    }

    /// The text of a setting, if it has one.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        debug_assert!(NAMES.contains(&name), "{name} is not in the list of settings");
        self.layers.get(name).map(|value| value.text.as_str()).filter(|text| !text.is_empty())
    }

    /// The value of a setting that may be absent; `None` when it is, or is wrong.
    pub(super) fn optional<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        match parse(self.text(name)?) {
            Ok(value) => Some(value),
            Err(problem) => {
                let file = self.layers.get(name).and_then(|value| value.file.as_ref());
                let place = file.map_or_else(String::new, |file| format!(" ({file})"));
                self.fault(name, problem + &place);
                None
            }
        }
    }

    /// The value of a setting that must be there; `None` when it is wrong or missing, and then
    /// the fault is noted.
    pub(super) fn required<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        if self.text(name).is_none() {
            self.fault(name, "is missing");
            return None;
        }
        self.optional(name, parse)
    }

    /// The elements of a list; an absent or empty one has none.
    pub(super) fn list<T>(
        &mut self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        if self.text(name).is_none() {
            return Some(Vec::new());
        }
        self.optional(name, |text| elements(text).map(parse).collect())
    }

    pub(super) fn warn_of_unused(&mut self) {
        let set = UNUSED.iter().filter(|name| self.layers.contains_key(**name));
        self.warnings.extend(set.map(|name| format!("{name} is set but not used by this version")));
    }
}

/// The parts of a comma-separated list.
pub(super) fn elements(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|element| !element.is_empty())
}

/// A value of a file as the environment would write it.
fn flat(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.trim().to_owned()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Boolean(truth) => Some(truth.to_string()),
        toml::Value::Array(items) => {
            let texts: Option<Vec<&str>> = items.iter().map(toml::Value::as_str).collect();
            texts.map(|texts| texts.join(","))
        }
        toml::Value::Float(_) | toml::Value::Datetime(_) | toml::Value::Table(_) => None,
    }
}
