//! The supervisor: starts one program, waits until nothing of it is left, and tells by its own
//! exit code how the program ended.

use std::{
    ffi::OsString,
    fs, io,
    os::unix::process::CommandExt,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rustix::process::{
    Pid, Resource, Rlimit, Signal, WaitOptions, WaitStatus, getpid, getppid, getrlimit,
    kill_process_group, set_child_subreaper, set_parent_process_death_signal, setrlimit, wait,
};

use super::{Limits, NOT_STARTED, OVER_LIMITS, PROGRAM, SIGNALED, tree::Tree};

/// This binary, also when its file has been replaced since.
const SELF: &str = "/proc/self/exe";

/// Between two looks at the tree.
const LOOKS: Duration = Duration::from_millis(200);

/// A look at a machine with very many processes takes long; then there are fewer, so that they
/// take at most this part of a processor.
const LOOKING_SHARE: u32 = 4;

/// Between two rounds of killing what is left.
const ROUNDS: Duration = Duration::from_millis(5);

/// Runs `command`, a program and its arguments, within `limits`, until nothing of it is left or
/// standard input ends. Returns the code to exit with: that of the program, 128 and the number of
/// the signal that ended it, 127 when it could not be started, 125 when it took too much.
///
/// For a process that does nothing else: it takes the limits on itself, adopts processes and waits
/// for all it has.
///
/// # Errors
/// When the system refuses the means; then nothing was started.
pub fn supervise(limits: &Limits, command: &[OsString]) -> io::Result<i32> {
    set_child_subreaper(Some(getpid()))?;
    apply(limits)?;
    let mut program = Command::new(SELF);
    program
        .args([PROGRAM, "--parent", &getpid().as_raw_nonzero().to_string(), "--"])
        .args(command)
        .process_group(0)
        .stdin(Stdio::null());
    let child = program.spawn()?;
    let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let group = id.ok_or_else(|| io::Error::other("a process without a number"))?;
    let ending = Arc::new(AtomicBool::new(false));
    let over = Arc::new(AtomicBool::new(false));
    watch_lifeline(group, ending.clone());
    watch_tree(*limits, group, over.clone());
    let status = wait_for_all(group, &ending)?;
    Ok(match status {
        _ if over.load(Ordering::SeqCst) => OVER_LIMITS,
        Some(status) => status
            .exit_status()
            .or_else(|| Some(SIGNALED + status.terminating_signal()?))
            .unwrap_or(NOT_STARTED),
        None => NOT_STARTED,
    })
}

/// Becomes `command`, a program and its arguments, which then ends with its parent, the supervisor
/// of this number. Returns only if that cannot be.
///
/// # Errors
/// Always: why it is not the program now.
pub fn become_program(parent: i32, command: &[OsString]) -> io::Result<i32> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // It may have died before the signal was asked for.
    if getppid().map(|id| id.as_raw_nonzero().get()) != Some(parent) {
        return Err(io::Error::other("the supervisor is gone"));
    }
    // When memory is short, this goes before the service does. Not everywhere allowed, nor vital.
    let _ = fs::write("/proc/self/oom_score_adj", "500");
    let (program, arguments) =
        command.split_first().ok_or_else(|| io::Error::other("no program is named"))?;
    Err(Command::new(program).args(arguments).exec())
}

/// Takes the limits on this process, from which its children inherit them.
fn apply(limits: &Limits) -> io::Result<()> {
    for (resource, limit) in [
        (Resource::Cpu, limits.cpu_seconds),
        (Resource::Data, limits.memory_bytes),
        (Resource::As, limits.address_bytes),
        (Resource::Fsize, limits.file_bytes),
        (Resource::Nofile, limits.open_files),
        (Resource::Core, 0),
    ] {
        // Of processor time, the first end is a signal of its own, and only the second a kill that
        // could as well come from outside.
        let last = if resource == Resource::Cpu { limit.saturating_add(5) } else { limit };
        // Where the operator has set a lower one, that stays.
        let maximum = getrlimit(resource).maximum.map_or(last, |maximum| maximum.min(last));
        setrlimit(resource, Rlimit { current: Some(limit.min(maximum)), maximum: Some(maximum) })?;
    }
    Ok(())
}

/// Ends the tree when standard input ends.
fn watch_lifeline(group: Pid, ending: Arc<AtomicBool>) {
    thread::spawn(move || {
        // Nothing is ever written to it; an error is an end as well.
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        ending.store(true, Ordering::SeqCst);
        end(group);
    });
}

/// Ends the tree when it takes more than it may as a whole.
fn watch_tree(limits: Limits, group: Pid, over: Arc<AtomicBool>) {
    thread::spawn(move || {
        loop {
            let began = Instant::now();
            // Without `/proc` there is nothing to go by.
            let Ok(tree) = Tree::look() else { return };
            if tree.count() > limits.processes || tree.resident_bytes() > limits.resident_bytes {
                over.store(true, Ordering::SeqCst);
                end(group);
                // Until nothing is left: whoever multiplies is not given time.
                continue;
            }
            thread::sleep(LOOKS.max(began.elapsed() * LOOKING_SHARE));
        }
    });
}

/// Kills the group, which is one step that no fork slips through, and who has left the group.
fn end(group: Pid) {
    let _ = kill_process_group(group, Signal::KILL);
    if let Ok(tree) = Tree::look() {
        tree.kill();
    }
}

/// Waits until this process has no children left, own or adopted, and returns how the first one
/// ended. Once that has ended, or `ending` is set, the others are killed.
fn wait_for_all(group: Pid, ending: &AtomicBool) -> io::Result<Option<WaitStatus>> {
    let mut first = None;
    loop {
        let last_round = first.is_some() || ending.load(Ordering::SeqCst);
        let options = if last_round { WaitOptions::NOHANG } else { WaitOptions::empty() };
        match wait(options) {
            Ok(Some((id, status))) if id == group => first = Some(status),
            Ok(Some(_)) | Err(rustix::io::Errno::INTR) => {}
            Ok(None) => {
                end(group);
                thread::sleep(ROUNDS);
            }
            Err(rustix::io::Errno::CHILD) => return Ok(first),
            Err(error) => return Err(error.into()),
        }
    }
}
