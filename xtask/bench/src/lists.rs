//! Pages of tokens a second, for each filter, among a million tokens, against the same among a
//! thousand, and by which indexes they are found.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use tollkeeper_ambient::{Clock, SystemClock};
use tollkeeper_domain::ids::{AccountId, TokenId};
use tollkeeper_domain::secret::Environment;
use tollkeeper_domain::token::Status;
use tollkeeper_read_model::Reach;
use tollkeeper_read_model::tokens::{Period, Plan, TokenFilter, Window, plans};
use tollkeeper_testkit::Stack;
use tollkeeper_testkit::stack::{Node, OPERATOR_KEY};
use uuid::Uuid;

use crate::load::Load;
use crate::report::{Report, median, spread};
use crate::{Arguments, Failure};

/// How many tokens there are. The first number is the baseline.
const SIZES: [i64; 3] = [1_000, 10_000, 1_000_000];

/// What few tokens were issued by.
const ISSUER: Uuid = Uuid::from_u128(0xff);

/// A server with so many tokens.
struct Size {
    stack: Stack,
    node: Node,
    tokens: i64,
    /// Whose tokens are many, and whose are few.
    accounts: [Uuid; 2],
    filled_at: DateTime<Utc>,
}

impl Size {
    async fn new(tokens: i64) -> Result<Self, Failure> {
        let mut stack = Stack::as_in_production().await;
        let node = stack.api(&[]).await;
        let operator = node.operator();
        let accounts = [
            operator.account("many").await.parse()?,
            operator.account("few").await.parse()?,
        ];
        let pool = &stack.database.pool;
        sqlx::query(include_str!("lists.sql"))
            .bind(tokens)
            .bind(accounts[0])
            .bind(accounts[1])
            .bind(ISSUER)
            .execute(pool)
            .await?;
        let used = "insert into api_token_usage_totals (token_id, usage_count, last_used_at)
            select id, 3, created_at + interval '1 minute' from api_tokens where state = 'active'";
        sqlx::query(used).execute(pool).await?;
        // As autovacuum does in the end.
        sqlx::query("vacuum (analyze)").execute(pool).await?;
        let filled_at = SystemClock.now();
        Ok(Self {
            stack,
            node,
            tokens,
            accounts,
            filled_at,
        })
    }

    /// When half of the tokens were there.
    fn middle(&self) -> DateTime<Utc> {
        self.filled_at - TimeDelta::minutes(self.tokens / 2)
    }

    /// Each filter, as it is told, and in the terms of the read model.
    fn filters(&self) -> Vec<(&'static str, String, TokenFilter)> {
        let all = TokenFilter::default;
        let [many, few] = self.accounts;
        let (middle, year) = (self.middle(), self.filled_at + TimeDelta::days(365));
        let time = |time: DateTime<Utc>| time.format("%Y-%m-%dT%H:%M:%SZ").to_string();
        let after = |after| Period {
            after: Some(after),
            before: None,
        };
        let before = |before| Period {
            after: None,
            before: Some(before),
        };
        vec![
            ("none", String::new(), all()),
            (
                "`account_id`, most tokens",
                format!("account_id={many}"),
                TokenFilter {
                    account: Some(AccountId(many)),
                    ..all()
                },
            ),
            (
                "`account_id`, 60 tokens",
                format!("account_id={few}"),
                TokenFilter {
                    account: Some(AccountId(few)),
                    ..all()
                },
            ),
            (
                "`issued_by`, 60",
                format!("issued_by={ISSUER}"),
                TokenFilter {
                    issued_by: Some(TokenId(ISSUER)),
                    ..all()
                },
            ),
            (
                "`state`, half",
                "state=active".into(),
                TokenFilter {
                    state: Some(Status::Active),
                    ..all()
                },
            ),
            (
                "`state`, 60",
                "state=suspended".into(),
                TokenFilter {
                    state: Some(Status::Suspended),
                    ..all()
                },
            ),
            (
                "`environment`, 60",
                "environment=test".into(),
                TokenFilter {
                    environment: Some(Environment::Test),
                    ..all()
                },
            ),
            (
                "`scope`, all",
                "scope=orders:read".into(),
                TokenFilter {
                    scope: Some("orders:read".into()),
                    ..all()
                },
            ),
            (
                "`scope`, 60",
                "scope=orders:write".into(),
                TokenFilter {
                    scope: Some("orders:write".into()),
                    ..all()
                },
            ),
            (
                "`prefix`, most",
                "prefix=tk_live_".into(),
                TokenFilter {
                    prefix: Some("tk_live_".into()),
                    ..all()
                },
            ),
            (
                "`prefix`, 60",
                "prefix=tk_test_Ra".into(),
                TokenFilter {
                    prefix: Some("tk_test_Ra".into()),
                    ..all()
                },
            ),
            (
                "`search`, most",
                "search=worker".into(),
                TokenFilter {
                    search: Some("worker".into()),
                    ..all()
                },
            ),
            (
                "`search`, 60",
                "search=of+the+shop".into(),
                TokenFilter {
                    search: Some("of the shop".into()),
                    ..all()
                },
            ),
            (
                "`created_before`, half",
                format!("created_before={}", time(middle)),
                TokenFilter {
                    created: before(middle),
                    ..all()
                },
            ),
            (
                "`expires_before`, 60",
                format!("expires_before={}", time(year)),
                TokenFilter {
                    expires: before(year),
                    ..all()
                },
            ),
            (
                "`expires_after`, two thirds",
                format!("expires_after={}", time(year)),
                TokenFilter {
                    expires: after(year),
                    ..all()
                },
            ),
            (
                "`last_used_before`, a quarter",
                format!("last_used_before={}", time(middle)),
                TokenFilter {
                    last_used: before(middle),
                    ..all()
                },
            ),
            (
                "`never_used`, half",
                "never_used=true".into(),
                TokenFilter {
                    never_used: Some(true),
                    ..all()
                },
            ),
            (
                "`unused_since`, half",
                format!("unused_since={}", time(middle)),
                TokenFilter {
                    unused_since: Some(middle),
                    ..all()
                },
            ),
            (
                "`account_id`, `state` and `search`, half",
                format!("account_id={many}&state=active&search=worker"),
                TokenFilter {
                    account: Some(AccountId(many)),
                    state: Some(Status::Active),
                    search: Some("worker".into()),
                    ..all()
                },
            ),
        ]
    }

