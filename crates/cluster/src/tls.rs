//! TLS towards CrateDB by rustls with the ring provider, as `clusters.NAME.tls` asks for it.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use secrecy::ExposeSecret as _;
use tokio_postgres_rustls::MakeRustlsConnect;
use transship_model::access::Access;
use transship_model::spec::TlsMode;

/// A connector for `access`; `None` where the spec disables TLS. The error is a text without secrets.
pub(crate) fn connector(access: &Access) -> Result<Option<MakeRustlsConnect>, String> {
    if access.endpoint.tls == TlsMode::Disable {
        return Ok(None);
    }
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let builder = match access.endpoint.tls {
        TlsMode::Require => builder.dangerous().with_custom_certificate_verifier(Arc::new(EncryptOnly { provider })),
        TlsMode::VerifyFull | TlsMode::Disable => builder.with_root_certificates(roots(access.ca.as_deref())?),
    };
    let config = match (&access.cert, &access.key) {
        (Some(cert), Some(key)) => {
            let key = PrivateKeyDer::from_pem_slice(key.expose_secret().as_bytes())
                .map_err(|_| "`key` holds no private key in PEM form".to_owned())?;
            builder.with_client_auth_cert(certificates(cert, "cert")?, key).map_err(|error| error.to_string())?
        }
        (None, None) => builder.with_no_client_auth(),
        _ => return Err("`cert` and `key` belong together: one of them is missing".to_owned()),
    };
    Ok(Some(MakeRustlsConnect::new(config)))
}

fn roots(ca: Option<&str>) -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    let Some(ca) = ca else {
        store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if store.is_empty() {
            return Err("this system has no trusted certificate authorities".to_owned());
        }
        return Ok(store);
    };
    for certificate in certificates(ca, "ca")? {
        store.add(certificate).map_err(|error| format!("`ca` cannot be used: {error}"))?;
    }
    Ok(store)
}

fn certificates(pem: &str, key: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(format!("`{key}` holds no certificate in PEM form")),
    }
}

/// Encrypts without asking who the server is: `tls: require`.
#[derive(Debug)]
struct EncryptOnly {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for EncryptOnly {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
