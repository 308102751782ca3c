//! What comes, and what the other side may do wrong.

use std::{future, time::Duration};

use application::ports::MediaSource;
use chrono::TimeDelta;
use domain::{FailureCode, Source};
use tokio::{io::AsyncWriteExt, time};

use super::world::{JOB, Server, World, listing, media, noise};

#[tokio::test]
async fn a_file_arrives_byte_for_byte() {
    let body = noise(700_001);
    let server = Server::serving(&body).await;
    let world = World::new();

    let audio = world.fetch(&server.url("/a.wav?token=secret#t=1")).await.unwrap();

    assert_eq!(std::fs::read(&audio.path).unwrap(), body);
    assert_eq!(audio.bytes, 700_001);
    assert_eq!(audio.path, world.folder().join("audio"));
    assert_eq!(listing(&world.folder()), ["audio"]);
    let head = server.heads().concat().to_ascii_lowercase();
    assert!(head.starts_with("get /a.wav?token=secret http/1.1\r\n"), "{head}");
    assert!(head.contains("\r\nuser-agent: saas-ia/"), "{head}");
    assert!(head.contains("\r\naccept-encoding: identity\r\n"), "{head}");
}

#[tokio::test]
async fn a_body_without_a_length_is_read_to_its_end() {
    let chunked =
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    for answer in [chunked, "HTTP/1.0 200 OK\r\n\r\nabcde"] {
        let server = Server::saying(answer).await;
        let world = World::new();
        let audio = world.fetch(&server.url("/")).await.unwrap();
        assert_eq!(std::fs::read(&audio.path).unwrap(), b"abcde");
    }
}

#[tokio::test]
async fn a_compressed_body_is_kept_as_it_came() {
    let packed = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcb\x48\xcd\xc9\xc9\x07\x00\x86\xa6\x10\x36\x05\x00\x00\x00";
    let head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n".as_slice();
    let server = Server::saying([head, packed].concat()).await;
    let world = World::new();
    let audio = world.fetch(&server.url("/")).await.unwrap();
    assert_eq!(std::fs::read(&audio.path).unwrap(), packed);
}

#[tokio::test]
async fn nothing_of_one_request_is_in_the_next() {
    let end = Server::serving(b"abc").await;
    let target = end.url("/b.wav");
    let start = Server::saying(format!(
        "HTTP/1.1 302 Found\r\nset-cookie: a=b; path=/\r\nlocation: {target}\r\ncontent-length: 0\r\n\r\n"
    ))
    .await;
    World::new().fetch(&start.url("/a.wav?secret")).await.unwrap();
    let head = end.heads().concat().to_ascii_lowercase();
    assert!(head.starts_with("get /b.wav http/1.1\r\n"), "{head}");
    assert!(!head.contains("cookie") && !head.contains("referer"), "{head}");
}

#[tokio::test]
async fn an_announced_size_over_the_limit_is_refused_unread() {
    let server = Server::saying("HTTP/1.1 200 OK\r\ncontent-length: 1000001\r\n\r\n").await;
    assert_eq!(World::new().refusal_code(&server.url("/")).await, FailureCode::SourceTooLarge);
}

#[tokio::test]
async fn a_file_of_exactly_the_limit_is_taken() {
    let server = Server::serving(&noise(1_000_000)).await;
    assert_eq!(World::new().fetch(&server.url("/")).await.unwrap().bytes, 1_000_000);
}

#[tokio::test]
async fn an_endless_body_is_cut_off_at_the_limit() {
    let server = Server::start(|mut stream, _| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.ok();
        while stream.write_all(&[7; 8_192]).await.is_ok() {}
    })
    .await;
    assert_eq!(World::new().refusal_code(&server.url("/")).await, FailureCode::SourceTooLarge);
}

#[tokio::test]
async fn a_body_that_ends_early_is_not_taken_for_the_file() {
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n";
    for answer in ["HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc", chunked] {
        let server = Server::saying(answer).await;
        let code = World::new().refusal_code(&server.url("/")).await;
        assert_eq!(code, FailureCode::SourceUnreachable, "{answer}");
    }
}

#[tokio::test]
async fn a_body_that_stops_or_drips_is_given_up() {
    let stops = Server::start(|mut stream, _| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nabc").await.ok();
        future::pending::<()>().await;
    });
    let drips = Server::start(|mut stream, _| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.ok();
        while stream.write_all(b"a").await.is_ok() {
            time::sleep(Duration::from_millis(5)).await;
        }
    });
    for server in [stops.await, drips.await] {
        let world = World::new().limits(|limits| {
            limits.pace_window = Duration::from_millis(100);
            limits.pace_bytes = 10_000;
        });
        let error = world.refusal(&server.url("/")).await;
        assert_eq!(error.code, FailureCode::SourceUnreachable);
        assert!(error.detail.contains("too slow"), "{error}");
    }
}

