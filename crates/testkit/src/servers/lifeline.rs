//! What ends a server with the test process that started it, however that one ends.
//!
//! A small shell is the parent of the server and takes orders from a pipe that the test process
//! holds. When the pipe closes, by a drop, an exit or a `kill -9`, the shell ends its child and
//! removes the folder. Only the shell reaps its child, and only on order: until then the process id
//! cannot pass to another process, so no signal can hit one that is not ours.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    os::unix::process::CommandExt as _,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        Mutex, PoisonError,
        mpsc::{self, Receiver},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};

use super::folder::Folder;

/// How long anything may take before it counts as failed. Not an expectation: a busy machine is
/// slow.
pub(super) const PATIENCE: Duration = Duration::from_mins(1);

/// A handler, not an ignored signal: the former ends at `exec`, the latter would be passed on.
const GUARDIAN: &str = r#"
trap : PIPE
server=
while read -r order; do
    case "$order" in
        start) "$@" </dev/null >>"$FOLDER/log" 2>&1 & server=$!; echo "$server" ;;
        wait) if [ -n "$server" ]; then wait "$server"; fi; server=; echo ended ;;
        *) if [ -n "$server" ] && kill -s "$order" "$server"; then echo sent; else echo none; fi ;;
    esac
done
if [ -n "$server" ]; then
    kill -s CONT "$server"
    kill -s "$ENDING" "$server"
    wait "$server"
fi
for _ in 1 2 3 4 5; do rm -rf "$FOLDER" && break; sleep 1; done
"#;

/// The last one to go: removes the databases of a test process from a server that is not ours.
const SWEEPER: &str = r#"
while read -r _; do :; done
printf '%s' "SELECT format('DROP DATABASE %I WITH (FORCE)', datname) FROM pg_database
    WHERE starts_with(datname, '$PREFIX') \gexec" | "$@"
"#;

/// Holds a server that lives no longer than this value, nor than this process.
pub(super) struct Lifeline(Mutex<Ends>);

struct Ends {
    shell: Child,
    /// `None` once it is to end.
    orders: Option<ChildStdin>,
    answers: Receiver<String>,
}

impl Lifeline {
    /// Takes `folder` into its care, and will run `server` on order, as the owner of the folder.
    /// `ending` is the signal after which the server leaves no process behind.
    pub(super) fn hold(folder: &Folder, ending: &str, server: &Command) -> anyhow::Result<Self> {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", GUARDIAN, "guardian"]).arg(server.get_program()).args(server.get_args());
        shell.env("FOLDER", folder.path()).env("ENDING", ending).current_dir(folder.path());
        folder.own(&mut shell);
        // Nobody else would remove the folder.
        Self::tie(shell).inspect_err(|_| drop(fs::remove_dir_all(folder.path())))
    }

    /// Runs `psql`, which reads statements from its standard input, to drop every database whose
    /// name begins with `prefix` when this process has ended.
    pub(super) fn sweep(psql: &Command, prefix: &str) -> anyhow::Result<Self> {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", SWEEPER, "sweeper"]).arg(psql.get_program()).args(psql.get_args());
        shell.env("PREFIX", prefix);
        shell.envs(psql.get_envs().filter_map(|(name, value)| Some((name, value?))));
        Self::tie(shell)
    }

    fn tie(mut shell: Command) -> anyhow::Result<Self> {
        // A group of its own, so that Ctrl-C ends the test process alone, and that ends the rest.
        shell.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut shell = shell.spawn().context("sh cannot be started")?;
        let orders = shell.stdin.take();
        let answers = BufReader::new(shell.stdout.take().context("sh has no standard output")?);
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            for line in answers.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Self(Mutex::new(Ends { shell, orders, answers: receiver })))
    }

    /// Starts the server and returns its process id.
    pub(super) fn start(&self) -> anyhow::Result<u32> {
        self.order("start")?.parse().context("sh names no process id")
    }

    /// Sends the server a signal, such as `KILL`.
    pub(super) fn signal(&self, signal: &str) -> anyhow::Result<()> {
        match self.order(signal)?.as_str() {
            "sent" => Ok(()),
            _ => bail!("there is no server that {signal} could be sent to"),
        }
    }

    /// Waits until the server has ended.
    pub(super) fn wait(&self) -> anyhow::Result<()> {
        self.order("wait").map(drop)
    }

    fn order(&self, order: &str) -> anyhow::Result<String> {
        let mut ends = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let orders = ends.orders.as_mut().context("the guardian has ended")?;
        writeln!(orders, "{order}")?;
        let answer = ends.answers.recv_timeout(PATIENCE);
        answer.with_context(|| format!("the guardian does not answer to {order}"))
    }
}

impl Drop for Lifeline {
    fn drop(&mut self) {
        let ends = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        drop(ends.orders.take());
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline && matches!(ends.shell.try_wait(), Ok(None)) {
            thread::sleep(Duration::from_millis(5));
        }
    }
}
