//! Accounts.

use actix_web::http::{Method, StatusCode};
use serde_json::{Value, json};
use taskhold_domain::account::{DisplayName, Email, Password};
use taskhold_domain::user::UserId;
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::Type;
use utoipa::openapi::{KnownFormat, ObjectBuilder, Required, SchemaFormat};

use super::fields::{SOME_ID, ref_to};
use super::operation::{Description, answer, body, describe, json_answer, json_body};
use super::schema::{
    Named, bounded, count, formatted, instant, nullable, reference, text, whole, with,
};
use super::tasks::SOME_TIME;
use crate::accounts::{LOGIN, LOGOUT, ME, PASSWORD, REFRESH, REGISTER};
use crate::body::JSON;
use crate::problem::Kind;

pub(super) const TAG: &str = "accounts";

const SOME_PASSWORD: &str = "correct horse";
const SOME_REFRESH_TOKEN: &str = "nq6SYnDyPlWx0gAuKXmF0nR3oCMaUkvQXZ1O3AzvYJ8";

pub(super) fn descriptions() -> Vec<Description> {
    let describe = |method, path, name, summary| describe(TAG, method, path, name, summary);
    vec![
        describe(Method::POST, REGISTER, "register", "Make an account")
            .taking(json_body(
                "Registration",
                &json!({"email": "ben@example.org", "password": SOME_PASSWORD, "name": "Ben"}),
            ))
            .writing()
            .failing(&[Kind::Conflict, Kind::RateLimited])
            .answering(StatusCode::CREATED, limited(granted("The account, and its first tokens."))),
        describe(Method::POST, LOGIN, "logIn", "Log in")
            .saying("Whether it was the address or the password that is wrong, nobody is told.")
            .taking(json_body(
                "Credentials",
                &json!({"email": "ben@example.org", "password": SOME_PASSWORD}),
            ))
            .writing()
            .failing(&[Kind::Unauthorized, Kind::RateLimited])
            .answering(StatusCode::OK, limited(granted("The account, and new tokens."))),
        describe(Method::POST, REFRESH, "refresh", "Get new tokens for a refresh token")
            .saying("It is used up by that; using it again ends all that came of the same login.")
            .taking(json_body("RefreshToken", &json!({"refresh_token": SOME_REFRESH_TOKEN})))
            .writing()
            .failing(&[Kind::Unauthorized])
            .answering(StatusCode::OK, granted("The account, and new tokens.")),
        describe(Method::POST, LOGOUT, "logOut", "Log out")
            .saying(
                "Ends all access tokens until now, and the login of the refresh token; without a body, every \
                 login.",
            )
            .taking(body(
                Required::False,
                &[JSON],
                "Logout",
                &json!({"refresh_token": SOME_REFRESH_TOKEN}),
            ))
            .writing()
            .answering(StatusCode::NO_CONTENT, answer("It is ended.")),
        describe(Method::GET, ME, "readAccount", "Who the caller is").answering(
            StatusCode::OK,
            json_answer("The caller.", "UserAnswer", json!({"user": some_user()})),
        ),
        describe(Method::DELETE, ME, "deleteAccount", "Delete the account with all of its tasks")
            .saying(
                "At once and for good. It asks for the password; an account without one needs a token of the \
                 last five minutes.",
            )
            .taking(body(
                Required::False,
                &[JSON],
                "Farewell",
                &json!({"password": SOME_PASSWORD}),
            ))
            .writing()
            .failing(&[Kind::RateLimited])
            .answering(StatusCode::NO_CONTENT, answer("It is deleted.")),
        describe(Method::POST, PASSWORD, "changePassword", "Change the password")
            .saying("Ends every login and every token from before.")
            .taking(json_body(
                "PasswordChange",
                &json!({"current_password": SOME_PASSWORD, "new_password": "battery staple"}),
            ))
            .writing()
            .failing(&[Kind::Conflict, Kind::RateLimited])
            .answering(StatusCode::OK, granted("The account, and new tokens.")),
    ]
}

pub(super) fn schemas() -> Vec<Named> {
    let refresh_token = || text().description(Some("Opaque; to be used once."));
    vec![
        ("User", user().into()),
        (
            "UserAnswer",
            whole([("user", reference("User").into())]).into(),
        ),
        (
            "Grant",
            whole([
                ("user", reference("User").into()),
                (
                    "access_token",
                    text()
                        .description(Some("To be shown with every request."))
                        .into(),
                ),
                ("token_type", text().examples(["bearer"]).into()),
                (
                    "expires_in",
                    count()
                        .description(Some("For how many seconds the access token is good."))
                        .into(),
                ),
                ("refresh_token", refresh_token().into()),
            ])
            .into(),
        ),
        (
            "Registration",
            with([
                (
                    "email",
                    formatted("email")
                        .max_length(Some(Email::MAX_CHARS))
                        .description(Some("Kept as typed, compared without regard to case."))
                        .into(),
                ),
                ("password", new_password().into()),
                (
                    "name",
                    bounded(nullable(Type::String), 1, DisplayName::MAX_CHARS).into(),
                ),
            ])
            .required("email")
            .required("password")
            .into(),
        ),
        (
            "Credentials",
            whole([
                ("email", text().into()),
                ("password", secret(text()).into()),
            ])
            .into(),
        ),
        (
            "RefreshToken",
            whole([("refresh_token", refresh_token().into())]).into(),
        ),
        (
            "Logout",
            with([("refresh_token", nullable(Type::String).into())]).into(),
        ),
        (
            "Farewell",
            with([("password", secret(nullable(Type::String)).into())]).into(),
        ),
        (
            "PasswordChange",
            whole([
                ("current_password", secret(text()).into()),
                ("new_password", new_password().into()),
            ])
            .into(),
        ),
    ]
}

fn secret(text: ObjectBuilder) -> ObjectBuilder {
    text.format(Some(SchemaFormat::KnownFormat(KnownFormat::Password)))
}

fn new_password() -> ObjectBuilder {
    secret(text())
        .min_length(Some(Password::MIN_CHARS))
        .max_length(Some(Password::MAX_CHARS))
}

fn user() -> ObjectBuilder {
    whole([
        ("id", bounded(text(), 1, UserId::MAX_CHARS).into()),
        ("email", nullable(Type::String).into()),
        ("name", nullable(Type::String).into()),
        ("created_at", instant(nullable(Type::String)).into()),
    ])
    .description(Some(
        "Who is known by tokens of another service only has neither an address nor a name.",
    ))
}

fn some_user() -> Value {
    json!({"id": SOME_ID, "email": "ben@example.org", "name": "Ben", "created_at": SOME_TIME})
}

fn granted(text: &str) -> ResponseBuilder {
    let example = json!({
        "user": some_user(),
        "access_token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJiZW4ifQ.c2lnbmVk",
        "token_type": "bearer",
        "expires_in": 3600,
        "refresh_token": SOME_REFRESH_TOKEN,
    });
    json_answer(text, "Grant", example)
}

fn limited(answer: ResponseBuilder) -> ResponseBuilder {
    answer
        .header_ref("RateLimit", ref_to("RateLimit"))
        .header_ref("RateLimit-Policy", ref_to("RateLimit-Policy"))
}
