//! The library against the contract of its port.

use testkit::contract::media::Media;
use tokio::io::AsyncWriteExt;

use super::world::{Server, World, file, media};

testkit::media_source_contract!(library, super::library());

/// A server that has a file, and breaks off in the middle of another.
async fn library() -> Media {
    let good = Server::serving(b"RIFF, and so on").await;
    let bad = Server::start(|mut stream, _| async move {
        let whole = file(b"RIFF, and so on");
        stream.write_all(&whole[..whole.len() - 1]).await.ok();
        stream.shutdown().await.ok();
    })
    .await;
    let world = World::new();
    let sources = (media(&good.url("/good.wav")), media(&bad.url("/bad.wav")));
    Media::new(world.library(), sources.0, sources.1, (world, good, bad))
}
