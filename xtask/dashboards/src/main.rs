//! `cargo xtask dashboards`: runs all of Tollkeeper with callers of every kind, once as it should be and once
//! without its broker and its database, and draws each dashboard with what its panels are answered.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use chrono::TimeDelta;
use clap::Parser;
use tollkeeper_dashboards::draw::{Drawn, Failure, page};
use tollkeeper_dashboards::files::dashboards;
use tollkeeper_dashboards::grafana::all_of;
use tollkeeper_dashboards::traffic::Traffic;
use tollkeeper_dashboards::world::World;

#[derive(Debug, Parser)]
struct Arguments {
    /// Where the pictures go
    #[arg(long, default_value = "docs/dashboards")]
    folder: PathBuf,
    /// Seconds of traffic before the pictures are taken
    #[arg(long, default_value_t = 120)]
    seconds: u64,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        #[expect(clippy::print_stderr, reason = "for the person at the terminal")]
        Err(error) => {
            eprintln!("tollkeeper-dashboards: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> Result<(), Failure> {
    fs::create_dir_all(&arguments.folder)?;
    let world = World::start(&[&[], &[]]).await;
    let traffic = Traffic::start(&world.apis).await;
    tokio::time::sleep(Duration::from_secs(arguments.seconds)).await;
    for dashboard in dashboards() {
        take(&world, &dashboard.uid, &arguments.folder, "").await?;
    }
    // The broker goes first and the database after it: usage waits, and then nobody knows anything new.
    world.to_broker.cut();
    tokio::time::sleep(Duration::from_secs(arguments.seconds / 3)).await;
    world.to_database.cut();
    tokio::time::sleep(Duration::from_secs(arguments.seconds / 2)).await;
    for uid in ["tollkeeper-overview", "tollkeeper-pipeline"] {
        take(
            &world,
            uid,
            &arguments.folder,
            "-without-broker-and-database",
        )
        .await?;
    }
    world.to_database.resume();
    world.to_broker.resume();
    traffic.stop().await;
    Ok(())
}

/// Asks everything that a dashboard asks, and makes a picture of it.
async fn take(world: &World, uid: &str, folder: &Path, suffix: &str) -> Result<(), Failure> {
    let dashboard = dashboards().into_iter().find(|it| it.uid == uid);
    let dashboard = dashboard.ok_or_else(|| format!("there is no dashboard {uid}"))?;
    let choices = all_of(&dashboard.templating.list);
    let mut range = world.range();
    if uid == "tollkeeper-usage" {
        // Of days, and not of the minutes that Prometheus has seen.
        range.from = range.to - TimeDelta::days(7);
        range.to -= TimeDelta::hours(1);
    }
    let mut drawn = Vec::with_capacity(dashboard.panels.len());
    for panel in &dashboard.panels {
        let answers = world.sources().of_panel(panel, &range, &choices).await?;
        drawn.push(Drawn { panel, answers });
    }
    let (svg, size) = page(&dashboard, &drawn, &range)?;
    let name = uid.trim_start_matches("tollkeeper-");
    let picture = folder.join(format!("{name}{suffix}.png"));
    to_png(&svg, size, &picture)
}

/// Has Chromium show the page, and keeps what it shows.
fn to_png(svg: &str, (width, height): (u32, u32), picture: &Path) -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let html = folder.path().join("page.html");
    fs::write(
        &html,
        format!("<!doctype html><meta charset=utf-8><body style=\"margin:0\">{svg}"),
    )?;
    let shown = folder.path().join("page.png");
    let done = Command::new("chromium")
        .args([
            "--headless",
            "--no-sandbox",
            "--hide-scrollbars",
            "--disable-gpu",
        ])
        .arg(format!(
            "--user-data-dir={}",
            folder.path().join("profile").display()
        ))
        .arg(format!("--window-size={width},{height}"))
        .arg(format!("--screenshot={}", shown.display()))
        .arg(format!("file://{}", html.display()))
        .output()?;
    if !shown.is_file() {
        return Err(format!("chromium: {}", String::from_utf8_lossy(&done.stderr)).into());
    }
    fs::copy(shown, picture)?;
    Ok(())
}
