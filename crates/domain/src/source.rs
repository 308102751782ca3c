//! Where the audio of a transcription comes from.
//!
//! What a user writes becomes one of these types or is refused. A `YouTube` address is reduced to
//! its video id, so that the user's own text goes no further; a media URL is kept as the one
//! parser of the program read it.

use std::net::IpAddr;

use url::Url;

use crate::{Invalid, UploadId};

/// Longest `video_url`, in characters.
pub const MAX_URL_CHARS: usize = 2_048;

/// The eleven characters that name a `YouTube` video.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct YouTubeId(String);

impl YouTubeId {
    /// Accepts exactly eleven of `A-Z a-z 0-9 - _`.
    ///
    /// # Errors
    /// `unsupported_source`.
    pub fn parse(value: &str) -> Result<Self, Invalid> {
        let valid = value.len() == 11
            && value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if valid { Ok(Self(value.to_owned())) } else { Err(no_single_video()) }
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The one URL by which the video is fetched.
    pub fn canonical_url(&self) -> String {
        format!("https://www.youtube.com/watch?v={}", self.0)
    }
}

/// The host of a media URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// A literal address.
    Address(IpAddr),
    /// A name, to be resolved when the job runs.
    Name(String),
}

/// An `http` or `https` URL without credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaUrl(Url);

impl MediaUrl {
    /// Reads a URL by the WHATWG rules; the fragment is dropped.
    ///
    /// # Errors
    /// `unsupported_source`.
    pub fn parse(value: &str) -> Result<Self, Invalid> {
        // The WHATWG parser drops tabs and line feeds and reads a backslash as a slash: other
        // readers of the same text would see another URL.
        if value.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\') {
            return Err(unsupported());
        }
        let mut url = Url::parse(value).map_err(|_| unsupported())?;
        let web = matches!(url.scheme(), "http" | "https");
        let credentials = !url.username().is_empty() || url.password().is_some();
        if !web || credentials || url.host().is_none() {
            return Err(unsupported());
        }
        url.set_fragment(None);
        Ok(Self(url))
    }

    /// The URL.
    pub fn as_url(&self) -> &Url {
        &self.0
    }

    /// The host.
    pub fn host(&self) -> Host {
        match self.0.host() {
            Some(url::Host::Ipv4(v4)) => Host::Address(IpAddr::V4(v4)),
            Some(url::Host::Ipv6(v6)) => Host::Address(IpAddr::V6(v6)),
            Some(url::Host::Domain(name)) => Host::Name(name.to_owned()),
            None => Host::Name(String::new()),
        }
    }

    /// The port, the scheme's own where none is written.
    pub fn port(&self) -> u16 {
        self.0.port_or_known_default().unwrap_or_default()
    }
}

/// What a user wants transcribed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A video on `YouTube`.
    YouTube(YouTubeId),
    /// A media file on the web.
    Media(MediaUrl),
    /// A file that the user handed in.
    Upload(UploadedFile),
}

/// A file that a user handed in, kept until its transcription has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UploadedFile {
    /// Under which name it is kept.
    pub id: UploadId,
    /// Its size.
    pub bytes: u64,
}

impl Source {
    /// Reads a `video_url`. A `YouTube` address may be written without its scheme, as people do.
    ///
    /// # Errors
    /// `too_long`; `unsupported_source` for anything that is neither one `YouTube` video nor a
    /// web URL.
    pub fn parse(value: &str) -> Result<Self, Invalid> {
        if value.chars().nth(MAX_URL_CHARS).is_some() {
            return Err(Invalid::new("too_long", "must have at most 2048 characters"));
        }
        let value = value.trim_matches(' ');
        if let Some(completed) = complete_youtube(value) {
            return Self::from_url(MediaUrl::parse(&completed)?);
        }
        Self::from_url(MediaUrl::parse(value)?)
    }

    fn from_url(media: MediaUrl) -> Result<Self, Invalid> {
        let Host::Name(name) = media.host() else { return Ok(Self::Media(media)) };
        match YouTubeSite::of(&name) {
            None => Ok(Self::Media(media)),
            Some(_) if !matches!(media.port(), 80 | 443) => Err(no_single_video()),
            Some(site) => site.video(media.as_url()).map(Self::YouTube),
        }
    }

    /// The word for its kind on the wire and in storage.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::YouTube(_) => "youtube",
            Self::Media(_) => "media",
            Self::Upload(_) => "upload",
        }
    }
}

/// What is known of a source once it has been fetched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceFacts {
    /// Its title, if it has one.
    pub title: Option<String>,
    /// How long it is, in milliseconds, if that could be measured.
    pub duration_ms: Option<u64>,
}

/// Words of eleven letters that stand where an id would: a playlist, and a channel's live stream.
const NOT_VIDEOS: [&str; 2] = ["videoseries", "live_stream"];

#[derive(Clone, Copy)]
enum YouTubeSite {
    Full,
    Short,
}

