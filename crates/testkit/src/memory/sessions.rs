//! Sessions.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use taskhold_domain::account::PasswordHash;
use taskhold_domain::revocation::Revocation;
use taskhold_domain::session::{
    Ending, MAX_PER_USER, PresentedToken, Rotation, Session, Successor, TokenHash,
};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_repository::error::StoreError;
use taskhold_repository::sessions::SessionRepository;
use uuid::Uuid;

use super::{MemoryStore, Rows, purge};

/// A session, and whether its token was used.
#[derive(Debug)]
pub(super) struct StoredSession {
    session: Session,
    is_used: bool,
}

impl Rows {
    pub(super) fn start(&mut self, session: &Session) {
        let stored = StoredSession {
            session: session.clone(),
            is_used: false,
        };
        self.sessions.insert(session.token, stored);
    }

    pub(super) fn end_all(&mut self, user: &UserId) -> Vec<Session> {
        self.end_where(|session| session.user == *user)
    }

    /// Ends these sessions, and returns what they were.
    fn end_where(&mut self, ends: impl Fn(&Session) -> bool) -> Vec<Session> {
        let ended = self
            .sessions
            .extract_if(.., |_, stored| ends(&stored.session));
        ended.map(|(_, stored)| stored.session).collect()
    }

    fn end_excess(&mut self, user: &UserId) {
        let mut current = self.current(user);
        let kept = usize::try_from(MAX_PER_USER).unwrap_or(usize::MAX);
        for excess in current.split_off(kept.min(current.len())) {
            self.end_where(|session| session.family == excess.family);
        }
    }

    /// Returns the current token of each session of a user, the latest first.
    fn current(&self, user: &UserId) -> Vec<Session> {
        let stored = self.sessions.values().filter(|stored| !stored.is_used);
        let sessions = stored.map(|stored| &stored.session);
        let mut theirs: Vec<_> = sessions
            .filter(|session| session.user == *user)
            .cloned()
            .collect();
        theirs.sort_by_key(|session| std::cmp::Reverse((session.created_at, session.token)));
        theirs
    }

    /// Adds a revocation that also covers the access tokens that were issued with these refresh tokens.
    pub(super) fn revoke(&mut self, revocation: Revocation, ended: &[Session]) -> Revocation {
        let latest = ended.iter().map(|session| session.created_at).max();
        let revocation = match latest {
            Some(latest) => revocation.covering(latest),
            None => revocation,
        };
        self.add_revocation(&revocation);
        revocation
    }
}

/// Returns the family of a token.
fn family(sessions: &BTreeMap<TokenHash, StoredSession>, token: PresentedToken) -> Option<Uuid> {
    let stored = sessions.get(&token.hash);
    stored.map(|stored| stored.session.family).or(token.family)
}

#[async_trait]
impl SessionRepository for MemoryStore {
    async fn start(&self, session: &Session, verified: &PasswordHash) -> Result<bool, StoreError> {
        let mut rows = self.rows();
        let is_verified = rows.verify_password(&session.user, verified).is_some();
        if is_verified {
            rows.start(session);
            rows.end_excess(&session.user);
        }
        Ok(is_verified)
    }

    async fn rotate(
        &self,
        token: PresentedToken,
        successor: &Successor,
        max_token_lifetime: Duration,
    ) -> Result<Rotation, StoreError> {
        let now = successor.created_at;
        let mut rows = self.rows();
        let Rows {
            users, sessions, ..
        } = &mut *rows;
        let family = family(sessions, token);
        let Some(stored) = sessions
            .get_mut(&token.hash)
            .filter(|stored| !stored.is_used)
        else {
            let ended = rows.end_where(|session| Some(session.family) == family);
            let Some(first) = ended.first() else {
                return Ok(Rotation::Refused);
            };
            let revocation = Revocation::issued_before(&first.user, now, max_token_lifetime);
            return Ok(Rotation::Reused(rows.revoke(revocation, &ended)));
        };
        let session = stored.session.clone();
        let owner = users.get(&session.user).filter(|owner| owner.is_active);
        let (Some(owner), Some(expires_at)) =
            (owner.cloned(), successor.expiry(session.started_at))
        else {
            return Ok(Rotation::Refused);
        };
        if session.expires_at <= now {
            return Ok(Rotation::Refused);
        }
        stored.is_used = true;
        if token.family.is_some() {
            sessions.retain(|hash, stored| {
                stored.session.family != session.family || *hash == token.hash
            });
        }
        let started_at = session.started_at;
        let next = Session {
            token: successor.token,
            created_at: now,
            expires_at,
            ..session
        };
        rows.start(&next);
        Ok(Rotation::Rotated {
            user: owner,
            started_at,
        })
    }

    async fn list(&self, user: &UserId, now: Timestamp) -> Result<Vec<Session>, StoreError> {
        let mut sessions = self.rows().current(user);
        sessions.retain(|session| session.expires_at > now);
        Ok(sessions)
    }

    async fn end(
        &self,
        ending: Ending,
        revocation: &Revocation,
    ) -> Result<Option<Revocation>, StoreError> {
        let mut rows = self.rows();
        let user = &revocation.user;
        let ended = match ending {
            Ending::All => rows.end_all(user),
            Ending::OfFamily(family) => {
                rows.end_where(|session| session.family == family && session.user == *user)
            }
        };
        if ended.is_empty() && matches!(ending, Ending::OfFamily(_)) {
            return Ok(None);
        }
        Ok(Some(rows.revoke(revocation.clone(), &ended)))
    }

    async fn end_of_token(
        &self,
        token: PresentedToken,
        now: Timestamp,
        max_token_lifetime: Duration,
    ) -> Result<Option<Revocation>, StoreError> {
        let mut rows = self.rows();
        let family = family(&rows.sessions, token);
        let ended = rows.end_where(|session| Some(session.family) == family);
        Ok(ended.first().map(|first| {
            let revocation = Revocation::issued_before(&first.user, now, max_token_lifetime);
            rows.revoke(revocation.of_session(first.family), &ended)
        }))
    }

    async fn purge_expired(&self, time: Timestamp, most: u32) -> Result<u64, StoreError> {
        let sessions = &mut self.rows().sessions;
        Ok(purge(sessions, most, |stored| {
            stored.session.expires_at < time
        }))
    }
}
