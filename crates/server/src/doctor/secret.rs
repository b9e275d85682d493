//! The secrets that tokens are signed with, and the keys of another issuer.

use std::os::unix::fs::PermissionsExt as _;

use taskhold_security::issuer::{IssuerKeys, Pace};
use taskhold_security::secret::Secret;

use super::finding::Finding;
use crate::secret;
use crate::settings::{Profile, Settings};

const CHECK: &str = "secret";
const ANOTHER: &str = "set JWT_SECRET to random bytes, such as from `openssl rand -hex 32` (docs/security.md: to \
     replace the secret)";

/// All of them.
pub async fn look(settings: &Settings) -> Vec<Finding> {
    let mut findings = vec![match &settings.auth.secret {
        Some(secret) => configured(settings, "JWT_SECRET", secret),
        None => generated(settings),
    }];
    if let Some(previous) = &settings.auth.previous_secret {
        findings.push(configured(settings, "JWT_SECRET_PREVIOUS", previous));
    }
    if let Some(source) = &settings.auth.issuer_keys {
        let keys = IssuerKeys::new(source.clone(), Pace::default());
        findings.push(match keys.read().await {
            Ok(count @ 1..) => {
                Finding::ok("issuer", format!("{count} keys that can verify tokens"))
            }
            Ok(_) => Finding::problem(
                "issuer",
                "it publishes no key that can verify tokens",
                "look at what auth.jwks_url or auth.jwks_file names",
            ),
            Err(error) => Finding::problem(
                "issuer",
                format!("{:#}", anyhow::Error::new(error)),
                "until it can be read no token of that issuer is taken",
            ),
        });
    }
    findings
}

fn configured(settings: &Settings, name: &str, secret: &Secret) -> Finding {
    // For trying things out, where nobody else comes.
    let matters = settings.profile != Profile::Development || !settings.host.is_loopback();
    if secret.is_short() {
        let found = format!("{name} has fewer than {} bytes", Secret::MIN_BYTES);
        Finding::wrong(matters, CHECK, found, ANOTHER)
    } else if secret.is_guessable() {
        let found = format!("{name} looks like words or an example, which others can guess");
        let serves = settings.profile == Profile::Production;
        Finding::wrong(
            serves || !settings.host.is_loopback(),
            CHECK,
            found,
            ANOTHER,
        )
    } else {
        Finding::ok(CHECK, format!("{name} is long enough"))
    }
}

fn generated(settings: &Settings) -> Finding {
    if let Some(reason) = secret::why_required(settings) {
        return Finding::problem(
            CHECK,
            format!("JWT_SECRET is not set, which is required {reason}"),
            ANOTHER,
        );
    }
    let path = secret::file(settings);
    let shown = path.display();
    let (text, mode) =
        match std::fs::read_to_string(&path).and_then(|text| Ok((text, path.metadata()?))) {
            Ok((text, metadata)) => (text, metadata.permissions().mode() & 0o777),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Finding::ok(
                    CHECK,
                    format!("none yet: the first start makes one in {shown}"),
                );
            }
            Err(error) => {
                return Finding::problem(
                    CHECK,
                    format!("{shown} cannot be read: {error}"),
                    "give the file to the user of the service",
                );
            }
        };
    if mode & 0o077 != 0 {
        return Finding::problem(
            CHECK,
            format!("others can read {shown} (mode {mode:o})"),
            format!(
                "chmod 600 {shown}; who may have read it can make tokens: delete it then, which ends every session"
            ),
        );
    }
    if Secret::new(text.trim_end()).is_short() {
        return Finding::problem(
            CHECK,
            format!("{shown} is damaged"),
            "delete it to have a new one made, which ends every session",
        );
    }
    Finding::ok(CHECK, format!("generated, in {shown}"))
}
