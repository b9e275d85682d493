//! `todo tokens`.

use serde::Serialize;
use taskhold_client::accounts::{IssuedToken, PersonalToken};
use taskhold_domain::timestamp::Timestamp;

use crate::arguments::Tokens;
use crate::failure::{Failure, Kind};
use crate::output::Output;
use crate::workspace::Workspace;

#[derive(Serialize)]
struct TokenList<'a> {
    tokens: &'a [PersonalToken],
}

#[derive(Serialize)]
struct NewToken<'a> {
    success: bool,
    token: &'a IssuedToken,
}

/// Makes, revokes or lists tokens for programs.
pub async fn run(
    workspace: &mut Workspace,
    arguments: &Tokens,
    output: &mut Output,
) -> Result<(), Failure> {
    if let Some(name) = &arguments.new {
        return issue(workspace, name, arguments, output).await;
    }
    if let Some(id) = &arguments.revoke {
        return revoke(workspace, id, output).await;
    }
    list(workspace, output).await
}

async fn issue(
    workspace: &mut Workspace,
    name: &str,
    arguments: &Tokens,
    output: &mut Output,
) -> Result<(), Failure> {
    let scope = if arguments.read_only {
        "tasks:read"
    } else {
        "tasks:write"
    };
    let token = workspace
        .client
        .issue_token(name, scope, arguments.days)
        .await?;
    if output.is_json() {
        let new = NewToken {
            success: true,
            token: &token,
        };
        return Ok(output.json(&new)?);
    }
    output.note("Keep the token secret: it lets its holder use your tasks. It is not shown again.");
    Ok(output.line(&token.token)?)
}

async fn revoke(workspace: &mut Workspace, id: &str, output: &mut Output) -> Result<(), Failure> {
    match workspace.client.revoke_token(id).await {
        Err(taskhold_client::Error::NotFound(_)) => {
            return Err(Failure::new(
                Kind::NotFound,
                format!("Token with ID {id} not found"),
            ));
        }
        revoked => revoked?,
    }
    let message = format!("Token {id} revoked");
    if output.is_json() {
        let done = serde_json::json!({ "success": true, "message": message });
        return Ok(output.json(&done)?);
    }
    Ok(output.line(&message)?)
}

async fn list(workspace: &mut Workspace, output: &mut Output) -> Result<(), Failure> {
    let tokens = workspace.client.tokens().await?;
    if output.is_json() {
        return Ok(output.json(&TokenList { tokens: &tokens })?);
    }
    if tokens.is_empty() {
        return Ok(output.line("No tokens.")?);
    }
    let day = |time: Option<Timestamp>| match time {
        Some(time) => workspace.zone.day_of(time).to_string(),
        None => "never".to_owned(),
    };
    for token in &tokens {
        output.line(&format!(
            "{}  {}  {}  ends {}, last used {}",
            token.id,
            token.name,
            token.scopes.join(" "),
            day(token.expires_at),
            day(token.last_used_at),
        ))?;
    }
    Ok(())
}