#[tokio::test]
async fn a_steady_body_may_take_more_than_one_window() {
    let server = Server::start(|mut stream, _| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 70\r\n\r\n").await.ok();
        for _ in 0..70 {
            stream.write_all(b"a").await.ok();
            time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    let world = World::new().limits(|limits| limits.pace_window = Duration::from_millis(300));
    assert_eq!(world.fetch(&server.url("/")).await.unwrap().bytes, 70);
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up() {
    let server = Server::start(|_stream, _| future::pending()).await;
    let world = World::new().limits(|limits| limits.answer = Duration::from_millis(50));
    assert_eq!(world.refusal_code(&server.url("/")).await, FailureCode::SourceUnreachable);
}

#[tokio::test]
async fn a_fetch_as_a_whole_has_a_limit() {
    let server = Server::start(|mut stream, _| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nabc").await.ok();
        future::pending::<()>().await;
    })
    .await;
    let world = World::new().limits(|limits| limits.total = Duration::from_millis(100));
    assert_eq!(world.refusal_code(&server.url("/")).await, FailureCode::SourceUnreachable);
}

#[tokio::test]
async fn every_status_has_its_code() {
    use FailureCode::{NoAudio, SourceRefused, SourceThrottled, SourceUnreachable};
    for (status, code) in [
        (204, NoAudio),
        (206, SourceRefused),
        (300, SourceRefused),
        (302, SourceRefused),
        (304, SourceRefused),
        (400, SourceRefused),
        (401, SourceRefused),
        (403, SourceRefused),
        (404, SourceRefused),
        (408, SourceUnreachable),
        (410, SourceRefused),
        (425, SourceUnreachable),
        (429, SourceThrottled),
        (451, SourceRefused),
        (500, SourceUnreachable),
        (502, SourceUnreachable),
        (503, SourceUnreachable),
        (599, SourceUnreachable),
        (999, SourceRefused),
    ] {
        let server = Server::saying(format!("HTTP/1.1 {status} So\r\ncontent-length: 0\r\n\r\n"));
        let found = World::new().refusal_code(&server.await.url("/?secret")).await;
        assert_eq!(found, code, "{status}");
    }
}

#[tokio::test]
async fn a_wish_to_be_asked_later_is_passed_on() {
    let date = "date: Wed, 21 Oct 2015 07:28:00 GMT\r\n";
    for (status, headers, seconds) in [
        (429, "retry-after: 120\r\n".to_owned(), Some(120)),
        (503, "retry-after: 0\r\n".to_owned(), Some(0)),
        (503, format!("{date}retry-after: Wed, 21 Oct 2015 07:29:30 GMT\r\n"), Some(90)),
        (429, format!("{date}retry-after: Wed, 21 Oct 2015 07:00:00 GMT\r\n"), Some(0)),
        (429, "retry-after: 4000000000\r\n".to_owned(), Some(86_400)),
        (429, "retry-after: soon\r\n".to_owned(), None),
        (429, "retry-after: -5\r\n".to_owned(), None),
        (429, String::new(), None),
        (404, "retry-after: 120\r\n".to_owned(), None),
    ] {
        let answer = format!("HTTP/1.1 {status} So\r\n{headers}content-length: 0\r\n\r\n");
        let server = Server::saying(answer).await;
        let error = World::new().refusal(&server.url("/")).await;
        assert_eq!(error.retry_after, seconds.map(TimeDelta::seconds), "{headers}");
    }
}

#[tokio::test]
async fn a_web_page_and_an_empty_body_are_no_audio() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 1\r\n\r\n<",
        "HTTP/1.1 200 OK\r\ncontent-type: Text/HTML; charset=utf-8\r\ncontent-length: 1\r\n\r\n<",
        "HTTP/1.1 200 OK\r\ncontent-type: application/xhtml+xml\r\ncontent-length: 1\r\n\r\n<",
        "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    ] {
        let server = Server::saying(answer).await;
        let code = World::new().refusal_code(&server.url("/")).await;
        assert_eq!(code, FailureCode::NoAudio, "{answer}");
    }
}

#[tokio::test]
async fn a_declared_type_other_than_a_page_is_not_believed() {
    let server = Server::saying("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\nRIFF").await;
    assert!(World::new().fetch(&server.url("/a.wav")).await.is_ok());
}

#[tokio::test]
async fn a_youtube_page_is_not_fetched_here() {
    let video = Source::parse("https://youtu.be/dQw4w9WgXcQ").unwrap();
    let error = World::new().library().fetch(JOB, &video, &()).await.unwrap_err();
    assert_eq!(error.code, FailureCode::YouTubeUnavailable);
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_a_fault_of_this_machine() {
    let server = Server::serving(b"abc").await;
    let mut world = World::new();
    let in_the_way = world.config.work_dir.parent().unwrap().to_owned();
    std::fs::write(&in_the_way, "a file, not a folder").unwrap();
    world.config.work_dir = in_the_way.join("work");
    let error = world.library().fetch(JOB, &media(&server.url("/")), &()).await.unwrap_err();
    assert_eq!(error.code, FailureCode::LocalResource);
}
