//! The processes below this one, as `/proc` shows them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
};

use rustix::process::{Pid, Signal, getpid, kill_process};

/// A process that has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Process {
    parent: i32,
    resident_pages: u64,
}

/// Every process below this one that has not ended.
#[derive(Debug, Default)]
pub(super) struct Tree(BTreeMap<i32, Process>);

impl Tree {
    /// Looks at all processes of the machine.
    pub(super) fn look() -> io::Result<Self> {
        let mut all = BTreeMap::new();
        for entry in fs::read_dir("/proc")? {
            let name = entry?.file_name();
            let Some(id) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
            // One that has gone since it was listed is none.
            let Ok(stat) = fs::read(format!("/proc/{id}/stat")) else { continue };
            if let Some(process) = parse(&String::from_utf8_lossy(&stat)) {
                all.insert(id, process);
            }
        }
        Ok(below(getpid().as_raw_nonzero().get(), &all))
    }

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        u64::try_from(self.0.len()).unwrap_or(u64::MAX)
    }

    /// What they have in RAM; pages that several of them share are counted for each.
    pub(super) fn resident_bytes(&self) -> u64 {
        let page = u64::try_from(rustix::param::page_size()).unwrap_or(u64::MAX);
        let pages = self.0.values().map(|process| process.resident_pages);
        pages.fold(0, u64::saturating_add).saturating_mul(page)
    }

    /// Kills each of them.
    pub(super) fn kill(&self) {
        for id in self.0.keys().filter_map(|id| Pid::from_raw(*id)) {
            // One that has just ended needs no killing.
            let _ = kill_process(id, Signal::KILL);
        }
    }
}

/// The descendants of `root` in `all`.
fn below(root: i32, all: &BTreeMap<i32, Process>) -> Tree {
    let mut known = BTreeSet::from([root]);
    loop {
        let more: Vec<i32> = all
            .iter()
            .filter(|(id, process)| known.contains(&process.parent) && !known.contains(id))
            .map(|(id, _)| *id)
            .collect();
        if more.is_empty() {
            known.remove(&root);
            let tree = known.into_iter().filter_map(|id| Some((id, *all.get(&id)?)));
            return Tree(tree.collect());
        }
        known.extend(more);
    }
}

/// Reads `/proc/<id>/stat`; `None` for a process that has ended and is only not yet waited for.
fn parse(stat: &str) -> Option<Process> {
    // The name is in parentheses, and may hold any character.
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    if matches!(*fields.first()?, "Z" | "X") {
        return None;
    }
    Some(Process {
        parent: fields.get(1)?.parse().ok()?,
        resident_pages: fields.get(21)?.parse().unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::{Process, below, parse};
    use std::collections::BTreeMap;

    #[test]
    fn a_name_may_hold_anything() {
        let tail = "7 7 7 0 -1 4194560 92 0 0 0 0 0 0 0 20 0 1 0 123 2490368 345 1844 1 1 0";
        let process = parse(&format!("42 (a) S 1 (b\n) R {tail}"));
        assert_eq!(process, Some(Process { parent: 7, resident_pages: 345 }));
        assert_eq!(parse(&format!("42 (a) Z {tail}")), None);
        assert_eq!(parse("42"), None);
    }

    #[test]
    fn descendants_are_found_in_any_order_of_numbers() {
        let process = |parent| Process { parent, resident_pages: 2 };
        let all = BTreeMap::from([
            (1, process(0)),
            (3, process(9)),
            (5, process(1)),
            (9, process(5)),
            (10, process(3)),
            (11, process(1)),
        ]);
        let tree = below(5, &all);
        assert_eq!(tree.0.keys().copied().collect::<Vec<_>>(), [3, 9, 10]);
        assert_eq!(tree.count(), 3);
    }
}
