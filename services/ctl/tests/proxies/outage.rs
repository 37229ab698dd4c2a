//! Without Tollkeeper nobody passes.

use std::sync::Arc;

use serde_json::json;
use tollkeeper_testkit::wait_for;

use crate::Surroundings;
use crate::proxy::Proxy;
use crate::traffic::issued;
use crate::visitor::{Visitor, status};

pub(crate) async fn run(around: &mut Surroundings, proxy: &Proxy) -> Vec<Arc<Visitor>> {
    let reader = issued(around, "reader", json!(["site:read"])).await;
    let answer = reader.send_raw(proxy.address, "/api/", &[]).await;
    assert_eq!(status(&answer), 200, "{answer}");
    around.api.kill();
    let before = around.application.seen().len();
    let cut_off = Visitor::new("reader", reader.token.as_deref(), None);
    for _ in 0..5 {
        let answer = cut_off.send_raw(proxy.address, "/api/", &[]).await;
        assert!((500..600).contains(&status(&answer)), "{answer}");
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
