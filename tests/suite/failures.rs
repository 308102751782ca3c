//! The failures that a job can end with are those that the documentation explains.

use std::{collections::BTreeSet, fs};

use black_box_tests::workspace;

#[test]
fn every_failure_code_is_explained_to_the_operator_and_no_other() -> anyhow::Result<()> {
    let root = workspace::root();
    let source = fs::read_to_string(root.join("crates/domain/src/failure.rs"))?;
    let (_, listed) = source.split_once("\nfailure_codes! {\n").expect("the list of codes");
    let (listed, _) = listed.split_once("\n}\n").expect("the end of the list");
    let codes: BTreeSet<&str> =
        listed.lines().filter_map(|line| line.split_once(" = \"")?.1.split('"').next()).collect();
    assert!(codes.len() > 20, "{codes:?}");

    let document = fs::read_to_string(root.join("docs/operations.md"))?;
    let (_, section) =
        document.split_once("\n## What a user sees as an error").expect("a section on errors");
    let section = section.split("\n## ").next().unwrap_or_default();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let cells = rows.filter_map(|row| row.split('|').nth(1));
    let explained: BTreeSet<&str> =
        cells.flat_map(|cell| cell.split('`').filter(|part| is_code(part))).collect();
    assert_eq!(explained, codes);
    Ok(())
}

fn is_code(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}
