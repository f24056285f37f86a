//! A certificate authority and a server certificate for one test, made by Java's own keytool.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use tempfile::TempDir;

/// A folder with the files; gone when the last copy is dropped.
#[derive(Clone)]
pub struct Certificates {
    folder: Arc<TempDir>,
}

impl Certificates {
    /// Of all key stores.
    pub const PASSWORD: &'static str = "changeit";

    /// A server certificate for `names`, in keytool's manner: `dns:localhost,ip:127.0.0.1`.
    pub fn make(names: &str) -> Self {
        let made = Self { folder: Arc::new(TempDir::with_prefix("mqferry-tls-").expect("a temporary folder")) };
        let ca = ["-keystore", "ca.p12", "-alias", "ca"];
        let server = ["-keystore", "server.p12", "-alias", "server"];
        let key = ["-keyalg", "EC", "-groupname", "secp256r1", "-validity", "30"];
        made.keytool(&["-genkeypair", "-dname", "CN=mqferry test CA", "-ext", "bc:c"], &[&ca[..], &key].concat());
        made.keytool(&["-genkeypair", "-dname", "CN=mqferry test broker"], &[&server[..], &key].concat());
        made.keytool(&["-exportcert", "-rfc", "-file", "ca.pem"], &ca);
        made.keytool(&["-certreq", "-file", "server.csr"], &server);
        let names = format!("san={names}");
        made.keytool(&["-gencert", "-rfc", "-infile", "server.csr", "-outfile", "server.pem", "-ext", &names], &ca);
        made.keytool(
            &["-importcert", "-noprompt", "-file", "ca.pem"],
            &["-keystore", "server.p12", "-alias", "authority"],
        );
        made.keytool(&["-importcert", "-noprompt", "-file", "server.pem"], &server);
        made
    }

    /// The authority, as PEM: what a client is to trust.
    pub fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// PKCS#12 with the server's key and chain; it also trusts the authority.
    pub fn server_keystore(&self) -> PathBuf {
        self.folder.path().join("server.p12")
    }

    /// A client's certificate that the authority signed, and its key, as PEM files.
    pub fn client(&self, name: &str) -> (PathBuf, PathBuf) {
        let path = |extension: &str| self.folder.path().join(format!("{name}.{extension}"));
        let key = rcgen::KeyPair::generate().expect("a key");
        let request = rcgen::CertificateParams::new(vec![name.to_owned()]).and_then(|it| it.serialize_request(&key));
        let request = request.and_then(|request| request.pem()).expect("a certificate request");
        std::fs::write(path("csr"), request).expect("write the request");
        std::fs::write(path("key"), key.serialize_pem()).expect("write the key");
        let (csr, pem) = (format!("{name}.csr"), format!("{name}.pem"));
        let what = ["-gencert", "-rfc", "-infile", &csr, "-outfile", &pem, "-ext", "eku=clientAuth"];
        self.keytool(&what, &["-keystore", "ca.p12", "-alias", "ca"]);
        (path("pem"), path("key"))
    }

    fn keytool(&self, what: &[&str], with: &[&str]) {
        run(
            self.folder.path(),
            Command::new("keytool")
                .args(["-J-XX:TieredStopAtLevel=1", "-J-XX:+UseSerialGC"])
                .args(what)
                .args(with)
                .args(["-storetype", "PKCS12", "-storepass", Self::PASSWORD]),
        );
    }
}

fn run(folder: &Path, command: &mut Command) {
    let output = command.current_dir(folder).output().expect("run keytool, which comes with Java");
    assert!(
        output.status.success(),
        "{command:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
