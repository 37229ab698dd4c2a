//! What a page looks like, and what keeps people from using it.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tollkeeper_testkit::{Browser, axe_core};

/// Set where pictures are to be taken: each page is drawn three times more for them.
const PICTURES: &str = "TOLLKEEPER_TEST_PICTURES";

/// The rules that every page keeps: the three levels of WCAG 2.2 up to AA, and what is good beside.
const RULES: [&str; 6] = [
    "wcag2a",
    "wcag2aa",
    "wcag21a",
    "wcag21aa",
    "wcag22aa",
    "best-practice",
];

const RUN: &str = "
    const [tags, done] = arguments;
    // What would be replaced while it is looked at stays as it is from now on.
    document.querySelectorAll('[data-live]').forEach((it) => it.removeAttribute('data-live'));
    const brief = (it) => ({
        rule: it.id,
        help: it.help,
        where: it.nodes.map((node) => ({
            target: node.target.join(' '), html: node.html, why: node.failureSummary,
        })),
    });
    // Colours that are on their way to others are nobody's.
    const frame = () => new Promise((drawn) => requestAnimationFrame(drawn));
    const ended = () => Promise.all(document.getAnimations().map((it) => it.finished.catch(() => null)));
    frame().then(frame).then(ended)
        .then(() => axe.run(document, { runOnly: tags, resultTypes: ['violations'] }))
        .then((found) => done(found.violations.map(brief)), (error) => done([String(error)]));
";

/// Fails with what keeps people from using the page that the browser shows, in light and in dark.
pub(crate) async fn axe(browser: &Browser) {
    let script = axe_core().await;
    for scheme in ["light", "dark"] {
        let found = violations(browser, &script, scheme).await;
        let at = browser.client.current_url().await.expect("a page");
        assert!(found.is_empty(), "{at}, {scheme}: {found:#?}");
    }
    prefer(browser, "light").await;
}

async fn violations(browser: &Browser, script: &str, scheme: &str) -> Vec<Value> {
    prefer(browser, scheme).await;
    let client = &browser.client;
    client.execute(script, Vec::new()).await.expect("axe loads");
    let found = client.execute_async(RUN, vec![json!(RULES)]).await;
    let found = found.expect("axe runs");
    found.as_array().expect("a list of violations").clone()
}

/// Has the browser of somebody who prefers `light` or `dark`.
pub(crate) async fn prefer(browser: &Browser, scheme: &str) {
    let features = json!([
        { "name": "prefers-color-scheme", "value": scheme },
        // Else colours are looked at on their way from one to the other.
        { "name": "prefers-reduced-motion", "value": "reduce" },
    ]);
    let features = json!({ "features": features });
    browser
        .devtools("Emulation.setEmulatedMedia", features)
        .await;
}

/// Makes the window so wide, and as high as the page is.
pub(crate) async fn resize(browser: &Browser, width: u32) {
    let set = async |height: f64| {
        let size = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600,
        });
        browser
            .devtools("Emulation.setDeviceMetricsOverride", size)
            .await;
    };
    set(844.0).await;
    let sizes = browser.devtools("Page.getLayoutMetrics", json!({})).await;
    let height = sizes["cssContentSize"]["height"].as_f64();
    set(height.expect("a height").clamp(844.0, 6000.0).ceil()).await;
}

/// Lets the window be as it began.
pub(crate) async fn as_it_was(browser: &Browser) {
    prefer(browser, "light").await;
    browser
        .devtools("Emulation.clearDeviceMetricsOverride", json!({}))
        .await;
}

/// Keeps pictures of the whole page that the browser shows: light, dark, and on a phone. They are in
/// `console-pictures`, in the folder that programs are built in, and are taken for `cargo xtask console-pictures`
/// alone.
pub(crate) async fn shot(browser: &Browser, name: &str) {
    if env::var_os(PICTURES).is_none() {
        return;
    }
    let folder = pictures();
    fs::create_dir_all(&folder).expect("the folder of builds can be written");
    for (look, scheme, width) in [
        ("light", "light", 1280),
        ("dark", "dark", 1280),
        ("phone", "light", 390),
    ] {
        prefer(browser, scheme).await;
        resize(browser, width).await;
        let format = json!({ "format": "png", "captureBeyondViewport": true });
        let picture = browser.devtools("Page.captureScreenshot", format).await;
        let picture = picture["data"].as_str().expect("a picture");
        let picture = STANDARD.decode(picture).expect("base64");
        let path = folder.join(format!("{name}-{look}.png"));
        fs::write(path, picture).expect("the picture can be kept");
    }
    as_it_was(browser).await;
}

fn pictures() -> PathBuf {
    let own = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let builds = own.parent().expect("it is in the folder of builds");
    builds.join("console-pictures")
}
