//! Without Tollkeeper nobody passes, whether it hangs or is gone.

use std::sync::Arc;

use serde_json::json;
use tollkeeper_testkit::stack::Signal;
use tollkeeper_testkit::wait_for;

use crate::Surroundings;
use crate::programs::{Kind, Without};
use crate::proxy::Proxy;
use crate::traffic::issued;
use crate::visitor::{Visitor, header, status};

pub(crate) async fn run(kind: Kind, around: &mut Surroundings, proxy: &Proxy) -> Vec<Arc<Visitor>> {
    let reader = issued(around, "reader", json!(["site:read"])).await;
    let answer = reader.send_raw(proxy.address, "/api/", &[]).await;
    assert_eq!(status(&answer), 200, "{answer}");
    let without = kind.without_tollkeeper();
    silent_database(around, proxy, &without).await;
    hanging(around, proxy, without.hanging).await;
    around.api.kill();
    let before = around.application.seen().len();
    let cut_off = Visitor::new("reader", reader.token.as_deref(), None);
    for _ in 0..5 {
        let answer = cut_off.send_raw(proxy.address, "/api/", &[]).await;
        assert_eq!(status(&answer), without.gone, "{answer}");
    }
    assert_eq!(around.application.seen().len(), before, "somebody passed");
    around.api.restart();
    around.api.ready().await;
    wait_for("the proxy to find Tollkeeper again", async || {
        let answer = cut_off.send_raw(proxy.address, "/api/", &[]).await;
        status(&answer) == 200
    })
    .await;
    reader.count(200);
    vec![reader]
}

/// A Tollkeeper that lives, with a database that keeps its connections and says nothing: it cannot know
/// of a token that it has not read yet, and the proxy waits until it says so. Such a request is not counted.
async fn silent_database(around: &Surroundings, proxy: &Proxy, without: &Without) {
    let cold = issued(around, "cold", json!(["site:read"])).await;
    let before = around.application.seen().len();
    around.database.pause();
    let answer = cold.send_raw(proxy.address, "/api/", &[]).await;
    assert_eq!(status(&answer), without.unknown, "{answer}");
    if without.told {
        assert_eq!(header(&answer, "x-tollkeeper-code"), Some("UNAVAILABLE"));
        assert!(header(&answer, "retry-after").is_some(), "{answer}");
    }
    assert_eq!(around.application.seen().len(), before, "somebody passed");
    around.database.resume();
    let nobody = Visitor::new("nobody", Some("not-a-token"), None);
    let answer = nobody.send_raw(proxy.address, "/api/", &[]).await;
    assert_eq!(status(&answer), 401, "{answer}");
    around.api.ready().await;
}

/// A Tollkeeper that keeps its connections and says nothing. It judges what it was asked meanwhile once
/// it wakes, so it is asked with a token that nobody has, which is not counted.
async fn hanging(around: &Surroundings, proxy: &Proxy, expected: u16) {
    let before = around.application.seen().len();
    let nobody = Visitor::new("nobody", Some("not-a-token"), None);
    around.api.freeze().await;
    let answer = nobody.send_raw(proxy.address, "/api/", &[]).await;
    assert_eq!(status(&answer), expected, "{answer}");
    around.api.signal(Signal::CONT);
    wait_for("the proxy to be answered again", async || {
        let answer = nobody.send_raw(proxy.address, "/api/", &[]).await;
        status(&answer) == 401
    })
    .await;
    assert_eq!(around.application.seen().len(), before, "somebody passed");
}
