//! The obligations of personal access tokens.

use futures_util::future::join_all;
use taskhold_domain::personal_token::{MAX_PER_USER, PersonalToken, Scopes, TokenName};
use taskhold_domain::revocation::Revocation;
use taskhold_repository::error::StoreError;
use taskhold_repository::personal_tokens::TokenAddition;
use uuid::Uuid;

use super::Ports;
use super::fixtures::{MAX_TOKEN_LIFETIME, at, password, register, session, token, user};

/// Returns a token that does not expire.
fn personal_token(owner: &str, number: u32) -> PersonalToken {
    PersonalToken {
        id: Uuid::from_u128(number.into()),
        user: user(owner),
        hash: token(number),
        name: TokenName::parse(format!("ноутбук {number}")).expect("a name"),
        scopes: Scopes::parse(["tasks:read", "tasks:write"]).expect("scopes"),
        created_at: at(number.into()),
        expires_at: None,
        last_used_at: None,
    }
}

fn expiring(owner: &str, number: u32, micros: i64) -> PersonalToken {
    PersonalToken {
        expires_at: Some(at(micros)),
        scopes: Scopes::parse(["tasks:read"]).expect("scopes"),
        ..personal_token(owner, number)
    }
}

async fn add(store: &Ports, token: &PersonalToken) -> bool {
    try_add(store, token).await == TokenAddition::Added
}

async fn try_add(store: &Ports, token: &PersonalToken) -> TokenAddition {
    store.personal_tokens.add(token).await.expect("answered")
}

async fn find(store: &Ports, token: &PersonalToken) -> Option<PersonalToken> {
    store
        .personal_tokens
        .find(token.hash)
        .await
        .expect("answered")
}

async fn list(store: &Ports, owner: &str, micros: i64) -> Vec<PersonalToken> {
    let listed = store.personal_tokens.list(&user(owner), at(micros)).await;
    listed.expect("listed")
}

/// Checks it for a user whom the store does not know, as a user of another issuer.
pub async fn added_token_is_read_back_unchanged(store: &Ports) {
    let endless = personal_token("anna", 1);
    let expiring = expiring("anna", 2, 50);
    assert!(add(store, &endless).await && add(store, &expiring).await);
    assert_eq!(find(store, &endless).await.as_ref(), Some(&endless));
    assert_eq!(find(store, &expiring).await.as_ref(), Some(&expiring));
    assert_eq!(find(store, &personal_token("anna", 3)).await, None);
    assert!(
        store
            .users
            .find(&user("anna"))
            .await
            .expect("read")
            .is_some()
    );
}

/// Checks that an expired token is found, so that its use can be told from that of an unknown one.
pub async fn valid_tokens_are_listed_latest_first(store: &Ports) {
    let tokens = [
        personal_token("anna", 1),
        expiring("anna", 2, 50),
        personal_token("anna", 3),
    ];
    for token in &tokens {
        assert!(add(store, token).await);
    }
    assert!(add(store, &personal_token("ben", 4)).await);
    let [first, second, third] = tokens;
    let all = [third.clone(), second.clone(), first.clone()];
    assert_eq!(list(store, "anna", 49).await, all);
    assert_eq!(list(store, "anna", 50).await, [third, first]);
    assert_eq!(find(store, &second).await, Some(second));
}

/// Checks that nobody removes another user's token.
pub async fn token_is_removed_by_its_user_only(store: &Ports) {
    let hers = personal_token("anna", 1);
    assert!(add(store, &hers).await && add(store, &personal_token("ben", 2)).await);
    let remove = async |owner: &str| {
        let removed = store.personal_tokens.remove(&user(owner), hers.id).await;
        removed.expect("answered")
    };
    assert!(!remove("ben").await);
    assert!(!remove("clara").await);
    assert_eq!(find(store, &hers).await.as_ref(), Some(&hers));
    assert!(remove("anna").await);
    assert!(!remove("anna").await);
    assert_eq!(find(store, &hers).await, None);
    assert_eq!(list(store, "ben", 0).await.len(), 1);
}

/// Checks that expired tokens do not count, and that concurrent additions count each other.
pub async fn tokens_of_a_user_are_limited(store: &Ports) {
    let most = u32::try_from(MAX_PER_USER).expect("a small limit");
    assert!(add(store, &expiring("anna", 1_000, 1)).await);
    for number in 1..most {
        assert!(add(store, &personal_token("anna", 10 + number)).await);
    }
    let further = [1, 2, 3].map(|number| personal_token("anna", 500 + number));
    let mut outcomes = join_all(further.iter().map(|token| try_add(store, token))).await;
    outcomes.sort_by_key(|outcome| *outcome == TokenAddition::TooMany);
    let (added, full) = (TokenAddition::Added, TokenAddition::TooMany);
    assert_eq!(outcomes, [added, full, full]);
    assert_eq!(list(store, "anna", 600).await.len() as u64, MAX_PER_USER);
    assert!(add(store, &personal_token("ben", 2_000)).await);
}

