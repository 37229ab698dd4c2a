use super::*;

fn steps(count: i32) -> Steps {
    let from: DateTime<Utc> = "2026-11-21T14:00:00Z".parse().unwrap();
    Steps {
        starts: (0..count)
            .map(|at| from + TimeDelta::hours(1) * at)
            .collect(),
        width: TimeDelta::hours(1),
        complete_through: from + TimeDelta::hours(1) * count,
    }
}

fn row(name: &str, values: &[u64]) -> Row<u64> {
    Row {
        name: name.to_owned(),
        look: "of-success",
        values: values.to_vec(),
    }
}

/// Every number of the attributes that place something.
fn numbers(markup: &str) -> Vec<f64> {
    let mut found = Vec::new();
    for name in [" x=\"", " y=\"", " width=\"", " height=\""] {
        for rest in markup.split(name).skip(1) {
            let text = rest.split(['"', '%']).next().unwrap();
            found.push(text.parse().unwrap_or_else(|_| panic!("{name}{text}")));
        }
    }
    found
}

#[test]
fn columns_stand_on_one_another_and_never_leave_the_drawing() {
    let rows = vec![row("2xx", &[3, 0, 10]), row("4xx", &[1, 0, 0])];
    let chart = columns("Requests", &steps(3), rows, None);
    let told: Vec<_> = chart
        .bars
        .iter()
        .map(|bar| (bar.y.0, bar.height.0))
        .collect();
    let per = HEIGHT / 10.0;
    assert_eq!(chart.rules.last().unwrap().text, "10");
    let near = |(y, height): (f64, f64), (top, high): (f64, f64)| {
        (y - top).abs() < 1e-9 && (height - high).abs() < 1e-9
    };
    assert!(near(told[0], (HEIGHT - 3.0 * per, 3.0 * per)), "{told:?}");
    assert!(near(told[1], (HEIGHT - 4.0 * per, per)), "{told:?}");
    assert!(near(told[2], (HEIGHT - 10.0 * per, 10.0 * per)), "{told:?}");
    assert_eq!(told.len(), 3, "nothing is drawn of nothing");
    assert!(chart.waiting.is_none());
    let markup = chart.to_string();
    assert!(
        markup.contains("14 in all, at most 10 in an hour"),
        "{markup}"
    );
    assert!(
        markup.contains("21 Nov 2026, 14:00 UTC\n2xx: 3\n4xx: 1\nAll: 4"),
        "{markup}"
    );
}

#[test]
fn hard_numbers_are_drawn_too() {
    let most = u64::MAX;
    for values in [
        vec![],
        vec![0],
        vec![1],
        vec![0, 0, 0],
        vec![most, most, 1],
        vec![1, most],
    ] {
        let count = i32::try_from(values.len()).unwrap();
        let rows = vec![row("a", &values), row("b", &values)];
        let is_empty = values.iter().all(|value| *value == 0);
        let chart = columns(
            "Requests",
            &steps(count),
            rows,
            Some(row("before", &values)),
        );
        assert_eq!(chart.is_empty, is_empty);
        for bar in &chart.bars {
            assert!(
                bar.y.0 >= 0.0 && bar.y.0 + bar.height.0 <= HEIGHT + 1.0,
                "{bar:?}"
            );
        }
        let markup = chart.to_string();
        assert!(numbers(&markup).iter().all(|number| number.is_finite()));
        assert!(
            !markup.contains("NaN") && !markup.contains("inf"),
            "{markup}"
        );
        let known = values.iter().map(|value| Some(*value)).collect();
        let line = Row {
            name: "p50".to_owned(),
            look: "of-low",
            values: known,
        };
        let markup = durations("Latency", &steps(count), vec![line]).to_string();
        assert!(
            !markup.contains("NaN") && !markup.contains("inf"),
            "{markup}"
        );
        let small = format!("{}{}", Spark::new(&values), Share::new(most, 3, most));
        assert!(!small.contains("NaN") && !small.contains("inf"), "{small}");
    }
}

#[test]
fn a_line_is_broken_where_nothing_is_known() {
    let values = vec![Some(100), None, Some(200), Some(50)];
    let line = Row {
        name: "p50".to_owned(),
        look: "of-low",
        values,
    };
    let chart = durations("Latency", &steps(4), vec![line]);
    assert_eq!(chart.lines[0].path.matches('M').count(), 2);
    assert_eq!(chart.lines[0].path.matches('L').count(), 1);
    let markup = chart.to_string();
    assert!(markup.contains("at most 200 µs"), "{markup}");
    assert!(markup.contains("<td class=\"num\">–</td>"), "{markup}");
    let nothing = Row {
        name: "p50".to_owned(),
        look: "of-low",
        values: vec![None; 4],
    };
    let markup = durations("Latency", &steps(4), vec![nothing]).to_string();
    assert!(markup.contains("Nothing in this time"), "{markup}");
}

#[test]
fn what_may_still_grow_is_marked() {
    let mut steps = steps(4);
    steps.complete_through -= TimeDelta::minutes(61);
    let chart = columns("Requests", &steps, vec![row("2xx", &[1, 1, 1, 1])], None);
    let place = chart.waiting.as_ref().unwrap();
    assert_eq!((place.x.0, place.width.0), (50.0, 50.0));
    assert!(chart.to_string().contains("not complete yet"));
}

#[test]
fn names_are_no_markup() {
    let rows = vec![row("<script>alert(1)</script>", &[1])];
    let markup = columns("\"><b>", &steps(1), rows, None).to_string();
    assert!(
        !markup.contains("<script>") && !markup.contains("\"><b>"),
        "{markup}"
    );
}

#[test]
fn a_series_by_status_is_drawn_in_the_order_of_the_classes() {
    let step = |start: &str, requests: u64| {
        format!(r#"{{"start":"{start}","requests":{requests},"errors":0,"latency_us":null}}"#)
    };
    let steps = |a, b| {
        format!(
            "[{},{}]",
            step("2026-11-21T14:00:00Z", a),
            step("2026-11-21T15:00:00Z", b)
        )
    };
    let group = |key: &str, a: u64, b: u64| {
        let total = a + b;
        format!(
            r#"{{"key":"{key}","total":{{"requests":{total},"errors":0,"latency_us":null}},"buckets":{}}}"#,
            steps(a, b)
        )
    };
    let text = format!(
        r#"{{"from":"2026-11-21T14:00:00Z","to":"2026-11-21T16:00:00Z","bucket":"hour",
            "as_of":"2026-11-21T15:30:00Z","read_from":"rollups",
            "total":{{"requests":10,"errors":3,"latency_us":null}},"buckets":{},"groups":[{},{}]}}"#,
        steps(6, 4),
        group("5xx", 2, 1),
        group("2xx", 4, 3),
    );
    let series: Series = serde_json::from_str(&text).unwrap();
    let rows = rows_by_status(&series);
    let told: Vec<_> = rows
        .iter()
        .map(|row| (row.name.as_str(), row.values.as_slice()))
        .collect();
    assert_eq!(told, [("2xx", &[4, 3][..]), ("5xx", &[2, 1][..])]);
    let markup = requests_by_status(&series).to_string();
    assert!(
        markup.contains("of-server") && markup.contains("not complete yet"),
        "{markup}"
    );
}
