//! What an execution has used up, and the stop when that is too much.

use wasmtime::ResourceLimiter;

use crate::engine::{CORE_INSTANCES_MAX, MEMORIES_MAX, TABLES_MAX};
use crate::limits::Limits;

/// Why the host ended an execution. Travels through wasmtime as the error of a trap.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(crate) enum Stop {
    #[error("suspended: {0}")]
    Suspended(String),
    #[error("describe called `{0}`")]
    CalledByDescribe(&'static str),
    #[error("too many calls to the host")]
    HostCalls,
    #[error("asked for {asked_bytes} bytes of memory")]
    Memory { asked_bytes: usize },
    #[error("asked for {asked} table elements")]
    Table { asked: usize },
    #[error("the host answered `{0}` with the answer to another call")]
    WrongAnswer(&'static str),
}

/// Sums over all memories and tables of an execution, since a component can have several of each.
pub(crate) struct Consumption {
    limits: Limits,
    memory_bytes: usize,
    memory_bytes_before: usize,
    memory_bytes_peak: usize,
    table_elements: usize,
    table_elements_before: usize,
    host_calls: u32,
    log_bytes: usize,
}

impl Consumption {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            memory_bytes: 0,
            memory_bytes_before: 0,
            memory_bytes_peak: 0,
            table_elements: 0,
            table_elements_before: 0,
            host_calls: 0,
            log_bytes: 0,
        }
    }

    /// Calls to the host so far.
    pub(crate) fn host_calls(&self) -> u32 {
        self.host_calls
    }

    /// The most memory so far, in bytes.
    pub(crate) fn memory_bytes_peak(&self) -> usize {
        self.memory_bytes_peak
    }

    /// Counts a call to the host, or says that it is one too many.
    pub(crate) fn host_call(&mut self) -> Result<(), Stop> {
        if self.host_calls >= self.limits.host_calls_max {
            return Err(Stop::HostCalls);
        }
        self.host_calls += 1;
        Ok(())
    }

    /// How much of a line still goes to the log. Each line costs something besides its text, so that empty ones end too.
    pub(crate) fn log_line(&mut self, bytes: usize) -> LogRoom {
        let before = self.log_bytes;
        self.log_bytes = before.saturating_add(bytes).saturating_add(LOG_LINE_BYTES);
        if self.log_bytes <= self.limits.log_bytes_max {
            LogRoom::Whole
        } else if before <= self.limits.log_bytes_max {
            LogRoom::FirstDropped
        } else {
            LogRoom::Dropped
        }
    }
}

/// What a line of the log costs besides its text, in bytes: about what the host writes before it.
const LOG_LINE_BYTES: usize = 128;

/// What becomes of a line for the log.
#[derive(Debug, PartialEq)]
pub(crate) enum LogRoom {
    Whole,
    /// Dropped, and the first one, so that the log is told.
    FirstDropped,
    Dropped,
}

impl ResourceLimiter for Consumption {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.memory_bytes_before = self.memory_bytes;
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false); // the memory's own declaration: the guest is told, as everywhere else
        }
        let asked_bytes = self.memory_bytes.saturating_sub(current).saturating_add(desired);
        if asked_bytes > self.limits.memory_bytes_max {
            return Err(Stop::Memory { asked_bytes }.into());
        }
        self.memory_bytes = asked_bytes;
        self.memory_bytes_peak = self.memory_bytes_peak.max(asked_bytes);
        Ok(true)
    }

    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.memory_bytes = self.memory_bytes_before;
        Ok(())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.table_elements_before = self.table_elements;
        let asked = self.table_elements.saturating_sub(current).saturating_add(desired);
        if asked > self.limits.table_elements_max {
            return Err(Stop::Table { asked }.into());
        }
        // After the limit: the pool's tables have the limit as their maximum.
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        self.table_elements = asked;
        Ok(true)
    }

    fn table_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.table_elements = self.table_elements_before;
        Ok(())
    }

    fn instances(&self) -> usize {
        CORE_INSTANCES_MAX as usize
    }

    fn tables(&self) -> usize {
        TABLES_MAX as usize
    }

    fn memories(&self) -> usize {
        MEMORIES_MAX as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn consumption() -> Consumption {
        Consumption::new(Limits {
            memory_bytes_max: 100,
            table_elements_max: 10,
            host_calls_max: 1,
            log_bytes_max: 10 + LOG_LINE_BYTES,
            ..Limits::default()
        })
    }

    fn stop<T: std::fmt::Debug>(result: wasmtime::Result<T>) -> Stop {
        result.unwrap_err().downcast_ref::<Stop>().unwrap().clone()
    }

    #[test]
    fn memory_is_summed_over_memories() {
        let mut used = consumption();
        assert!(used.memory_growing(0, 60, None).unwrap());
        assert!(used.memory_growing(0, 40, None).unwrap());
        assert_eq!(stop(used.memory_growing(40, 41, None)), Stop::Memory { asked_bytes: 101 });
        assert_eq!(used.memory_bytes_peak(), 100);
    }

    #[test]
    fn growth_that_failed_is_not_counted() {
        let mut used = consumption();
        assert!(used.memory_growing(0, 60, None).unwrap());
        used.memory_grow_failed(wasmtime::Error::msg("no memory")).unwrap();
        assert!(used.memory_growing(0, 100, None).unwrap());
        assert!(!used.memory_growing(100, 200, Some(150)).unwrap());
    }

    #[test]
    fn tables_are_summed_too() {
        let mut used = consumption();
        assert!(used.table_growing(0, 6, None).unwrap());
        assert!(used.table_growing(0, 4, None).unwrap());
        assert_eq!(stop(used.table_growing(4, 5, None)), Stop::Table { asked: 11 });
    }

    #[test]
    fn the_last_call_to_the_host_is_allowed_and_the_next_is_not() {
        let mut used = consumption();
        assert_eq!(used.host_call(), Ok(()));
        assert_eq!(used.host_call(), Err(Stop::HostCalls));
        assert_eq!(used.host_calls(), 1);
    }

    #[test]
    fn the_log_is_told_once_that_lines_are_dropped() {
        let mut used = consumption();
        let rooms: Vec<_> = [10, 1, 1].into_iter().map(|bytes| used.log_line(bytes)).collect();
        assert_eq!(rooms, [LogRoom::Whole, LogRoom::FirstDropped, LogRoom::Dropped]);
    }

    #[test]
    fn empty_lines_end_too() {
        let mut used = consumption();
        assert_eq!([used.log_line(0), used.log_line(0)], [LogRoom::Whole, LogRoom::FirstDropped]);
    }
}