    /// The indexes by which a page is found.
    async fn indexes(&self, filter: &TokenFilter) -> Result<Vec<String>, Failure> {
        let mut connection = self.stack.database.pool.acquire().await?;
        let window = Window {
            before: None,
            limit: 50,
        };
        let now = SystemClock.now();
        let plans: Vec<Plan> = plans(&mut connection, Reach::All, filter, window, now).await?;
        let mut found = Vec::new();
        for plan in &plans {
            read_by(&plan.plan, &mut found);
        }
        Ok(found)
    }
}

/// Takes the figure for each filter.
pub(crate) async fn measure(arguments: &Arguments, report: &mut Report) -> Result<(), Failure> {
    let mut sizes = Vec::new();
    for tokens in SIZES {
        sizes.push(Size::new(tokens).await?);
    }
    let cases = sizes.iter().map(Size::filters).collect::<Vec<_>>();
    let [least, .., most] = sizes.as_slice() else {
        return Err("there are no sizes to compare".into());
    };
    for (at, (name, _, filter)) in cases.last().into_iter().flatten().enumerate() {
        let mut paces = vec![Vec::new(); sizes.len()];
        for _ in 0..arguments.pairs {
            for ((size, cases), paces) in sizes.iter().zip(&cases).zip(&mut paces) {
                let path = format!("/v1/tokens?{}", cases[at].1);
                let load = Load::getting(&path, OPERATOR_KEY)?;
                let run = load
                    .run_with(size.node.public, arguments.seconds, 1)
                    .await?;
                paces.push(run.per_second);
            }
        }
        let ratios: Vec<f64> = paces[sizes.len() - 1]
            .iter()
            .zip(&paces[0])
            .map(|(most, least)| most / least)
            .collect();
        let paces: Vec<String> = paces
            .into_iter()
            .map(|paces| format!("{:.2} ms", 1000.0 / median(paces)))
            .collect();
        report.row(
            &format!(
                "pages/s of {} tokens, filter: {name}; found by {}",
                most.tokens,
                most.indexes(filter).await?.join(", ")
            ),
            "—",
            format!("{}; {} a page", spread(&ratios), paces[1..].join(", ")),
            format!("{} a page of {} tokens", paces[0], least.tokens),
        );
    }
    Ok(())
}

/// What the nodes of a plan read, each once.
fn read_by(plan: &Value, found: &mut Vec<String>) {
    match plan {
        Value::Array(plans) => plans.iter().for_each(|plan| read_by(plan, found)),
        Value::Object(node) => {
            let text = |name| node.get(name).and_then(Value::as_str);
            let whole_table = text("Node Type") == Some("Seq Scan");
            let read = if whole_table {
                text("Relation Name").map(|table| format!("**all of {table}**"))
            } else {
                text("Index Name").map(|index| format!("`{index}`"))
            };
            found.extend(read.filter(|read| !found.contains(read)));
            for below in ["Plan", "Plans"] {
                node.get(below)
                    .into_iter()
                    .for_each(|it| read_by(it, found));
            }
        }
        _ => {}
    }
}
