//! Somebody with a browser that keeps cookies, and no more of one.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use reqwest::header::{COOKIE, HOST, HeaderMap, ORIGIN, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder};
use tollkeeper_testkit::http_client_builder;

use crate::support::Site;

/// The cookie of a session on the loopback.
pub(super) const SESSION: &str = "tollkeeper";

/// The cookie of a browser that was here before, on the loopback.
pub(super) const DEVICE: &str = "tollkeeper-device";

/// An answer, read whole.
#[derive(Debug)]
pub(super) struct Got {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

impl Got {
    /// Where it leads, if anywhere.
    pub(super) fn location(&self) -> &str {
        let found = self.headers.get("location");
        found.map_or("", |value| value.to_str().unwrap())
    }

    /// The cookies that it sets, as they are written.
    pub(super) fn cookies(&self) -> Vec<String> {
        let all = self.headers.get_all(SET_COOKIE).iter();
        all.map(|it| it.to_str().unwrap().to_owned()).collect()
    }
}

#[derive(Debug)]
pub(super) struct Guest {
    client: Client,
    base: String,
    jar: Mutex<BTreeMap<String, String>>,
}

impl Guest {
    /// Somebody who was never here.
    pub(super) fn of(site: &Site) -> Self {
        let client = http_client_builder().redirect(Policy::none());
        Self {
            client: client.build().unwrap(),
            base: site.base(),
            jar: Mutex::default(),
        }
    }

    /// What the browser sends as this cookie.
    pub(super) fn cookie(&self, name: &str) -> Option<String> {
        self.jar.lock().get(name).cloned()
    }

    /// Has the browser send this.
    pub(super) fn set_cookie(&self, name: &str, value: &str) {
        self.jar.lock().insert(name.to_owned(), value.to_owned());
    }

    /// A page of this host.
    pub(super) async fn get(&self, path: &str) -> Got {
        self.send(self.request(Method::GET, path)).await
    }

    /// A page of any host, by its whole address.
    pub(super) async fn visit(&self, url: &str) -> Got {
        read(self.client.get(url)).await
    }

    /// Sends a form that a page of this host holds.
    pub(super) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Got {
        let base = self.base.clone();
        self.post_from(Some(&base), path, fields).await
    }

    /// Sends a form that a page of `origin` holds.
    pub(super) async fn post_from(
        &self,
        origin: Option<&str>,
        path: &str,
        fields: &[(&str, &str)],
    ) -> Got {
        let mut request = self.request(Method::POST, path).form(fields);
        if let Some(origin) = origin {
            request = request.header(ORIGIN, origin);
        }
        self.send(request).await
    }

    /// Sends a form as a browser that knows this installation by another name.
    pub(super) async fn post_to_host(
        &self,
        host: &str,
        path: &str,
        fields: &[(&str, &str)],
    ) -> Got {
        let request = self.request(Method::POST, path).form(fields);
        let request = request.header(HOST, host);
        self.send(request.header(ORIGIN, format!("https://{host}")))
            .await
    }

    /// Sends a form with the token that each form of the session carries.
    pub(super) async fn submit(&self, path: &str, fields: &[(&str, &str)]) -> Got {
        let token = self.form_token().await;
        let own = [("form_token", token.as_str())];
        self.post(path, &[&own[..], fields].concat()).await
    }

    /// What each form of the session carries.
    pub(super) async fn form_token(&self) -> String {
        let page = self.get("/console/you").await.text;
        let marked = page.split_once(r#"name="form_token" value=""#);
        let (_, rest) = marked.unwrap_or_else(|| panic!("no form: {page}"));
        rest.split('"').next().unwrap().to_owned()
    }

    /// Signs in by the form.
    pub(super) async fn sign_in(&self, email: &str, password: &str) -> Got {
        let fields = [("email", email), ("password", password)];
        self.post("/console/sign-in", &fields).await
    }

    /// Sets a password by a link.
    pub(super) async fn choose(&self, link: &str, password: &str) -> Got {
        let fields = [("password", password), ("repeated", password)];
        self.post(link, &fields).await
    }

    /// Whether the console takes them for somebody.
    pub(super) async fn is_in(&self) -> bool {
        let got = self.get("/console/you").await;
        match (got.status, got.location()) {
            (200, _) => true,
            (303, "/console/sign-in?next=%2Fconsole%2Fyou") => false,
            other => panic!("{other:?}: {}", got.text),
        }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let pairs = self.jar.lock();
        let pairs = pairs.iter().map(|(name, value)| format!("{name}={value}"));
        let cookies: Vec<String> = pairs.collect();
        let request = self.client.request(method, format!("{}{path}", self.base));
        if cookies.is_empty() {
            request
        } else {
            request.header(COOKIE, cookies.join("; "))
        }
    }

    async fn send(&self, request: RequestBuilder) -> Got {
        let got = read(request).await;
        for cookie in got.cookies() {
            let (pair, rest) = cookie.split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            if rest.contains("Max-Age=0") {
                self.jar.lock().remove(name);
            } else {
                self.set_cookie(name, value);
            }
        }
        got
    }
}

async fn read(request: RequestBuilder) -> Got {
    let response = request.send().await.expect("somebody answers");
    Got {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        text: response.text().await.expect("a whole answer"),
    }
}
