//! Secrets: which ones are too weak, and that they are never shown.

use taskhold_security::secret::Secret;

#[test]
fn debug_output_hides_the_secret() {
    assert_eq!(format!("{:?}", Secret::new("hunter2")), "Secret(…)");
    assert!(Secret::new("a".repeat(31)).is_short());
    assert!(!Secret::new("a".repeat(32)).is_short());
}

#[test]
fn guessable_secrets_are_told_from_random_ones() {
    for secret in [
        "changemechangemechangemechangeme",
        "ch4ng3-m3-ch4ng3-m3-ch4ng3-m3-ch4ng3",
        "12345678901234567890123456789012",
        "0123456789abcdef0123456789abcdef",
        "abcdefghijklmnopqrstuvwxyz012345",
        "zyxwvutsrqponmlkjihgfedcba987654",
        "qwertyuiopasdfghjklzxcvbnm123456",
        "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,",
        "xy7xy7xy7xy7xy7xy7xy7xy7xy7xy7xy7",
        "00001111222233334444555566667777",
        "a-string-secret-at-least-256-bits-long",
        "the quick brown fox jumps over the lazy dog",
        "this is the key that signs all of our tokens",
        "correct-horse-battery-staple-and-a-bit-more",
        "796f75722d3235362d6269742d736563726574",
        "YOUR_JWT_SECRET_KEY_GOES_RIGHT_HERE_1",
    ] {
        assert!(Secret::new(secret).why_guessable().is_some(), "{secret}");
    }
    for secret in [
        "5f0c7de1b8a94326d07e1b5a9c3f8e24",
        "8d2f6b1c07e94a53b6c1e0f7a92d4835",
        "f47ac10b-58cc-4372-a567-0e02b2c3d479",
        "kR7vQx2mZ9pLw4Tn8bYc1Hs6Jd3Gf5Aa0Eu+/Xo=",
        "MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43UOV3HO6D2",
        "83920475610938475610293847561029384",
        "vbqkzmwhxtrjpdnlcgyfsaeuoikbzqxwv",
    ] {
        assert_eq!(Secret::new(secret).why_guessable(), None, "{secret}");
    }
}
