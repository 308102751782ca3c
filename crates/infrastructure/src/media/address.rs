//! Names and the addresses behind them: looked up once, judged, and pinned.

use std::{
    future, io,
    net::{IpAddr, SocketAddr},
};

use application::ports::FetchError;
use async_trait::async_trait;
use domain::{AddressPolicy, FailureCode, MediaUrl, source::Host};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::error::{failed, unreachable};

/// Looks names up.
#[async_trait]
pub trait Resolver: Send + Sync {
    /// Every address of `name`.
    ///
    /// # Errors
    /// When the name is unknown or nobody answers.
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// The resolver of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

#[async_trait]
impl Resolver for SystemResolver {
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((name, 0)).await?.map(|found| found.ip()).collect())
    }
}

/// The addresses to which a request may go. As the resolver of an HTTP client it gives these for
/// every name, so that nothing is looked up a second time: whoever changes the answers of a name
/// between the check and the connection gains nothing.
#[derive(Debug, Clone)]
pub(super) struct Pinned(Vec<SocketAddr>);

impl Pinned {
    /// Looks the host of `url` up, and judges every address.
    ///
    /// One address that is not admitted condemns the name: a public name does not lead inside,
    /// and which of its addresses is connected to would be chance.
    pub(super) async fn check(
        url: &MediaUrl,
        policy: &AddressPolicy,
        resolver: &dyn Resolver,
    ) -> Result<Self, FetchError> {
        let (host, port) = (url.as_url().host_str().unwrap_or_default(), url.port());
        let addresses = match url.host() {
            Host::Address(address) => vec![address],
            Host::Name(name) => {
                resolver.resolve(&name).await.map_err(|error| unreachable(host, &error))?
            }
        };
        if addresses.is_empty() {
            return Err(failed(FailureCode::SourceUnreachable, format!("{host}: no address")));
        }
        match addresses.iter().find(|address| !policy.admits(**address, port)) {
            Some(address) => Err(failed(
                FailureCode::SourceForbidden,
                format!("{host}: {address} port {port} is not admitted"),
            )),
            None => Ok(Self(addresses.iter().map(|ip| SocketAddr::new(*ip, port)).collect())),
        }
    }
}

impl Resolve for Pinned {
    fn resolve(&self, _: Name) -> Resolving {
        let addresses: Addrs = Box::new(self.0.clone().into_iter());
        Box::pin(future::ready(Ok(addresses)))
    }
}
