//! TLS to the database, with libpq's meanings of `sslmode` and the parameters around it.
//!
//! The files that the parameters name are read once, when the string is parsed. Unlike in libpq, whether the server's
//! certificate is verified never depends on whether a file exists, and no file in a home folder is read. The system's
//! certificate authorities are found like in other programs: `SSL_CERT_FILE` and `SSL_CERT_DIR` can specify them.

use std::{fmt::Display, sync::Arc};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_cert_signed_by_trust_anchor, verify_server_name,
    },
    crypto::{
        CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls12_signature,
        verify_tls13_signature,
    },
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem, pem::PemObject},
    server::ParsedCertificate,
    version::{TLS12, TLS13},
};
use tokio_postgres::config::{ChannelBinding, Config, Host, SslMode, SslNegotiation};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::connection_string::{ConnectionString, ParseError};

/// What a server's certificate must prove.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Check {
    Nothing,
    Chain,
    ChainAndName,
}

/// The protection of a connection.
pub(crate) struct Protection {
    /// The part of `sslmode` that tokio-postgres knows.
    pub(crate) mode: SslMode,
    /// The value of `sslmode` that means this protection.
    pub(crate) name: &'static str,
    /// Does the rest.
    pub(crate) connect: MakeRustlsConnect,
}

/// Takes the TLS parameters from a connection string. `config` is the part that was passed on.
///
///
/// # Errors
/// If a value is invalid, a file cannot be read, or parameters contradict each other.
pub(crate) fn read(
    string: &mut ConnectionString,
    config: &Config,
) -> Result<Protection, ParseError> {
    let mut hosts = config.get_hosts().iter();
    let only_sockets = hosts.all(|host| matches!(host, Host::Unix(_)));
    let root = string.take("sslrootcert");
    let (mode, check) = if only_sockets {
        // As in libpq: a socket is local to the machine, and PostgreSQL does not support TLS on it.
        (SslMode::Disable, Check::Nothing)
    } else {
        read_mode(string.take("sslmode").as_deref(), root.as_deref())?
    };
    let direct = config.get_ssl_negotiation() == SslNegotiation::Direct && !only_sockets;
    if direct && mode != SslMode::Require {
        let problem = "direct requires sslmode=require, verify-ca or verify-full";
        return Err(ParseError::of("sslnegotiation", problem));
    }
    let bound = config.get_channel_binding() == ChannelBinding::Require;
    if bound && mode == SslMode::Disable {
        let problem = "require needs TLS, which sslmode=disable and sockets do not have";
        return Err(ParseError::of("channel_binding", problem));
    }
    let name = name(mode, check);
    let verifier = Verifier::new(check, root.as_deref(), bound)?;
    let mut client = client_config(string, verifier)?;
    client.enable_sni = match string.take("sslsni").as_deref() {
        None | Some("1") => true,
        Some("0") => false,
        Some(_) => return Err(ParseError::of("sslsni", "must be 0 or 1")),
    };
    if direct {
        client.alpn_protocols = vec![b"postgresql".to_vec()];
    }
    Ok(Protection {
        mode,
        name,
        connect: MakeRustlsConnect::new(client),
    })
}

/// The value of `sslmode` that means this.
fn name(mode: SslMode, check: Check) -> &'static str {
    match (mode, check) {
        (SslMode::Disable, _) => "disable",
        (SslMode::Prefer, _) => "prefer",
        (_, Check::Nothing) => "require",
        (_, Check::Chain) => "verify-ca",
        (_, Check::ChainAndName) => "verify-full",
    }
}

fn read_mode(mode: Option<&str>, root: Option<&str>) -> Result<(SslMode, Check), ParseError> {
    let system = root == Some("system");
    let mode = mode.unwrap_or(if system { "verify-full" } else { "prefer" });
    match (mode, root) {
        ("verify-full", _) => Ok((SslMode::Require, Check::ChainAndName)),
        ("disable" | "allow" | "prefer" | "require" | "verify-ca", Some(_)) if system => Err(
            ParseError::of("sslrootcert", "system requires sslmode=verify-full"),
        ),
        ("require" | "verify-ca", Some(_)) => Ok((SslMode::Require, Check::Chain)),
        ("verify-ca", None) => Err(ParseError::of(
            "sslmode",
            "verify-ca requires sslrootcert=<file>, because anyone can get a certificate from an authority that the system \
             trusts; or use verify-full",
        )),
        ("require", None) => Ok((SslMode::Require, Check::Nothing)),
        ("disable" | "allow" | "prefer", Some(_)) => Err(ParseError::of(
            "sslrootcert",
            "has no effect without sslmode=verify-full, verify-ca or require",
        )),
        ("allow" | "prefer", None) => Ok((SslMode::Prefer, Check::Nothing)),
        ("disable", None) => Ok((SslMode::Disable, Check::Nothing)),
        (other, _) => Err(ParseError::of(
            "sslmode",
            format!(
                "`{other}` is invalid; use disable, allow, prefer, require, verify-ca or verify-full"
            ),
        )),
    }
}