impl YouTubeSite {
    fn of(host: &str) -> Option<Self> {
        let host = host.strip_suffix('.').unwrap_or(host);
        let is = |domain: &str| {
            host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        if is("youtu.be") {
            Some(Self::Short)
        } else if is("youtube.com") || is("youtube-nocookie.com") {
            Some(Self::Full)
        } else {
            None
        }
    }

    fn video(self, url: &Url) -> Result<YouTubeId, Invalid> {
        let mut path = url.path_segments().into_iter().flatten().filter(|s| !s.is_empty());
        let (first, second, more) = (path.next(), path.next(), path.next().is_some());
        let id = match (self, first, second) {
            (Self::Short, Some(id), None) => Some(id.to_owned()),
            (Self::Full, None | Some("watch" | "movie" | "watch_popup"), None) => {
                query(url, "v").or_else(|| query(url, "amp;v"))
            }
            (
                Self::Full,
                Some("shorts" | "live" | "embed" | "v" | "e" | "vi" | "watch"),
                Some(id),
            ) if !more && !NOT_VIDEOS.contains(&id) => Some(id.to_owned()),
            (Self::Full, Some("attribution_link"), None) => attributed(url),
            _ => None,
        };
        YouTubeId::parse(&id.ok_or_else(no_single_video)?)
    }
}

/// The first value of a query parameter: what `YouTube` itself goes by.
fn query(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// `attribution_link?u=/watch?v=…`: the watch page is a relative URL in a parameter.
fn attributed(url: &Url) -> Option<String> {
    let target = url.join(&query(url, "u")?).ok()?;
    let same_site = target.host_str() == url.host_str() && target.path() == "/watch";
    same_site.then(|| query(&target, "v")).flatten()
}

/// Adds the scheme that people leave out, for `YouTube` hosts only.
fn complete_youtube(value: &str) -> Option<String> {
    let bare = value.strip_prefix("//").unwrap_or(value);
    let host = bare.split(['/', '?', '#', ':']).next()?.to_ascii_lowercase();
    YouTubeSite::of(&host).map(|_| format!("https://{bare}"))
}

fn unsupported() -> Invalid {
    Invalid::new(
        "unsupported_source",
        "must be the address of one YouTube video, or an http or https URL of a media file",
    )
}

fn no_single_video() -> Invalid {
    Invalid::new("unsupported_source", "does not name a single YouTube video")
}

#[cfg(test)]
mod tests {
    use super::{Host, MediaUrl, Source};
    use proptest::prelude::*;

    static SAMPLES: &str = include_str!("data/youtube-urls.tsv");

    #[test]
    fn the_sample_of_youtube_addresses_is_judged_as_it_says() {
        let mut judged = 0;
        for line in SAMPLES.lines().filter(|line| !line.starts_with('#')) {
            let mut columns = line.split('\t');
            let (verdict, url) = (columns.next(), columns.next().expect("a URL"));
            let video = match Source::parse(url) {
                Ok(Source::YouTube(id)) => Some(id.as_str().to_owned()),
                Ok(Source::Media(_) | Source::Upload(_)) | Err(_) => None,
            };
            let expected = columns.next().filter(|_| verdict == Some("accept"));
            assert_eq!(video.as_deref(), expected, "{url}");
            judged += 1;
        }
        assert!(judged > 40);
    }

    #[test]
    fn the_rest_of_the_family_is_understood() {
        for url in [
            "youtu.be/dQw4w9WgXcQ",
            "youtube.com/watch?v=dQw4w9WgXcQ",
            "https://youtube.com./watch?v=dQw4w9WgXcQ",
            "https://www.youtube.com/watch/dQw4w9WgXcQ",
            "https://www.youtube.com/vi/dQw4w9WgXcQ",
            "https://www.youtube.com/watch_popup?v=dQw4w9WgXcQ",
            "https://www.youtube.com/watch?feature=x&amp;v=dQw4w9WgXcQ",
            "https://www.youtube.com/attribution_link?a=1&u=%2Fwatch%3Fv%3DdQw4w9WgXcQ%26feature%3Dshare",
            " https://youtu.be/dQw4w9WgXcQ ",
        ] {
            assert!(matches!(Source::parse(url), Ok(Source::YouTube(_))), "{url}");
        }
    }

    #[test]
    fn nothing_else_is_a_source() {
        for url in [
            "",
            " ",
            "/etc/passwd",
            "file:///etc/passwd",
            "ftp://example.com/a.wav",
            "data:audio/wav;base64,",
            "javascript:alert(1)",
            "http://",
            "https://user:pw@example.com/a.wav",
            "https://user@example.com/",
            "https:\\\\example.com\\a.wav",
            "https://exa\tmple.com/",
            "https://example.com/\0",
            "--exec=id",
            "https://www.youtube.com:8080/watch?v=dQw4w9WgXcQ",
            "https://www.youtube.com@evil.example/watch?v=dQw4w9WgXcQ",
            "https://www.youtube.com/attribution_link?u=https://evil.example/watch?v=dQw4w9WgXcQ",
        ] {
            let refused = Source::parse(url);
            assert_eq!(refused.map_err(|e| e.code()), Err("unsupported_source"), "{url}");
        }
        let long = format!("https://example.com/{}", "a".repeat(2_048));
        assert_eq!(Source::parse(&long).map_err(|e| e.code()), Err("too_long"));
    }

    #[test]
    fn an_address_in_any_notation_is_seen_as_an_address() {
        for url in
            ["http://127.0.0.1/", "http://2130706433/", "http://0x7f000001/", "http://0177.0.0.1/"]
        {
            let host = MediaUrl::parse(url).map(|u| u.host());
            assert_eq!(host, Ok(Host::Address([127, 0, 0, 1].into())), "{url}");
        }
    }

    proptest! {
        #[test]
        fn parsing_never_panics(text in "\\PC{0,200}") {
            let _ = Source::parse(&text);
        }

        #[test]
        fn a_youtube_source_holds_only_an_id(tail in "[ -~]{0,40}") {
            if let Ok(Source::YouTube(id)) = Source::parse(&format!("https://www.youtube.com/{tail}")) {
                prop_assert_eq!(id.as_str().len(), 11);
            }
        }
    }
}
