//! The parts of a process and whether each can do its work.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::RwLock;
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use tollkeeper_telemetry::process::COMPONENT_READY;

/// Whether the process can serve without a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Not ready without it.
    Required,
    /// Reported, but the process serves on without it.
    Optional,
}

/// The readiness of a process, made of its components. Clones share it.
#[derive(Debug, Clone)]
pub struct Health {
    components: Arc<RwLock<BTreeMap<&'static str, Component>>>,
    stopping: CancellationToken,
}

#[derive(Debug, Clone)]
struct Component {
    need: Need,
    problem: Option<String>,
    state: Option<State>,
}

/// More than ready or not: a component's state by its own name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct State {
    /// Its name.
    pub state: &'static str,
    /// How old what the component knows was when it last looked, in milliseconds; none where it knows
    /// nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age_ms: Option<u64>,
}

/// What `/readyz` answers.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) ready: bool,
    /// The process was asked to stop and takes no new work.
    stopping: bool,
    components: BTreeMap<&'static str, ComponentReport>,
}

#[derive(Debug, Serialize)]
struct ComponentReport {
    ready: bool,
    required: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(flatten)]
    state: Option<State>,
}

impl Health {
    /// A process of no components yet. It stops being ready as soon as `stopping` is cancelled, so
    /// that a load balancer looks elsewhere while requests under way are finished.
    #[must_use]
    pub fn new(stopping: CancellationToken) -> Self {
        Self {
            components: Arc::default(),
            stopping,
        }
    }

    /// Adds a component, not ready until it says so. The name is one of the values of
    /// `tollkeeper_component_ready`.
    #[must_use]
    pub fn component(&self, name: &'static str, need: Need) -> ReadinessHandle {
        let component = Component {
            need,
            problem: Some("starting".to_owned()),
            state: None,
        };
        self.components.write().insert(name, component);
        ReadinessHandle {
            name,
            health: self.clone(),
        }
    }

    /// Whether the process should get work.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.report().ready
    }

    pub(super) fn report(&self) -> Report {
        let components: BTreeMap<_, _> = self
            .components
            .read()
            .iter()
            .map(|(name, component)| {
                let report = ComponentReport {
                    ready: component.problem.is_none(),
                    required: component.need == Need::Required,
                    reason: component.problem.clone(),
                    state: component.state,
                };
                (*name, report)
            })
            .collect();
        let stopping = self.stopping.is_cancelled();
        let lacking = components.values().any(|part| part.required && !part.ready);
        Report {
            ready: !stopping && !lacking,
            stopping,
            components,
        }
    }

    fn describe(&self, name: &'static str, state: State) {
        if let Some(component) = self.components.write().get_mut(name) {
            component.state = Some(state);
        }
    }

    fn set(&self, name: &'static str, problem: Option<String>) {
        COMPONENT_READY
            .with(name)
            .set(if problem.is_none() { 1.0 } else { 0.0 });
        if let Some(component) = self.components.write().get_mut(name) {
            component.problem = problem;
        }
    }
}

/// By this a component tells how it is. Clones speak for the same component.
#[derive(Debug, Clone)]
pub struct ReadinessHandle {
    name: &'static str,
    health: Health,
}

impl ReadinessHandle {
    /// The component can do its work.
    pub fn ready(&self) {
        self.health.set(self.name, None);
    }

    /// Tells more of it. Whether it is ready is told apart from this.
    pub fn describe(&self, state: State) {
        self.health.describe(self.name, state);
    }

    /// The component cannot do its work. The reason is shown on the internal port only and holds
    /// no secret.
    pub fn not_ready(&self, reason: impl Into<String>) {
        self.health.set(self.name, Some(reason.into()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_ready_when_all_it_needs_is() {
        let health = Health::new(CancellationToken::new());
        let postgres = health.component("postgres", Need::Required);
        let nats = health.component("nats", Need::Optional);
        assert!(!health.is_ready());

        postgres.ready();
        nats.not_ready("away");
        assert!(health.is_ready());

        postgres.not_ready("away");
        assert!(!health.is_ready());
    }

    #[test]
    fn a_stopping_process_is_not_ready() {
        let stopping = CancellationToken::new();
        let health = Health::new(stopping.clone());
        assert!(health.is_ready());
        stopping.cancel();
        assert!(!health.is_ready());
    }
}
