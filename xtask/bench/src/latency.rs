//! Latency in open loop against the floor's.
//!
//! A virtual machine is stopped now and then by its host, for milliseconds, and that decides the p99 of a
//! whole run: the floor's own differs tenfold from one to the next. So the servers take turns by the
//! second, many of them, and the floor against itself shows how well they can be told apart: by the median
//! second, by all seconds together, in which everybody had about as many stops, and by windows of 10 ms,
//! which are mostly free of them. The p99 of one second and of the next are a factor of two apart (their
//! logarithms have a standard deviation of 0.65), so that 120 seconds of each server tell the ratio of
//! their medians to about a fifth, nineteen times of twenty.

use tollkeeper_testkit::stack::Node;

use crate::forward_auth::{PATH, drained};
use crate::open_loop::{self, Latencies};
use crate::process::Server;
use crate::report::{Report, median, range};
use crate::traffic::Traffic;
use crate::{Arguments, Failure};

/// The share of the floor's rate at which latency is taken.
const LOAD: f64 = 0.6;

/// Turns of a second in each pair, for each second of its other runs.
const TURNS: usize = 4;

/// The floor, the floor again, and the API.
const FLOOR: usize = 0;
const AGAIN: usize = 1;
const OURS: usize = 2;

/// Everybody comes after everybody else as often.
const ORDERS: [[usize; 3]; 6] = [
    [FLOOR, AGAIN, OURS],
    [OURS, AGAIN, FLOOR],
    [AGAIN, OURS, FLOOR],
    [FLOOR, OURS, AGAIN],
    [OURS, FLOOR, AGAIN],
    [AGAIN, FLOOR, OURS],
];

/// At a share of `most`, the requests a second that the floor takes.
pub(crate) async fn measure(
    floor: &Server,
    api: &Node,
    token: &str,
    most: f64,
    arguments: &Arguments,
    report: &mut Report,
) -> Result<(), Failure> {
    let rate = LOAD * most;
    let traffic = Traffic::one(token);
    let turns = arguments.seconds as usize * TURNS;
    let mut pairs = Vec::new();
    for _ in 0..arguments.pairs {
        let mut sides = [Side::default(), Side::default(), Side::default()];
        for turn in 0..turns {
            for place in ORDERS[turn % ORDERS.len()] {
                let address = [floor.address, floor.address, api.public][place];
                let latencies = open_loop::run(address, PATH, &traffic, rate, 1).await?;
                sides[place].take(&latencies);
                if place == OURS {
                    drained(api).await;
                }
            }
        }
        pairs.push(sides);
    }
    let seconds = pairs.len() * turns;
    let all = |place: usize| {
        let micros = pairs.iter().flat_map(|sides| &sides[place].micros);
        open_loop::quantile(micros.copied().collect(), 0.99)
    };
    let base = all(FLOOR);
    report.row(
        &format!("p99 in open loop at {rate:.0} req/s, all {seconds} seconds of each together, against the floor's own"),
        "≤ 1.25",
        format!("**{:.2}**", all(OURS) / base),
        format!("{base:.0} µs; the floor against itself {:.2}", all(AGAIN) / base),
    );
    let medians: [(_, _, Figures); 2] = [
        ("the median second", "≤ 1.25", |side| &side.seconds),
        ("the median window of 10 ms", "—", |side| &side.windows),
    ];
    for (what, goal, of) in medians {
        let (base, ours) = compare(&pairs, OURS, of);
        let (_, again) = compare(&pairs, AGAIN, of);
        report.row(
            &format!("p99 in open loop at {rate:.0} req/s, {what} of {seconds} s, against the floor's own"),
            goal,
            ours,
            format!("{base:.0} µs; the floor against itself {again}"),
        );
    }
    Ok(())
}

/// The floor's median, and what another's is of it: over all pairs, and the least and the most of one.
fn compare(pairs: &[[Side; 3]], place: usize, of: Figures) -> (f64, String) {
    let all = |place: usize| {
        let figures = pairs.iter().flat_map(|sides| of(&sides[place]));
        median(figures.copied().collect())
    };
    let of_pair = |sides: &[Side; 3], place: usize| median(of(&sides[place]).clone());
    let ratios = pairs
        .iter()
        .map(|sides| of_pair(sides, place) / of_pair(sides, FLOOR));
    let ratios: Vec<f64> = ratios.collect();
    let base = all(FLOOR);
    let (least, most) = range(&ratios);
    let ratio = all(place) / base;
    (base, format!("**{ratio:.2}** ({least:.2}–{most:.2})"))
}

/// Some figures of a server.
type Figures = fn(&Side) -> &Vec<f64>;

/// The latencies of one server, and its p99 in each window and in each second; all in microseconds.
#[derive(Debug, Default)]
struct Side {
    micros: Vec<u32>,
    windows: Vec<f64>,
    seconds: Vec<f64>,
}

impl Side {
    fn take(&mut self, latencies: &Latencies) {
        self.micros.extend(latencies.micros());
        self.windows.extend(latencies.of_windows(0.99));
        self.seconds.push(latencies.quantile(0.99));
    }
}
