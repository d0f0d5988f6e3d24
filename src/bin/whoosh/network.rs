//! The operator's listener on the network.

use std::net::SocketAddr;
use std::sync::Arc;

use whoosh::api::{Authority, JwtIssuer, JwtKeyError, SecurePort, from_files};
use whoosh::cli::NetworkArgs;
use whoosh::resource::token::WayIn;

use super::Failure;

/// Listens where the arguments say; what clients need to know of it. `None` when they say nothing.
pub(crate) async fn listen(args: &NetworkArgs, host: &str) -> Result<Option<(SecurePort, WayIn)>, Failure> {
    let Some(address) = args.listen else {
        return Ok(None);
    };
    let today = jiff::Zoned::now().date();
    let (config, certificate_authority) = match (&args.tls_cert, &args.tls_key) {
        (Some(certificate), Some(key)) => (from_files(certificate, key)?, String::new()),
        _ => {
            let authority = Authority::open(&args.tls_dir, today)?;
            let config = authority.serve_as(&names(address, host, &args.tls_names), today)?;
            (config, authority.certificate().to_owned())
        }
    };
    let port = SecurePort::bind(address, Arc::clone(&config)).await?;
    let server = match args.tls_names.first() {
        Some(name) => format!("https://{name}:{}", port.address().port()),
        None => format!("https://{}", reachable(port.address())),
    };
    Ok(Some((
        port,
        WayIn {
            server,
            certificate_authority,
        },
    )))
}

/// Whose JWTs count, if the arguments say so.
pub(crate) fn jwt_issuer(args: &NetworkArgs) -> Result<Option<JwtIssuer>, JwtKeyError> {
    match (&args.jwt_key, &args.jwt_issuer, &args.jwt_audience) {
        (Some(key), Some(issuer), Some(audience)) => JwtIssuer::read(key, issuer, audience).map(Some),
        // The command line takes all of them or none.
        _ => Ok(None),
    }
}

/// The names that clients may use.
fn names(address: SocketAddr, host: &str, more: &[String]) -> Vec<String> {
    let own = ["localhost", "127.0.0.1", "::1", host].map(str::to_owned);
    let mut names: Vec<String> = own.into_iter().chain(more.iter().cloned()).collect();
    if !address.ip().is_unspecified() {
        names.push(address.ip().to_string());
    }
    names.sort();
    names.dedup();
    names
}

/// An address to connect to: of all of this machine's, the one that only it has.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}
