//! Every limit, with its default.

use serde::Deserialize;
use std::time::Duration;
use warroom_sandbox::Limits;

/// The limits, each with a default.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// The largest component, in bytes.
    pub component_bytes_max: usize,
    /// The most memory of one execution, in bytes.
    pub memory_bytes_max: usize,
    /// The most elements of all tables of one execution.
    pub table_elements_max: usize,
    /// The deepest stack of one execution, in bytes.
    pub stack_bytes_max: usize,
    /// The longest execution, waiting for the chat included, in milliseconds.
    pub deadline_ms: u64,
    /// The most host calls of one execution.
    pub host_calls_max: u32,
    /// The most data that one host call may carry, in bytes.
    pub hostcall_bytes_max: usize,
    /// How many executions run at once; further ones wait.
    pub instances_max: u32,
    /// The largest outcome, in bytes.
    pub output_bytes_max: usize,
    /// The largest log of one execution, in bytes.
    pub log_bytes_max: usize,
    /// The largest rendered input, in bytes.
    pub input_bytes_max: usize,
    /// How often an action is tried while something is temporarily away.
    pub retry_tries_max: u32,
    /// For how long, in milliseconds.
    pub retry_period_ms: u64,
    /// How many runs may be open at once.
    pub open_runs_max: usize,
    /// The largest request that the HTTP endpoints take, in bytes.
    pub request_bytes_max: usize,
    /// How long one of them may take, in milliseconds.
    pub request_timeout_ms: u64,
    /// How many connections to the HTTP endpoints are open at once.
    pub http_connections_max: usize,
    /// How long one request to Mattermost may take, in milliseconds.
    pub mattermost_timeout_ms: u64,
    /// How many requests to Mattermost are made a second, in the long run.
    pub mattermost_calls_per_second: u32,
    /// How many requests to Mattermost are made at once after a pause.
    pub mattermost_calls_burst: u32,
    /// A post that is found later than this after it was written starts nothing by itself, in milliseconds.
    pub catch_up_max_age_ms: u64,
    /// How many posts of one channel are read to find what came while nobody listened.
    pub catch_up_posts_max: u32,
    /// How many channels the bot joins to listen.
    pub watched_channels_max: usize,
    /// How often the rooms of open incidents are looked at, and the ids in `[groups]` looked up, in milliseconds.
    pub rooms_check_ms: u64,
    /// How many workflow files are read.
    pub workflow_files_max: usize,
}

impl Default for LimitsConfig {
    fn default() -> LimitsConfig {
        let (sandbox, runner) = (Limits::default(), warroom_runner::Options::default());
        LimitsConfig {
            component_bytes_max: sandbox.component_bytes_max,
            memory_bytes_max: sandbox.memory_bytes_max,
            table_elements_max: sandbox.table_elements_max,
            stack_bytes_max: sandbox.stack_bytes_max,
            deadline_ms: 30_000,
            host_calls_max: sandbox.host_calls_max,
            hostcall_bytes_max: sandbox.hostcall_bytes_max,
            instances_max: sandbox.instances_max,
            output_bytes_max: sandbox.output_bytes_max,
            log_bytes_max: sandbox.log_bytes_max,
            input_bytes_max: sandbox.input_bytes_max,
            retry_tries_max: runner.retry_tries_max,
            retry_period_ms: runner.retry_period_ms,
            open_runs_max: runner.open_runs_max,
            request_bytes_max: 64 * 1024,
            request_timeout_ms: 25_000,
            http_connections_max: 1_000,
            mattermost_timeout_ms: 10_000,
            mattermost_calls_per_second: 50,
            mattermost_calls_burst: 100,
            catch_up_max_age_ms: runner.catch_up_age_max_ms,
            catch_up_posts_max: 10_000,
            watched_channels_max: 1_000,
            rooms_check_ms: 5 * 60 * 1_000,
            workflow_files_max: 1_000,
        }
    }
}

impl LimitsConfig {
    pub(crate) fn sandbox(&self) -> Limits {
        Limits {
            component_bytes_max: self.component_bytes_max,
            memory_bytes_max: self.memory_bytes_max,
            table_elements_max: self.table_elements_max,
            stack_bytes_max: self.stack_bytes_max,
            deadline: Duration::from_millis(self.deadline_ms),
            host_calls_max: self.host_calls_max,
            hostcall_bytes_max: self.hostcall_bytes_max,
            instances_max: self.instances_max,
            output_bytes_max: self.output_bytes_max,
            log_bytes_max: self.log_bytes_max,
            input_bytes_max: self.input_bytes_max,
        }
    }
}
