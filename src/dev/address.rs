//! An address of this machine that is drawn once and kept.

use std::fs;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::PathBuf;

use super::{DevError, Home};

/// The address of one server below a home.
#[derive(Clone, Debug)]
pub struct KeptAddress {
    file: PathBuf,
}

impl KeptAddress {
    /// That of the server called `name`.
    pub fn new(home: &Home, name: &str) -> Self {
        Self {
            file: home.run().join(format!("{name}.address")),
        }
    }

    /// What it is; `None` when none was drawn yet.
    pub fn known(&self) -> Option<SocketAddr> {
        fs::read_to_string(&self.file).ok()?.trim().parse().ok()
    }

    /// The kept one, if it is on `host` and free; else a new one, which is kept from now on.
    ///
    /// # Errors
    /// [`DevError::File`] when there is none, or it cannot be kept.
    pub fn draw(&self, host: IpAddr) -> Result<SocketAddr, DevError> {
        let known = self
            .known()
            .filter(|known| known.ip() == host && TcpListener::bind(known).is_ok());
        let address = known.map_or_else(|| TcpListener::bind((host, 0))?.local_addr(), Ok);
        let address = address.map_err(DevError::file("bind a port on", host.to_string()))?;
        fs::write(&self.file, address.to_string()).map_err(DevError::file("write", &self.file))?;
        Ok(address)
    }
}
