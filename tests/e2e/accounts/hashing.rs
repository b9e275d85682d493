//! Who may hash passwords while many want to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use reqwest::Method;
use serde_json::json;

use super::{
    BEHIND_A_PROXY, CHANGE_PASSWORD, Grant, ME, NO_LIMITS, PASSWORD, REGISTER, log_in, login_from,
    register, send_from,
};
use crate::service::{Client, Database, Service};

const ATTACKER: &str = "203.0.113.9";
const CONNECTIONS: usize = 24;
const ACCOUNTS: usize = 8;

/// What the attacker does over and over.
#[derive(Debug, Clone, Copy)]
enum Attack {
    ChangePasswords,
    DeleteAccounts,
    Register,
    LogIn,
}

async fn attack(client: &Client, attack: Attack, email: &str) -> u16 {
    let (method, path, body) = match attack {
        Attack::ChangePasswords => (
            Method::POST,
            CHANGE_PASSWORD,
            json!({"current_password": "wrong horse battery", "new_password": "another horse"}),
        ),
        Attack::DeleteAccounts => (
            Method::DELETE,
            ME,
            json!({"password": "wrong horse battery"}),
        ),
        Attack::Register => (
            Method::POST,
            REGISTER,
            json!({"email": email, "password": PASSWORD}),
        ),
        Attack::LogIn => (
            Method::POST,
            super::LOGIN,
            json!({"email": email, "password": "wrong horse battery"}),
        ),
    };
    send_from(client, ATTACKER, method, path, &body)
        .await
        .status
}

/// Every connection always has a request that waits for a hash, far more than there are places.
async fn logins_elsewhere_succeed_during(what: Attack, database: &Database) {
    let variables = [&NO_LIMITS[..], &[BEHIND_A_PROXY]].concat();
    let service = Arc::new(Service::start_with(database, &variables).await);
    register(&service, "owner@example.org").await;
    let mut accounts: Vec<Grant> = Vec::new();
    for number in 0..ACCOUNTS {
        accounts.push(register(&service, &format!("attacker{number}@example.org")).await);
    }
    let (ends, busy) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicUsize::new(0)),
    );
    let connections: Vec<_> = (0..CONNECTIONS)
        .map(|number| {
            let client = accounts[number % ACCOUNTS].client(&service);
            let email = format!("attacker{}@example.org", number % ACCOUNTS);
            let (ends, busy) = (Arc::clone(&ends), Arc::clone(&busy));
            tokio::spawn(async move {
                while !ends.load(Ordering::Relaxed) {
                    if attack(&client, what, &email).await == 503 {
                        busy.fetch_add(1, Ordering::Relaxed);
                    }
                }
            })
        })
        .collect();
    // The attack takes hold.
    crate::service::eventually("the attacker is told to wait", async || {
        (busy.load(Ordering::Relaxed) > 0).then_some(())
    })
    .await;
    for count in 0..20 {
        let answer = login_from(&service, "198.51.100.1", "owner@example.org", PASSWORD).await;
        assert_eq!(answer.status, 200, "{what:?} {count}: {answer:?}");
    }
    ends.store(true, Ordering::Relaxed);
    for connection in connections {
        connection.await.expect("no panic");
    }
    // The places are free again.
    log_in(&service, "owner@example.org").await;
}

async fn logins_succeed_while_passwords_are_changed_elsewhere(database: Database) {
    logins_elsewhere_succeed_during(Attack::ChangePasswords, &database).await;
}

async fn logins_succeed_while_accounts_are_deleted_elsewhere(database: Database) {
    logins_elsewhere_succeed_during(Attack::DeleteAccounts, &database).await;
}

async fn logins_succeed_while_another_address_registers(database: Database) {
    logins_elsewhere_succeed_during(Attack::Register, &database).await;
}

async fn logins_succeed_while_another_address_logs_in(database: Database) {
    logins_elsewhere_succeed_during(Attack::LogIn, &database).await;
}

on_both_stores! {
    logins_succeed_while_passwords_are_changed_elsewhere
    logins_succeed_while_accounts_are_deleted_elsewhere
    logins_succeed_while_another_address_registers
    logins_succeed_while_another_address_logs_in
}