fn client_config(
    string: &mut ConnectionString,
    verifier: Verifier,
) -> Result<ClientConfig, ParseError> {
    let oldest = string.take("ssl_min_protocol_version");
    let versions = match oldest.as_deref() {
        None | Some("TLSv1" | "TLSv1.1" | "TLSv1.2") => &[&TLS13, &TLS12][..],
        Some("TLSv1.3") => &[&TLS13][..],
        Some(_) => {
            let problem = "must be TLSv1.2 or TLSv1.3";
            return Err(ParseError::of("ssl_min_protocol_version", problem));
        }
    };
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .expect("the provider has cipher suites for both versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    match (string.take("sslcert"), string.take("sslkey")) {
        (None, None) => Ok(builder.with_no_client_auth()),
        (Some(certificate), Some(key)) => {
            let chain = read_certificates("sslcert", &certificate)?;
            let problem = |error: &dyn Display| ParseError::of("sslkey", format!("{key}: {error}"));
            let secret = PrivateKeyDer::from_pem_file(&key).map_err(|error| match error {
                pem::Error::NoItemsFound => problem(&"contains no key, or an encrypted one"),
                other => problem(&other),
            })?;
            let client = builder.with_client_auth_cert(chain, secret);
            client.map_err(|error| problem(&error))
        }
        _ => Err(ParseError::of(
            "sslcert",
            "requires sslkey, and sslkey requires sslcert",
        )),
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn read_certificates(
    parameter: &str,
    file: &str,
) -> Result<Vec<CertificateDer<'static>>, ParseError> {
    let problem = |error: &dyn Display| ParseError::of(parameter, format!("{file}: {error}"));
    let certificates = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| problem(&error))?;
    if certificates.is_empty() {
        return Err(problem(&"contains no certificate"));
    }
    Ok(certificates)
}

fn system_roots() -> Result<RootCertStore, ParseError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        let problem = "this system has no certificate authorities; install ca-certificates, or set \
                       sslrootcert=<file>";
        return Err(ParseError::of("sslmode", problem));
    }
    Ok(roots)
}

fn roots_from(file: &str) -> Result<(RootCertStore, Vec<CertificateDer<'static>>), ParseError> {
    let listed = read_certificates("sslrootcert", file)?;
    let mut roots = RootCertStore::empty();
    for certificate in listed.iter().cloned() {
        let problem = |error| ParseError::of("sslrootcert", format!("{file}: {error}"));
        roots.add(certificate).map_err(problem)?;
    }
    Ok((roots, listed))
}

/// Verifies the server to the extent that `sslmode` requires.
#[derive(Debug)]
struct Verifier {
    check: Check,
    roots: RootCertStore,
    /// The certificates of `sslrootcert`, unparsed.
    listed: Vec<CertificateDer<'static>>,
    /// Channel binding: the password's proof is bound to the server's certificate, so the server must prove that it has
    /// the certificate's key.
    bound: bool,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Verifier {
    fn new(check: Check, root: Option<&str>, bound: bool) -> Result<Self, ParseError> {
        let (roots, listed) = match root {
            _ if check == Check::Nothing => (RootCertStore::empty(), Vec::new()),
            None | Some("system") => (system_roots()?, Vec::new()),
            Some(file) => roots_from(file)?,
        };
        let algorithms = provider().signature_verification_algorithms;
        Ok(Verifier {
            check,
            roots,
            listed,
            bound,
            algorithms,
        })
    }

    /// Whether to accept a certificate that cannot be parsed because its format is too old: version 1, which
    /// PostgreSQL's manual recommended for a long time. Only if nothing is verified, because then `sslmode` only promises
    /// encryption.
    fn accepts_unparsed(&self, certificate: &CertificateDer<'_>) -> bool {
        self.check == Check::Nothing
            && !self.bound
            && ParsedCertificate::try_from(certificate).is_err()
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if self.check == Check::Nothing {
            return Ok(ServerCertVerified::assertion());
        }
        let certificate = ParsedCertificate::try_from(end_entity)?;
        let algorithms = self.algorithms.all;
        match verify_server_cert_signed_by_trust_anchor(
            &certificate,
            &self.roots,
            intermediates,
            now,
            algorithms,
        ) {
            // A self-signed certificate that is itself listed. Its dates were verified before the error about its being an
            // authority.
            Err(error) if is_authority(&error) && self.listed.contains(end_entity) => {}
            outcome => outcome?,
        }
        if self.check == Check::ChainAndName {
            verify_server_name(&certificate, server_name)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        if self.accepts_unparsed(certificate) {
            return Ok(HandshakeSignatureValid::assertion());
        }
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        if self.accepts_unparsed(certificate) {
            return Ok(HandshakeSignatureValid::assertion());
        }
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Whether a server's certificate was rejected because it is an authority's. rustls has no variant for this.
pub(crate) fn is_authority(error: &rustls::Error) -> bool {
    matches!(error, rustls::Error::InvalidCertificate(CertificateError::Other(other))
        if other.to_string() == "CaUsedAsEndEntity")
}
