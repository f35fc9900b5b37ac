//! The wasmtime engine: what is compiled how, and where executions get their memory.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::limits::Limits;
use crate::sandbox::SandboxError;

/// Parts of one component. wit-component needs 3 instances, 1 memory and 1 table for a guest of Rust; adapters of other
/// languages bring some more.
pub(crate) const CORE_INSTANCES_MAX: u32 = 32;
pub(crate) const MEMORIES_MAX: u32 = 2;
pub(crate) const TABLES_MAX: u32 = 8;

/// What stays of an execution's memory for the next one, cleared, so that a call need not ask the kernel for it again, which stops
/// all other threads for a moment: a Rust guest's stack, data, and a first page of its heap.
const MEMORY_RESIDENT_BYTES: usize = 192 << 10;

/// The same of each table.
const TABLE_RESIDENT_BYTES: usize = 4 << 10;

/// Native stack on top of what the guest may use: host calls are polled on the guest's fiber.
const HOST_STACK_BYTES: usize = 2 << 20;

/// How long a guest computes before other work on the same thread gets its turn.
const EPOCH: Duration = Duration::from_millis(5);

/// Makes the engine, with a pool where the machine allows one: it reserves addresses (not memory) for every possible execution,
/// which some containers refuse. Without it calls are slower and nothing else changes.
///
/// # Errors
/// When wasmtime refuses the configuration even without a pool.
pub(crate) fn engine(limits: &Limits) -> Result<Engine, SandboxError> {
    let mut config = deterministic(limits);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(limits)));
    match Engine::new(&config) {
        Ok(engine) => Ok(engine),
        Err(error) => {
            tracing::warn!("no pool for executions, calls will be slower: {error:#}");
            config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
            Engine::new(&config).map_err(|error| SandboxError::Engine(format!("{error:#}")))
        }
    }
}

/// The same component and the same answers give the same calls, on every machine: whatever the standard leaves open is fixed.
/// Threads are off, since wasmtime is built without them.
fn deterministic(limits: &Limits) -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true)
        .wasm_memory64(false)
        .epoch_interruption(true)
        .max_wasm_stack(limits.stack_bytes_max)
        .async_stack_size(limits.stack_bytes_max.saturating_add(HOST_STACK_BYTES))
        .wasm_backtrace_max_frames(None);
    config
}

fn pool(limits: &Limits) -> PoolingAllocationConfig {
    let executions = limits.instances_max;
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(executions)
        .total_core_instances(executions.saturating_mul(CORE_INSTANCES_MAX))
        .total_memories(executions.saturating_mul(MEMORIES_MAX))
        .total_tables(executions.saturating_mul(TABLES_MAX))
        .total_stacks(executions)
        .max_core_instances_per_component(CORE_INSTANCES_MAX)
        .max_memories_per_component(MEMORIES_MAX)
        .max_tables_per_component(TABLES_MAX)
        .max_memories_per_module(MEMORIES_MAX)
        .max_tables_per_module(TABLES_MAX)
        .max_memory_size(limits.memory_bytes_max)
        .table_elements(limits.table_elements_max)
        .linear_memory_keep_resident(MEMORY_RESIDENT_BYTES)
        .table_keep_resident(TABLE_RESIDENT_BYTES);
    pool
}

/// Counts epochs, on a thread of its own, until it is dropped. A guest notices a new epoch at its next loop or call and yields,
/// so that even an endless loop leaves the thread to others and meets its deadline.
pub(crate) struct Ticker {
    /// Only there to be dropped: that ends the thread.
    _alive: Sender<()>,
}

impl Ticker {
    /// Starts to count.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn start(engine: Engine) -> Result<Self, SandboxError> {
        let (alive, dropped) = channel::<()>();
        let tick = move || {
            while dropped.recv_timeout(EPOCH) == Err(RecvTimeoutError::Timeout) {
                engine.increment_epoch();
            }
        };
        std::thread::Builder::new().name("warroom-epochs".to_owned()).spawn(tick).map_err(|error| {
            SandboxError::Engine(format!("starting the thread that counts epochs: {error}"))
        })?;
        Ok(Self { _alive: alive })
    }
}
