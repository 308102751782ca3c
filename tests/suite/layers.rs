//! Who may know whom, as `ARCHITECTURE.md` draws it. Cargo keeps a crate from using what its
//! manifest lacks; this keeps the manifests honest.

use std::{collections::BTreeSet, fs};

use cargo_metadata::{Dependency, DependencyKind, Metadata, MetadataCommand, Package};

use black_box_tests::workspace;

/// What a crate may depend on outside the workspace.
enum Outside {
    /// Exactly these.
    Exactly(&'static [&'static str]),
    /// Anything but these, and what begins with them and a dash.
    Without(&'static [&'static str]),
}

use Outside::{Exactly, Without};

struct Layer {
    name: &'static str,
    inner: &'static [&'static str],
    /// More of the workspace, for its tests.
    inner_in_tests: &'static [&'static str],
    outside: Outside,
    outside_in_tests: Outside,
}

const LAYERS: [Layer; 8] = [
    Layer {
        name: "domain",
        inner: &[],
        inner_in_tests: &[],
        outside: Exactly(&[
            "chrono",
            "email_address",
            "ipnet",
            "oxilangtag",
            "sha2",
            "thiserror",
            "unicode-normalization",
            "url",
            "uuid",
        ]),
        outside_in_tests: Exactly(&["criterion", "proptest"]),
    },
    Layer {
        name: "application",
        inner: &["domain"],
        inner_in_tests: &["testkit"],
        outside: Exactly(&[
            "async-trait",
            "bytes",
            "chrono",
            "futures-util",
            "thiserror",
            "tokio",
            "tokio-util",
            "tracing",
            "uuid",
        ]),
        outside_in_tests: Without(&["actix", "deadpool", "redis", "reqwest", "sea-orm", "sqlx"]),
    },
    Layer {
        name: "infrastructure",
        inner: &["application", "domain"],
        inner_in_tests: &["migration", "testkit"],
        outside: Without(&["actix", "anyhow", "clap", "dotenvy", "utoipa"]),
        outside_in_tests: Without(&["utoipa"]),
    },
    Layer {
        name: "api",
        inner: &["application", "domain"],
        inner_in_tests: &["testkit"],
        outside: Without(&[
            "anyhow",
            "bcrypt",
            "deadpool",
            "jsonwebtoken",
            "redis",
            "reqwest",
            "sea-orm",
            "sqlx",
        ]),
        outside_in_tests: Without(&["sea-orm", "sqlx"]),
    },
    Layer {
        name: "server",
        inner: &["api", "application", "domain", "infrastructure", "migration"],
        inner_in_tests: &["testkit"],
        outside: Without(&[
            "bcrypt",
            "deadpool",
            "jsonwebtoken",
            "redis",
            "sea-orm",
            "sqlx",
            "utoipa",
        ]),
        outside_in_tests: Without(&["deadpool", "redis", "sea-orm", "sqlx"]),
    },
    Layer {
        name: "testkit",
        inner: &["application", "domain"],
        inner_in_tests: &[],
        outside: Without(&["deadpool", "redis", "reqwest", "sea-orm", "sqlx", "utoipa"]),
        outside_in_tests: Without(&["deadpool", "redis", "sea-orm", "sqlx"]),
    },
    Layer {
        name: "migration",
        inner: &[],
        // For the servers that it brings.
        inner_in_tests: &["testkit"],
        outside: Without(&["actix", "anyhow", "deadpool", "redis", "reqwest", "utoipa"]),
        outside_in_tests: Without(&["actix", "utoipa"]),
    },
    Layer {
        name: "black-box-tests",
        inner: &[],
        inner_in_tests: &["testkit"],
        outside: Without(&["sea-orm", "sqlx"]),
        outside_in_tests: Without(&["sea-orm", "sqlx"]),
    },
];

fn metadata() -> Metadata {
    MetadataCommand::new()
        .manifest_path(workspace::root().join("Cargo.toml"))
        .no_deps()
        .exec()
        .expect("cargo describes the workspace")
}

fn layer(package: &Package) -> &'static Layer {
    let found = LAYERS.iter().find(|layer| package.name == layer.name);
    found.unwrap_or_else(|| panic!("{} has no layer: decide whom it may know", package.name))
}

/// The dependencies inside the workspace, or those outside, of the crate itself or of its tests.
fn names(package: &Package, inner: bool, in_tests: bool) -> BTreeSet<&str> {
    let wanted = |dependency: &&Dependency| {
        dependency.path.is_some() == inner
            && (dependency.kind == DependencyKind::Development) == in_tests
    };
    package.dependencies.iter().filter(wanted).map(|dependency| dependency.name.as_str()).collect()
}

fn faults(package: &Package, outside: &Outside, in_tests: bool) -> Vec<String> {
    let names = names(package, false, in_tests);
    let fault = |name: &str| format!("{} may not depend on {name}", package.name);
    match outside {
        Exactly(allowed) => {
            let allowed: BTreeSet<_> = allowed.iter().copied().collect();
            let gone = |name: &str| format!("{} no longer depends on {name}", package.name);
            let missing = allowed.difference(&names).map(|name| gone(name));
            names.difference(&allowed).map(|name| fault(name)).chain(missing).collect()
        }
        Without(denied) => {
            let family = |name: &str, root: &str| {
                name.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
            };
            let denied = |name: &&str| denied.iter().any(|root| family(name, root));
            names.into_iter().filter(denied).map(fault).collect()
        }
    }
}

#[test]
fn a_crate_knows_only_the_crates_that_its_layer_allows() {
    for package in metadata().packages {
        let layer = layer(&package);
        for name in names(&package, true, false) {
            assert!(layer.inner.contains(&name), "{} may not know {name}", package.name);
        }
        for name in names(&package, true, true) {
            let allowed = layer.inner.contains(&name) || layer.inner_in_tests.contains(&name);
            assert!(allowed, "the tests of {} may not know {name}", package.name);
        }
    }
}

#[test]
fn a_crate_uses_only_the_drivers_that_its_layer_allows() {
    let faults: Vec<String> = metadata()
        .packages
        .iter()
        .flat_map(|package| {
            let layer = layer(package);
            let mut found = faults(package, &layer.outside, false);
            found.extend(faults(package, &layer.outside_in_tests, true));
            found
        })
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_layer_is_a_crate_of_the_workspace() {
    let packages = metadata().packages;
    for layer in &LAYERS {
        assert!(packages.iter().any(|package| package.name == layer.name), "{}", layer.name);
    }
}

#[test]
fn every_crate_is_held_to_the_lints_of_the_workspace() {
    for package in metadata().packages {
        let manifest = fs::read_to_string(&package.manifest_path).expect("a manifest can be read");
        let lines: Vec<_> =
            manifest.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let held = lines.windows(2).any(|pair| pair == ["[lints]", "workspace = true"]);
        assert!(held, "{} lacks [lints] workspace = true", package.name);
        assert_eq!(package.publish.as_deref(), Some([].as_slice()), "{}", package.name);
    }
}
