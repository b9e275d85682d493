//! Runs a command with a PostgreSQL server for its tests: `with-postgres COMMAND [ARGUMENT…]`. The
//! server stops when the command ends; the exit status is the command's.

use std::process::{Command, ExitCode};

use taskhold_testkit::postgres::{PostgresServer, SERVER_VARIABLE};

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let Some(program) = arguments.next() else {
        eprintln!("usage: with-postgres COMMAND [ARGUMENT…]");
        return ExitCode::from(2);
    };
    let server = match PostgresServer::start() {
        Ok(server) => server,
        Err(problem) => {
            eprintln!("with-postgres: {problem}");
            return ExitCode::FAILURE;
        }
    };
    let status = Command::new(&program)
        .args(arguments)
        .env(SERVER_VARIABLE, server.url("postgres"))
        .status();
    match status {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(status) => {
            let code = status.code().and_then(|code| u8::try_from(code).ok());
            code.map_or(ExitCode::FAILURE, ExitCode::from)
        }
        Err(error) => {
            eprintln!("with-postgres: {}: {error}", program.display());
            ExitCode::FAILURE
        }
    }
}
