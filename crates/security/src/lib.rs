//! Tokens: who is asking, proven by a signature.
//!
//! | module | holds |
//! | --- | --- |
//! | [`secret`] | [`Secret`](secret::Secret), a shared key that no log can show |
//! | [`jwt`] | [`JwtTokens`](jwt::JwtTokens), which signs and verifies JSON Web Tokens (RFC 7519) by the best practice of RFC 8725 |

pub mod jwt;
pub mod secret;
