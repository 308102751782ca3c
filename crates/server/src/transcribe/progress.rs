//! A bar on the standard error while somebody watches it.

use std::{
    io::{self, IsTerminal, Write},
    time::Duration,
};

use domain::Stage;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often the bar is drawn anew while nothing happens.
const TICK: Duration = Duration::from_millis(120);

/// Shows how far the job is; nothing where the standard error is no terminal.
pub(super) struct Progress(ProgressBar);

impl Progress {
    pub(super) fn new() -> Self {
        if !io::stderr().is_terminal() {
            return Self(ProgressBar::hidden());
        }
        let bar = ProgressBar::with_draw_target(Some(100), ProgressDrawTarget::stderr());
        let progress = Self(bar);
        progress.draw("preparing", None);
        progress.0.enable_steady_tick(TICK);
        progress
    }

    /// Shows a stage and its share of work done, where that is known.
    pub(super) fn show(&self, stage: Stage, share: Option<f64>) {
        self.draw(stage.as_str(), share);
    }

    fn draw(&self, stage: &'static str, share: Option<f64>) {
        let template = match share {
            Some(_) => "{spinner} {msg:12} [{bar:30}] {percent:>3}% {elapsed}",
            None => "{spinner} {msg:12} {elapsed}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.0.set_style(style.progress_chars("=> "));
        }
        self.0.set_message(stage);
        self.0.set_position(share.map_or(0, percent));
    }

    pub(super) fn finish(&self) {
        self.0.finish_and_clear();
    }

    /// Where logs are written so that they do not run into the bar.
    pub(super) fn writer(&self) -> impl Fn() -> Beside + Send + Sync + 'static {
        let bar = self.0.clone();
        move || Beside(bar.clone())
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is a number from 0 to 100"
)]
fn percent(share: f64) -> u64 {
    (share.clamp(0.0, 1.0) * 100.0) as u64
}

/// The standard error, beside the bar.
pub(super) struct Beside(ProgressBar);

impl Write for Beside {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.suspend(|| io::stderr().write(line))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
