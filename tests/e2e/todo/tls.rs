//! Services behind a proxy with TLS and a certificate authority of its own.

use tempfile::TempDir;

use super::Computer;
use crate::proxies::running::{RunningProxy, reserved_port};
use crate::service::{Database, Service, eventually, token};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_of_a_private_authority_are_trusted_if_named() {
    let database = Database::sqlite();
    let service = Service::start(&database).await;
    let [secure, plain] = [reserved_port(), reserved_port()];
    let sites = format!(
        "https://localhost:{secure} {{\ntls internal\nreverse_proxy {}\n}}\n\
         http://localhost:{plain} {{\nredir https://localhost:{secure}{{uri}}\n}}\n",
        service.url.trim_start_matches("http://")
    );
    let options = "skip_install_trust\nauto_https disable_redirects";
    let caddy = RunningProxy::caddy(TempDir::new().expect("a folder"), options, &sites);
    let ca = caddy.folder().join("caddy/pki/authorities/local/root.crt");
    let ca = ca.to_str().expect("UTF-8");

    let computer = Computer::new();
    let token = token("anna");
    let url = format!("https://localhost:{secure}");
    let login = ["login", &url, "--token", &token, "--store", "file"];
    let with_ca = [&login[..], &["--ca", ca]].concat();
    eventually(
        "the proxy has a certificate and passes requests on",
        async || (computer.run(&with_ca).code == 0).then_some(()),
    )
    .await;
    // The login keeps the certificate.
    let milk = computer.add("Buy milk");
    assert_eq!(computer.done(&["list"]), format!("[O] {milk}: Buy milk\n"));

    // For all programs.
    let ran = computer.run_with_token(&url, &token, &[("SSL_CERT_FILE", ca)], &["list"]);
    assert_eq!(
        (ran.code, ran.stdout),
        (0, format!("[O] {milk}: Buy milk\n"))
    );

    let ran = computer.run(&login);
    assert_eq!(ran.code, 4, "{ran:?}");
    assert!(
        ran.stderr
            .ends_with("invalid peer certificate: UnknownIssuer\n"),
        "{ran:?}"
    );

    let redirecting = format!("http://localhost:{plain}");
    let ran = computer.run(&["login", &redirecting, "--token", &token]);
    assert_eq!(ran.code, 4, "{ran:?}");
    let named = format!("it redirects to {url}/; use that address");
    assert!(ran.stderr.contains(&named), "{ran:?}");
}
