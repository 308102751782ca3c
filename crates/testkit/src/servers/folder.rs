//! A folder for one server, and the account that it runs as.

use std::{
    env, fs,
    os::unix::{
        fs::{DirBuilderExt as _, MetadataExt as _, chown},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::{self, Command},
};

use anyhow::{Context as _, bail};

use super::secret;

/// An empty folder that only the account of the server can look into. A lifeline removes it.
pub(super) struct Folder {
    path: PathBuf,
    /// Whom the server runs as, where the tests run as root: PostgreSQL refuses to.
    account: Option<(u32, u32)>,
}

impl Folder {
    pub(super) fn new(name: &str) -> anyhow::Result<Self> {
        let name = format!("saas-ia-test-{name}-{}-{}", process::id(), secret());
        let path = env::temp_dir().join(name);
        fs::DirBuilder::new().mode(0o700).create(&path)?;
        let account = match fs::metadata(&path)?.uid() {
            0 => Some(unprivileged()?),
            _ => None,
        };
        let folder = Self { path, account };
        folder.give_away(&folder.path)?;
        Ok(folder)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Lets `command` run as the owner of the folder.
    pub(super) fn own(&self, command: &mut Command) {
        if let Some((user, group)) = self.account {
            command.uid(user).gid(group);
        }
    }

    /// Writes a file that the server can read.
    pub(super) fn write(&self, name: &str, text: &str) -> anyhow::Result<PathBuf> {
        let path = self.path.join(name);
        fs::write(&path, text)?;
        self.give_away(&path)?;
        Ok(path)
    }

    /// What the server said so far.
    pub(super) fn log(&self) -> String {
        fs::read_to_string(self.path.join("log")).unwrap_or_default()
    }

    fn give_away(&self, path: &Path) -> anyhow::Result<()> {
        match self.account {
            Some((user, group)) => Ok(chown(path, Some(user), Some(group))?),
            None => Ok(()),
        }
    }
}

/// The user and group of an account without rights.
fn unprivileged() -> anyhow::Result<(u32, u32)> {
    let accounts = fs::read_to_string("/etc/passwd")?;
    for wanted in ["postgres", "nobody"] {
        for account in accounts.lines() {
            let fields: Vec<_> = account.split(':').collect();
            if let [name, _, user, group, ..] = fields.as_slice()
                && *name == wanted
            {
                return Ok((
                    user.parse().context("/etc/passwd")?,
                    group.parse().context("/etc/passwd")?,
                ));
            }
        }
    }
    bail!(
        "there is neither a user postgres nor a user nobody to run a server as; do not run as root"
    )
}
