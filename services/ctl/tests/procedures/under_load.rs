//! Logins of the database and users of the broker give way to others while requests go on: none fails, and each
//! is counted once.

use std::fs;
use std::process::Command;

use async_nats::jetstream;
use tollkeeper_runtime::nats::connect_once;
use tollkeeper_runtime::settings::{BrokerSettings, Secret};
use tollkeeper_testkit::stack::Node;
use tollkeeper_testkit::{Stack, nats, wait_for};

use crate::clients::Clients;
use crate::nginx::Nginx;
use crate::runbook::{Runbook, as_operator};
use crate::verdict::Court;

const TEXT: &str = include_str!("../../../../docs/runbooks/key-rotation.md");
const RUNBOOK: Runbook = Runbook(TEXT);

const NATS_URL: &str = "TOLLKEEPER_NATS_URL";

/// How many requests are answered between two steps.
const STEP: u64 = 200;

/// Two APIs behind nginx, asked all the time.
struct Asked {
    apis: [Node; 2],
    nginx: Nginx,
    clients: Clients,
}

impl Asked {
    async fn start(stack: &mut Stack, settings: &[(&str, &str)]) -> Self {
        let apis = [stack.api(settings).await, stack.api(settings).await];
        let nginx = Nginx::start(&apis).await;
        let clients = Clients::start(&apis[0].operator(), [nginx.address]).await;
        clients.answered(STEP).await;
        Self {
            apis,
            nginx,
            clients,
        }
    }

    /// Starts one API after the other with this value of the setting.
    async fn change(&mut self, setting: &str, value: &str) {
        for api in &mut self.apis {
            api.change(setting, value);
            replace(api).await;
            self.clients.answered(STEP).await;
        }
    }

    /// No request has failed, and each is counted once.
    async fn end(mut self, stack: &Stack, broker: jetstream::Context) {
        let before = self.clients.seen();
        self.clients.answered(STEP).await;
        assert!(self.clients.seen().since(before).answered >= STEP);
        let seen = self.clients.stop().await;
        assert_eq!(seen.all().open, 0, "every request was answered");
        let (requests, _) = self.nginx.attempts();
        assert!(requests > 0, "by way of nginx");
        let court = Court {
            pool: &stack.database.pool,
            broker,
            apis: &mut self.apis,
        };
        court.counted_once(&seen).await;
    }
}

