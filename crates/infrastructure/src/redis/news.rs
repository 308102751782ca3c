//! What instances tell each other, as it is written on the channel: who tells it, and a word for
//! each piece of news.

use application::ports::Hint;
use domain::{TranscriptionId, UserId};
use uuid::Uuid;

/// Longest message that is read. Ours have a tenth of it.
const LONGEST: usize = 32 * 1024;

/// Something that another instance should know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    Hint(Hint),
    /// An account changed.
    Account(UserId),
}

/// Writes what `instance` tells.
pub(super) fn written(instance: Uuid, news: &[News]) -> String {
    news.iter().fold(instance.to_string(), |text, news| text + " " + &word(news))
}

/// Reads what others tell: nothing where it cannot be read, or is our own.
pub(super) fn read(instance: Uuid, message: &[u8]) -> Vec<News> {
    let text = if message.len() > LONGEST { None } else { std::str::from_utf8(message).ok() };
    let mut words = text.unwrap_or_default().split(' ');
    match words.next().and_then(|teller| teller.parse::<Uuid>().ok()) {
        // A newer version may have words that this one does not know.
        Some(teller) if teller != instance => words.filter_map(news).collect(),
        Some(_) | None => Vec::new(),
    }
}

fn word(news: &News) -> String {
    match news {
        News::Hint(Hint::Ready) => "ready".to_owned(),
        News::Hint(Hint::Changed(id)) => format!("changed:{id}"),
        News::Hint(Hint::Ended(id)) => format!("ended:{id}"),
        News::Account(id) => format!("account:{id}"),
    }
}

fn news(word: &str) -> Option<News> {
    let (kind, id) = word.split_once(':').unwrap_or((word, ""));
    let id = id.parse().unwrap_or_default();
    let transcription = || TranscriptionId::from_uuid(id);
    match (kind, id.is_nil()) {
        ("ready", _) => Some(News::Hint(Hint::Ready)),
        ("changed", false) => Some(News::Hint(Hint::Changed(transcription()))),
        ("ended", false) => Some(News::Hint(Hint::Ended(transcription()))),
        ("account", false) => Some(News::Account(UserId::from_uuid(id))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use application::ports::Hint;
    use domain::{TranscriptionId, UserId};
    use uuid::Uuid;

    use super::{LONGEST, News, read, written};

    const ONE: Uuid = Uuid::from_u128(1);
    const OTHER: Uuid = Uuid::from_u128(2);

    fn all() -> Vec<News> {
        let id = TranscriptionId::from_uuid(Uuid::from_u128(3));
        let account = News::Account(UserId::from_uuid(Uuid::from_u128(4)));
        let hints = [Hint::Ready, Hint::Changed(id), Hint::Ended(id)];
        hints.map(News::Hint).into_iter().chain([account]).collect()
    }

    #[test]
    fn what_is_written_is_read_by_others_and_not_by_oneself() {
        let message = written(ONE, &all());
        assert_eq!(read(OTHER, message.as_bytes()), all());
        assert_eq!(read(ONE, message.as_bytes()), []);
    }

    #[test]
    fn what_cannot_be_read_is_left_out() {
        let id = Uuid::from_u128(3);
        let known = format!("{ONE} nonsense changed:x ended: account ready:{id} later:{id}");
        assert_eq!(read(OTHER, known.as_bytes()), [News::Hint(Hint::Ready)]);
        let long = format!("{ONE} ready{}", " ".repeat(LONGEST));
        for message in ["", "ready", "x ready", long.as_str()] {
            assert_eq!(read(OTHER, message.as_bytes()), [], "{message:.40}");
        }
        assert_eq!(read(OTHER, b"\xff\xfe ready"), []);
    }
}
