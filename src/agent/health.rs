//! `chorus-agent health`: the container's health check, without a runtime.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// The whole check takes at most this long.
pub const TIMEOUT: Duration = Duration::from_secs(2);

/// How every healthy answer begins.
const HEALTHY: &[u8] = b"HTTP/1.1 200 ";

/// Why the agent on this machine is not healthy.
#[derive(Debug, thiserror::Error)]
pub enum HealthError {
    /// Nothing answers in time.
    #[error("no answer from http://{address}/health")]
    Unreachable {
        /// Where the check asked.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Something answers, though not that it is healthy.
    #[error("http://{address}/health answered {answer:?} instead of 200")]
    Unhealthy {
        /// Where the check asked.
        address: SocketAddr,
        /// The beginning of the answer.
        answer: String,
    },
}

/// Asks the agent on this machine's `port` for its health.
///
/// # Errors
/// No answer within [`TIMEOUT`], or one that is not 200.
pub fn check(port: u16) -> Result<(), HealthError> {
    check_within(SocketAddr::from((Ipv4Addr::LOCALHOST, port)), TIMEOUT)
}

fn check_within(address: SocketAddr, timeout: Duration) -> Result<(), HealthError> {
    let answer = ask(address, Instant::now() + timeout)
        .map_err(|source| HealthError::Unreachable { address, source })?;
    if answer == HEALTHY {
        return Ok(());
    }
    Err(HealthError::Unhealthy {
        address,
        answer: String::from_utf8_lossy(&answer).into_owned(),
    })
}

/// The first bytes of the answer, as many as tell whether it is healthy.
fn ask(address: SocketAddr, deadline: Instant) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&address, left(deadline)?)?;
    stream.set_write_timeout(Some(left(deadline)?))?;
    stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = vec![0; HEALTHY.len()];
    let mut filled = 0;
    while let Some(space) = answer.get_mut(filled..).filter(|space| !space.is_empty()) {
        stream.set_read_timeout(Some(left(deadline)?))?;
        match stream.read(space)? {
            0 => break,
            count => filled += count,
        }
    }
    answer.truncate(filled);
    Ok(answer)
}

fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        Err(io::ErrorKind::TimedOut.into())
    } else {
        Ok(left)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::time::Duration;

    use super::{HealthError, check_within};

    /// Checks a server that reads the request and then sends `answer`, or nothing and stays silent.
    fn check_against(answer: Option<&'static str>) -> Result<(), HealthError> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (done, until_done) = std::sync::mpsc::channel::<()>();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let request = stream.read(&mut [0; 256]).unwrap();
            assert!(request > 0);
            match answer {
                Some(answer) => stream.write_all(answer.as_bytes()).unwrap(),
                None => drop(until_done.recv()),
            }
        });
        let checked = check_within(address, Duration::from_millis(500));
        drop(done);
        server.join().unwrap();
        checked
    }

    #[test]
    fn only_a_prompt_200_is_healthy() {
        fn check(answer: Option<&'static str>, expected: Option<&str>) {
            let found = check_against(answer).err().map(|error| error.to_string());
            match expected {
                None => assert_eq!(found, None, "{answer:?}"),
                Some(part) => {
                    assert!(
                        found.as_deref().is_some_and(|found| found.contains(part)),
                        "{answer:?}: {found:?}"
                    );
                }
            }
        }
        check(Some("HTTP/1.1 200 OK\r\n\r\n"), None);
        check(
            Some("HTTP/1.1 503 Service Unavailable\r\n\r\n"),
            Some("HTTP/1.1 503 "),
        );
        check(Some("HTTP/1.1 20"), Some("instead of 200"));
        check(Some(""), Some("answered \"\""));
        check(None, Some("no answer"));
    }

    #[test]
    fn a_closed_port_is_unhealthy() {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let error = check_within(address, Duration::from_secs(1))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(&format!("no answer from http://{address}/health")),
            "{error}"
        );
    }
}
