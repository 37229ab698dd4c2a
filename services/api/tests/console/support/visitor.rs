//! Somebody who is signed in, by a row of the table of sessions and its cookie.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use reqwest::header::{COOKIE, HeaderMap, ORIGIN};
use reqwest::redirect::Policy;
use reqwest::{Method, RequestBuilder, Url};
use sha2::{Digest, Sha256};
use sqlx::PgPool;
use tollkeeper_ambient::{Clock, Entropy, SystemClock, SystemEntropy};
use tollkeeper_testkit::{Browser, http_client_builder};
use uuid::Uuid;

/// The cookie's name on the loopback.
const COOKIE_NAME: &str = "tollkeeper";

/// Somebody who is signed in.
#[derive(Debug, Clone)]
pub(crate) struct Visitor {
    /// By which they sign in.
    pub(crate) email: String,
    /// What the cookie holds.
    pub(crate) secret: String,
    base: String,
}

/// What the console answered: the status, the headers and the page. Redirects are not followed.
pub(crate) type Got = (u16, HeaderMap, String);

impl Visitor {
    pub(super) async fn sign_in(
        pool: &PgPool,
        base: String,
        email: &str,
        account_id: Option<Uuid>,
    ) -> Self {
        let mut secret = [0; 32];
        SystemEntropy.fill(&mut secret);
        let (hash, now) = (Sha256::digest(secret), SystemClock.now());
        let role = account_id.map_or("operator", |_| "user");
        let person: Uuid = sqlx::query_scalar(
            "insert into console_people (id, email, role, account_id, created_at)
            values (gen_random_uuid(), $1, $2, $3, $4)
            on conflict (lower(email)) do update set email = excluded.email
            returning id",
        )
        .bind(email)
        .bind(role)
        .bind(account_id)
        .bind(now)
        .fetch_one(pool)
        .await
        .expect("the owner writes the table");
        sqlx::query(
            "insert into console_sessions
                (secret_hash, id, person_id, created_at, seen_at, expires_at, browser)
            values ($1, gen_random_uuid(), $2, $3, $3, $4, 'Chromium on Linux')",
        )
        .bind(&hash[..])
        .bind(person)
        .bind(now)
        .bind(now + TimeDelta::days(7))
        .execute(pool)
        .await
        .expect("the owner writes the table");
        Self {
            email: email.to_owned(),
            secret: URL_SAFE_NO_PAD.encode(secret),
            base,
        }
    }

    /// A browser of theirs. It shows a page of this host that is not the console's.
    pub(crate) async fn browser(&self) -> Browser {
        self.use_in(Browser::start().await).await
    }

    /// The same without script.
    pub(crate) async fn browser_without_script(&self) -> Browser {
        self.use_in(Browser::without_script().await).await
    }

    async fn use_in(&self, browser: Browser) -> Browser {
        // Cookies are set for the host whose page is shown.
        let anything = format!("{}/openapi.json", self.base);
        browser.client.goto(&anything).await.expect("it is served");
        browser.set_cookie(COOKIE_NAME, &self.secret).await;
        browser
    }

    /// A client that has the cookie and sends forms as a browser does.
    pub(crate) fn client(&self) -> Client {
        Client::new(self.base.clone(), format!("{COOKIE_NAME}={}", self.secret))
    }
}

/// A client that has a visitor's cookie.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    client: reqwest::Client,
    base: String,
    cookie: String,
}

impl Client {
    fn new(base: String, cookie: String) -> Self {
        let client = http_client_builder().redirect(Policy::none()).build();
        Self {
            client: client.expect("a client of default settings"),
            base,
            cookie,
        }
    }

    /// That of somebody who is not signed in, and has a cookie of something else.
    pub(super) fn of_nobody(base: String) -> Self {
        Self::new(base, "theme=dark".to_owned())
    }

    /// A page.
    pub(crate) async fn get(&self, path: &str) -> Got {
        self.ask(Method::GET, path).await
    }

    /// What a page answers to another method, without a body.
    pub(crate) async fn ask(&self, method: Method, path: &str) -> Got {
        let request = self.client.request(method, self.url(path));
        got(request.header(COOKIE, &self.cookie)).await
    }

    /// Sends a form with these fields, as one that came from a page of the console.
    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Got {
        let token = self.form_token().await;
        let own = [("form_token", token.as_str())];
        let fields = [&own[..], fields].concat();
        self.post_from(&self.base, path, &fields).await
    }

    /// Sends a form with these fields and no other, as one that came from a page of `origin`.
    pub(crate) async fn post_from(&self, origin: &str, path: &str, fields: &[(&str, &str)]) -> Got {
        let request = self.client.post(self.url(path));
        let request = request.header(COOKIE, &self.cookie).header(ORIGIN, origin);
        got(request.form(fields)).await
    }

    /// What each form of the session carries, taken from a page.
    pub(crate) async fn form_token(&self) -> String {
        let (_, _, page) = self.get("/console").await;
        let marked = page.split_once(r#"name="form_token" value=""#);
        let (_, rest) = marked.unwrap_or_else(|| panic!("no form: {page}"));
        rest.split('"').next().unwrap_or_default().to_owned()
    }

    fn url(&self, path: &str) -> Url {
        let url = format!("{}{path}", self.base);
        url.parse().expect("a path of the console")
    }
}

async fn got(request: RequestBuilder) -> Got {
    let response = request.send().await.expect("the console answers");
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await.expect("a whole answer");
    (status, headers, text)
}
