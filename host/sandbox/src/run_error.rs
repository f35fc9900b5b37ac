//! Why an execution ended without an outcome.

use std::time::Duration;

use wasmtime::Trap;

use crate::consumption::Stop;
use crate::limits::Limits;

/// What ended an execution from outside, or broke it. The text is for people: it names the limit, its value and its key.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RunError {
    /// The host stopped it, to run it again later.
    #[error("stopped, to be run again: {0}")]
    Suspended(String),
    /// It took too long.
    #[error(
        "it did not end within {} ms ([limits] deadline_ms): the action loops, or what it waits for does not come", .max.as_millis()
    )]
    Deadline {
        /// The limit.
        max: Duration,
    },
    /// It wanted too much memory.
    #[error("it asked for {asked_bytes} bytes of memory, and [limits] memory_bytes_max is {max}")]
    Memory {
        /// What it would have had, over all memories.
        asked_bytes: usize,
        /// The limit.
        max: usize,
    },
    /// It wanted too many table elements.
    #[error("it asked for {asked} table elements, and [limits] table_elements_max is {max}")]
    Table {
        /// What it would have had, over all tables.
        asked: usize,
        /// The limit.
        max: usize,
    },
    /// Its calls nested too deeply.
    #[error(
        "its calls nest deeper than [limits] stack_bytes_max = {max} allows: the action recurses without end"
    )]
    Stack {
        /// The limit.
        max: usize,
    },
    /// It called the host too often.
    #[error("it called the host more than {max} times ([limits] host_calls_max)")]
    HostCalls {
        /// The limit.
        max: u32,
    },
    /// It handed the host too much in one call.
    #[error("it handed over more than {max} bytes at once ([limits] hostcall_bytes_max)")]
    HostcallBytes {
        /// The limit.
        max: usize,
    },
    /// Its input is too large; it was not started.
    #[error(
        "its parameters are {bytes} bytes of JSON, and [limits] input_bytes_max is {max}: shorten what its templates put in"
    )]
    Input {
        /// The input's size.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// Its outcome is too large.
    #[error("it put out {bytes} bytes, and [limits] output_bytes_max is {max}")]
    Output {
        /// The outcome's size.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// `describe` called the host.
    #[error("`describe` called `{0}`")]
    CalledByDescribe(&'static str),
    /// It broke: a panic of a Rust guest arrives as `unreachable`.
    #[error(
        "it broke: {0}; this is a mistake in the action, which its author can find with these parameters"
    )]
    Trapped(String),
    /// The host gave the answer of another call.
    #[error("the host answered `{0}` with the answer to another call: this is a mistake in the host")]
    WrongAnswer(&'static str),
}

/// How wasmtime, whose own type for it is private, says that hostcall fuel is spent.
const HOSTCALL_FUEL_SPENT: &str = "fuel allocated for hostcalls has been exhausted";

impl RunError {
    /// Tells the reasons apart that arrive as one error of wasmtime.
    pub(crate) fn of(error: &wasmtime::Error, limits: &Limits) -> Self {
        if let Some(stop) = error.downcast_ref::<Stop>() {
            return Self::of_stop(stop.clone(), limits);
        }
        if let Some(trap) = error.downcast_ref::<Trap>() {
            return match trap {
                Trap::StackOverflow => Self::Stack { max: limits.stack_bytes_max },
                other => Self::Trapped(other.to_string()),
            };
        }
        let reason = error.root_cause().to_string();
        if reason.contains(HOSTCALL_FUEL_SPENT) {
            return Self::HostcallBytes { max: limits.hostcall_bytes_max };
        }
        Self::Trapped(reason)
    }

    fn of_stop(stop: Stop, limits: &Limits) -> Self {
        match stop {
            Stop::Suspended(what_for) => Self::Suspended(what_for),
            Stop::CalledByDescribe(function) => Self::CalledByDescribe(function),
            Stop::HostCalls => Self::HostCalls { max: limits.host_calls_max },
            Stop::Memory { asked_bytes } => Self::Memory { asked_bytes, max: limits.memory_bytes_max },
            Stop::Table { asked } => Self::Table { asked, max: limits.table_elements_max },
            Stop::WrongAnswer(function) => Self::WrongAnswer(function),
        }
    }
}
