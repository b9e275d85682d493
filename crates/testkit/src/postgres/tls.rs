//! TLS of a server, with a certificate made for the test.

use std::path::{Path, PathBuf};

use super::{PostgresServer, as_server_user, run_to_success};

impl PostgresServer {
    /// Offers TLS from now on, with a certificate for 127.0.0.1 that a certificate authority of its own has signed.
    /// Returns the file with the certificate of that authority.
    #[must_use]
    pub fn offer_tls_of_private_ca(&self) -> PathBuf {
        let script = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj '/CN=Private CA' \
                -keyout ca.key -out ca.crt \
            && openssl req -newkey rsa:2048 -nodes -subj /CN=127.0.0.1 -keyout server.key -out server.csr \
            && echo subjectAltName=IP:127.0.0.1 > extensions \
            && openssl x509 -req -in server.csr -days 2 -CA ca.crt -CAkey ca.key -CAcreateserial \
                -extfile extensions -out server.crt";
        let mut openssl = as_server_user(Path::new("sh"));
        openssl.current_dir(self.data()).args(["-c", script]);
        run_to_success(openssl, "openssl").expect("a certificate");
        self.switch_tls_on();
        self.data().join("ca.crt")
    }

    /// Offers TLS from now on, with a self-signed certificate.
    pub fn offer_tls(&self) {
        let mut openssl = as_server_user(Path::new("openssl"));
        openssl.current_dir(self.data()).args([
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=127.0.0.1",
            "-addext",
            "subjectAltName=IP:127.0.0.1",
            "-keyout",
            "server.key",
            "-out",
            "server.crt",
        ]);
        run_to_success(openssl, "openssl").expect("a certificate");
        self.switch_tls_on();
    }

    fn switch_tls_on(&self) {
        let settings = self.data().join("postgresql.auto.conf");
        std::fs::write(settings, "ssl = on\n").expect("written");
        self.stop();
        self.restart();
    }
}
