//! Several statements that are all done or none of them.

use sea_orm::DbErr;

use crate::connection::Connection;
use crate::error::Failure;
use crate::policy::Failed;
use crate::store::failed;

/// What a transaction found, and whether what it did is to stay.
pub(crate) enum Verdict<T> {
    Keep(T),
    Undo(T),
}

impl<T> Verdict<T> {
    pub(crate) fn into_inner(self) -> T {
        match self {
            Self::Keep(found) | Self::Undo(found) => found,
        }
    }
}

/// Does the statements and decides by their verdict. An error of theirs, or of the way there, undoes
/// them: only a commit can have had its effect without our knowing.
pub(crate) async fn in_transaction<T, Fut>(
    connection: &Connection,
    statements: impl FnOnce(Connection) -> Fut,
) -> Result<T, Failed>
where
    Fut: Future<Output = Result<Verdict<T>, DbErr>>,
{
    connection.begin().await.map_err(undone)?;
    match statements(connection.clone()).await {
        Ok(Verdict::Keep(found)) => {
            connection.commit().await.map_err(failed)?;
            Ok(found)
        }
        Ok(Verdict::Undo(found)) => {
            connection.roll_back().await.map_err(undone)?;
            Ok(found)
        }
        Err(error) => {
            let failed = undone(error);
            if let Err(error) = connection.roll_back().await {
                // The connection is given up, and the transaction with it.
                tracing::debug!(%error, "a transaction could not be rolled back");
            }
            Err(failed)
        }
    }
}

/// An error before the commit.
pub(crate) fn undone(error: DbErr) -> Failed {
    let Failed { failure, source } = failed(error);
    let failure = match failure {
        Failure::Ambiguous => Failure::RolledBack,
        other => other,
    };
    Failed { failure, source }
}
