//! Logs: readable lines or JSON, always on stderr, because stdout belongs to what a command
//! prints.

use std::io::{self, IsTerminal};

use tracing_subscriber::{
    EnvFilter, Layer, fmt, fmt::MakeWriter, layer::SubscriberExt, registry,
    util::SubscriberInitExt, util::TryInitError,
};

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Pretty,
    /// One object a line, the fields of the event at its top.
    Json,
}

impl LogFormat {
    /// The word used in the settings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pretty => "pretty",
            Self::Json => "json",
        }
    }
}

/// Libraries that are only heard when something is wrong, unless they are named.
const NOISY: &str = "actix_http=warn,actix_server=warn,h2=warn,hyper=warn,hyper_util=warn,\
                     moka=warn,reqwest=warn,rustls=warn,sea_orm=warn,sea_orm_migration=warn,\
                     sqlx=warn";

/// What is logged: a level (`info`), or directives for parts of the program
/// (`info,application=debug,sqlx=info`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFilter(String);

impl LogFilter {
    /// Reads a level or directives, in any case.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim().to_ascii_lowercase();
        let is_level =
            |word: &str| matches!(word, "trace" | "debug" | "info" | "warn" | "error" | "off");
        // A bare word that is no level would be taken for the name of a crate.
        let sound = text.split(',').all(|part| part.contains('=') || is_level(part.trim()));
        if !sound || EnvFilter::try_new(&text).is_err() {
            return Err("must be trace, debug, info, warn, error or off, or directives such as \
                        info,application=debug"
                .to_owned());
        }
        Ok(Self(text))
    }

    /// Warnings and errors alone.
    pub fn warnings() -> Self {
        Self("warn".to_owned())
    }

    /// The directives.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// With the noisy libraries turned down; a directive of the operator comes later and wins.
    fn layer(&self) -> EnvFilter {
        EnvFilter::new(format!("{NOISY},{}", self.0))
    }
}

/// Begins to log. To be called once.
///
/// # Errors
/// When something in this process logs already.
pub fn init(filter: &LogFilter, format: LogFormat) -> Result<(), TryInitError> {
    init_onto(filter, format, io::stderr)
}

/// Begins to log onto the standard error by way of `writer`. To be called once.
///
/// # Errors
/// When something in this process logs already.
pub fn init_onto<W>(filter: &LogFilter, format: LogFormat, writer: W) -> Result<(), TryInitError>
where
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    // A line that cannot be written, on a full disk for instance, is lost: to complain of it on the
    // standard error, which is the very place, would panic whoever logs.
    let lines = fmt::layer().with_writer(writer).log_internal_errors(false);
    let lines = match format {
        LogFormat::Pretty => lines.with_ansi(io::stderr().is_terminal()).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).boxed(),
    };
    registry().with(lines.with_filter(filter.layer())).try_init()
}

#[cfg(test)]
mod tests {
    use super::LogFilter;

    #[test]
    fn levels_and_directives_are_read_in_any_case() {
        for (text, sound) in [
            ("info", true),
            ("INFO", true),
            (" warn ", true),
            ("off", true),
            ("info,application=debug", true),
            ("sqlx=trace", true),
            ("", false),
            ("verbose", false),
            ("info,", false),
            ("info,application=loud", false),
        ] {
            assert_eq!(LogFilter::parse(text).is_ok(), sound, "{text}");
        }
    }

    #[test]
    fn noisy_libraries_are_turned_down_unless_they_are_named() {
        let shown = |text: &str| LogFilter::parse(text).map(|filter| filter.layer().to_string());
        assert!(shown("debug").is_ok_and(|filter| filter.contains("sqlx=warn")));
        assert!(shown("debug,sqlx=info").is_ok_and(|filter| filter.contains("sqlx=info")));
    }
}
