//! `pg_dump` and back, into the place of the database that is in use.

use std::fs;

use serde_json::{Value, json};
use tollkeeper_testkit::stack::{Node, Person};
use tollkeeper_testkit::{Stack, wait_for};

use crate::commands::{as_administrator, as_operator, tollkeeper};
use crate::shop::{Token, findings, metric, relayed};

/// What a node says that finds another log than the one it followed.
const ANEW: &str = "starting over from the log's head";
const RESENT: &str = "tollkeeper_usage_resent_batches_total{reason=\"ledger_went_back\"}";

/// What is there when the dump is taken.
struct Before {
    used: Token,
    leaked: Token,
    resting: Token,
    rotated: Token,
    leaving: String,
    of_leaving: Token,
}

impl Before {
    async fn make(operator: &Person) -> Self {
        let shop = operator.account("shop").await;
        let leaving = operator.account("leaving").await;
        Self {
            used: Token::issue(operator, &shop).await,
            leaked: Token::issue(operator, &shop).await,
            resting: Token::issue(operator, &shop).await,
            rotated: Token::issue(operator, &shop).await,
            of_leaving: Token::issue(operator, &leaving).await,
            leaving,
        }
    }

    /// What happens after the dump; gives the token's new secret, and a token that is new.
    async fn change(&self, operator: &Person) -> (Token, Token) {
        let leaked = self.leaked.path("?reason=leaked");
        operator.delete(&leaked).await.expect(200);
        operator
            .post(&self.resting.path("/suspend"), json!({}))
            .await
            .expect(200);
        let body = json!({ "grace_seconds": 0 });
        let rotated = operator
            .post(&self.rotated.path("/rotate"), body)
            .await
            .expect(200);
        let path = format!("/v1/accounts/{}", self.leaving);
        operator.delete(&path).await.expect(200);
        let new = operator.account("new").await;
        (Token::of(&rotated), Token::issue(operator, &new).await)
    }

    /// Every token that must not work any more.
    fn ended(&self) -> [&Token; 4] {
        [&self.leaked, &self.resting, &self.rotated, &self.of_leaving]
    }

    /// Whether none of them passes.
    async fn are_denied(&self, api: &Node) -> bool {
        for token in self.ended() {
            if token.verdict(api).await == "VALID" {
                return false;
            }
        }
        true
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_restored_dump_has_forgotten_is_told_and_denied_again() {
    let mut stack = Stack::with_own_server().await;
    let apis = [stack.api(&[]).await, stack.api(&[]).await];
    let _ingestor = stack.ingestor(&[]).await;
    let operator = apis[0].operator();
    let before = Before::make(&operator).await;
    before.used.pass(&apis[0], 20).await;
    before.used.counted(&apis[0], 20).await;
    let (code, head) = as_operator(&stack, &apis[0], "Note the head of the log.").await;
    assert_eq!((code, head.starts_with("7 ")), (0, true), "{head}");
    as_administrator(&mut stack, "Take a dump.", "").await;

    let (rotated, new) = before.change(&operator).await;
    before.used.pass(&apis[0], 30).await;
    before.used.counted(&apis[0], 50).await;
    for api in &apis {
        wait_for("both nodes to deny", async || before.are_denied(api).await).await;
        rotated.pass(api, 1).await;
        new.pass(api, 1).await;
    }
    let end = relayed(&stack).await;
    let kept = operator.get("/v1/events?limit=200").await.text;

    as_administrator(&mut stack, "Restore the dump.", "").await;
    as_administrator(&mut stack, "Put it in the place of the other.", "").await;

    // Nodes forget by themselves all that they held.
    for api in &apis {
        new.becomes(api, "NOT_FOUND").await;
        rotated.becomes(api, "NOT_FOUND").await;
        for undone in before.ended() {
            undone.becomes(api, "VALID").await;
        }
        assert!(api.log_text().contains(ANEW));
    }
    // Whoever follows the log is told.
    let beyond = operator.get(&format!("/v1/events?after={end}")).await;
    assert_eq!(
        (beyond.status, beyond.code().as_str()),
        (400, "INVALID_QUERY")
    );
    // The ledger holds less than it did, and the spool still has it.
    before.used.counted(&apis[0], 50).await;
    assert!(metric(&apis[0], RESENT).await > 0.0);

    redo(&stack, &apis, &before, &[&rotated, &new], &kept).await;
}

/// What is left to do for a person, after what has been done is done again.
async fn redo(stack: &Stack, apis: &[Node; 2], before: &Before, lost: &[&Token; 2], kept: &str) {
    let api = &apis[0];
    let (code, said) = as_operator(stack, api, "Prove what was restored.").await;
    assert_eq!(code, 0, "{said}");
    let (code, said) = as_operator(stack, api, "Find what is forgotten.").await;
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("3 to be done again"), "{said}");
    let check = ["restore", "check", "--output", "json"];
    let (code, found) = tollkeeper(stack, api, &check).await;
    assert_eq!((code, &found["untold"]), (1, &json!([])), "{found}");
    let told = findings(&found);
    for (what, id) in [
        ("revoke", &before.leaked.id),
        ("suspend", &before.resting.id),
        ("delete", &before.leaving),
        ("look", &before.rotated.id),
        ("gone", &lost[1].id),
    ] {
        assert!(
            told.contains(&(what.to_owned(), id.clone())),
            "{what} {id}: {found}"
        );
    }
    // The account of the new token is the sixth.
    assert_eq!(told.len(), 6, "{found}");
    by_what_somebody_kept(stack, api, kept, &told).await;
    let (code, said) = as_operator(stack, api, "Do again what denies.").await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("3 done again, 0 left"), "{said}");
    for api in apis {
        before.leaked.becomes(api, "REVOKED").await;
        before.resting.becomes(api, "SUSPENDED").await;
        wait_for("the account's token to be denied", async || {
            before.of_leaving.verdict(api).await != "VALID"
        })
        .await;
        before.used.pass(api, 1).await;
    }
    let (code, found) = tollkeeper(stack, api, &check).await;
    assert_eq!((code, &found["to_redo"]), (0, &json!(0)), "{found}");
    let (code, said) = as_operator(stack, api, "Do again what denies.").await;
    assert!(code == 0 && said.contains("0 done again, 0 left"), "{said}");
    let (code, said) = as_operator(stack, api, "Prove what was restored.").await;
    assert_eq!(code, 0, "{said}");
    before.used.counted(api, 52).await;
    let path = "/v1/usage/completeness?limit=200";
    wait_for("nothing to be missing", async || {
        let told: Value = api.operator().get(path).await.expect(200);
        let items = told["items"].as_array().unwrap();
        items
            .iter()
            .all(|it| it["missing"] == 0 && it["pending"] == 0)
    })
    .await;
    // No secret is told.
    for token in [&before.leaked, &before.rotated]
        .into_iter()
        .chain(lost.iter().copied())
    {
        assert!(!said.contains(&token.secret) && !found.to_string().contains(&token.secret));
    }
}

/// What a reader of the feed has kept tells the same as the stream.
async fn by_what_somebody_kept(stack: &Stack, api: &Node, kept: &str, told: &[(String, String)]) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("events.json");
    fs::write(&file, kept).unwrap();
    let file = file.to_str().unwrap();
    let check = ["restore", "check", "--output", "json", "--events", file];
    let (code, found) = tollkeeper(stack, api, &check).await;
    assert_eq!((code, findings(&found).as_slice()), (1, told), "{found}");
}
