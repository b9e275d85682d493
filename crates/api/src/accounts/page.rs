//! The log-in of the page of this service. Its refresh token is in a cookie, so that a script that gets into the page
//! cannot take the token away; the cookie counts only beside a header that pages of other origins cannot send.

use std::future::{Ready, ready};
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header::{HeaderMap, HeaderName, SET_COOKIE};
use actix_web::{FromRequest, HttpRequest, HttpResponse, HttpResponseBuilder};
use taskhold_application::accounts::{AccountError, Grant, RefreshToken};
use taskhold_domain::input::Member;
use taskhold_domain::violation::{Violation, Violations};

use super::body::{GrantBody, Logout, RefreshTokenBody};
use super::cookie::{self, CookieScope};
use crate::body::ReadBody;
use crate::problem::{Kind, Problem};

/// The header with which the page asks for the cookie. The middleware for CORS never allows it.
pub(crate) static TASKHOLD_PAGE: HeaderName = HeaderName::from_static("taskhold-page");

/// The header in which browsers tell the relation between the sender of a request and this service.
static SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The cookie with the refresh token.
const COOKIE_NAME: &str = "taskhold_session";

/// The place of the refresh tokens of a client.
pub(super) enum TokenCarrier {
    /// As a member of bodies.
    Body,
    /// In a cookie: the client is the page.
    Cookie(SessionCookie),
}

/// The cookie with a refresh token.
pub(super) struct SessionCookie {
    /// The token of the request, if it has one.
    token: Option<RefreshToken>,
    scope: CookieScope,
}

impl FromRequest for TokenCarrier {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let is_of_page = is_of_page(request.headers());
        ready(is_of_page.map(|is_of_page| {
            if is_of_page {
                Self::Cookie(SessionCookie::of(request))
            } else {
                Self::Body
            }
        }))
    }
}

/// Returns whether a request has the header of the page. Refuses the header with another value or from another origin.
fn is_of_page(headers: &HeaderMap) -> Result<bool, Problem> {
    let mut lines = headers.get_all(&TASKHOLD_PAGE);
    match (lines.next(), lines.next()) {
        (None, _) => return Ok(false),
        (Some(value), None) if value == "1" => {}
        _ => {
            return Err(Problem::malformed(
                "The header Taskhold-Page must be given once, with the value 1, or not at all.",
            ));
        }
    }
    let mut sites = headers.get_all(&SEC_FETCH_SITE);
    if sites.all(|site| site == "same-origin" || site == "none") {
        Ok(true)
    } else {
        Err(other_origin())
    }
}

/// Returns the problem of a page of another origin that sends the header of the page.
pub(crate) fn other_origin() -> Problem {
    Problem::new(
        Kind::Forbidden,
        "The header Taskhold-Page is for the page of this service; nothing was done. Other pages get the refresh token \
         in the body, without this header.",
    )
}

impl TokenCarrier {
    /// Returns the refresh token of a request that needs one.
    ///
    /// # Errors
    /// A problem if the token is missing or in the wrong place.
    pub(super) fn required(&self, body: &ReadBody) -> Result<RefreshToken, Problem> {
        match self {
            Self::Body => {
                let member = body.object::<RefreshTokenBody>()?.refresh_token;
                of_member(member)?.ok_or_else(no_refresh_token)
            }
            Self::Cookie(cookie) => {
                let token = cookie.token_beside(body)?;
                token.ok_or_else(|| self.refused(AccountError::InvalidRefreshToken))
            }
        }
    }

    /// Returns the refresh token of a request, or `None` if it has none.
    ///
    /// # Errors
    /// A problem if the body is malformed, or the token is in the wrong place.
    pub(super) fn optional(&self, body: &ReadBody) -> Result<Option<RefreshToken>, Problem> {
        match self {
            Self::Body if body.is_empty() => Ok(None),
            Self::Body => of_member(body.object::<Logout>()?.refresh_token),
            Self::Cookie(cookie) => cookie.token_beside(body),
        }
    }

    /// Returns `true` if a request stands for one login, even if it has no token: the cookie of a page that repeats a
    /// log-out is deleted already.
    pub(super) fn is_of_one_login(&self) -> bool {
        matches!(self, Self::Cookie(_))
    }

    /// Returns the problem of a refusal. The page loses a cookie that is not valid.
    pub(super) fn refused(&self, error: AccountError) -> Problem {
        let is_invalid = matches!(error, AccountError::InvalidRefreshToken);
        let problem = Problem::from(error);
        match self {
            Self::Cookie(cookie) if is_invalid => problem.with_header(SET_COOKIE, cookie.deleted()),
            _ => problem,
        }
    }

    /// Completes a response with the tokens of a login.
    pub(super) fn granted(
        &self,
        response: &mut HttpResponseBuilder,
        grant: &Grant,
    ) -> HttpResponse {
        let body = GrantBody::from(grant);
        match self {
            Self::Body => response.json(body),
            Self::Cookie(cookie) => response
                .append_header((SET_COOKIE, cookie.of_grant(grant)))
                .json(body.without_refresh_token()),
        }
    }

    /// Returns the response without content to a request that ended the login.
    pub(super) fn ended(&self) -> HttpResponse {
        let mut response = HttpResponse::NoContent();
        if let Self::Cookie(cookie) = self {
            response.insert_header((SET_COOKIE, cookie.deleted()));
        }
        response.finish()
    }
}

