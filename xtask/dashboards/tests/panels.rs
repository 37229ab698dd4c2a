//! Every panel of every dashboard has an answer, in the answer's own form.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use tollkeeper_dashboards::answers::{Answer, panels};
use tollkeeper_dashboards::files::{Dashboard, Panel, Target, dashboards, in_folder, read};
use tollkeeper_dashboards::grafana::{Choice, all_of, statement};
use tollkeeper_dashboards::traffic::Traffic;
use tollkeeper_dashboards::world::World;
use tollkeeper_testkit::wait_for;

/// How often what has no answer is asked again, and how long after the last time.
const ROUNDS: u32 = 120;
const PAUSE: Duration = Duration::from_millis(500);

#[tokio::test(flavor = "multi_thread")]
async fn every_question_of_every_panel_and_rule_has_an_answer() {
    let world = World::start(&[&[], &[]]).await;
    let traffic = Traffic::start(&world.apis).await;
    wait_for("Prometheus to have asked everybody", async || {
        let up = world.prometheus.at("up == 1", world.range().to).await;
        up.is_ok_and(|found| found.len() == 3)
    })
    .await;
    let mut open = Vec::new();
    for dashboard in dashboards() {
        for choices in choices(&world, &dashboard).await {
            open.extend(questions(&dashboard, &choices));
        }
        for (variable, choices) in one_by_one(&world, &dashboard).await {
            let all = questions(&dashboard, &choices);
            open.extend(all.filter(|it| it.target.expr.contains(&variable)));
        }
        for mark in &dashboard.annotations.list {
            let asked = world.prometheus.at(&mark.expr, world.range().to).await;
            asked.unwrap_or_else(|error| panic!("{}: {error}", mark.expr));
        }
    }
    // What Prometheus tells is some seconds old, and some figures are read every half minute.
    for _ in 0..ROUNDS {
        let mut silent = Vec::new();
        for mut question in open {
            question.told = match answer(&world, &question).await {
                Ok(true) => continue,
                Ok(false) => "no answer".to_owned(),
                Err(error) => error,
            };
            silent.push(question);
        }
        open = silent;
        if open.is_empty() {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    let silent: Vec<String> = open.iter().map(ToString::to_string).collect();
    assert!(silent.is_empty(), "{}", silent.join("\n"));
    // What is watched for is nothing that happens now, so the expression of an alert has no answer; but
    // everything in it has.
    for rule in world.prometheus.rules().await {
        assert_eq!(rule.health, "ok", "{}: {}", rule.name, rule.last_error);
        let parts = if rule.kind == "recording" {
            BTreeSet::from([rule.name.clone()])
        } else {
            selectors(&rule.query)
        };
        assert!(!parts.is_empty(), "{}", rule.query);
        each_is_there(&world, parts).await;
    }
    for (runbook, expression) in of_runbooks() {
        let asked = world.prometheus.at(&expression, world.range().to).await;
        asked.unwrap_or_else(|error| panic!("{runbook}: {expression}: {error}"));
        each_is_there(&world, selectors(&expression)).await;
    }
    traffic.stop().await;
}

/// Waits until Prometheus knows each of these selectors.
async fn each_is_there(world: &World, selectors: BTreeSet<String>) {
    for selector in selectors {
        wait_for(&selector, async || {
            let asked = world.prometheus.at(&selector, world.range().to).await;
            asked.is_ok_and(|found| !found.is_empty())
        })
        .await;
    }
}

/// The expressions for Prometheus in the text of runbooks, each with where it is.
fn of_runbooks() -> Vec<(String, String)> {
    let other = ["select ", "psql ", "curl ", "date ", "tollkeeper "];
    let mut found = Vec::new();
    for path in in_folder("docs/runbooks", ".md") {
        let text = read(&path);
        let prose: Vec<&str> = text.split("```").step_by(2).collect();
        let prose = prose.concat();
        for span in prose.split('`').skip(1).step_by(2) {
            let words: Vec<&str> = span.split_whitespace().collect();
            let span = words.join(" ");
            let is_other = span.ends_with(".sql") || other.iter().any(|it| span.starts_with(it));
            if !is_other && !selectors(&span).is_empty() {
                found.push((path.display().to_string(), span));
            }
        }
    }
    assert!(found.len() > 30, "{found:?}");
    found
}

/// Of which processes the reader may choose one, if these are what is offered.
fn processes(offered: &str) -> Option<&str> {
    let labels = offered.strip_prefix("label_values(")?;
    Some(labels.strip_suffix(", instance)").unwrap())
}

/// Everything, and one of each thing that the tables offer to choose.
async fn choices(world: &World, dashboard: &Dashboard) -> Vec<Alternatives> {
    let variables = &dashboard.templating.list;
    let all = all_of(variables);
    let mut choices = vec![vec![all.clone()]];
    for (index, variable) in variables.iter().enumerate() {
        let offered = &variable.definition;
        if processes(offered).is_some() {
            continue;
        }
        let sql = statement(offered, &world.range(), &all);
        let rows = world.sources().rows(&sql).await.unwrap();
        assert_eq!(rows.columns, ["__text", "__value"], "{offered}");
        // The newest come first; the oldest are used.
        let mut chosen = all.clone();
        chosen[index].1 = rows.rows.last().unwrap()[1].clone().unwrap();
        choices.push(vec![chosen]);
    }
    choices
}

/// Each variable by which one process is chosen, as expressions name it, with the choice of each. One process
/// has nothing to say of what another kind does.
async fn one_by_one(world: &World, dashboard: &Dashboard) -> Vec<(String, Alternatives)> {
    let variables = &dashboard.templating.list;
    let mut found = Vec::new();
    for (index, variable) in variables.iter().enumerate() {
        let Some(selector) = processes(&variable.definition) else {
            continue;
        };
        let instances = world.prometheus.at(selector, world.range().to).await;
        let chosen = instances.unwrap().into_iter().map(|series| {
            let mut chosen = all_of(variables);
            chosen[index].1.clone_from(&series.labels["instance"]);
            chosen
        });
        let alternatives: Alternatives = chosen.collect();
        assert!(alternatives.len() >= 2, "{}", variable.definition);
        found.push((format!("${}", variable.name), alternatives));
    }
    found
}

/// Choices, one of which at least has to have an answer.
type Alternatives = Vec<Vec<Choice>>;

/// What a panel asks, with what is chosen.
struct Question {
    panel: String,
    choices: Alternatives,
    target: Target,
    /// What became of it.
    told: String,
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let asked = format!("{}{}", self.target.expr, self.target.raw_sql);
        write!(
            f,
            "{} with {:?}: {}: {asked}",
            self.panel, self.choices, self.told
        )
    }
}

fn questions(dashboard: &Dashboard, choices: &Alternatives) -> impl Iterator<Item = Question> {
    let of_panel = |panel: &Panel| {
        let name = format!("{}, {}", dashboard.title, panel.title);
        let each = panel.targets.clone().into_iter();
        let choices = choices.clone();
        each.map(move |target| Question {
            panel: name.clone(),
            choices: choices.clone(),
            target,
            told: String::new(),
        })
    };
    panels(dashboard).flat_map(of_panel)
}

/// Whether the answer to a question is something to be shown.
async fn answer(world: &World, question: &Question) -> Result<bool, String> {
    for choices in &question.choices {
        if answer_with(world, question, choices).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn answer_with(
    world: &World,
    question: &Question,
    choices: &[Choice],
) -> Result<bool, String> {
    let (sources, range) = (world.sources(), world.range());
    let answer = sources.of_target(&question.target, &range, choices);
    let answer = answer.await?;
    if let Answer::Rows(rows) = &answer
        && question.target.format == "time_series"
        && rows.columns.first().is_some_and(|it| it != "time")
    {
        return Err("values over time begin with their time".to_owned());
    }
    Ok(answer.is_something())
}

/// The selectors in an expression, without their conditions on values.
fn selectors(expression: &str) -> BTreeSet<String> {
    let selector =
        regex::Regex::new(r"\b(?:tollkeeper_\w+|job:\w+:\w+|up\b)(?:\{[^}]*\})?").unwrap();
    let found = selector.find_iter(expression);
    found.map(|it| it.as_str().to_owned()).collect()
}

#[test]
fn dashboards_are_readable_and_lead_to_one_another() {
    let dashboards = dashboards();
    let uids: BTreeSet<&str> = dashboards.iter().map(|it| it.uid.as_str()).collect();
    assert_eq!(uids.len(), 6, "{uids:?}");
    for dashboard in &dashboards {
        assert!(!dashboard.description.is_empty(), "{}", dashboard.title);
        assert!(
            dashboard.title.starts_with("Tollkeeper: "),
            "{}",
            dashboard.title
        );
        let mut titles = BTreeSet::new();
        let mut places = BTreeSet::new();
        for panel in panels(dashboard) {
            let name = format!("{}, {}", dashboard.title, panel.title);
            assert!(titles.insert(&panel.title), "{name} is there twice");
            assert!(
                panel.description.len() > 10,
                "{name} says nothing of itself"
            );
            assert!(!panel.targets.is_empty(), "{name} asks nothing");
            assert!(
                !panel.field_config.defaults.unit.is_empty(),
                "{name} has no unit"
            );
            for x in panel.grid_pos.x..panel.grid_pos.x + panel.grid_pos.w {
                for y in panel.grid_pos.y..panel.grid_pos.y + panel.grid_pos.h {
                    assert!(
                        x < 24 && places.insert((x, y)),
                        "{name} lies on another one"
                    );
                }
            }
            for link in &panel.links {
                let uid = link.url.trim_start_matches("/d/");
                let uid = uid.split('?').next().unwrap();
                assert!(uids.contains(uid), "{name} leads to {uid}");
            }
        }
    }
}

#[test]
fn dashboards_ask_the_data_sources_that_are_provisioned_and_read_no_secret() {
    let sources: String = in_folder("grafana/provisioning/datasources", ".yml")
        .iter()
        .map(|path| read(path))
        .collect();
    for dashboard in dashboards() {
        for panel in panels(&dashboard) {
            for target in &panel.targets {
                let line = format!("uid: {}\n", target.datasource.uid);
                assert!(sources.contains(&line), "{line}");
                let words: BTreeSet<&str> = target
                    .raw_sql
                    .split(|it: char| !it.is_alphanumeric() && it != '_')
                    .collect();
                for secret in [
                    "api_token_secrets",
                    "webhook_secrets",
                    "payload",
                    "email",
                    "hash",
                    "token_prefix",
                    "url",
                ] {
                    assert!(!words.contains(secret), "{secret}: {}", target.raw_sql);
                }
            }
        }
    }
}
