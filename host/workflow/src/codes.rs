//! The codes of diagnostics. A code keeps its meaning for ever; one that is no longer reported is not given to another
//! mistake, since people search for it and tools filter by it.

pub(crate) const FILE_TOO_LARGE: &str = "E001";
pub(crate) const SYNTAX: &str = "E002";
pub(crate) const TOO_DEEP: &str = "E003";
pub(crate) const DUPLICATE_KEY: &str = "E004";
pub(crate) const WRONG_TYPE: &str = "E005";
pub(crate) const UNKNOWN_KEY: &str = "E006";
pub(crate) const MISSING_KEY: &str = "E007";
pub(crate) const WRONG_VALUE: &str = "E008";
pub(crate) const TOO_MANY: &str = "E009";
pub(crate) const WRONG_NAME: &str = "E010";
pub(crate) const DUPLICATE_NAME: &str = "E011";
pub(crate) const COMMENT: &str = "E012";
pub(crate) const STRING: &str = "E013";
pub(crate) const BRACKET: &str = "E014";
pub(crate) const WORD: &str = "E015";
pub(crate) const NUMBER: &str = "E016";
pub(crate) const ENCODING: &str = "E017";
pub(crate) const TOO_LONG: &str = "E018";
pub(crate) const WORKFLOW_IN_TWO_FILES: &str = "E019";

pub(crate) const NO_TRIGGERS: &str = "E020";
pub(crate) const TRIGGER_TYPE: &str = "E021";
pub(crate) const TRIGGER_CONDITION: &str = "E022";
pub(crate) const PATTERN: &str = "E023";

pub(crate) const GROUP_NAME: &str = "E024";

pub(crate) const NO_STEPS: &str = "E030";
pub(crate) const NO_ACTIONS: &str = "E031";
pub(crate) const UNKNOWN_ACTION_TYPE: &str = "E032";
pub(crate) const PARAMETER: &str = "E033";
pub(crate) const DUPLICATE_OUTPUT: &str = "E034";
pub(crate) const TEMPLATED_OUTPUT: &str = "E035";

pub(crate) const UNKNOWN_STEP: &str = "E040";
pub(crate) const NEVER_RUNS: &str = "E041";
pub(crate) const TRANSITION_IN_FINISH: &str = "E042";
pub(crate) const FIXED_CHANNEL: &str = "E044";
pub(crate) const CHANNELS_COLLIDE: &str = "E045";
pub(crate) const AUTOMATIC_CYCLE: &str = "E043";

pub(crate) const TEMPLATE: &str = "E050";
pub(crate) const UNKNOWN_VARIABLE: &str = "E051";
pub(crate) const NEVER_SET_HERE: &str = "E052";
pub(crate) const KEY_VARIABLE: &str = "E053";

pub(crate) const TOO_MANY_PROBLEMS: &str = "E099";

pub(crate) const BYTE_ORDER_MARK: &str = "W001";
pub(crate) const NO_WORKFLOWS: &str = "W002";
pub(crate) const MATCHES_EMPTY: &str = "W003";
pub(crate) const NEVER_FIRES: &str = "W004";
pub(crate) const CONSTANT_KEY: &str = "W005";
pub(crate) const UNREACHABLE_STEP: &str = "W012";
pub(crate) const WITHOUT_EFFECT: &str = "W013";
pub(crate) const CHANNEL_MAY_REPEAT: &str = "W015";
pub(crate) const HOLDS_TRIGGER: &str = "W016";
pub(crate) const NOBODY_MENTIONED: &str = "W017";
pub(crate) const NEVER_ENDS: &str = "W014";

pub(crate) const MAY_BE_UNSET: &str = "W020";
pub(crate) const MAY_HAVE_FAILED: &str = "W021";
pub(crate) const OTHER_TRIGGER: &str = "W022";

pub(crate) const TEAM_NOT_FOUND: &str = "W030";
pub(crate) const CHANNEL_NOT_FOUND: &str = "W031";
pub(crate) const PERSON_NOT_FOUND: &str = "W032";
