//! What holds on every page that a link leads to, for operators and for holders of an account.

use std::collections::{BTreeMap, BTreeSet};

use fantoccini::Locator;
use serde_json::{Value, json};
use tollkeeper_testkit::Browser;

use crate::support::{Page, Site, as_it_was, axe, crawl, prefer, resize, seed, shot, unescaped};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// What every page says to browsers.
const HEADERS: [(&str, &str); 6] = [
    ("content-type", "text/html; charset=utf-8"),
    ("content-security-policy", POLICY),
    ("cache-control", "no-store"),
    ("referrer-policy", "same-origin"),
    ("x-content-type-options", "nosniff"),
    ("cross-origin-opener-policy", "same-origin"),
];

#[track_caller]
fn are_sound(pages: &[Page]) {
    let mut titles: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for page in pages {
        let (status, headers, text) = &page.got;
        assert_eq!(*status, 200, "{}: {text}", page.at);
        for (name, expected) in HEADERS {
            let found = headers.get(name).and_then(|it| it.to_str().ok());
            assert_eq!(found, Some(expected), "{name} of {}", page.at);
        }
        assert_eq!(text.matches("<h1").count(), 1, "{}", page.at);
        for never in [" style=\"", " onclick=", "javascript:", "<script>"] {
            assert!(!text.contains(never), "{never} in {}", page.at);
        }
        let title = page.inner("title").unwrap_or_default();
        titles.entry(title).or_default().insert(page.path());
    }
    titles.retain(|_, paths| paths.len() > 1);
    assert!(titles.is_empty(), "titles of several pages: {titles:#?}");
}

#[tokio::test]
async fn every_page_of_an_operator_is_sound() {
    let site = Site::start().await;
    seed(&site).await;
    let pages = crawl(&site.operator().await.client()).await;
    are_sound(&pages);
    let kinds: BTreeSet<&str> = pages.iter().map(Page::path).collect();
    for path in [
        "/console/operation",
        "/console/operation/audit",
        "/console/accounts",
    ] {
        assert!(kinds.contains(path), "no link leads to {path}");
    }
}

#[tokio::test]
async fn a_user_meets_no_page_and_no_word_of_others() {
    let site = Site::start().await;
    let seeded = seed(&site).await;
    let client = site.user(&seeded.own).await.client();
    let pages = crawl(&client).await;
    are_sound(&pages);
    assert!(pages.len() > 3, "{pages:#?}");
    let of_operators = ["/console/operation", "/console/accounts", "/console/people"];
    for page in &pages {
        let leads = of_operators.iter().any(|it| page.path().starts_with(it));
        assert!(!leads, "a user is led to {}", page.at);
        let text = unescaped(&page.got.2);
        for foreign in &seeded.foreign {
            assert!(!text.contains(foreign), "{foreign} in {}", page.at);
        }
    }
    let of_operator = crawl(&site.operator().await.client()).await;
    let own: BTreeSet<&str> = pages.iter().map(Page::path).collect();
    let mut refused = 0;
    for page in of_operator {
        let others = page.path();
        let is_foreign = seeded.foreign.iter().any(|it| others.contains(it));
        let is_of_operators = of_operators.iter().any(|it| others.starts_with(it));
        if own.contains(others) || !(is_foreign || is_of_operators) {
            continue;
        }
        let (status, _, text) = client.get(&page.at).await;
        let expected = match others {
            it if it.starts_with("/console/operation") => 403,
            it if it.starts_with("/console/accounts") => 403,
            it if it.starts_with("/console/people") => 403,
            _ => 404,
        };
        assert_eq!(status, expected, "{}: {text}", page.at);
        let text = unescaped(&text);
        for foreign in seeded.foreign.iter().filter(|it| !page.at.contains(*it)) {
            assert!(!text.contains(foreign), "{foreign} in {}", page.at);
        }
        refused += 1;
    }
    assert!(refused > 20, "{refused}");
}

/// The first page of each kind, whatever it was asked.
fn first_of_each(pages: Vec<Page>) -> Vec<Page> {
    let mut kinds = BTreeSet::new();
    let mut first = pages;
    first.retain(|page| {
        let kind = page.kind.split(' ').next().unwrap_or_default();
        kinds.insert(kind.to_owned())
    });
    first
}

/// What a picture of the page is called.
fn name_of(page: &Page) -> String {
    let name = page.kind.replace("{id}", "one").replace([' ', '/'], "-");
    let name = name.trim_matches('-').trim_start_matches("console");
    match name.trim_start_matches('-') {
        "" => "home".to_owned(),
        name => name.to_owned(),
    }
}

/// As narrow as a screen may be.
const PHONE: u32 = 320;

