//! Tokens, by which a signature proves who is asking, and passwords.
//!
//! | module | holds |
//! | --- | --- |
//! | [`jwt`] | [`JwtTokens`](jwt::JwtTokens), which signs and verifies JSON Web Tokens (RFC 7519) by the best practice of RFC 8725 |
//! | `claims` | what a token must say to be taken |
//! | [`secret`] | [`Secret`](secret::Secret), a shared key that no log can show |
//! | [`issuer`] | [`IssuerKeys`](issuer::IssuerKeys), the public keys of another issuer, kept up to date |
//! | [`jwks`] | [`KeySet`](jwks::KeySet), what an issuer publishes its keys as |
//! | [`jwks_url`] | [`JwksUrl`](jwks_url::JwksUrl), where it does, and how it is asked |
//! | [`http_client`] | the HTTP client that fetches them, and that the program uses too |
//! | [`passwords`] | [`Argon2Passwords`](passwords::Argon2Passwords), which hashes passwords, and no more at once than it should |

mod claims;
pub mod http_client;
pub mod issuer;
pub mod jwks;
pub mod jwks_url;
pub mod jwt;
pub mod passwords;
pub mod secret;
