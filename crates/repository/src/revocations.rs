//! The port for revocations.

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};
use taskhold_domain::revocation::Revocation;
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;

use uuid::Uuid;

use crate::error::StoreError;

/// A digest of whose tokens are revoked: a user id, or the id of a session. Revocations outlive the user, whose id must not be stored any longer.
///
/// It has no key: a revocation must outlive every change of the secret that tokens are signed with, or a
/// deleted account would come back by a token of another issuer. So an id that is short enough to be tried can
/// be found from it, by who can read the table, until the revocation is deleted. The ids that this service makes
/// are too long for that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubjectHash(pub [u8; 32]);

impl SubjectHash {
    /// The subject of a revocation of everybody's tokens, which is no digest: the latest time of the
    /// revocations that were deleted. Tokens from before it had all expired then, but a longer lifetime that is
    /// accepted later would bring them back, and nothing would say which of them were revoked.
    pub const EVERYBODY: Self = Self([0; 32]);

    /// Computes the digest of all tokens of a user.
    #[must_use]
    pub fn of(user: &UserId) -> Self {
        Self(Sha256::digest(user.as_str()).into())
    }

    /// Computes the digest of the tokens of a session.
    #[must_use]
    pub fn of_session(session: Uuid) -> Self {
        // No user id contains U+0000, so that this is the digest of none.
        let digest = Sha256::new_with_prefix("\0session\0").chain_update(session);
        Self(digest.finalize().into())
    }

    /// Computes the digest of the tokens of a user that name no session.
    #[must_use]
    pub fn without_session(user: &UserId) -> Self {
        let digest = Sha256::new_with_prefix("\0without session\0").chain_update(user.as_str());
        Self(digest.finalize().into())
    }

    /// Computes the digest under which a store says that a user is being moved, or has been: none of the user's tokens
    /// are revoked by it, but each request of the user [asks the store](crate::users::UserRepository::has_moved).
    #[must_use]
    pub fn elsewhere(user: &UserId) -> Self {
        let digest = Sha256::new_with_prefix("\0elsewhere\0").chain_update(user.as_str());
        Self(digest.finalize().into())
    }

    /// Computes the digests under which a revocation is stored.
    #[must_use]
    pub fn all_of(revocation: &Revocation) -> Vec<Self> {
        let user = &revocation.user;
        match revocation.session {
            None => vec![Self::of(user)],
            Some(session) => vec![Self::of_session(session), Self::without_session(user)],
        }
    }
}

/// The revocations of all users and sessions. The other ports store them together with their causes. Of two revocations
/// of a user, the one with the later time counts, until an operator activates the user again or the user is
/// removed: a deactivated user cannot replace the revocation by ending sessions.
#[async_trait]
pub trait RevocationRepository: Send + Sync {
    /// Returns all revocations.
    ///
    /// # Errors
    /// [`StoreError`]: `Unavailable`, `Defect`.
    async fn current(&self) -> Result<Vec<(SubjectHash, Timestamp)>, StoreError>;

    /// Deletes at most `most` revocations of tokens from before `time`, and returns their number. The latest
    /// of their times becomes that of [`SubjectHash::EVERYBODY`], atomically, unless that is later already.
    ///
    /// # Errors
    /// [`StoreError`]: `Unavailable`, `OutcomeUnknown`, `Defect`.
    async fn purge_expired(&self, time: Timestamp, most: u32) -> Result<u64, StoreError>;
}
