//! Which servers are reached without crossing the networks of others.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::Host;

/// Whether a host is this machine, or one of a network of our own: a private address, or a name
/// without a domain, as containers have.
pub(super) fn is_near(host: &str) -> bool {
    let socket = host.is_empty() || host.starts_with('/') || host.starts_with("%2F");
    match Host::parse(host) {
        _ if socket => true,
        Ok(Host::Domain(name)) => !name.contains('.'),
        Ok(Host::Ipv4(address)) => is_private(address.into()),
        Ok(Host::Ipv6(address)) => is_private(address.into()),
        Err(_) => false,
    }
}

fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4 == Ipv4Addr::UNSPECIFIED,
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6 == Ipv6Addr::UNSPECIFIED,
    }
}
