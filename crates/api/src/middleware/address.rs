//! Who is calling, by address. Only a trusted proxy is believed about somebody else.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use actix_web::{HttpRequest, dev::ServiceRequest, http::header::HeaderMap, web};
use ipnet::IpNet;

use crate::ApiState;

/// The address that a request is counted against; an IPv6 client counts as its /64.
pub(crate) fn bucket(request: &ServiceRequest) -> Option<IpAddr> {
    let state = request.app_data::<web::Data<ApiState>>()?;
    let peer = request.peer_addr()?.ip();
    Some(masked(client(peer, request.headers(), &state.config.trusted_proxies)))
}

/// The peer, or, when the peer is a trusted proxy, the rightmost hop that is not.
pub(crate) fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let peer = peer.to_canonical();
    let is_trusted = |address: IpAddr| trusted.iter().any(|net| net.contains(&address));
    if !is_trusted(peer) {
        return peer;
    }
    let mut leftmost = peer;
    for value in headers.get_all("x-forwarded-for").rev() {
        let Ok(hops) = value.to_str() else { return peer };
        for hop in hops.rsplit(',') {
            let Some(address) = parse(hop.trim()) else { return peer };
            if !is_trusted(address) {
                return address;
            }
            leftmost = address;
        }
    }
    leftmost
}

/// A hop as proxies write it: an address, bare or with a port.
fn parse(hop: &str) -> Option<IpAddr> {
    let bracketed = hop.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let address = match bracketed {
        Some(v6) => v6.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => hop
            .parse::<IpAddr>()
            .ok()
            .or_else(|| hop.parse::<SocketAddr>().ok().map(|socket| socket.ip())),
    };
    address.map(|address| address.to_canonical())
}

/// What is counted as one client: an IPv6 subscriber has a /64 at least.
fn masked(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64)).into(),
    }
}

/// The client's address, for logs.
pub(crate) fn of(request: &HttpRequest) -> Option<IpAddr> {
    let state = request.app_data::<web::Data<ApiState>>()?;
    let peer = request.peer_addr()?.ip();
    Some(client(peer, request.headers(), &state.config.trusted_proxies))
}
