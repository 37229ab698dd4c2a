//! What is over is removed.

use serde_json::json;
use tollkeeper_testkit::{Stack, wait_for};

use super::member;
use crate::support::Site;

#[tokio::test]
async fn what_is_over_is_removed_and_the_rest_stays() {
    let mut stack = Stack::bare().await;
    let fill = "
        insert into console_people (id, email, role, created_at)
            select gen_random_uuid(), 'p' || n || '@example.org', 'operator', now()
            from generate_series(1, 3) as n;
        insert into console_sessions
            (secret_hash, id, person_id, created_at, seen_at, expires_at, browser)
            select sha256(email::bytea), gen_random_uuid(), id, now(),
                case email when 'p1@example.org' then now() - interval '13 hours' else now() end,
                case email when 'p2@example.org' then now() else now() + interval '1 day' end, ''
            from console_people;
        insert into console_links select sha256(email::bytea), id, now(),
            case email when 'p1@example.org' then now() else now() + interval '1 day' end
            from console_people;
        insert into console_devices select sha256(email::bytea), id,
            case email when 'p1@example.org' then now() - interval '181 days' else now() end
            from console_people;
        insert into console_attempts values
            (sha256('a'), now()), (sha256('b'), now() + interval '1 day');
        insert into console_flows values
            (sha256('a'), '/console', now()), (sha256('b'), '/console', now() + interval '1 day');
    ";
    let pool = stack.database.pool.clone();
    sqlx::raw_sql(fill).execute(&pool).await.unwrap();
    let left = "select array[
        (select count(*) from console_sessions), (select count(*) from console_links),
        (select count(*) from console_attempts), (select count(*) from console_flows),
        (select count(*) from console_devices)
    ]";
    let left = async || {
        let counts = sqlx::query_scalar::<_, Vec<i64>>(left);
        counts.fetch_one(&pool).await.unwrap()
    };
    assert_eq!(left().await, [3, 3, 2, 2, 3]);
    let _api = stack.api(&[]).await;
    wait_for("what is over to be gone", async || {
        left().await == [1, 2, 1, 1, 2]
    })
    .await;
}

#[tokio::test]
async fn people_go_with_their_account() {
    let site = Site::start().await;
    let operator = site.api.operator();
    let account = operator.account("shop").await;
    let holder = member(&site, "holder@example.org", Some(account.parse().unwrap())).await;
    member(&site, "ada@example.org", None).await;
    assert!(holder.is_in().await);
    let path = format!("/v1/accounts/{account}");
    operator
        .patch(&path, json!({ "name": "The shop" }))
        .await
        .expect(200);
    let deleted = operator.delete(&path).await;
    assert!((200..300).contains(&deleted.status), "{}", deleted.text);
    let emails = async || {
        let all = sqlx::query_scalar::<_, String>("select email from console_people");
        all.fetch_all(&site.pool).await.unwrap()
    };
    wait_for("the holder to be forgotten", async || {
        emails().await == ["ada@example.org"]
    })
    .await;
    assert!(!holder.is_in().await);
}
