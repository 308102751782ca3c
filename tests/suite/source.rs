//! What may be written where: rules that neither the compiler nor clippy knows.

use std::{fs, path::Path, process::Command};

use cargo_metadata::MetadataCommand;

use black_box_tests::workspace;

/// A source file, by its path from the root of the workspace.
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// Whether it is part of the service rather than of a test, of what tests are made of, of a
    /// measurement, or a tool of whoever changes the code.
    fn is_product(&self) -> bool {
        let of_tests = ["tests/", "crates/testkit/"].iter().any(|dir| self.path.starts_with(dir));
        let of_tools = ["/tests/", "/benches/", "/examples/"];
        !of_tests && !of_tools.iter().any(|dir| self.path.contains(dir))
    }

    /// The lines with one of `words` in them, comments aside.
    fn lines_with(&self, words: &[&str]) -> Vec<String> {
        let code = |line: &&str| !line.trim_start().starts_with("//");
        let lines = self.text.lines().enumerate().filter(|(_, line)| code(line));
        lines
            .filter(|(_, line)| words.iter().any(|word| line.contains(word)))
            .map(|(at, line)| format!("{}:{}: {}", self.path, at + 1, line.trim()))
            .collect()
    }
}

/// Every Rust file but this one, which has to name what it forbids.
fn sources() -> Vec<Source> {
    let root = workspace::root();
    let files = workspace::files(root, ".rs").expect("the sources can be listed");
    files
        .iter()
        .map(|file| Source {
            path: file.strip_prefix(root).unwrap_or(file).to_string_lossy().into_owned(),
            text: fs::read_to_string(file).expect("a source can be read"),
        })
        .filter(|source| source.path != "tests/suite/source.rs")
        .collect()
}

fn nobody_writes(words: &[&str], but: impl Fn(&Source) -> bool) {
    let sources = sources();
    assert!(sources.len() > 50, "the sources were not found");
    let found: Vec<_> = sources
        .iter()
        .filter(|source| !but(source))
        .flat_map(|source| source.lines_with(words))
        .collect();
    assert!(found.is_empty(), "not here:\n{}", found.join("\n"));
}

#[test]
fn nothing_is_left_undone_or_switched_off() {
    nobody_writes(&["todo!(", "unimplemented!(", "dbg!(", "cfg(any())"], |_| false);
    nobody_writes(&["#[ignore"], |source| {
        // What is there run by another test, and killed.
        source.path == "crates/testkit/src/servers/tests.rs"
    });
}

#[test]
fn a_lint_is_excepted_with_a_reason_or_not_at_all() {
    nobody_writes(&["#[allow(", "#![allow("], |_| false);
    for source in sources() {
        // An attribute may go over several lines.
        for (at, _) in source.text.match_indices("[expect(") {
            let attribute = source.text[at..].split_once(")]").map_or("", |(inside, _)| inside);
            assert!(attribute.contains("reason = "), "{}: {attribute}", source.path);
        }
    }
}

/// What a user names is fetched through one guarded client. A second one would be a way around it.
#[test]
fn only_media_engines_and_the_health_command_open_connections() {
    let words = [
        "reqwest::",
        "ClientBuilder",
        "TcpStream::connect",
        "UdpSocket",
        "TcpSocket",
        "lookup_host",
        "to_socket_addrs",
    ];
    nobody_writes(&words, |source| {
        !source.is_product()
            || source.path.starts_with("crates/infrastructure/src/media/")
            || source.path.starts_with("crates/infrastructure/src/engines/")
            // The command `health` asks the service itself, `serve` looks up where to listen.
            || source.path.starts_with("crates/server/src/commands")
    });
}

#[test]
fn time_identifiers_and_chance_come_through_their_ports() {
    let words = ["Utc::now", "Local::now", "SystemTime::now", "Uuid::now_v7", "Uuid::new_v4"];
    nobody_writes(&words, |source| {
        !source.is_product() || source.path == "crates/infrastructure/src/system.rs"
    });
}

#[test]
fn only_the_server_reads_the_environment() {
    nobody_writes(&["env::var", "env::vars", "dotenvy::"], |source| {
        source.path.starts_with("crates/server/src/")
            || source.path.starts_with("tests/src/")
            // Which servers a run of tests uses, and where their programs are.
            || source.path.starts_with("crates/testkit/src/servers/")
            // How many rounds and answers a run is about.
            || source.path.starts_with("crates/testkit/src/contract/jobs/races/")
            || source.path == "crates/infrastructure/tests/suite/main.rs"
            // Runs itself as a child, and some of its runs alone.
            || source.path.starts_with("crates/infrastructure/tests/suite/sweep")
    });
}

#[test]
fn no_file_of_the_service_names_the_database_outside_its_adapter() {
    nobody_writes(&["sea_orm", "sqlx::", "SELECT ", "INSERT INTO "], |source| {
        !source.is_product()
            || source.path.starts_with("crates/infrastructure/src/persistence/")
            || source.path.starts_with("migration/src/")
            // Quiets the libraries by their names.
            || source.path == "crates/server/src/logging.rs"
    });
}

#[test]
fn the_licence_is_there_and_every_manifest_names_it() {
    let licence = fs::read_to_string(workspace::root().join("LICENSE")).expect("a licence");
    assert!(licence.starts_with("MIT License"));
    let metadata = MetadataCommand::new().no_deps().exec().expect("cargo describes the workspace");
    for package in metadata.packages {
        assert_eq!(package.license.as_deref(), Some("MIT"), "{}", package.name);
    }
}

#[test]
fn without_default_features_no_copyleft_is_linked_in() {
    let licences = |more: &[&str]| {
        let output = Command::new(workspace::cargo())
            .args(["tree", "--offline", "--package", "server", "--edges", "normal,build"])
            .args(["--prefix", "none", "--format", "{p}|{l}"])
            .args(more)
            .current_dir(workspace::root())
            .output()
            .expect("cargo tree runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let copyleft = |tree: &str| -> Vec<String> {
        let only_copyleft = |licence: &str| {
            let choices = licence.replace('/', " OR ");
            choices.split(" OR ").all(|choice| choice.contains("GPL"))
        };
        let mut names: Vec<_> = tree
            .lines()
            .filter_map(|line| line.split_once('|'))
            .filter(|(_, licence)| only_copyleft(licence))
            .filter_map(|(package, _)| package.split_whitespace().next().map(str::to_owned))
            .collect();
        names.sort();
        names.dedup();
        names
    };
    assert_eq!(copyleft(&licences(&[])), ["actix-governor"]);
    assert_eq!(copyleft(&licences(&["--no-default-features"])), Vec::<String>::new());
}

#[test]
fn every_link_between_documents_leads_somewhere() {
    let root = workspace::root();
    let documents = workspace::files(root, ".md").expect("the documents can be listed");
    assert!(documents.len() > 5, "the documents were not found");
    for document in documents {
        let text = fs::read_to_string(&document).expect("a document can be read");
        for link in text.split("](").skip(1).filter_map(|rest| rest.split_once(')')) {
            let target = link.0.split('#').next().unwrap_or_default();
            if target.is_empty() || target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let folder = document.parent().unwrap_or(Path::new(""));
            assert!(folder.join(target).exists(), "{}: {target}", document.display());
        }
    }
}
