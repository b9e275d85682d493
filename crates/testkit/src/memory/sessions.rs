//! Sessions.

use async_trait::async_trait;
use taskhold_domain::account::PasswordHash;
use taskhold_domain::revocation::Revocation;
use taskhold_domain::session::{Rotation, Session, Successor, TokenHash};
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

    pub(super) fn end_all(&mut self, user: &UserId) {
        self.sessions
            .retain(|_, stored| stored.session.user != *user);
    }

    fn end_family(&mut self, family: Uuid) {
        self.sessions
            .retain(|_, stored| stored.session.family != family);
    }
}

#[async_trait]
impl SessionRepository for MemoryStore {
    async fn start(&self, session: &Session, verified: &PasswordHash) -> Result<bool, StoreError> {
        let mut rows = self.rows();
        let is_verified = rows.verify_password(&session.user, verified).is_some();
        if is_verified {
            rows.start(session);
        }
        Ok(is_verified)
    }

    async fn rotate(
        &self,
        token: TokenHash,
        successor: &Successor,
    ) -> Result<Rotation, StoreError> {
        let mut rows = self.rows();
        let Rows {
            users, sessions, ..
        } = &mut *rows;
        let Some(stored) = sessions.get_mut(&token) else {
            return Ok(Rotation::Refused);
        };
        if stored.is_used {
            let family = stored.session.family;
            rows.end_family(family);
            return Ok(Rotation::Reused);
        }
        let owner = users.get(&stored.session.user);
        let Some(owner) = owner.filter(|owner| owner.is_active).cloned() else {
            return Ok(Rotation::Refused);
        };
        if stored.session.expires_at <= successor.created_at {
            return Ok(Rotation::Refused);
        }
        stored.is_used = true;
        let next = Session {
            token: successor.token,
            created_at: successor.created_at,
            expires_at: successor.expires_at,
            ..stored.session.clone()
        };
        rows.start(&next);
        Ok(Rotation::Rotated(owner))
    }

    async fn end(
        &self,
        token: Option<TokenHash>,
        revocation: &Revocation,
    ) -> Result<(), StoreError> {
        let mut rows = self.rows();
        match token {
            None => rows.end_all(&revocation.user),
            Some(token) => {
                let shown = rows.sessions.get(&token).map(|stored| &stored.session);
                let theirs = shown.filter(|session| session.user == revocation.user);
                if let Some(family) = theirs.map(|session| session.family) {
                    rows.end_family(family);
                }
            }
        }
        rows.add_revocation(revocation);
        Ok(())
    }

    async fn purge_expired(&self, time: Timestamp, most: u32) -> Result<u64, StoreError> {
        let sessions = &mut self.rows().sessions;
        Ok(purge(sessions, most, |stored| {
            stored.session.expires_at < time
        }))
    }
}
