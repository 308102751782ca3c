//! From what went wrong to what the user is told.
//!
//! Details go to the log and name a host at most: the rest of a URL can hold secrets.

use std::{error::Error, io};

use application::ports::FetchError;
use domain::{FailureCode, text};

/// Longest detail, in characters.
const MAX_DETAIL_CHARS: usize = 300;

/// Errors of the operating system that mean this machine, not the other side, is short of
/// something: `ENOMEM`, `ENFILE`, `EMFILE`. They have the same numbers on every Unix.
const SHORTAGES: [i32; 3] = [12, 23, 24];

pub(super) fn failed(code: FailureCode, detail: impl AsRef<str>) -> FetchError {
    FetchError { code, retry_after: None, detail: text::tame(detail.as_ref(), MAX_DETAIL_CHARS) }
}

/// A failure of the disk or of another thing of this machine.
pub(super) fn local(what: &str, error: &io::Error) -> FetchError {
    failed(FailureCode::LocalResource, format!("{what}: {error}"))
}

/// A failure on the way to `host`. Refused, reset, timed out or unknown is all one to the user,
/// so that a URL cannot be used to find out what the service can reach.
pub(super) fn unreachable(host: &str, error: &(dyn Error + 'static)) -> FetchError {
    let chain = std::iter::successors(Some(error), |&error| error.source());
    let short = chain.clone().any(|error| {
        let number = error.downcast_ref::<io::Error>().and_then(io::Error::raw_os_error);
        number.is_some_and(|number| SHORTAGES.contains(&number))
    });
    let code = if short { FailureCode::LocalResource } else { FailureCode::SourceUnreachable };
    let words: Vec<String> = chain.map(ToString::to_string).collect();
    failed(code, format!("{host}: {}", words.join(": ")))
}

#[cfg(test)]
mod tests {
    use super::unreachable;
    use domain::FailureCode;
    use std::io;

    #[test]
    fn a_shortage_of_this_machine_is_not_blamed_on_the_other_side() {
        let emfile = io::Error::from_raw_os_error(24);
        let refused = io::Error::from_raw_os_error(111);
        assert_eq!(unreachable("a", &emfile).code, FailureCode::LocalResource);
        assert_eq!(unreachable("a", &refused).code, FailureCode::SourceUnreachable);
    }
}
