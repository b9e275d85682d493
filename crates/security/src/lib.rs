//! Tokens and passwords.
//!
//! | module | holds |
//! | --- | --- |
//! | [`jwt`] | [`JwtTokens`](jwt::JwtTokens), which signs and verifies JSON Web Tokens (RFC 7519) by the best practice of RFC 8725 |
//! | [`claims`] | [`RequiredClaims`](claims::RequiredClaims), and the validation of a token's claims |
//! | [`secret`] | [`Secret`](secret::Secret), a shared key that no log can show |
//! | [`issuer`] | [`IssuerKeys`](issuer::IssuerKeys), a cache of another issuer's public keys |
//! | [`jwks`] | [`KeySet`](jwks::KeySet), a JSON Web Key Set (RFC 7517) |
//! | [`jwks_url`] | [`JwksUrl`](jwks_url::JwksUrl), the address of a key set, and its download |
//! | [`http_client`] | the HTTP client of the whole program |
//! | [`passwords`] | [`Argon2Passwords`](passwords::Argon2Passwords), which hashes passwords with a bounded number of threads |
//! | `hashing_queue` | the queue of passwords that wait, which clients share equally |

pub mod claims;
mod hashing_queue;
pub mod http_client;
pub mod issuer;
pub mod jwks;
pub mod jwks_url;
pub mod jwt;
pub mod passwords;
pub mod secret;
