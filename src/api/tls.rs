//! Certificates of the TLS listener: the user's own, or ones of an authority that is made on the first start.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::civil::Date;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// For how many years a certificate is good. The server's is made anew on each start.
const YEARS: i16 = 10;
const AUTHORITY: &str = "WHOOSH authority";

/// Why there is no certificate to serve with.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read or written.
    #[error("cannot use {} for TLS", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file holds no certificate or key.
    #[error("{} holds no PEM that TLS can use: {why}", .path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A certificate cannot be made.
    #[error("cannot make a certificate")]
    Make(#[from] rcgen::Error),
    /// A certificate and a key do not go together, or are of a sort that is not served.
    #[error("the certificate cannot be used")]
    Use(#[from] rustls::Error),
}

/// Signs the certificates that the operator serves with. Its own is what clients are given to trust.
pub struct Authority {
    key: KeyPair,
    certificate: String,
}

impl Authority {
    /// The one that `folder` keeps in `ca.crt` and `ca.key`; made when there is none. `today` is when it begins.
    ///
    /// # Errors
    /// When the files cannot be read or written.
    pub fn open(folder: &Path, today: Date) -> Result<Self, TlsError> {
        let (certificate, key) = (folder.join("ca.crt"), folder.join("ca.key"));
        match std::fs::read_to_string(&key) {
            Ok(text) => Ok(Self {
                key: KeyPair::from_pem(&text).map_err(|error| TlsError::Pem {
                    path: key,
                    why: error.to_string(),
                })?,
                certificate: std::fs::read_to_string(&certificate).map_err(failed(&certificate))?,
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let made = Self::make(today)?;
                let mut folders = DirBuilder::new();
                folders
                    .recursive(true)
                    .mode(0o700)
                    .create(folder)
                    .map_err(failed(folder))?;
                write(&certificate, &made.certificate, 0o644)?;
                // Last: with a key, the authority counts as made.
                write(&key, &made.key.serialize_pem(), 0o600)?;
                Ok(made)
            }
            Err(error) => Err(failed(&key)(error)),
        }
    }

    fn make(today: Date) -> Result<Self, TlsError> {
        let key = KeyPair::generate()?;
        let certificate = authority(today).self_signed(&key)?.pem();
        Ok(Self { key, certificate })
    }

    /// Its certificate, as PEM.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// What to serve with under these host names and addresses.
    ///
    /// # Errors
    /// When a name is none.
    pub fn serve_as(&self, names: &[String], today: Date) -> Result<Arc<ServerConfig>, TlsError> {
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name.push(DnType::CommonName, "whoosh");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        lasts(&mut params, today);
        let key = KeyPair::generate()?;
        let signed = params.signed_by(&key, &Issuer::from_params(&authority(today), &self.key))?;
        let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(|why| TlsError::Pem {
            path: PathBuf::from("the new key"),
            why: why.to_owned(),
        })?;
        config(vec![signed.der().clone()], key)
    }
}

fn authority(today: Date) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, AUTHORITY);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    lasts(&mut params, today);
    params
}

/// From the first day of this month, so that a client whose clock is a little behind takes it, too.
fn lasts(params: &mut CertificateParams, today: Date) {
    let (year, month) = (i32::from(today.year()), today.month().unsigned_abs());
    params.not_before = date_time_ymd(year, month, 1);
    params.not_after = date_time_ymd(year + i32::from(YEARS), month, 1);
}

/// What to serve with out of the user's own files, a chain of certificates and its key.
///
/// # Errors
/// When they cannot be read, or do not go together.
pub fn from_files(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>, TlsError> {
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(unreadable(certificate))?;
    config(chain, PrivateKeyDer::from_pem_file(key).map_err(unreadable(key))?)
}

fn config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn write(path: &Path, text: &str, mode: u32) -> Result<(), TlsError> {
    let written = || -> io::Result<()> {
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(mode)
            .open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    written().map_err(failed(path))
}

fn failed(path: &Path) -> impl Fn(io::Error) -> TlsError {
    move |source| TlsError::File {
        path: path.to_owned(),
        source,
    }
}

fn unreadable(path: &Path) -> impl Fn(rustls::pki_types::pem::Error) -> TlsError {
    move |error| TlsError::Pem {
        path: path.to_owned(),
        why: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const TODAY: Date = jiff::civil::date(2026, 1, 31);

    #[test]
    fn an_authority_is_made_once_and_its_key_is_its_owners() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("pki");
        let first = Authority::open(&folder, TODAY).unwrap();
        let again = Authority::open(&folder, jiff::civil::date(2027, 1, 1)).unwrap();
        assert_eq!(first.certificate(), again.certificate());
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&folder.join("ca.key"))), (0o700, 0o600));
        first
            .serve_as(&["localhost".to_owned(), "10.0.0.1".to_owned()], TODAY)
            .unwrap();
    }

    #[test]
    fn files_that_are_no_certificates_are_named() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("tls.crt");
        let why = from_files(&file, &file).unwrap_err().to_string();
        assert!(why.contains("tls.crt"), "{why}");
        std::fs::write(&file, "nonsense").unwrap();
        let why = from_files(&file, &file).unwrap_err().to_string();
        assert!(why.contains("tls.crt"), "{why}");
    }
}
