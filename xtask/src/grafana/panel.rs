//! One panel: what it asks, and how it shows the answer.

use serde_json::{Value, json};

use super::query::Query;

/// How many columns a dashboard has.
pub(super) const COLUMNS: u64 = 24;

/// A colour of Grafana's palette that means something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Colour {
    Green,
    Yellow,
    Orange,
    Red,
    Blue,
    Grey,
}

impl Colour {
    const fn name(self) -> &'static str {
        match self {
            Self::Green => "green",
            Self::Yellow => "yellow",
            Self::Orange => "orange",
            Self::Red => "red",
            Self::Blue => "blue",
            Self::Grey => "text",
        }
    }
}

/// How an answer is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The last value, large.
    Stat,
    /// Values over time.
    Series,
    /// Rows.
    Table,
    /// The last value of each series, as a bar.
    Bars,
    /// How a distribution changes over time.
    Heatmap,
}

/// A panel being described.
#[derive(Debug)]
pub(super) struct Panel {
    kind: Kind,
    title: &'static str,
    description: &'static str,
    unit: &'static str,
    width: u64,
    height: u64,
    decimals: Option<u64>,
    base: Colour,
    steps: Vec<(f64, Colour)>,
    says: Vec<(&'static str, &'static str, Colour)>,
    limits: (Option<f64>, Option<f64>),
    stacked: bool,
    units: Vec<(&'static str, &'static str)>,
    meanings: Vec<(&'static str, Colour)>,
    link: Option<(&'static str, String)>,
    queries: Vec<Query>,
}

impl Panel {
    fn new(kind: Kind, (width, height): (u64, u64), title: &'static str) -> Self {
        Self {
            kind,
            title,
            description: "",
            unit: "short",
            width,
            height,
            decimals: None,
            base: Colour::Green,
            steps: Vec::new(),
            says: Vec::new(),
            limits: (None, None),
            stacked: false,
            units: Vec::new(),
            meanings: Vec::new(),
            link: None,
            queries: Vec::new(),
        }
    }

    /// One number, to be read from afar.
    pub(super) fn stat(title: &'static str) -> Self {
        Self::new(Kind::Stat, (4, 4), title)
    }

    /// Lines over time.
    pub(super) fn series(title: &'static str) -> Self {
        Self::new(Kind::Series, (12, 8), title)
    }

    /// Rows and columns.
    pub(super) fn table(title: &'static str) -> Self {
        Self::new(Kind::Table, (12, 8), title)
    }

    /// A bar for each series.
    pub(super) fn bars(title: &'static str) -> Self {
        Self::new(Kind::Bars, (8, 8), title)
    }

    /// Buckets of a histogram over time.
    pub(super) fn heatmap(title: &'static str) -> Self {
        Self::new(Kind::Heatmap, (12, 8), title)
    }

    /// What the panel tells, and what to think of it.
    pub(super) fn about(mut self, description: &'static str) -> Self {
        self.description = description;
        self
    }

    pub(super) fn ask(mut self, query: Query) -> Self {
        self.queries.push(query);
        self
    }

    /// By Grafana's name: `s`, `bytes`, `reqps`, `percentunit`.
    pub(super) fn unit(mut self, unit: &'static str) -> Self {
        self.unit = unit;
        self
    }

    /// Another unit for one column of a table.
    pub(super) fn column(mut self, column: &'static str, unit: &'static str) -> Self {
        self.units.push((column, unit));
        self
    }

    /// The colour of all series whose names match an expression. The others get theirs one after another.
    pub(super) fn means(mut self, names: &'static str, colour: Colour) -> Self {
        self.meanings.push((names, colour));
        self
    }

    /// Colours by the first digit of a status.
    pub(super) fn by_status(self) -> Self {
        self.means("/^2/", Colour::Green)
            .means("/^3/", Colour::Blue)
            .means("/^4/", Colour::Orange)
            .means("/^5/", Colour::Red)
    }

    /// Colours of the verdicts that mean the most: all is well, and we could not tell.
    pub(super) fn by_verdict(self) -> Self {
        self.means("/^VALID$/", Colour::Green)
            .means("/^UNAVAILABLE$/", Colour::Red)
    }

    pub(super) fn size(mut self, width: u64, height: u64) -> Self {
        (self.width, self.height) = (width, height);
        self
    }

    pub(super) fn decimals(mut self, decimals: u64) -> Self {
        self.decimals = Some(decimals);
        self
    }

    /// The colour below the first step.
    pub(super) fn base(mut self, colour: Colour) -> Self {
        self.base = colour;
        self
    }

    /// The colour from a value on.
    pub(super) fn from(mut self, value: f64, colour: Colour) -> Self {
        self.steps.push((value, colour));
        self
    }

    /// A text in place of a value.
    pub(super) fn says(mut self, value: &'static str, text: &'static str, colour: Colour) -> Self {
        self.says.push((value, text, colour));
        self
    }

    pub(super) fn least(mut self, value: f64) -> Self {
        self.limits.0 = Some(value);
        self
    }

    pub(super) fn most(mut self, value: f64) -> Self {
        self.limits.1 = Some(value);
        self
    }

    /// Areas on top of one another.
    pub(super) fn stacked(mut self) -> Self {
        self.stacked = true;
        self
    }

    /// Where more is told: the uid of another dashboard.
    pub(super) fn link(mut self, title: &'static str, uid: &str) -> Self {
        self.link = Some((title, format!("/d/{uid}?${{__url_time_range}}")));
        self
    }

    pub(super) fn dimensions(&self) -> (u64, u64) {
        (self.width, self.height)
    }

    /// The panel as Grafana reads it, at this place.
    pub(super) fn to_json(&self, id: u64, x: u64, y: u64) -> Value {
        let targets: Vec<Value> = self
            .queries
            .iter()
            .zip('A'..='Z')
            .map(|(query, name)| query.to_json(name, self.kind == Kind::Heatmap))
            .collect();
        let mut panel = json!({
            "id": id,
            "type": self.grafana_type(),
            "title": self.title,
            "description": self.description,
            "gridPos": { "x": x, "y": y, "w": self.width, "h": self.height },
            "datasource": targets.first().map_or(Value::Null, |it| it["datasource"].clone()),
            "targets": targets,
            "fieldConfig": { "defaults": self.defaults(), "overrides": self.overrides() },
            "options": self.options(),
        });
        if let Some((title, url)) = &self.link {
            panel["links"] = json!([{ "title": title, "url": url }]);
        }
        if self.kind == Kind::Table && self.queries.iter().any(Query::is_prometheus) {
            // Labels and value; the moment is the same everywhere.
            panel["transformations"] =
                json!([{ "id": "organize", "options": { "excludeByName": { "Time": true } } }]);
        }
        panel
    }

    fn grafana_type(&self) -> &'static str {
        match self.kind {
            Kind::Stat => "stat",
            Kind::Series => "timeseries",
            Kind::Table => "table",
            Kind::Bars => "bargauge",
            Kind::Heatmap => "heatmap",
        }
    }

    fn defaults(&self) -> Value {
        let steps = self.steps.iter();
        let steps: Vec<Value> =
            std::iter::once(json!({ "value": null, "color": self.base.name() }))
                .chain(
                    steps.map(|(value, colour)| json!({ "value": value, "color": colour.name() })),
                )
                .collect();
        let by_threshold = matches!(self.kind, Kind::Stat | Kind::Bars);
        let mode = if by_threshold {
            "thresholds"
        } else {
            "palette-classic"
        };
        let mut defaults = json!({
            "unit": self.unit,
            "color": { "mode": mode },
            "thresholds": { "mode": "absolute", "steps": steps },
            "mappings": self.mappings(),
            "noValue": "no data",
        });
        if let Some(decimals) = self.decimals {
            defaults["decimals"] = json!(decimals);
        }
        for (name, limit) in [("min", self.limits.0), ("max", self.limits.1)] {
            if let Some(limit) = limit {
                defaults[name] = json!(limit);
            }
        }
        if self.kind == Kind::Series {
            defaults["custom"] = self.drawing();
        }
        defaults
    }

    fn drawing(&self) -> Value {
        let stacking = if self.stacked { "normal" } else { "none" };
        let thresholds = if self.steps.is_empty() {
            "off"
        } else {
            "dashed"
        };
        json!({
            "drawStyle": "line",
            "lineInterpolation": "linear",
            "lineWidth": 1,
            "fillOpacity": if self.stacked { 40 } else { 8 },
            "showPoints": "never",
            "stacking": { "mode": stacking, "group": "A" },
            "thresholdsStyle": { "mode": thresholds },
        })
    }

    fn mappings(&self) -> Value {
        if self.says.is_empty() {
            return json!([]);
        }
        let options: serde_json::Map<String, Value> = self
            .says
            .iter()
            .zip(0..)
            .map(|((value, text, colour), index)| {
                let says = json!({ "text": text, "color": colour.name(), "index": index });
                ((*value).to_owned(), says)
            })
            .collect();
        json!([{ "type": "value", "options": options }])
    }

    fn overrides(&self) -> Value {
        let units = self.units.iter().map(|(column, unit)| {
            json!({
                "matcher": { "id": "byName", "options": column },
                "properties": [{ "id": "unit", "value": unit }],
            })
        });
        let meanings = self.meanings.iter().map(|(names, colour)| {
            // Several of one meaning get shades of its colour.
            let shades = json!({ "mode": "shades", "fixedColor": colour.name() });
            json!({
                "matcher": { "id": "byRegexp", "options": names },
                "properties": [{ "id": "color", "value": shades }],
            })
        });
        units.chain(meanings).collect()
    }

    fn options(&self) -> Value {
        let last = json!({ "calcs": ["lastNotNull"], "fields": "", "values": false });
        match self.kind {
            Kind::Stat => json!({
                "reduceOptions": last,
                "colorMode": "background",
                "graphMode": "none",
                "justifyMode": "center",
                "textMode": "auto",
                "wideLayout": true,
                "orientation": "auto",
            }),
            Kind::Series => json!({
                "legend": { "displayMode": "list", "placement": "bottom", "showLegend": true, "calcs": [] },
                "tooltip": { "mode": "multi", "sort": "desc" },
            }),
            Kind::Table => json!({ "showHeader": true, "cellHeight": "sm" }),
            Kind::Bars => json!({
                "reduceOptions": last,
                "displayMode": "basic",
                "orientation": "horizontal",
                "showUnfilled": true,
                "valueMode": "color",
            }),
            Kind::Heatmap => json!({
                "calculate": false,
                "color": { "mode": "scheme", "scheme": "Oranges", "steps": 64, "reverse": false },
                "yAxis": { "unit": self.unit, "axisPlacement": "left" },
                "rowsFrame": { "layout": "auto" },
                "cellGap": 1,
                "tooltip": { "mode": "single", "yHistogram": true },
                "legend": { "show": true },
            }),
        }
    }
}
