//! Where no byte may go.

use std::{future, path::Path, time::Duration};

use domain::{AddressPolicy, FailureCode};
use tokio::{io::AsyncWriteExt, net::TcpListener};

use super::world::{LOOPBACK, Server, World, file, ip, redirect};

#[tokio::test]
async fn a_literal_address_inside_is_refused_without_a_connection() {
    let canary = Server::serving(b"inside").await;
    let port = canary.address.port();
    let world = World::new().policy(AddressPolicy::default());
    for host in [
        "127.0.0.1",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "127.0.0.1.",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "0.0.0.0",
    ] {
        let code = world.refusal_code(&format!("http://{host}:{port}/secret")).await;
        assert_eq!(code, FailureCode::SourceForbidden, "{host}");
    }
    for host in ["169.254.169.254", "[fd00:ec2::254]", "10.0.0.1", "[64:ff9b::7f00:1]"] {
        let code = world.refusal_code(&format!("http://{host}/secret")).await;
        assert_eq!(code, FailureCode::SourceForbidden, "{host}");
    }
    assert_eq!(canary.visits(), 0);
    assert!(world.names.asked().is_empty());
}

#[tokio::test]
async fn a_name_that_leads_inside_is_refused_without_a_connection() {
    let canary = Server::serving(b"inside").await;
    let world = World::new().policy(AddressPolicy::default());
    world.names.then(&[LOOPBACK]);
    let code = world.refusal_code(&canary.named("inside.test")).await;
    assert_eq!(code, FailureCode::SourceForbidden);
    assert_eq!(canary.visits(), 0);
}

#[tokio::test]
async fn one_address_inside_condemns_all_addresses_of_a_name() {
    let (server, canary) = Server::with_canary(b"abc").await;
    let inside = canary.address.ip();
    for answer in [[inside, LOOPBACK], [LOOPBACK, inside]] {
        let world = World::new();
        world.names.then(&answer);
        let code = world.refusal_code(&server.named("mixed.test")).await;
        assert_eq!(code, FailureCode::SourceForbidden, "{answer:?}");
    }
    assert_eq!((server.visits(), canary.visits()), (0, 0));

    let world = World::new().policy(AddressPolicy::default());
    world.names.then(&[ip("8.8.8.8"), ip("10.0.0.1")]);
    let code = world.refusal_code("http://mixed.test/secret").await;
    assert_eq!(code, FailureCode::SourceForbidden);
}

#[tokio::test]
async fn a_public_address_is_asked_on_web_ports_only() {
    let world = World::new().policy(AddressPolicy::default());
    world.names.then(&[ip("8.8.8.8")]);
    for url in ["http://public.test:22/secret", "https://8.8.8.8:8443/secret"] {
        assert_eq!(world.refusal_code(url).await, FailureCode::SourceForbidden, "{url}");
    }
}

#[tokio::test]
async fn a_name_that_changes_its_answer_after_the_check_gains_nothing() {
    let (server, canary) = Server::with_canary(b"abc").await;
    for round in 0..50 {
        let world = World::new();
        let (public, inside) = ([LOOPBACK], [canary.address.ip()]);
        let admitted = round % 2 == 0;
        world.names.then(if admitted { &public } else { &inside });
        world.names.then(if admitted { &inside } else { &public });
        let name = if round < 25 { "rebind.test" } else { "rebind.test." };
        let fetched = world.fetch(&server.named(name)).await;
        let code = fetched.map(|audio| audio.bytes).map_err(|error| error.code);
        assert_eq!(code, if admitted { Ok(3) } else { Err(FailureCode::SourceForbidden) });
        assert_eq!(world.names.asked(), [name], "one look-up a request");
    }
    assert_eq!((server.visits(), canary.visits()), (25, 0));
}

#[tokio::test]
async fn a_redirect_inside_is_refused_without_a_connection() {
    let (_, canary) = Server::with_canary(b"abc").await;
    for location in [
        canary.url("/secret"),
        format!("//{}/secret", canary.address),
        "http://169.254.169.254/latest/meta-data".to_owned(),
        "https://10.0.0.1/".to_owned(),
    ] {
        let server = Server::redirecting(&location).await;
        let code = World::new().refusal_code(&server.url("/secret")).await;
        assert_eq!(code, FailureCode::SourceForbidden, "{location}");
        assert_eq!(server.visits(), 1);
    }
    assert_eq!(canary.visits(), 0);
}

