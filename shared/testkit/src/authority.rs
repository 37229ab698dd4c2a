//! An authority of a test's own, for servers that speak TLS.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};

/// Issues certificates that nobody trusts but those who are told to.
#[derive(Debug)]
pub struct TestAuthority {
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its private key, in PEM.
#[derive(Debug, Clone)]
pub struct TestCertificate {
    /// The certificate.
    pub certificate: String,
    /// Its private key.
    pub key: String,
}

impl Default for TestAuthority {
    fn default() -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        let names = &mut params.distinguished_name;
        names.push(DnType::CommonName, "an authority of a test's own");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).expect("a certificate").pem();
        Self {
            certificate,
            issuer: Issuer::new(params, key),
        }
    }
}

impl TestAuthority {
    /// Its own certificate, in PEM, for those who are to trust it.
    #[must_use]
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// A new certificate for a server of this name or address.
    ///
    /// # Panics
    /// When it is neither.
    #[must_use]
    pub fn issue(&self, name: &str) -> TestCertificate {
        self.issue_until(name, 4000)
    }

    /// As [`TestAuthority::issue`], good until this year begins.
    ///
    /// # Panics
    /// When it is neither.
    #[must_use]
    pub fn issue_until(&self, name: &str, year: i32) -> TestCertificate {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        params.not_after = date_time_ymd(year, 1, 1);
        let signed = params.signed_by(&key, &self.issuer);
        TestCertificate {
            certificate: signed.expect("a certificate").pem(),
            key: key.serialize_pem(),
        }
    }
}
