//! Metrics with labels, and the bound on how many there are.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry, Unit};
use std::sync::{Mutex, PoisonError};

/// The most series of one family. What comes later is counted under `other`.
pub(super) const SERIES_MAX: usize = 500;

/// The value of a label for what is above the bound.
pub(super) const OTHER: &str = "other";

/// The bounds of the buckets, in seconds: from a quick answer to the longest execution.
const BUCKETS: [f64; 13] = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0];

type Label = (&'static str, String);
type Labels = Vec<Label>;

macro_rules! labels {
    ($($name:ident = $key:literal),+) => {
        $(
            /// A label of this name.
            pub(super) fn $name(value: &str) -> Label {
                ($key, value.to_owned())
            }
        )+
    };
}

labels!(
    kind = "kind",
    workflow = "workflow",
    state = "state",
    action = "type",
    outcome = "outcome",
    callback = "outcome",
    call = "call",
    resumed = "resumed"
);

/// A histogram of durations, in seconds.
pub(super) fn durations() -> Histogram {
    Histogram::new(BUCKETS)
}

/// Metrics of one kind that differ by their labels, no more than [`SERIES_MAX`] of them.
pub(super) struct Bounded<M> {
    family: Family<Labels, M, fn() -> M>,
    /// How many there are.
    series: Mutex<usize>,
}

impl<M> Bounded<M> {
    fn new(make: fn() -> M) -> Bounded<M> {
        Bounded { family: Family::new_with_constructor(make), series: Mutex::new(0) }
    }
}

impl Bounded<Counter> {
    pub(super) fn counters() -> Bounded<Counter> {
        Bounded::new(Counter::default)
    }
}

impl Bounded<Gauge> {
    pub(super) fn gauges() -> Bounded<Gauge> {
        Bounded::new(Gauge::default)
    }
}

impl Bounded<Histogram> {
    pub(super) fn durations() -> Bounded<Histogram> {
        Bounded::new(durations)
    }

    pub(super) fn register_seconds(&self, registry: &mut Registry, name: &str, help: &str) {
        registry.register_with_unit(name, help, Unit::Seconds, self.family.clone());
    }
}

impl<M> Bounded<M>
where
    M: Clone,
    fn() -> M: MetricConstructor<M>,
{
    /// Does something with the metric that has these labels.
    pub(super) fn with(&self, labels: &[Label], work: impl FnOnce(&M)) {
        let mut labels = labels.to_vec();
        if self.family.get(&labels).is_none() {
            // A new series is rare; nobody else makes one meanwhile.
            let mut series = self.series.lock().unwrap_or_else(PoisonError::into_inner);
            if self.family.get(&labels).is_none() {
                if *series >= SERIES_MAX {
                    labels.iter_mut().for_each(|(_, value)| OTHER.clone_into(value));
                } else {
                    *series += 1;
                }
                drop(self.family.get_or_create(&labels));
            }
        }
        work(&self.family.get_or_create(&labels));
    }

    pub(super) fn register(&self, registry: &mut Registry, name: &str, help: &str)
    where
        Family<Labels, M, fn() -> M>: Metric,
    {
        registry.register(name, help, self.family.clone());
    }
}