/// Shows each page in a browser, and looks at it as people with other eyes, hands and screens do.
async fn are_usable(site: &Site, browser: &Browser, pages: &[Page], on_a_phone: bool) {
    let base = format!("{}/", site.base());
    if on_a_phone {
        resize(browser, PHONE).await;
    }
    for page in pages {
        let url = format!("{}{}", site.base(), page.at);
        browser.client.goto(&url).await.expect("it is served");
        browser.see("h1").await;
        axe(browser).await;
        for url in browser.requests().await {
            let own = url.starts_with(&base) || url.starts_with("data:");
            assert!(own, "{} asked for {url}", page.at);
        }
        let said = browser.log("browser").await;
        let complaints: Vec<&Value> = said.iter().filter(|it| it["level"] != "DEBUG").collect();
        assert!(complaints.is_empty(), "{}: {complaints:#?}", page.at);
        resize(browser, PHONE).await;
        let beyond = "return document.documentElement.scrollWidth - innerWidth";
        let beyond = browser.client.execute(beyond, Vec::new()).await;
        assert!(beyond.unwrap().as_i64() <= Some(0), "{} at 320 px", page.at);
        if on_a_phone {
            continue;
        }
        as_it_was(browser).await;
        if !page.at.contains('?') {
            shot(browser, &name_of(page)).await;
        }
    }
}

#[tokio::test]
async fn every_page_of_an_operator_is_usable() {
    let site = Site::start().await;
    seed(&site).await;
    let operator = site.operator().await;
    let pages = first_of_each(crawl(&operator.client()).await);
    are_usable(&site, &operator.browser().await, &pages, false).await;
}

#[tokio::test]
async fn every_page_of_a_user_is_usable_on_a_phone() {
    let site = Site::start().await;
    let seeded = seed(&site).await;
    let user = site.user(&seeded.own).await;
    let pages = first_of_each(crawl(&user.client()).await);
    are_usable(&site, &user.browser().await, &pages, true).await;
}

#[tokio::test]
async fn every_page_is_shown_without_script() {
    let site = Site::start().await;
    seed(&site).await;
    let operator = site.operator().await;
    let pages = first_of_each(crawl(&operator.client()).await);
    let browser = operator.browser_without_script().await;
    for page in &pages {
        let url = format!("{}{}", site.base(), page.at);
        browser.client.goto(&url).await.expect("it is served");
        assert!(!browser.text("h1").await.is_empty(), "{}", page.at);
        assert_eq!(browser.client.current_url().await.unwrap().as_str(), url);
        // What only a script can do is not offered.
        let hollow = "[data-copy], [data-select-all]";
        for element in browser.client.find_all(Locator::Css(hollow)).await.unwrap() {
            assert!(!element.is_displayed().await.unwrap(), "{}", page.at);
        }
    }
}

/// Notes which elements the focus comes to. The page does not go on by itself meanwhile: what has been reached
/// would be replaced, and forgotten.
const WATCH: &str = "
    document.querySelectorAll('[data-live]').forEach((it) => it.removeAttribute('data-live'));
    document.addEventListener('focusin', (event) => event.target.setAttribute('data-reached', ''));
";

/// What has the focus, if nothing around it shows that.
const UNSEEN: &str = "
    const it = document.activeElement;
    if (!it || it === document.body) return null;
    // Of a date, the browser marks the part that has it.
    if (it.type === 'datetime-local') return null;
    const style = getComputedStyle(it);
    const outlined = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
    const box = it.getBoundingClientRect();
    const shown = box.width > 0 && box.height > 0;
    return outlined && shown ? null : it.outerHTML.slice(0, 200);
";

/// What can be used and was not reached. Of radio buttons of one name the focus comes to one.
const MISSED: &str = "
    const all = document.querySelectorAll(
        'a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex=\"0\"]');
    const used = [...all].filter((it) => it.checkVisibility() && !it.disabled && !it.closest('[inert]'));
    const reached = (it) => it.hasAttribute('data-reached') || (it.type === 'radio'
        && [...document.getElementsByName(it.name)].some((one) => one.hasAttribute('data-reached')));
    return used.filter((it) => !reached(it)).map((it) => it.outerHTML.slice(0, 200));
";

#[tokio::test]
async fn everything_is_reached_by_keyboard_and_seen_to_be() {
    let site = Site::start().await;
    let seeded = seed(&site).await;
    let browser = site.operator().await.browser().await;
    let account = format!("/console/accounts/{}", seeded.own);
    let pages = [
        "/console",
        "/console/tokens",
        "/console/tokens/new",
        "/console/usage",
        "/console/operation",
        "/console/operation/audit",
        "/console/operation/dead-letters",
        "/console/accounts",
        "/console/accounts/new",
        account.as_str(),
        "/console/you",
    ];
    prefer(&browser, "light").await;
    for path in pages {
        let url = format!("{}{path}", site.base());
        browser.client.goto(&url).await.expect("it is served");
        browser.see("h1").await;
        let run = async |script: &str| browser.client.execute(script, Vec::new()).await.unwrap();
        run(WATCH).await;
        // As often as there is something, and a few times more for the parts of dates.
        let count = run("return document.querySelectorAll('*').length").await;
        let mut missed = run(MISSED).await;
        for _ in 0..count.as_u64().unwrap_or_default() {
            tab(&browser).await;
            let unseen = run(UNSEEN).await;
            assert_eq!(unseen, Value::Null, "the focus is not seen at {path}");
            missed = run(MISSED).await;
            if missed == json!([]) {
                break;
            }
        }
        assert_eq!(missed, json!([]), "not reached at {path}");
    }
}

/// Presses the key as a person does.
async fn tab(browser: &Browser) {
    for kind in ["rawKeyDown", "keyUp"] {
        let key = json!({
            "type": kind, "key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9,
        });
        browser.devtools("Input.dispatchKeyEvent", key).await;
    }
}
