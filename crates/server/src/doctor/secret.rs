//! The secrets that tokens are signed with, and the keys of another issuer.

use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;

use taskhold_application::reasons::reasons;
use taskhold_security::issuer::{IssuerKeys, KeySource, KeySourceError, RefreshIntervals};
use taskhold_security::jwks_url::FetchError;
use taskhold_security::secret::Secret;

use super::report::{Finding, Report};
use crate::settings::{Profile, Settings};
use crate::{issuer, secret};

const REPLACE: &str = "set JWT_SECRET to random bytes, such as from `openssl rand -hex 32` (docs/security.md: to \
     replace the secret)";

/// Checks every secret and key that is configured.
pub async fn check(settings: &Settings, report: &mut Report) {
    report.add(
        "secret",
        match &settings.auth.secret {
            Some(secret) => configured(settings, "JWT_SECRET", secret),
            None => generated(settings),
        },
    );
    if let Some(previous) = &settings.auth.previous_secret {
        report.add(
            "secret",
            configured(settings, "JWT_SECRET_PREVIOUS", previous),
        );
    }
    if let Some(missing) = issuer::missing_audience(settings) {
        let is_problem = settings.profile == Profile::Production;
        report.add(
            "audience",
            Finding::warning(missing, issuer::SET_AUDIENCE).problem_if(is_problem),
        );
    }
    if let Some(source) = &settings.auth.issuer_keys {
        report.add("issuer", issuer_keys(source.clone()).await);
    }
}

async fn issuer_keys(source: KeySource) -> Finding {
    match IssuerKeys::new(source, RefreshIntervals::default())
        .refresh()
        .await
    {
        Ok(count @ 1..) => Finding::ok(format!(
            "{} for verifying tokens",
            crate::output::count(count, "key")
        )),
        Ok(_) => Finding::problem(
            "it publishes no key that can verify tokens",
            "correct what auth.jwks_url or auth.jwks_file names",
        ),
        Err(error) => Finding::problem(reasons(&error), unreadable_keys(&error)),
    }
}

fn unreadable_keys(error: &KeySourceError) -> String {
    let advice = match error {
        KeySourceError::Unreadable(_) => {
            "correct auth.jwks_file, or give the file to the user of the service"
        }
        KeySourceError::TooLarge | KeySourceError::Malformed(_) => {
            "correct auth.jwks_url or auth.jwks_file: what it names is no key set"
        }
        KeySourceError::Unavailable(FetchError::Status(status)) if status.is_server_error() => {
            "see why the issuer fails"
        }
        KeySourceError::Unavailable(FetchError::Status(_) | FetchError::TooLarge) => {
            "correct auth.jwks_url: the issuer says where its keys are as `jwks_uri` in \
             /.well-known/openid-configuration"
        }
        KeySourceError::Unavailable(FetchError::NoAnswer(_) | FetchError::TimeOut) => {
            "start the issuer, correct auth.jwks_url, or see what keeps the issuer from being reached"
        }
    };
    format!("{advice}; until then no token of that issuer is accepted")
}

fn configured(settings: &Settings, name: &str, secret: &Secret) -> Finding {
    match secret::weakness(secret, name, settings) {
        Some(weak) => Finding::warning(weak.found, REPLACE).problem_if(weak.is_refused),
        None => Finding::ok(format!("{name} is long enough")),
    }
}

fn generated(settings: &Settings) -> Finding {
    if let Some(reason) = secret::why_required(settings) {
        return Finding::problem(
            format!("JWT_SECRET is not set, which is required {reason}"),
            REPLACE,
        );
    }
    let path = secret::file(settings);
    let shown = path.display();
    let read = std::fs::read_to_string(&path)
        .and_then(|text| Ok((text, path.metadata()?.permissions().mode() & 0o777)));
    match read {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Finding::ok(format!("none yet: the first start makes one in {shown}"))
        }
        Err(error) => Finding::problem(
            format!("{shown} cannot be read: {error}"),
            "give the file to the user of the service",
        ),
        Ok((_, mode)) if mode & 0o077 != 0 => Finding::problem(
            format!("others can read {shown} (mode {mode:o})"),
            format!(
                "chmod 600 {shown}; who may have read it can make tokens: delete it then, which ends every session"
            ),
        ),
        Ok((text, _)) if Secret::new(text.trim_end()).is_short() => Finding::problem(
            format!("{shown} is damaged"),
            "delete it to have a new one made, which ends every session",
        ),
        Ok(_) => Finding::ok(format!("generated, in {shown}")),
    }
}
