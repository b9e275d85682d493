//! Stores that fail: the response says nothing about the store.

use std::sync::Arc;

use actix_web::http::Method;
use async_trait::async_trait;
use insta::assert_snapshot;
use taskhold_domain::task::change_log::{ChangeAuthor, ChangeSeq, ChangeStamp};
use taskhold_domain::task::{Destination, FollowUp, Task, TaskChange, TaskId};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_domain::zone::Zone;
use taskhold_repository::error::StoreError;
use taskhold_repository::health::StoreHealth;
use taskhold_repository::idempotency::{IdempotentOutcome, KeyedRequest};
use taskhold_repository::tasks::{
    BulkWrite, Precondition, TaskCounts, TaskPage, TaskQuery, TaskRepository, TaskStats, TaskWrite,
};
use taskhold_repository::written::{BulkOutcome, Written};

use crate::wire::{Wire, get, request};

const SECRET: &str = "password authentication failed for postgres at 10.0.0.7";

/// A store whose every call fails in the same way.
pub struct Failing(pub fn() -> StoreError);

#[async_trait]
impl TaskRepository for Failing {
    async fn add(&self, _: &Task, _: &ChangeAuthor) -> Result<ChangeSeq, StoreError> {
        Err((self.0)())
    }
    async fn find(&self, _: &UserId, _: TaskId) -> Result<Option<Task>, StoreError> {
        Err((self.0)())
    }
    async fn list(&self, _: &UserId, _: &TaskQuery) -> Result<TaskPage, StoreError> {
        Err((self.0)())
    }
    async fn count(&self, _: &UserId) -> Result<TaskCounts, StoreError> {
        Ok(TaskCounts::default())
    }
    async fn stats(&self, _: &UserId, _: Timestamp, _: &Zone) -> Result<TaskStats, StoreError> {
        Err((self.0)())
    }
    async fn change(
        &self,
        _: &UserId,
        _: TaskId,
        _: &TaskChange,
        _: &Precondition,
        _: Option<&FollowUp>,
        _: &ChangeStamp,
    ) -> Result<Option<Written<Task>>, StoreError> {
        Err((self.0)())
    }
    async fn move_to(
        &self,
        _: &UserId,
        _: TaskId,
        _: Destination,
        _: &Precondition,
        _: &ChangeStamp,
    ) -> Result<Option<Written<Task>>, StoreError> {
        Err((self.0)())
    }
    async fn remove(
        &self,
        _: &UserId,
        _: TaskId,
        _: &Precondition,
        _: &ChangeStamp,
    ) -> Result<Option<ChangeSeq>, StoreError> {
        Err((self.0)())
    }
    async fn write_bulk(
        &self,
        _: &UserId,
        _: &BulkWrite,
        _: &ChangeStamp,
    ) -> Result<BulkOutcome, StoreError> {
        Err((self.0)())
    }
    async fn write_idempotent(
        &self,
        _: &UserId,
        _: &KeyedRequest,
        _: &TaskWrite,
        _: &ChangeStamp,
    ) -> Result<IdempotentOutcome, StoreError> {
        Err((self.0)())
    }
    async fn recall(
        &self,
        _: &UserId,
        _: &KeyedRequest,
        _: Timestamp,
    ) -> Result<Option<IdempotentOutcome>, StoreError> {
        Err((self.0)())
    }

    async fn count_keys(&self, _: &UserId, _: Timestamp) -> Result<u64, StoreError> {
        Ok(0)
    }
    async fn belongs_to_another(&self, _: &UserId, _: TaskId) -> Result<bool, StoreError> {
        Err((self.0)())
    }
}

#[async_trait]
impl StoreHealth for Failing {
    async fn ping(&self) -> Result<(), StoreError> {
        Err((self.0)())
    }
    async fn schema_is_current(&self) -> Result<bool, StoreError> {
        Ok(false)
    }
    async fn check_writable(&self) -> Result<(), StoreError> {
        Err((self.0)())
    }
}

async fn transcript(failure: fn() -> StoreError) -> String {
    let failing = Arc::new(Failing(failure));
    let mut wire = Wire::on(failing.clone(), failing).with_origin("https://app.example");
    for request in [
        get("/api/v1/tasks").header("origin", "https://app.example"),
        request(Method::POST, "/api/v1/tasks").json(r#"{"title": "x"}"#),
        get("/health"),
        get("/health/ready"),
        get("/health/live"),
    ] {
        wire.ask(request).await;
    }
    let transcript = wire.transcript();
    for part in ["password", "postgres", "10.0.0.7", "oh no"] {
        assert!(!transcript.contains(part), "{part}");
    }
    transcript
}

#[actix_web::test]
async fn unavailable_store_returns_503() {
    assert_snapshot!(transcript(|| StoreError::Unavailable(SECRET.into())).await);
}

#[actix_web::test]
async fn store_lost_during_write_returns_504() {
    assert_snapshot!(transcript(|| StoreError::OutcomeUnknown(SECRET.into())).await);
}

#[actix_web::test]
async fn store_lost_during_keyed_write_returns_503() {
    let failing = Arc::new(Failing(|| StoreError::RetryWithKey(SECRET.into())));
    let mut wire = Wire::on(failing.clone(), failing);
    let keyed = request(Method::POST, "/api/v1/tasks").json(r#"{"title": "x"}"#);
    wire.ask(keyed.header("idempotency-key", "k")).await;
    let transcript = wire.transcript();
    assert!(!transcript.contains("password"));
    assert_snapshot!(transcript);
}

#[actix_web::test]
async fn defective_store_returns_500() {
    assert_snapshot!(transcript(|| StoreError::Defect(SECRET.into())).await);
}

#[actix_web::test]
async fn panicking_handler_returns_500() {
    assert_snapshot!(transcript(|| panic!("oh no, {SECRET}")).await);
}