/// Stops a process in order and starts it again with the settings that it has by now.
async fn replace(node: &mut Node) {
    assert!(node.stop().await.success(), "{}", node.log_text());
    node.restart();
    node.ready().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_login_takes_the_place_of_the_first() {
    let mut stack = Stack::with_own_server().await;
    let _ingestor = stack.ingestor(&[]).await;
    let mut asked = Asked::start(&mut stack, &[]).await;
    let admin = stack.database.url.clone();
    let run = async |comment: &str, api: &Node| {
        // The logins of tests have names of their own.
        let commands = RUNBOOK.commands(comment);
        let commands = commands.replace("api_1", "test_tollkeeper_api");
        let commands = commands.replace("'api%'", "'%api%'");
        let mut command = Command::new("sh");
        command
            .args(["-e", "-c", &commands])
            .env("ADMIN_URL", &admin)
            .env("NEW_PASSWORD", "another");
        let (code, said) = as_operator(command, (&stack, api)).await;
        assert_eq!(code, 0, "{comment}: {said}");
        said
    };
    run("Make a second login.", &asked.apis[0]).await;
    let (_, place) = admin.split_once('@').unwrap();
    let url = format!("postgres://api_2:another@{place}");
    asked.change("TOLLKEEPER_DATABASE_URL", &url).await;
    wait_for("nobody to be connected as the first", async || {
        let connected = run("Is anybody connected as the first?", &asked.apis[0]).await;
        connected.contains("api_2") && !connected.contains("test_tollkeeper_api")
    })
    .await;
    run("Drop the first.", &asked.apis[0]).await;

    let forgotten = stack.starting_api(&[]);
    wait_for("it to say that it cannot log in", async || {
        let said = forgotten.about_itself("/readyz").await.text;
        said.contains("authentication failed")
    })
    .await;
    let broker = jetstream::new(stack.nats.client().await);
    asked.end(&stack, broker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_user_of_the_broker_takes_the_place_of_the_first() {
    let mut stack = Stack::with_users().await;
    let admin = stack.nats.url_of("tollkeeper-admin");
    let mut apply = Command::new(env!("CARGO_BIN_EXE_tollkeeper"));
    let applied = apply.args(["nats", "apply"]).env(NATS_URL, &admin).output();
    assert!(applied.unwrap().status.success());
    let first = [
        stack.nats.url_of("tollkeeper-api"),
        stack.nats.url_of("tollkeeper-ingestor"),
    ];
    let mut ingestor = stack.ingestor(&[(NATS_URL, &first[1])]).await;
    let mut asked = Asked::start(&mut stack, &[(NATS_URL, &first[0])]).await;

    let files = Files::of(&stack);
    let second = ["api", "ingestor"].map(|program| files.add(&stack, program));
    reload(&mut stack, &asked.apis[0], 1).await;
    ingestor.change(NATS_URL, &second[1]);
    replace(&mut ingestor).await;
    asked.change(NATS_URL, &second[0]).await;
    for program in ["api", "ingestor"] {
        files.remove(program);
    }
    reload(&mut stack, &asked.apis[0], 2).await;

    let forgotten = stack.api(&[(NATS_URL, &first[0])]).await;
    wait_for("it to say that it is not let in", async || {
        let said = forgotten.about_itself("/readyz").await.text;
        said.contains("NATS is away: nats: authorization violation")
    })
    .await;
    let settings = BrokerSettings {
        servers: Secret::new(admin),
        credentials: None,
        authorities: None,
    };
    let broker = connect_once(&settings, "tollkeeper").await.unwrap();
    asked.end(&stack, jetstream::new(broker)).await;
}

/// Has the server read its files, as it has done so many times then.
async fn reload(stack: &mut Stack, api: &Node, times: usize) {
    let commands = RUNBOOK.commands("Have the server read it.");
    let pid = stack.nats.pid().to_string();
    let program = nats::program();
    let mut command = Command::new("sh");
    let path = format!("PATH={}:$PATH\n", program.parent().unwrap().display());
    command
        .args(["-e", "-c", &(path + &commands)])
        .env("NATS_PID", pid);
    let (code, said) = as_operator(command, (stack, api)).await;
    assert_eq!(code, 0, "{said}");
    let log = stack.nats.store().with_file_name("nats.log");
    wait_for("the files to be read", async || {
        let log = fs::read_to_string(&log).unwrap();
        assert!(!log.contains("Failed to reload"), "{log}");
        log.matches("Reloaded server configuration").count() == times
    })
    .await;
}

/// The files of the broker's users.
struct Files {
    accounts: std::path::PathBuf,
    passwords: std::path::PathBuf,
}

impl Files {
    fn of(stack: &Stack) -> Self {
        let beside = |name| stack.nats.store().with_file_name(name);
        Self {
            accounts: beside("accounts.conf"),
            passwords: beside("passwords.conf"),
        }
    }

    /// Gives the program's user a second entry, as the runbook names it; gives its URL.
    fn add(&self, stack: &Stack, program: &str) -> String {
        let (user, variable) = (format!("tollkeeper-{program}-2"), second(program));
        if program == "api" {
            assert!(TEXT.contains(&format!("`user: {user}`, `password: ${variable}`")));
        }
        let text = fs::read_to_string(&self.accounts).unwrap();
        let entry = entry(&text, program).to_owned();
        let another = entry
            .replace(
                &format!("user: tollkeeper-{program}\n"),
                &format!("user: {user}\n"),
            )
            .replace(
                &format!("${}\n", variable_of(program)),
                &format!("${variable}\n"),
            );
        fs::write(
            &self.accounts,
            text.replace(&entry, &format!("{entry}{another}")),
        )
        .unwrap();
        let passwords = fs::read_to_string(&self.passwords).unwrap();
        fs::write(
            &self.passwords,
            format!("{passwords}{variable}: \"of-{user}\"\n"),
        )
        .unwrap();
        format!("nats://{user}:of-{user}@{}", stack.nats.address())
    }

    /// Removes its first entry, and its variable.
    fn remove(&self, program: &str) {
        let text = fs::read_to_string(&self.accounts).unwrap();
        let entry = entry(&text, program);
        fs::write(&self.accounts, text.replace(entry, "")).unwrap();
        let passwords = fs::read_to_string(&self.passwords).unwrap();
        let variable = format!("{}:", variable_of(program));
        let kept = passwords
            .lines()
            .filter(|line| !line.starts_with(&variable));
        let kept: String = kept.map(|line| format!("{line}\n")).collect();
        fs::write(&self.passwords, kept).unwrap();
    }
}

fn variable_of(program: &str) -> String {
    format!("{}_PASSWORD", program.to_uppercase())
}

fn second(program: &str) -> String {
    format!("{}_2", variable_of(program))
}

/// The first entry of this program's user.
fn entry<'a>(text: &'a str, program: &str) -> &'a str {
    const BEGIN: &str = "            {\n";
    const END: &str = "\n            }\n";
    let user = text.find(&format!("user: tollkeeper-{program}\n")).unwrap();
    let begin = text[..user].rfind(BEGIN).unwrap();
    let end = user + text[user..].find(END).unwrap() + END.len();
    &text[begin..end]
}
