//! Benchmarks of verifying and signing a token.

#![expect(clippy::expect_used, reason = "the tokens are valid")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::Criterion;
use taskhold_application::clock::Clock as _;
use taskhold_application::tokens::{TokenSigner as _, TokenVerifier as _};
use taskhold_domain::user::UserId;
use taskhold_security::claims::RequiredClaims;
use taskhold_security::jwt::{JwtTokens, TokenLifetimes};
use taskhold_security::secret::Secret;
use taskhold_testkit::clock::ManualClock;
use tokio::runtime::Builder;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let clock = Arc::new(ManualClock::default());
    let lifetimes = TokenLifetimes {
        own: Duration::from_hours(1),
        max_accepted: Duration::from_hours(24),
    };
    let secret = Secret::new("0123456789abcdef0123456789abcdef");
    let tokens = JwtTokens::new(&secret, RequiredClaims::default(), lifetimes, clock.clone());
    let user = UserId::parse("anna").expect("a user id");
    let signed = tokens.sign(&user, None, clock.now()).expect("signed").token;
    // A token of this secret with the signature of another one.
    let other = JwtTokens::new(
        &Secret::new("fedcba9876543210fedcba9876543210"),
        RequiredClaims::default(),
        lifetimes,
        clock.clone(),
    );
    let theirs = other.sign(&user, None, clock.now()).expect("signed").token;
    let (ours, _) = signed.rsplit_once('.').expect("three parts");
    let (_, signature) = theirs.rsplit_once('.').expect("three parts");
    let forged = format!("{ours}.{signature}");

    let runtime = Builder::new_current_thread().build().expect("a runtime");
    let mut group = criterion.benchmark_group("token");
    for (name, token, is_accepted) in [("valid", &signed, true), ("forged", &forged, false)] {
        let accepted = runtime.block_on(tokens.verify(token)).is_ok();
        assert_eq!(accepted, is_accepted, "{name}");
        group.bench_function(format!("verify/{name}"), |bencher| {
            let verify = || tokens.verify(black_box(token));
            bencher.to_async(&runtime).iter(verify);
        });
    }
    group.bench_function("sign", |bencher| {
        bencher.iter(|| tokens.sign(black_box(&user), None, clock.now()));
    });
    group.finish();
    criterion.final_summary();
}
