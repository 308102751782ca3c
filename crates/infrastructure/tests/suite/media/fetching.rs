//! What comes, and what the other side may do wrong.

use super::world::{Server, World, listing, noise};

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
