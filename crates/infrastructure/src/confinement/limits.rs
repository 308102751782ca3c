//! How much a program may take.

/// What a program and all that it starts may take. The system holds each process to the limits
/// that are said to be of each, also the superuser's; the supervisor looks at the tree as a whole a
/// few times a second.
///
/// There is no `RLIMIT_NPROC` among them: it counts all processes of the user, also those of other
/// containers which cannot be seen from here, and it does not hold for the superuser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Processor time of each process, in seconds.
    pub cpu_seconds: u64,
    /// Memory of its own of each process, in bytes.
    pub memory_bytes: u64,
    /// Addresses of each process, in bytes. Runtimes of JavaScript reserve many times what they use.
    pub address_bytes: u64,
    /// Largest file that any of them writes, in bytes.
    pub file_bytes: u64,
    /// Open files of each process.
    pub open_files: u64,
    /// Processes of the whole tree at once.
    pub processes: u64,
    /// Memory that the whole tree has in RAM, in bytes.
    pub resident_bytes: u64,
}

impl Limits {
    /// The limits by the names of their options.
    fn options(&self) -> [(&'static str, u64); 7] {
        [
            ("--cpu-seconds", self.cpu_seconds),
            ("--memory-bytes", self.memory_bytes),
            ("--address-bytes", self.address_bytes),
            ("--file-bytes", self.file_bytes),
            ("--open-files", self.open_files),
            ("--processes", self.processes),
            ("--resident-bytes", self.resident_bytes),
        ]
    }

    /// The limits as arguments of the supervisor.
    pub(super) fn arguments(&self) -> impl Iterator<Item = String> {
        self.options().into_iter().flat_map(|(name, value)| [name.to_owned(), value.to_string()])
    }
}