#[tokio::test]
async fn each_hop_is_looked_up_once_and_judged_anew() {
    let (_, canary) = Server::with_canary(b"abc").await;
    let server = Server::redirecting(&canary.named("second.test")).await;
    let world = World::new();
    world.names.then(&[LOOPBACK]).then(&[canary.address.ip()]);
    let code = world.refusal_code(&server.named("first.test")).await;
    assert_eq!(code, FailureCode::SourceForbidden);
    assert_eq!(world.names.asked(), ["first.test", "second.test"]);
    assert_eq!((server.visits(), canary.visits()), (1, 0));
}

#[tokio::test]
async fn a_redirect_is_read_as_strictly_as_what_a_user_writes() {
    for location in [
        "http://user:secret@example.com/a.wav",
        "ftp://example.com/a.wav",
        "file:///etc/passwd",
        "data:audio/wav;base64,AAAA",
        "javascript:alert(1)",
    ] {
        let server = Server::redirecting(location).await;
        let code = World::new().refusal_code(&server.url("/")).await;
        assert_eq!(code, FailureCode::SourceForbidden, "{location}");
    }
    for location in ["", "http://", "http://[::1", "http://a b/"] {
        let server = Server::redirecting(location).await;
        let code = World::new().refusal_code(&server.url("/")).await;
        assert_eq!(code, FailureCode::SourceRefused, "{location}");
    }
}

#[tokio::test]
async fn three_redirects_are_followed_and_a_fourth_is_not() {
    for (redirects, arrives) in [(3, true), (4, false)] {
        let server = Server::start(move |mut stream, before| async move {
            let answer = if before < redirects { redirect("next") } else { file(b"abc") };
            stream.write_all(&answer).await.ok();
        })
        .await;
        let fetched = World::new().fetch(&server.url("/secret")).await;
        assert_eq!(fetched.is_ok(), arrives, "{redirects}: {fetched:?}");
        assert_eq!(server.visits(), 4);
    }
}

#[tokio::test]
async fn an_https_url_is_never_asked_for_in_plain() {
    let server = Server::serving(b"abc").await;
    let world = World::new().limits(|limits| limits.answer = Duration::from_millis(300));
    world.refusal(&server.url("/secret").replace("http:", "https:")).await;
    let heads = server.heads().concat();
    assert!(!heads.contains("GET") && !heads.contains("secret"), "{heads}");
}

#[tokio::test]
async fn a_failure_does_not_tell_what_was_found() {
    let closed = TcpListener::bind((LOOPBACK, 0)).await.unwrap().local_addr().unwrap();
    let silent = Server::start(|_stream, _| future::pending()).await;
    let hangs_up = Server::saying("").await;
    let not_http = Server::saying("220 mail.test ESMTP\r\n").await;
    let broken = Server::saying("HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n").await;
    let world = World::new().limits(|limits| limits.answer = Duration::from_millis(200));
    for url in [
        format!("http://{closed}/secret"),
        silent.url("/secret"),
        hangs_up.url("/secret"),
        not_http.url("/secret"),
        broken.url("/secret"),
        "http://unknown.test/secret".to_owned(),
    ] {
        let error = world.refusal(&url).await;
        assert_eq!(error.code, FailureCode::SourceUnreachable, "{url}");
        assert_eq!(error.retry_after, None);
    }
}

#[tokio::test]
async fn an_answer_without_addresses_is_no_answer() {
    let world = World::new();
    world.names.then(&[]);
    let code = world.refusal_code("http://empty.test/secret").await;
    assert_eq!(code, FailureCode::SourceUnreachable);
}

/// An address that a user names must not reach a client without the guard: this module has the
/// only one, and the engines talk to the hosts that the operator has set.
#[test]
fn no_other_part_of_the_adapters_speaks_http() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![source.clone()];
    let mut speakers = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if std::fs::read_to_string(&path).unwrap().contains("reqwest") {
                speakers.push(path.strip_prefix(&source).unwrap().to_owned());
            }
        }
    }
    speakers.retain(|path| !path.starts_with("engines"));
    speakers.sort();
    let guarded = ["address.rs", "body.rs", "http.rs"].map(|file| Path::new("media").join(file));
    assert_eq!(speakers, guarded);
}
