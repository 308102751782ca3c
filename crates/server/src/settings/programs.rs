//! Where the programs are that the service starts.

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use super::Fault;

/// The program that the setting `name` chooses, or `default` where it chooses none; `None` when
/// that is not installed. A bare name is looked for on `PATH`, as a shell does it.
///
/// # Errors
/// When the program that was chosen cannot be run: whoever names one relies on it.
pub(super) fn resolve(
    name: &str,
    chosen: Option<&Path>,
    default: &str,
) -> Result<Option<PathBuf>, Fault> {
    let Some(chosen) = chosen else { return Ok(find(Path::new(default))) };
    find(chosen).map(Some).ok_or_else(|| {
        let problem = if is_bare(chosen) {
            "must be a program on PATH, or the path of one"
        } else {
            "must be the path of a program: there is none that can be run"
        };
        Fault { name: name.to_owned(), problem: problem.to_owned() }
    })
}

fn find(program: &Path) -> Option<PathBuf> {
    if !is_bare(program) {
        return Some(program.to_owned()).filter(|path| is_program(path));
    }
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).map(|folder| folder.join(program)).find(|path| is_program(path))
}

fn is_bare(program: &Path) -> bool {
    program.file_name() == Some(program.as_os_str())
}

fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}
