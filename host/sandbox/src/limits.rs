//! What an execution may use at most.

use std::time::Duration;

/// The bounds of one component and of each of its executions. Every one is enforced, and every error that comes of one names it.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// The size of a component's file, in bytes.
    pub component_bytes_max: usize,
    /// Linear memory, in bytes, summed over all memories of an execution.
    pub memory_bytes_max: usize,
    /// Elements, summed over all tables of an execution.
    pub table_elements_max: usize,
    /// The depth of calls, as bytes of native stack.
    pub stack_bytes_max: usize,
    /// How long one execution may take, its waiting for the host included.
    pub deadline: Duration,
    /// Calls to the host that have an effect or an answer from outside, secrets included. Reading the incident and writing to the
    /// log are not counted.
    pub host_calls_max: u32,
    /// What a component may hand to the host in one call, in bytes as the host has to allocate them.
    pub hostcall_bytes_max: usize,
    /// The parameters of one execution, as JSON text, in bytes.
    pub input_bytes_max: usize,
    /// What comes out of one execution, in bytes: names and values of outputs and the transition, or the error's message.
    /// The parts of a descriptor count too.
    pub output_bytes_max: usize,
    /// What one execution may write to the log, in bytes. More is dropped, and the log says so.
    pub log_bytes_max: usize,
    /// Executions at the same time. More wait until one ends.
    pub instances_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            component_bytes_max: 32 << 20,
            memory_bytes_max: 64 << 20,
            table_elements_max: 100_000,
            stack_bytes_max: 512 << 10,
            deadline: Duration::from_secs(10),
            host_calls_max: 100,
            hostcall_bytes_max: 8 << 20,
            input_bytes_max: 256 << 10,
            output_bytes_max: 64 << 10,
            log_bytes_max: 16 << 10,
            instances_max: 32,
        }
    }
}

/// As much linear memory as 32 bits address.
const MEMORY_BYTES_CEILING: usize = 4 << 30;
/// Executions are cheap, but each reserves addresses in the pool.
const INSTANCES_CEILING: u32 = 1_000;

impl Limits {
    /// The first limit that no sandbox can be built with: its key, and what is wrong with it.
    pub(crate) fn unusable(&self) -> Option<(&'static str, String)> {
        let positive = [
            ("component_bytes_max", self.component_bytes_max),
            ("memory_bytes_max", self.memory_bytes_max),
            ("table_elements_max", self.table_elements_max),
            ("stack_bytes_max", self.stack_bytes_max),
            ("hostcall_bytes_max", self.hostcall_bytes_max),
            ("output_bytes_max", self.output_bytes_max),
        ];
        if let Some((key, _)) = positive.into_iter().find(|(_, value)| *value == 0) {
            return Some((key, "is 0, and nothing could run".to_owned()));
        }
        if self.deadline.is_zero() {
            return Some(("deadline_ms", "is 0, and nothing could run".to_owned()));
        }
        if self.memory_bytes_max > MEMORY_BYTES_CEILING {
            return Some((
                "memory_bytes_max",
                format!("is above {MEMORY_BYTES_CEILING}, which no component can use"),
            ));
        }
        if self.instances_max == 0 || self.instances_max > INSTANCES_CEILING {
            return Some(("instances_max", format!("is not between 1 and {INSTANCES_CEILING}")));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_usable() {
        assert_eq!(Limits::default().unusable(), None);
    }

    #[test]
    fn an_unusable_limit_is_named() {
        let key = |limits: Limits| limits.unusable().map(|(key, _)| key);
        assert_eq!(key(Limits { memory_bytes_max: 0, ..Limits::default() }), Some("memory_bytes_max"));
        assert_eq!(
            key(Limits { memory_bytes_max: (4 << 30) + 1, ..Limits::default() }),
            Some("memory_bytes_max")
        );
        assert_eq!(key(Limits { deadline: Duration::ZERO, ..Limits::default() }), Some("deadline_ms"));
        assert_eq!(key(Limits { instances_max: 1_001, ..Limits::default() }), Some("instances_max"));
    }
}
