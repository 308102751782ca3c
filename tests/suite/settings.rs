//! The settings that the service has are those that the documentation tells of.

use std::{collections::BTreeSet, fs};

use black_box_tests::{Setup, workspace};

#[tokio::test]
async fn the_documented_settings_are_those_that_the_service_has() -> anyhow::Result<()> {
    let shown = Setup::new()?.run(&["config"]).await?;
    let names = shown.stdout.lines().filter_map(|line| line.split_once('='));
    let effective: BTreeSet<&str> = names.map(|(name, _)| name).collect();
    assert!(effective.len() > 20, "{}", shown.output());

    let document = fs::read_to_string(workspace::root().join("docs/operations.md"))?;
    let (_, section) = document.split_once("\n## Settings\n").expect("a section on settings");
    let (section, _) = section.split_once("\n### ").expect("a subsection after the table");
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let cells = rows.filter_map(|row| row.split('|').nth(1));
    let documented: BTreeSet<&str> =
        cells.flat_map(|cell| cell.split('`').filter(|part| is_name(part))).collect();
    assert_eq!(documented, effective);
    Ok(())
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
}
