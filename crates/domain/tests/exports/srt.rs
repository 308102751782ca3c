//! A strict grammar of `SubRip`, which has none of its own:
//!
//! ```text
//! file  = *cue
//! cue   = number LF time " --> " time LF 1*(line LF) LF
//! time  = 2*DIGIT ":" 2DIGIT ":" 2DIGIT "," 3DIGIT     ; minutes and seconds below 60
//! line  = 1*char                ; neither control character nor tag nor "-->", not blank
//! ```
//!
//! Numbers count from one; a cue ends after it begins, and begins when the one before has ended.

/// A caption as it was read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Cue {
    /// When it begins.
    pub(crate) start_ms: u64,
    /// When it ends.
    pub(crate) end_ms: u64,
    /// Its text.
    pub(crate) lines: Vec<String>,
}

/// Reads a file, or says what is wrong with it.
pub(crate) fn read(text: &str) -> Result<Vec<Cue>, String> {
    let mut cues: Vec<Cue> = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (cue, after) = rest.split_once("\n\n").ok_or("a cue does not end")?;
        let cue = read_cue(cue, cues.len() + 1)?;
        if cues.last().is_some_and(|last| last.end_ms > cue.start_ms) {
            return Err(format!("cue {} begins too early", cues.len() + 1));
        }
        cues.push(cue);
        rest = after;
    }
    Ok(cues)
}

fn read_cue(text: &str, number: usize) -> Result<Cue, String> {
    let fault = |what: &str| format!("cue {number}: {what}");
    let mut lines = text.split('\n');
    if lines.next() != Some(number.to_string().as_str()) {
        return Err(fault("another number"));
    }
    let times = lines.next().and_then(|line| line.split_once(" --> "));
    let times = times.and_then(|(start, end)| Some((time(start)?, time(end)?)));
    let (start_ms, end_ms) = times.ok_or_else(|| fault("no times"))?;
    let lines: Vec<String> = lines.map(str::to_owned).collect();
    if start_ms >= end_ms {
        return Err(fault("no duration"));
    }
    if lines.is_empty() {
        return Err(fault("no text"));
    }
    match lines.iter().find(|line| !is_line(line)) {
        Some(line) => Err(fault(&format!("a bad line {line:?}"))),
        None => Ok(Cue { start_ms, end_ms, lines }),
    }
}

fn is_line(line: &str) -> bool {
    let plain = |c: char| !c.is_control() && !matches!(c, '<' | '>' | '{' | '}' | '\\');
    !line.trim().is_empty() && line.chars().all(plain) && !line.contains("-->")
}

fn time(text: &str) -> Option<u64> {
    let (clock, ms) = text.split_once(',')?;
    let mut parts = clock.split(':');
    let (hours, minutes, seconds) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || hours.len() < 2 {
        return None;
    }
    let sixty = |text: &str| number(text, 2).filter(|value| *value < 60);
    let minutes = number(hours, hours.len())? * 60 + sixty(minutes)?;
    Some((minutes * 60 + sixty(seconds)?) * 1_000 + number(ms, 3)?)
}

fn number(text: &str, digits: usize) -> Option<u64> {
    let plain = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| plain)
}