/// Checks that an earlier day that is recorded late does not replace a later one.
pub async fn latest_day_of_use_is_kept(store: &Ports) {
    let unused = personal_token("anna", 1);
    assert!(add(store, &unused).await);
    for (day, expected) in [(5, 5), (9, 9), (7, 9)] {
        let recorded = store.personal_tokens.record_use(unused.id, at(day)).await;
        recorded.expect("recorded");
        let found = find(store, &unused).await.expect("found");
        assert_eq!(found.last_used_at, Some(at(expected)));
    }
    let absent = store.personal_tokens.record_use(Uuid::nil(), at(1)).await;
    absent.expect("no error");
}

/// Checks that the activation of the user does not bring the tokens back.
pub async fn deactivated_user_has_no_tokens(store: &Ports) {
    let hers = personal_token("anna", 1);
    assert!(add(store, &hers).await);
    let since = Revocation::permanent(&user("anna"));
    let set_active = async |is_active| {
        let set = store.users.set_active(is_active, &since).await;
        assert!(set.expect("answered"));
    };
    set_active(false).await;
    assert_eq!(find(store, &hers).await, None);
    let inactive = try_add(store, &personal_token("anna", 2)).await;
    assert_eq!(inactive, TokenAddition::Inactive);
    set_active(true).await;
    assert_eq!(find(store, &hers).await, None);
    assert_eq!(list(store, "anna", 0).await, []);
}

/// Checks that a user who was deleted a moment ago is not made anew by a token.
pub async fn deleted_user_has_no_tokens(store: &Ports) {
    let hers = personal_token("anna", 1);
    assert!(add(store, &hers).await && add(store, &personal_token("ben", 2)).await);
    let revocation = Revocation::issued_before(&user("anna"), at(5), MAX_TOKEN_LIFETIME);
    assert!(store.users.remove(&revocation).await.expect("removed"));
    assert_eq!(find(store, &hers).await, None);
    let again = store.personal_tokens.add(&personal_token("anna", 6)).await;
    assert!(matches!(again, Err(StoreError::UnknownOwner)), "{again:?}");
    assert_eq!(list(store, "ben", 0).await.len(), 1);
}

/// Checks that a change of the password leaves the tokens unless it is to revoke them.
pub async fn password_change_revokes_tokens_if_asked(store: &Ports) {
    register(store, "anna", 1).await;
    let hers = personal_token("anna", 1);
    assert!(add(store, &hers).await && add(store, &personal_token("ben", 2)).await);
    let change = async |number, old, new, revoke_tokens| {
        let revocation = Revocation::issued_before(&user("anna"), at(9), MAX_TOKEN_LIFETIME);
        let (old, new, session) = (password(old), password(new), session("anna", number));
        let changed = store
            .users
            .change_password(&old, &new, &revocation, &session, revoke_tokens);
        changed.await.expect("answered").is_some()
    };
    assert!(change(10, "first", "second", false).await);
    assert!(!change(11, "wrong", "third", true).await);
    assert_eq!(find(store, &hers).await, Some(hers.clone()));
    assert!(change(12, "second", "third", true).await);
    assert_eq!(find(store, &hers).await, None);
    assert_eq!(list(store, "ben", 0).await.len(), 1);
}

/// Checks that tokens without an end are never purged.
pub async fn expired_tokens_are_purged_in_batches(store: &Ports) {
    assert!(add(store, &personal_token("anna", 1)).await);
    for number in 2..7 {
        assert!(add(store, &expiring("anna", number, i64::from(number))).await);
    }
    let purge = async |micros, most| {
        let purged = store.personal_tokens.purge_expired(at(micros), most).await;
        purged.expect("purged")
    };
    assert_eq!(purge(5, 2).await, 2);
    assert_eq!(purge(5, 2).await, 1);
    assert_eq!(purge(5, 2).await, 0);
    let left: Vec<_> = list(store, "anna", -1).await;
    let left: Vec<_> = left.iter().map(|token| token.id.as_u128()).collect();
    assert_eq!(left, [6, 5, 1]);
}