impl SessionCookie {
    fn of(request: &HttpRequest) -> Self {
        // Of two cookies, one may be of another service under the same host. Nothing tells which.
        let mut values = cookie::values(request.headers(), COOKIE_NAME);
        let token = match (values.next(), values.next()) {
            (Some(token), None) => Some(RefreshToken::new(token)),
            _ => None,
        };
        Self {
            token,
            scope: CookieScope::of(request),
        }
    }

    /// Returns the token. Refuses a body that has one, too.
    fn token_beside(&self, body: &ReadBody) -> Result<Option<RefreshToken>, Problem> {
        if !body.is_empty() {
            let Logout { refresh_token } = body.object()?;
            if !matches!(refresh_token, Member::Absent | Member::Null) {
                return Err(Problem::malformed(
                    "With the header Taskhold-Page, the refresh token is in the cookie taskhold_session: leave \
                     refresh_token out of the body.",
                ));
            }
        }
        Ok(self.token.clone())
    }

    /// Returns the value of `Set-Cookie` with the token of a login. The browser deletes the cookie when the login
    /// ends, however often it was refreshed.
    fn of_grant(&self, grant: &Grant) -> String {
        let token = grant.refresh_token.as_str();
        self.scope.set(COOKIE_NAME, token, grant.session_ends_in)
    }

    /// Returns the value of `Set-Cookie` that deletes the cookie.
    fn deleted(&self) -> String {
        self.scope.set(COOKIE_NAME, "", Duration::ZERO)
    }
}

fn of_member(member: Member<String>) -> Result<Option<RefreshToken>, Problem> {
    match member {
        Member::Given(token) => Ok(Some(RefreshToken::new(token))),
        Member::Absent | Member::Null => Ok(None),
        Member::WrongType => Err(no_refresh_token()),
    }
}

fn no_refresh_token() -> Problem {
    Violations::from(Violation::RefreshTokenMissing).into()
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use actix_web::web;

    use super::*;
    use crate::base_path::BasePath;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut request = TestRequest::default();
        for line in lines {
            request = request.append_header(*line);
        }
        request.to_http_request().headers().clone()
    }

    #[test]
    fn header_of_the_page_has_one_value() {
        let page = ("taskhold-page", "1");
        assert!(!is_of_page(&headers(&[])).expect("answered"));
        assert!(is_of_page(&headers(&[page])).expect("answered"));
        for lines in [
            &[("taskhold-page", "0")][..],
            &[("taskhold-page", "")],
            &[("taskhold-page", "1, 1")],
            &[page, page],
        ] {
            let problem = is_of_page(&headers(lines)).expect_err("refused");
            assert_eq!(problem.kind(), Kind::MalformedRequest, "{lines:?}");
            assert!(problem.detail().contains("Taskhold-Page"), "{problem}");
        }
    }

    #[test]
    fn header_of_the_page_is_refused_from_other_origins() {
        let page = ("taskhold-page", "1");
        for site in ["same-origin", "none"] {
            let headers = headers(&[page, ("sec-fetch-site", site)]);
            assert!(is_of_page(&headers).expect("answered"), "{site}");
        }
        for site in ["cross-site", "same-site", "", "Same-Origin"] {
            let headers = headers(&[page, ("sec-fetch-site", site)]);
            let problem = is_of_page(&headers).expect_err("refused");
            assert_eq!(problem.kind(), Kind::Forbidden, "{site}");
        }
        // Other clients are asked for nothing.
        let other = headers(&[("sec-fetch-site", "cross-site")]);
        assert!(!is_of_page(&other).expect("answered"));
    }

    fn cookie(request: TestRequest) -> SessionCookie {
        SessionCookie::of(&request.to_http_request())
    }

    #[test]
    fn cookie_is_found_among_others_and_counts_only_alone() {
        for (lines, token) in [
            (&[][..], None),
            (&["taskhold_session=abc"], Some("abc")),
            (
                &["a=b; taskhold_session=abc; taskhold_device=d"],
                Some("abc"),
            ),
            (&["a=b", "taskhold_session=abc"], Some("abc")),
            (&["taskhold_session=abc; taskhold_session=def"], None),
            (&["taskhold_session=abc", "taskhold_session=def"], None),
            (&["Taskhold_Session=abc; xtaskhold_session=def"], None),
        ] {
            let request = lines.iter().fold(TestRequest::default(), |request, line| {
                request.append_header(("cookie", *line))
            });
            let found = cookie(request).token;
            assert_eq!(found, token.map(RefreshToken::new), "{lines:?}");
        }
    }

    #[test]
    fn cookie_is_hidden_from_scripts_and_other_sites() {
        let set = |request| {
            cookie(request)
                .scope
                .set("name", "value", Duration::from_secs(9))
        };
        assert_eq!(
            set(TestRequest::default()),
            "name=value; Path=/api/auth; Max-Age=9; HttpOnly; SameSite=Strict"
        );
        let base_path = web::Data::new(BasePath::parse("/todo").expect("a path"));
        let request = TestRequest::default()
            .append_header(("x-forwarded-proto", "https"))
            .app_data(base_path);
        assert_eq!(
            set(request),
            "name=value; Path=/todo/api/auth; Max-Age=9; HttpOnly; SameSite=Strict; Secure"
        );
        assert_eq!(
            cookie(TestRequest::default()).deleted(),
            "taskhold_session=; Path=/api/auth; Max-Age=0; HttpOnly; SameSite=Strict"
        );
    }
}
