//! Where the result goes, and in which form.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use domain::{
    CaptionSettings, Transcript,
    export::{self, Format, TextFormat},
};
use tempfile::NamedTempFile;

use crate::cli::TranscribeArgs;

/// Where the result goes, and in which form.
pub(super) struct Output {
    format: Format,
    captions: CaptionSettings,
    file: Option<OutputFile>,
}

/// A file that takes its name when it is whole: until then what was there before stays.
struct OutputFile {
    place: Place,
    path: PathBuf,
}

enum Place {
    /// What becomes the file.
    Aside(NamedTempFile),
    /// What is there already and is no file: a device, a pipe.
    Stream(File),
}

impl Output {
    /// Reads the arguments and makes sure, before anything is paid for, that the result can be
    /// written.
    ///
    /// # Errors
    /// What stands in the way.
    pub(super) fn open(args: &TranscribeArgs) -> Result<Self, String> {
        let captions = CaptionSettings::parse(args.captions()).map_err(|faults| {
            let faults = faults
                .iter()
                .map(|(name, invalid)| format!("--{} {invalid}", name.replace('_', "-")));
            faults.collect::<Vec<_>>().join("; ")
        })?;
        let file = args.output.as_deref().map(OutputFile::open).transpose()?;
        Ok(Self { format: args.format, captions, file })
    }

    /// Writes the result. One that cannot be had in the chosen form, or cannot be put where it
    /// should go, is printed all the same: it was paid for.
    ///
    /// # Errors
    /// What went wrong, as a sentence.
    pub(super) fn put(self, transcript: &Transcript, title: Option<&str>) -> Result<(), String> {
        let (text, problem) = match self.render(transcript, title) {
            Ok(text) => (text, None),
            Err(problem) => (transcript.text.clone(), Some(problem)),
        };
        let kept = self.file.filter(|_| problem.is_none()).map(|file| file.put(&text));
        match (kept, problem) {
            (Some(Ok(())), _) => Ok(()),
            (Some(Err(problem)), _) | (None, Some(problem)) => {
                print(&text).map_err(|error| format!("{problem}; {error}"))?;
                Err(format!("{problem}; it was printed instead"))
            }
            (None, None) => print(&text),
        }
    }

    fn render(&self, transcript: &Transcript, title: Option<&str>) -> Result<String, String> {
        match self.format {
            Format::Json => api::transcript_json(transcript).map_err(|error| error.to_string()),
            Format::Text(format) => export::render(transcript, format, &self.captions, title)
                .map_err(|error| {
                    format!("no {} can be made, only text: {error}", self.format.as_str())
                }),
        }
    }
}

impl OutputFile {
    fn open(path: &Path) -> Result<Self, String> {
        let problem =
            |why: &dyn std::fmt::Display| format!("cannot write {}: {why}", path.display());
        if path.is_dir() || path.file_name().is_none() {
            return Err(problem(&"it is a folder"));
        }
        // A link stays one, and what is no file (a device, a pipe) is written to as it is.
        let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let found = fs::metadata(path).ok();
        if found.as_ref().is_some_and(|found| !found.is_file()) {
            let stream = File::options().write(true).open(path);
            let place = Place::Stream(stream.map_err(|error| problem(&error))?);
            return Ok(Self { place, path: path.clone() });
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let mut builder = tempfile::Builder::new();
        builder.prefix(".saas-ia-");
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let aside = builder.tempfile_in(folder.unwrap_or(Path::new(".")));
        let aside = aside.map_err(|error| problem(&error))?;
        if let Some(found) = found {
            let kept = aside.as_file().set_permissions(found.permissions());
            kept.map_err(|error| problem(&error))?;
        }
        Ok(Self { place: Place::Aside(aside), path: path.clone() })
    }

    fn put(self, text: &str) -> Result<(), String> {
        let written = match self.place {
            Place::Aside(mut aside) => write_text(&mut aside, text).and_then(|()| {
                aside.as_file().sync_all()?;
                aside.persist(&self.path).map_err(|error| error.error)?;
                Ok(())
            }),
            Place::Stream(mut stream) => write_text(&mut stream, text),
        };
        written.map_err(|error| format!("cannot write {}: {error}", self.path.display()))
    }
}

/// Whoever stopped reading wants no more.
fn print(text: &str) -> Result<(), String> {
    match write_text(&mut io::stdout().lock(), text) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(format!("cannot print the result: {error}"))
        }
        _ => Ok(()),
    }
}

/// A text ends with a line end, as every line does.
fn write_text(to: &mut dyn Write, text: &str) -> io::Result<()> {
    to.write_all(text.as_bytes())?;
    if !text.is_empty() && !text.ends_with('\n') {
        to.write_all(b"\n")?;
    }
    to.flush()
}

/// The form in which a transcript is printed unless another is asked for.
pub(crate) const DEFAULT: Format = Format::Text(TextFormat::Txt);
